"""Cells that leave: no program computes them, and the value comes back."""

import csv
import io
import re
import shutil
import subprocess
import unicodedata

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mettl_async.cli.outfile import csv_lines
from mettl_async.cli.safe_cells import guard, unguard

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
SEPARATORS = ",;\t|"
TRICKY = [
    *SIGNS,
    *SEPARATORS,
    *" '\"\n\r\0\x1b\x85\xa0\ufeff\u200b\u2028␊␀_xA1",
    "_x000A_",
    "_x005F_",
]
texts = st.text() | st.lists(st.sampled_from(TRICKY)).map("".join)


def unseen(character):
    kind = unicodedata.category(character)
    return kind in {"Cc", "Cf", "Zs", "Zl", "Zp"} or character in "'\"\u115f\u2800\u3164\ufe0f"


def begins_a_formula(text):
    """Tell whether what is seen of a text begins with a sign, without any code of the package's."""
    return next((one for one in text if not unseen(one)), "") in tuple(SIGNS)


@given(texts)
@example("_x0041\n")
@example("_x0041_x0042_")
@example("__x000A_")
def test_what_is_guarded_comes_back(text):
    assert unguard(guard(text)) == text
    assert unguard(guard(guard(text))) == guard(text)


@given(texts)
def test_no_part_of_a_guarded_cell_is_a_formula_and_nothing_in_it_is_a_control_character(text):
    safe = guard(text)
    assert not [one for one in safe if unicodedata.category(one) in {"Cc", "Zl", "Zp"}]
    for part in re.split(f"[{SEPARATORS}]", safe):
        assert not begins_a_formula(part) or part.startswith("'")
        assert not part.startswith(tuple(SIGNS))


@given(texts)
def test_safe_text_is_left_alone(text):
    parts = re.split(f"[{SEPARATORS}]", text)
    odd = set(text) & set("\t\x7f␀␊\u2028\u2029") or re.search(
        "[\x00-\x1f\x7f-\x9f\u2400-\u2421]", text
    )
    if not odd and "_x" not in text and not any(map(begins_a_formula, parts)):
        assert guard(text) == guard(guard(text)) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Asha", "Asha"),
        ("asha@example.org", "asha@example.org"),
        ("https://x.org/?a=1&b=-2", "https://x.org/?a=1&b=-2"),
        ("=1", "'=1"),
        (" =1", "' =1"),
        ("\xa0=1", "'\xa0=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\u200b\u2060=1", "'\u200b\u2060=1"),
        ("\uff1d1", "'\uff1d1"),
        ("+49 1", "'+49 1"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
        ("x;=1+1;y", "x;'=1+1;y"),
        ("x; =1|@y", "x;' =1|'@y"),
        ('x;"=1+1";y', 'x;\'"=1+1";y'),
        ("Pune, -1", "Pune,' -1"),
        ("x\t=1", "x␉=1"),
        ("one\n=two", "one␊=two"),
        ("a␊b", "a_x240A_b"),
        ("\x85_x0041_", "_x0085__x005F_x0041_"),
        ("my_x_y", "my_x_y"),
    ],
)
def test_examples(text, safe):
    assert guard(text) == safe
    assert unguard(safe) == text


def test_everything_unseen_in_front_of_a_sign_is_looked_through():
    every = (chr(code) for code in range(0x110000))
    missed = [
        f"U+{ord(one):04X}"
        for one in every
        if (one.isspace() or unicodedata.category(one) == "Cf")
        and guard(f"{one}=1")[0] not in "'_␉␊␋␌␍␜␝␞␟"
    ]
    assert not missed


@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(",;\t|"))
def test_a_line_split_at_any_separator_has_no_formula(cells, separator):
    text = csv_lines([cells])
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[guard(cell) for cell in cells]]
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        assert not any(cell.startswith(tuple(SIGNS)) for cell in row)


LEADING = [
    "",
    " ",
    "\xa0",
    "\ufeff",
    "\u200b",
    "\u3000",
    "\t",
    "\n",
    "\r",
    "\0",
    '"',
    "'",
    '" ',
    "\u2028",
]
BEFORE = ["", "x;", "x,", "x\t", "x|", "x\n", 'x;"', '"x";', ";;", 'x;"']
HOSTILE = [
    [f"{before}{leading}{sign}1+1{after}", "b"]
    for before in BEFORE
    for leading in LEADING
    for sign in SIGNS
    for after in ("", ";y", '";y')
]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
def test_libreoffice_computes_nothing_whatever_it_splits_at_and_saves_what_it_read(tmp_path):
    unsafe = io.StringIO()
    csv.writer(unsafe).writerows([cell.replace("\0", "") for cell in row] for row in HOSTILE)
    assert formulas(tmp_path, unsafe.getvalue(), ";")
    text = csv_lines(HOSTILE)
    for separator in SEPARATORS:
        assert not formulas(tmp_path, text, separator)
    saved = converted(
        tmp_path, text, ",", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"
    )
    with saved.open(encoding="utf-8", newline="") as file:
        assert [[unguard(cell) for cell in row] for row in csv.reader(file)] == HOSTILE


def formulas(home, text, separator):
    sheet = openpyxl.load_workbook(converted(home, text, separator, "xlsx")).active
    return [cell.value for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def converted(home, text, separator, kind):
    (home / "x.csv").write_text(text, "utf-8", newline="")
    # UTF-8, from the first line on, and with formulas evaluated.
    rule = f"CSV:{ord(separator)},34,76,1,,0,false,true,false,false,false,-1,true"
    subprocess.run(  # noqa: S603 - of this test
        ["soffice", f"-env:UserInstallation={(home / 'home').as_uri()}", "--headless",  # noqa: S607
         f"--infilter={rule}", "--convert-to", kind, "--outdir", "out", "x.csv"],
        check=True, capture_output=True, timeout=100, cwd=home,
    )  # fmt: skip
    return home / "out" / f"x.{kind[:4].partition(':')[0]}"
