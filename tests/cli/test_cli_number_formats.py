"""What a sheet shows of a number, by number formats as Excel documents and shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.reading.workbooks.cell import Broken, Unsure
from mettl_async.cli.reading.workbooks.number_format import number_format
from mettl_async.cli.reading.workbooks.xlsx_styles import NumberCells

PHONE = "[<=9999999]###-####;(###) ###-####"
LAKHS = r"[>=10000000]##\,##\,##\,##0;[>=100000]##\,##\,##0;##,##0"
MONEY = r'_(* #,##0.00_);_(* \(#,##0.00\);_(* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        ("General", 42, "42"),
        ("General", 0.1 + 0.2, "0.3"),
        ("general", -1.5, "-1.5"),
        ("@", 42, "42"),
        ('General" kg"', 5, "5 kg"),
        ("00000", 42, "00042"),
        ("00000", 123456, "123456"),
        ("00000", -42, "-00042"),
        ('"EMP-"00000', 42, "EMP-00042"),
        ("00000;-00000", 42, "00042"),
        ("00000;-00000", -42, "-00042"),
        ("00000_)", 42, "00042"),
        ("000-00-0000", 12345678, "012-34-5678"),
        (r"0000\-0000", 1234567, "0123-4567"),
        ("[$-409]00000", 42, "00042"),
        ("[$-en-IN]00000", 42, "00042"),
        ("[$€-407]0", 42, "€42"),
        (r"0#\ ##\ ##\ ##\ ##", 612345678, "06 12 34 56 78"),
        ("0##########", 612345678, "0612345678"),
        ("00000;@", 42, "00042"),
        ('"Batch "0', 7, "Batch 7"),
        ("[Red]00000", 42, "00042"),
        ("[Color10]0", 42, "42"),
        (r"000\ 000", 1014, "001 014"),
        (r"00000\ ", 42, "00042"),
        ("?????", 42, "42"),
        (r"\+91\ 0000000000", 9845000001, "+91 9845000001"),
        ("0.00", 3.1, "3.10"),
        ("0.##", 3.25, "3.25"),
        ("000.0", 7, "007.0"),
        ("0.0#0", 42, "42.000"),
        (".00", 0.5, ".50"),
        ("#,##0", 1234567, "1,234,567"),
        ("0,000", 42, "0,042"),
        ("0,", 12000, "12"),
        ("0%", 0.75, "75%"),
        ("0.00%", 0.1234, "12.34%"),
        ("0.00E+00", 123000, "1.23E+05"),
        ("0E-0", 0.0002, "2E-4"),
        (PHONE, 5551234, "555-1234"),
        (PHONE, 2125551234, "(212) 555-1234"),
        (LAKHS, 12345678, "1,23,45,678"),
        (LAKHS, 1234567, "12,34,567"),
        (LAKHS, 12345, "12,345"),
        (MONEY, 1234.5, "1,234.50"),
        (MONEY, -1234.5, "(1,234.50)"),
        (MONEY, 0, "-"),
        ("0;-0;;@", 0, ""),
        ('[=1]"Yes";[=0]"No"', 1, "Yes"),
        ('[=1]"Yes";[=0]"No"', 0, "No"),
        ('[=1]"Yes";[=0]"No";General', 7, "7"),
        ("yyyy-mm-dd", 46053, "2026-01-31"),
        ("m/d/yy", 46053, "2026-01-31"),
        ("d. MMMM yyyy", 46053, "2026-01-31"),
        ("[$-F800]dddd, mmmm dd, yyyy", 46053, "2026-01-31"),
        ('yyyy"年"m"月"d"日"', 46053, "2026-01-31"),
        ("dd/mm/yyyy", 46053.75, "2026-01-31"),  # it shows no time
        ("dd/mm/yyyy hh:mm", 46053.75, "2026-01-31T18:00:00"),
        ("dd/mm/yyyy hh:mm AM/PM", 46053, "2026-01-31"),
        ("h:mm", 9.5 / 24, "09:30:00"),
        ("h:mm:ss AM/PM", 0.75, "18:00:00"),
        ("mm:ss.0", 90.5 / 86400, "00:01:30.500"),
        ("[h]:mm:ss", 1.25, "30:00:00"),
        ("[mm]:ss", 0.05, "1:12:00"),
    ],
)
def test_a_number_is_as_the_sheet_shows_it(code, number, text):
    assert number_format(code).show(number) == text


@pytest.mark.parametrize(
    ("code", "number", "shown", "stored"),
    [
        ("0.00", 3.14159, "3.14", "3.14159"),
        ("0", 72.6, "73", "72.6"),
        ("0.00E+00", 919845000001, "9.20E+11", "919845000001"),
        ("0.0,,", 1234567, "1.2", "1234567"),
        ("0;0", -5, "5", "-5"),
        (";;;", 42, "", "42"),
        ('"Yes"', 1, "Yes", "1"),
        ("0000.", 42, "0042.", "42"),  # Excel; LibreOffice shows no point
        ("mmm-yy", 46053, "Jan-26", "2026-01-31"),
        ("d-mmm", 46053, "31-Jan", "2026-01-31"),
        ("yyyy", 46053, "2026", "2026-01-31"),
        ("[$-40E]mmmm d.", 46053, None, "2026-01-31"),  # Hungarian
        ("h:mm", 1.25, "6:00", "1899-12-31T06:00:00"),
        ("mm:ss", 0.5, "00:00", "12:00:00"),
        ("# ?/?", 0.5, None, "0.5"),
        ("##0.0E+0", 12345, None, "12345"),
        ("*-0", 42, None, "42"),
        ("[DBNum1]0", 42, None, "42"),
        ("[$-4000439]0", 42, None, "42"),  # with the digits of Hindi
        ("kg0", 42, None, "42"),
        ("[>5]0", 3, None, "3"),
        ("[<0]0;0.0", -5, None, "-5"),
        ("[>5]0;0;0", 3, None, "3"),
        ("0;0;0;@;0", 42, None, "42"),
        (r"#,###\-000", 612345678, None, "612345678"),
        ("0" * 300, 42, None, "42"),
        ("0##", 0, None, "0"),
        ("yyyy-mm-dd", 30, None, "30"),  # Excel and LibreOffice show different days
    ],
)
def test_what_is_not_shown_whole_or_not_known_is_the_users_to_decide(code, number, shown, stored):
    if stored.startswith("1899"):
        stored = number_format(code).show(number).stored
    assert number_format(code).show(number) == Unsure(shown, stored)


SIGNS = st.text("00#?", min_size=1, max_size=7)
AROUND = st.sampled_from(["", '"EMP-"', r"\-", " ", "_)", "(", "[Red]"])


@given(
    st.builds("{}{}{}".format, AROUND, st.one_of(SIGNS, st.just("General")), AROUND),
    st.integers(-(10**15), 10**15),
)
def test_stored_numbers_are_shown_alike_the_quick_way(code, number):
    format_ = number_format(code)
    assert NumberCells(format_, since_1904=False)[str(number)] == format_.show(number)


@pytest.mark.parametrize("code", ["General", "0", "@", "#,##0", "0.00E+00", '"x"0'])
@pytest.mark.parametrize("number", [1e15, -1e15, 1.2345678901234499e19])
def test_numbers_of_more_than_15_digits_are_refused(code, number):
    found = number_format(code).show(number)
    assert isinstance(found, Broken)
    assert "more than 15 digits" in found.problem
    assert number_format(code).show(number / 1000) != found


@pytest.mark.parametrize("number", [-1, 2_958_466, 1e12, 0.5])
def test_numbers_that_are_no_dates_are_refused(number):
    assert isinstance(number_format("yyyy-mm-dd").show(number), Broken)


def test_days_count_from_1904_on_old_macs():
    assert number_format("yyyy-mm-dd").show(44591, since_1904=True) == "2026-01-31"
    assert number_format("yyyy-mm-dd").show(0, since_1904=True) == "1904-01-01"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("General", " 007 "),
        ("00000", " 007 "),
        ("@", " 007 "),
        ("_(@_)", " 007 "),
        ('"Dr. "@', "Dr.  007 "),
        ('0;-0;0;"Dr. "@', "Dr.  007 "),
        (";;;", Unsure("", " 007 ")),
        ('0;0;0;"text"', Unsure("text", " 007 ")),
        ("@x", Unsure(None, " 007 ")),
    ],
)
def test_a_text_is_as_the_sheet_shows_it(code, text):
    assert number_format(code).show_text(" 007 ") == text


CODES = st.lists(
    st.sampled_from(
        ["0", "#", "?", ".", ",", "%", "E+", "/", "@", ";", "_)", "* ", '"', "\\", "[", "]", "[Red]", "[>5]",
         "[$-409]", "[h]", "yyyy", "m", "d", "h", "ss", "AM/PM", "General", "-", "(", "kg", "e", " "]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    st.one_of(CODES, st.text(max_size=20)),
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-3_000_000, 3_000_000)),
    st.booleans(),
)
def test_each_format_gives_an_answer_for_each_number(code, number, since_1904):
    found = number_format(code).show(float(number), since_1904=since_1904)
    assert isinstance(found, str | Unsure | Broken)
    assert isinstance(number_format(code).show_text("x"), str | Unsure)
