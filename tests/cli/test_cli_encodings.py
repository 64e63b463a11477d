"""An encoding is certain, or asked for with the cells that decide; nothing is read on a guess."""

import encodings.aliases
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.reading.encoding import find_encoding
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.source import Source

HEADER = "Email Address,First Name\r\n"
NAMES = {
    "cp1250": ["Zsófia", "Győző", "Łukasz Gałązka", "Řehoř"],
    "cp1251": ["Иван Петров", "Ольга"],
    "cp1252": ["José Müller", "François", "Åsa Grönlund"],
    "cp1253": ["Γιώργος", "Ελένη"],
    "cp1254": ["Ayşe", "Gökçe Şahin"],
    "cp1255": ["דוד", "שרה"],
    "cp1256": ["محمد علي", "فاطمة"],
    "cp1257": ["Žydrūnas", "Ieva Bērziņa"],
    "cp874": ["สมชาย", "สุดา"],
    "iso8859-2": ["Gałązka", "Šárka"],
    "koi8-r": ["Иван Петров", "Ольга"],
    "mac-roman": ["José", "Müller"],
    "cp850": ["Jürgen", "José"],
    "cp852": ["Győző", "Łukasz"],
    "shift_jis": ["田中太郎", "佐藤さくら"],
    "gb18030": ["王小明", "李娜"],
    "big5": ["陳大文", "林美玲"],
    "euc_kr": ["김민수", "이서연"],
    "utf-16-le": ["Zsófia", "王小明"],
    "utf-16-be": ["Zsófia", "王小明"],
    "utf-32-le": ["Zsófia", "王小明"],
}


def written(names, encoding):
    rows = "".join(f"p{i}@example.org,{name}\r\n" for i, name in enumerate(names))
    return (HEADER + rows).encode(encoding)


def doubt_of(content, name="p.csv"):
    Path(name).write_bytes(content)
    with pytest.raises(DoubtError) as caught:
        check_file(Source(Path(name)))
    return caught.value


def choice_of(doubt, value):
    return next(one for one in doubt.choices if one.value == value)


@pytest.mark.parametrize("encoding", NAMES)
def test_what_may_be_several_encodings_is_asked_for_and_the_right_one_is_among_them(encoding):
    content = written(NAMES[encoding], encoding)
    doubt = doubt_of(content)
    shown = "\n".join(choice_of(doubt, encoding).shown)
    assert any(name in shown for name in NAMES[encoding])
    assert all(len(one.shown) <= 3 for one in doubt.choices)
    assert len({one.shown for one in doubt.choices}) == len(doubt.choices)
    with closing(Source(Path("p.csv"), ReadOptions(encoding=encoding))) as source:
        assert check_file(source).bad_total == 0
        assert [row.candidate.first_name for row in source.rows()] == NAMES[encoding]


def test_the_words_name_the_file_the_cells_and_the_option():
    doubt = doubt_of(written(NAMES["cp1250"], "cp1250"))
    assert doubt.question == (
        "p.csv: is not UTF-8, and its bytes alone do not tell which encoding it is in"
    )
    assert "--encoding cp1250\n      line 3: Győző\n" in str(doubt)
    assert choice_of(doubt, "cp1250").flag == "--encoding cp1250"
    assert "@" not in str(doubt)


@pytest.mark.parametrize(
    "signs",
    [
        "50 € / 20°",
        "§ 5",
        "½ day",
        "£20",
        "© 2026",
        "“so” he said",
        "a \u2013 b",
        "…",
        "«so»",
        "20 % \u2013 3 €",
    ],
)
def test_signs_alone_are_no_reason_to_doubt_the_encoding_of_most_files(signs):
    doubt = doubt_of(written([f"Asha {signs}"], "cp1252"))
    assert doubt.choices[0].value == "cp1252"


@pytest.mark.parametrize("names", [["Анна"], ["Юля"], ["Ян"], ["ИВАН"], ["Иван", "Ольга", "Пётр"]])
def test_a_list_of_cyrillic_names_is_first_offered_as_such(names):
    assert doubt_of(written(names, "cp1251")).choices[0].value == "cp1251"


@pytest.mark.parametrize("names", [["René"], ["Íñigo"], ["Größe"], ["Zoë", "François"]])
def test_a_list_of_western_names_is_first_offered_as_such(names):
    assert doubt_of(written(names, "cp1252")).choices[0].value == "cp1252"


@pytest.mark.parametrize("names", [["A€b™c©d", "§x§", "x¤y¦z¬"], ["J“o”s\u201ae", "Ÿ€Ž"]])
def test_the_encoding_of_most_files_is_always_offered(names):
    assert "cp1252" in [one.value for one in doubt_of(written(names, "cp1252")).choices]


def test_a_file_of_json_lines_is_asked_for_too():
    line = '{"Email Address": "a@x.org", "First Name": "José"}\n'
    doubt = doubt_of(line.encode("cp1252"), "p.jsonl")
    assert choice_of(doubt, "cp1252").shown == ("line 1: José",)


