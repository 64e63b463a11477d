"""Whether a person is plausible: addresses, names, and what invisible characters do in them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.reading.characters import clean_name, hidden, is_plain
from mettl_async.cli.reading.columns import EMAIL, FIRST_NAME, Layout
from mettl_async.cli.reading.people import (
    _by_the_book,
    address_problem,
    is_address,
    is_plain_name,
    is_unremarkable,
    name_problem,
    text_problem,
)
from mettl_async.cli.reading.rows import BadRow, candidate_of, problem_of
from mettl_async.cli.reading.source import Source

WRONG_ADDRESSES = [
    ("mailto:a@example.org", "begins with mailto:; remove it"),
    ("b@example.org.", "ends with a punctuation mark"),
    ('"c@example.org"', "in quotes"),
    ("“d@example.org”", "in quotes"),
    ("'e@example.org'", "in quotes"),
    ("(f@example.org)", "in brackets"),
    ("g@example.org/", "ends with a punctuation mark"),
    ("h@example..org", "two dots in a row"),
    ("http://i@example.org", "is a link"),
    ("j@example.org?subject=x", "no such address can exist"),
    ("k@example.org\ufe0f", "cannot be seen (U+FE0F VARIATION SELECTOR-16)"),
    ("l@exa\u3164mple.org", "cannot be seen (U+3164 HANGUL FILLER)"),
    ("m@example.org%20", "has a %20"),
    ("n@example.org:", "ends with a punctuation mark"),
    ("o@example.org|p", "no such address can exist"),
    ("q@example.org\\", "ends with a punctuation mark"),
    ("r@-example.org", "no such address can exist"),
    ("<a@x.org>", "angle brackets"),
    ("Asha <a@x.org>", "angle brackets"),
    ("a@x.org, b@x.org", "more than one address"),
    ("a@x.org;b@x.org", "more than one address"),
    ("a@x.org b@x.org", "more than one address"),
    ("a@@x.org", "has @@"),
    ("a@b@x.org", "more than one @"),
    ("a @x.org", "has a space"),
    ("a@x org", "has a space"),
    ("a@x,org", "has a comma"),
    ("@x.org", "nothing before the @"),
    ("a", "is not an email address; give it as name@domain"),
    ("a@", "is not an email address"),
    ("", "is blank"),
    ("a@localhost", "without an ending"),
    ("a@x.c", "without an ending"),
    ("a@x.org1", "no such address can exist"),
    ("a@x.local", "no such address can exist"),
    ("a@[127.0.0.1]", "no such address can exist"),
    (".a@x.org", "no such address can exist"),
    ("a.@x.org", "no such address can exist"),
    ("a" * 65 + "@x.org", "no such address can exist"),
    ("a@" + "b" * 64 + ".org", "no such address can exist"),
    ("a@xn--n3h.com", "no such address can exist"),
    ("a@ex\u0430mple.org", "Cyrillic and Latin letters in one word"),
    ("\u0430sha@x.org", "Cyrillic and Latin letters in one word"),
    ("a@\uff45xample.org", "only look like those of an address"),
    ("\uff41@x.org", "only look like those of an address"),
    ("a\u200b@x.org", "U+200B ZERO WIDTH SPACE"),
    ("\ufeffa@x.org", "U+FEFF"),
    ("a@x\u00ad.org", "U+00AD SOFT HYPHEN"),
    ("a\u2013b@x.org", "has a long dash; type -"),
    ("a@x\u2013y.org", "has a long dash; type -"),
    ("a\u2212b@x.org", "has a long dash; type -"),
    ("o\u2019brien@x.org", "has a curly apostrophe; type '"),
    ("a\u2026b@x.org", "U+2026 HORIZONTAL ELLIPSIS"),
    ("a\u20ac@x.org", "U+20AC EURO SIGN"),
    ("a\u00ab@x.org", "U+00AB"),
    ("a\u2713@x.org", "U+2713 CHECK MARK"),
]  # fmt: skip
RIGHT_ADDRESSES = [
    "a@x.org", "A.B+tag@Example.CO.UK", "o'brien@x.org", "'apos@example.org", "+tag@x.org", "r&d@x.org",
    "_a@x.org", "a_b@x-y.org", "1@2.co", "zoë@example.org", "иван@пример.рф", "a@例え.jp", "用户@例子.中国",
    "anna@xn--mnchen-3ya.example", "a@münchen.de", "p@host.test", "a" * 64 + "@x.org", "अ@x.org",
    "a@col\u00b7lecci\u00f3.cat",
]  # fmt: skip
WRONG_NAMES = [
    ("\u200b", "U+200B ZERO WIDTH SPACE"),
    ("\u3164", "U+3164 HANGUL FILLER"),
    (".", "no letter"),
    ("-", "no letter"),
    ("❤️", "no letter"),
    ("", "is blank"),
    ("\u3000 ", "is blank"),
    ("A\nB", "line break"),
    ("A\u2028B", "line break"),
    ("A\tB", "has a tab"),
    ("A\x00", "cannot be seen"),
    ("As\u00adha", "U+00AD SOFT HYPHEN"),
    ("As\u200dha", "U+200D ZERO WIDTH JOINER"),
    ("\u202eAsha", "U+202E RIGHT-TO-LEFT OVERRIDE"),
    ("A\u2060B", "U+2060 WORD JOINER"),
    ("\u2800", "U+2800 BRAILLE PATTERN BLANK"),
    ("Jos\ufffd", "a letter that was lost (U+FFFD)"),
    ("Jos\u00c3\u0083", "cannot be seen"),
    ("asha@x.org", "holds an email address"),
    ("Asha <asha@x.org>", "holds an email address"),
    ("asha\uff20x\uff0eorg", "holds an email address"),
    ("#N/A", "spreadsheet's error"),
    ("'Asha'", "in single quotes"),
    ('"Asha"', "in quotes"),
    ("“Asha”", "in quotes"),
    ('Bo"', "without its pair"),
    ("'00123", "begins with an apostrophe"),
    ("Jos&eacute;", "has HTML in it"),
    ("O&#39;Neill", "has HTML in it"),
    ("<b>Asha</b>", "has HTML in it"),
    ("Asha_x000D_", "has XML in it"),
    ("Jos\\u00e9", "has JSON in it"),
    ("Jos%C3%A9", "has percent codes in it"),
    ("Jos=C3=A9", "has mail codes in it"),
    ("=?UTF-8?B?Sm9zw6k=?=", "has mail codes in it"),
    ("Jos+AOk-", "has UTF 7 in it"),
    ("~{<:Ky~}", "has HZ in it"),
    ("Jos?", "a question mark where a letter was lost"),
    ("M?ller", "a question mark where a letter was lost"),
    ("NULL", "word for nothing"),
    ("nan", "word for nothing"),
    ("N/A", "word for nothing"),
    ("nil", "word for nothing"),
    ("(null)", "word for nothing"),
    ("9876543210", "no letter"),
    ("+91 98765", "no letter"),
    ("2026-11-27", "no letter"),
    ("7", "no letter"),
    ("https://x.org", "is a link"),
    ("www.example.org", "is a link"),
    ("{{first}}", "has not filled"),
    ("Dear {{ name }}", "has not filled"),
    ("${name}", "has not filled"),
    ("%s", "has not filled"),
    ("$FIRST", "has not filled"),
    ("First Name", "name of a column"),
    (" first_name", "name of a column"),
    ("FIRSTNAME", "name of a column"),
    ("Asha\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
    *((name.encode().decode("cp1252"), "an earlier program misread")
      for name in ("José", "Müller", "Zoë Ångström", "Straße", "Gałązka", "Wěra", "O\u2019Brien")),
]  # fmt: skip
RIGHT_NAMES = [
    "Asha", "Zoë", "O'Neill", "O\u2019Brien", "'t Hooft", "Mary\u00a0Ann", "राव", "क्\u200dष", "र\u200d्य", "Ng",
    "मीरा", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "葛\U000e0100城", "👩\u200d💻 Asha", "Jean-Luc", "Dr. A. B. Rao", "100% Schmidt",
    'Asha "Ash" Rao', "Nil", "\u2764\ufe0f Asha", "1\ufe0f\u20e3 Asha", "Asha 2nd", "İbrahim", "Null", "Nan", "Ana", "R&D Rao", "Anna & Bo", "e\u0301", "VÍŠEK", "KÄŽO", "Mª Ángeles", "Ñuñez", "André\u2019s", "Âû", "João", "ᠮᠣᠩᠭᠣᠯ",
]  # fmt: skip


@pytest.mark.parametrize(("address", "words"), WRONG_ADDRESSES)
def test_an_address_that_cannot_be_is_refused_with_the_fix(address, words):
    assert words in address_problem(address)


@pytest.mark.parametrize("address", RIGHT_ADDRESSES)
def test_an_address_that_can_be_is_none_of_our_business(address):
    assert address_problem(address) is None


@pytest.mark.parametrize(("name", "words"), WRONG_NAMES)
def test_what_is_no_name_is_refused_with_the_fix(name, words):
    assert words in name_problem(name)


@pytest.mark.parametrize("name", RIGHT_NAMES)
def test_what_is_a_name_somewhere_is_one(name):
    assert name_problem(name) is None


@given(
    st.from_regex(r"[A-Za-z0-9_+.-]{1,12}", fullmatch=True),
    st.from_regex(r"([A-Za-z0-9-]{1,9}\.){1,3}[A-Za-z0-9]{1,5}", fullmatch=True),
)
def test_what_is_plain_needs_no_library(local, domain):
    if is_address(f"{local}@{domain}"):
        assert _by_the_book(f"{local}@{domain}") is None


@given(
    st.dictionaries(
        st.sampled_from(
            ["Email Address", "First Name", "City", "context_data", "compensatory_time"]
        ),
        st.text(max_size=8)
        | st.sampled_from(["a@x.org", "Asha", "15", "\uff0e", "#N/A", "'0", "A@B"]),
    )
)
def test_a_candidate_can_be_made_of_what_has_no_problem(known):
    if problem_of(Layout(name="p.csv"), known) is None:
        candidate = candidate_of(known)
        assert candidate.first_name == known[FIRST_NAME]
        assert candidate.email == known[EMAIL].strip()


@given(st.lists(st.text(max_size=6) | st.sampled_from(["#N/A", "'x'", '="1"', "1E+12", "\u200b"])))
def test_no_cell_of_an_unremarkable_row_has_a_problem(cells):
    if is_unremarkable("".join(cells)):
        assert not [cell for cell in cells if text_problem(cell, is_name=True)]
        assert not [cell for cell in cells if is_plain_name(cell) and name_problem(cell)]


@given(st.text())
def test_what_is_plain_has_nothing_hidden(text):
    if is_plain(text):
        assert hidden(text) is None


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Employee ID ", "Employee ID"),
        ("Last\u00a0Name", "Last Name"),
        ("Dept\u200b", "Dept"),
        ("\ufeffEmail  Address", "Email Address"),
        ("\u200eFirst\u202fName\u200f", "First Name"),
        ("First\nName", "First Name"),
        ("Pre\u0301nom", "Prénom"),
        ("De\u00adpt", "Dept"),
        ("क्\u200dष", "क्\u200dष"),
        ("\u00a0\u200b", ""),
    ],
)
def test_names_of_columns_lose_what_cannot_be_seen(name, clean):
    assert clean_name(name) == clean


@given(st.text(max_size=10))
def test_a_clean_name_stays_as_it_is(name):
    assert clean_name(clean_name(name)) == clean_name(name)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("'00123", "apostrophe"),
        ("'+91 98450", "apostrophe"),
        ('="00123"', "formula that keeps a text"),
        ("#REF!", "spreadsheet's error"),
        ("#####", "spreadsheet's error"),
        ("9.19845E+11", "shortened"),
        ("9.19845e+11", "shortened"),  # R, pandas
        ("Pun\ufffd", "a letter that was lost"),
        ("\u200b", "cannot be seen"),
        ("x\x07", "cannot be seen"),
        ("1\u200b", "(U+200B ZERO WIDTH SPACE); type it anew"),
        ("A\u00ad7 ", "(U+00AD SOFT HYPHEN)"),
    ],
)
def test_a_cell_that_a_program_spoiled_is_refused(cell, words):
    quoted = cell.replace('"', '""')
    Path("p.csv").write_text(
        f'Email Address,First Name,ID\na@x.org,A,"{quoted}"\n', encoding="utf-8"
    )
    [row] = Source(Path("p.csv")).rows()
    assert isinstance(row, BadRow)
    assert row.problem.startswith("ID: ")
    assert words in row.problem


@pytest.mark.parametrize(
    "cell", ["+91 98450", "00123", '12" x 8"', "a\u200bb c", "re\u00adad\nit", "-5", "\u2764\ufe0f"]
)
def test_other_cells_go_letter_for_letter(cell):
    quoted = cell.replace('"', '""')
    Path("p.csv").write_text(
        f'Email Address,First Name,ID\na@x.org,A,"{quoted}"\n', encoding="utf-8"
    )
    [row] = Source(Path("p.csv")).rows()
    assert row.candidate.fields == {"ID": cell}


@pytest.mark.parametrize("column", ["Last Name", "MIDDLE_NAME", "Surname"])
def test_other_names_have_nothing_invisible_either(column):
    Path("p.csv").write_text(f"Email Address,First Name,{column}\na@x.org,A,Ra\u200bo\n", "utf-8")
    [row] = Source(Path("p.csv")).rows()
    assert isinstance(row, BadRow)