@pytest.mark.parametrize("minus", [b"-", b""])
def test_letters_in_utf_7_are_asked_for(minus):
    rows = b"a@x.org,Asha,Pune\nb@x.org,Jo,M+APw-nchen\nc@x.org,Jo,Jos+AOk%s\n" % minus
    content = b"Email Address,First Name,City\n" + rows
    doubt = doubt_of(content)
    assert doubt.question.startswith("p.csv: may be UTF-7")
    assert [(one.flag, one.shown) for one in doubt.choices] == [
        ("--encoding utf-8", ("line 3: M+APw-nchen", f"line 4: Jos+AOk{minus.decode()}")),
        ("--encoding utf-7", ("line 3: München", "line 4: José")),
    ]
    with closing(Source(Path("p.csv"), ReadOptions(encoding="utf-7"))) as source:
        towns = [one.candidate.fields["City"] for one in source.rows()]
    assert towns == ["Pune", "München", "José"]


@pytest.mark.parametrize(
    "cell",
    ["a+abg@x.org", "+14155552674", "+49 151 234", "+494", "REST+API", "C++", "A+", "1+1=2", "+-", "a+b",
     "+AOk-, +49 151"],
)  # fmt: skip
def test_a_plus_alone_does_not_make_a_text_utf_7(cell):
    content = f'Email Address,First Name,Note\na@x.org,Asha,"{cell}"\n'.encode()
    assert find_encoding("p.csv", lambda: [content]) == "utf-8-sig"


def test_the_lines_that_decide_may_be_far_behind():
    content = written(["Zsófia"] * 3000 + ["Győző"], "cp1250")
    assert "line 3002: Győző" in choice_of(doubt_of(content), "cp1250").shown


def test_utf_8_with_a_broken_place_is_offered_as_such_and_then_told_by_row():
    content = written(["José", "Zoë"], "utf-8") + written(["José"], "cp1252")[len(HEADER) :]
    doubt = doubt_of(content)
    assert doubt.choices[0].flag == "--encoding utf-8"
    assert doubt.choices[0].shown[-1] == "line 4: Jos\N{REPLACEMENT CHARACTER}"
    checked = check_file(Source(Path("p.csv"), ReadOptions(encoding="utf-8")))
    [bad] = checked.bad_rows()
    assert (bad.line, bad.problem.startswith("First Name: is not UTF-8")) == (4, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_a_mark_or_whole_utf_8_is_certain(encoding):
    content = written(["Zsófia", "Иван", "王小明"], encoding)
    assert find_encoding("p.csv", lambda: [content]) in {"utf-8-sig", encoding}


@pytest.mark.parametrize(
    ("content", "certain"),
    [
        (b"plain", True),
        (b"\xc3\xa9", True),
        (b"\xc3", False),
        (b"caf\xe9", False),
        (b"\x1b$B", False),
    ],
)
def test_pieces_cut_a_letter_in_two(content, certain):
    for place in range(len(content) + 1):
        pieces = [one for one in (content[:place], content[place:]) if one]
        if certain:
            assert find_encoding("p.csv", lambda pieces=pieces: pieces) == "utf-8-sig"
        else:
            with pytest.raises(DoubtError):
                find_encoding("p.csv", lambda pieces=pieces: pieces)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=3))
def test_any_bytes_are_certain_or_a_doubt_or_no_text(content, cuts):
    places = sorted({min(one, len(content)) for one in cuts} | {0, len(content)})
    pieces = [content[a:b] for a, b in pairwise(places) if a < b]
    try:
        found = find_encoding("p.csv", lambda: pieces)
    except CommandError:
        return
    if found == "utf-8-sig" and b"\0" not in content:
        content.decode("utf-8")


def test_bytes_that_are_no_text_are_told():
    Path("p.csv").write_bytes(bytes(range(1, 256)) * 4)
    with pytest.raises(CommandError, match=r"p\.csv: is not text; export the table"):
        check_file(Source(Path("p.csv")))


def test_a_mark_beats_the_option_of_another_encoding():
    Path("p.csv").write_bytes(written(["Zoë"], "utf-8-sig"))
    with pytest.raises(CommandError, match=r"say that it is utf-8; leave out --encoding cp1252"):
        check_file(Source(Path("p.csv"), ReadOptions(encoding="cp1252")))


@pytest.mark.parametrize(
    "name", sorted({*encodings.aliases.aliases.values(), "\udc80", "ü", "oem"})
)
def test_no_value_of_the_option_ends_in_a_traceback(name):
    Path("p.csv").write_bytes(written(["Zoë"], "utf-8") + b"b@x.org,\xe9\xff\x81\n")
    try:
        check_file(Source(Path("p.csv"), ReadOptions(encoding=name)))
    except CommandError as error:
        assert "Zoë" not in str(error)


def test_elsewhere_than_on_a_terminal_the_command_prints_the_choices_and_ends_with_2(
    mettl, sandbox
):
    Path("p.csv").write_bytes(written(NAMES["cp1250"], "cp1250"))
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2
    assert "nothing was sent" in done.stderr
    assert "--encoding cp1250" in done.stderr
    assert sandbox.stats.requests == 0
    done = mettl("register", "p.csv", "--sandbox", "--encoding", "cp1250")
    assert done.exit_code == 0, done.output
    sent = [one.candidate.fields["First Name"] for one in sandbox.candidates]
    assert sent == NAMES["cp1250"]
