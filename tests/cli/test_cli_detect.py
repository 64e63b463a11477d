"""Encoding and delimiter are told from the file: what is written in any of them is read back the same."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.columns import Format
from mettl_async.cli.reading.delimiter import DELIMITERS, find_delimiter
from mettl_async.cli.reading.detecting import format_of
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.people import name_problem, text_problem
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import Source

DELIMITED = st.sampled_from(sorted(DELIMITERS))
names = st.text(st.characters(categories=["L", "Zs"]), min_size=1, max_size=12).filter(
    lambda text: name_problem(text) is None
)
texts = st.text(
    st.characters(categories=["L", "N", "Zs"]) | st.sampled_from(",;|\t.-"), max_size=12
).filter(lambda text: text_problem(text) is None)


def written(rows, delimiter, encoding, quoting=csv.QUOTE_MINIMAL, ending="\r\n"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=ending).writerows(rows)
    return text.getvalue().encode(encoding)


def read(content, **options):
    path = Path("people.txt")
    path.write_bytes(content)
    source = Source(path, ReadOptions(**options))
    rows = list(source.rows())
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [row.candidate for row in rows], source


@given(
    people=st.lists(st.tuples(names, texts), min_size=1, max_size=5),
    order=st.permutations(["Email Address", "First Name", "Größe, in cm; m|d\tx", 'a "b"']),
    delimiter=DELIMITED,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_in_any_delimiter_and_unicode_is_read_back(
    people, order, delimiter, encoding, quoting, ending
):
    rows = []
    for number, (name, size) in enumerate(people):
        cells = {
            "Email Address": f"p{number}@x.org",
            "First Name": name,
            "Größe, in cm; m|d\tx": size,
        }
        rows.append([cells.get(column, "") for column in order])
    content = written([order, *rows], delimiter, encoding, quoting, ending)
    found, source = read(content)
    assert [one.email for one in found] == [f"p{n}@x.org" for n in range(len(people))]
    assert [one.first_name for one in found] == [name for name, _ in people]
    assert [one.fields.get("Größe, in cm; m|d x", "") for one in found] == [
        size if size.strip() else "" for _, size in people
    ]
    assert source.note is None


@given(
    names, st.sampled_from(["cp1251", "shift_jis", "gb18030", "utf-16-le", "utf-16-be", "cp1250"])
)
def test_an_encoding_that_is_named_is_used(name, encoding):
    try:
        rows = [["Email Address", "First Name"], ["a@x.org", name]]
        content = written(rows, ",", encoding)
        lossless = content.decode(encoding).encode(encoding) == content and name in content.decode(
            encoding
        )
    except UnicodeError:
        return
    if lossless:
        [found], source = read(content, encoding=encoding)
        assert found.first_name == name
        assert source.note is None


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("Email Address;First Name;Town, street, number, floor\n", ";"),
        ('"Email Address"|"First Name"|"a,b,c,d,e"\n', "|"),
        ("\n\nEmail Address\tFirst Name\na;b;c\td\n", "\t"),
        ("email address;First name, last name\n", ";"),
        ("one;two;three,four\n", ";"),
        ("Email Address\n", ","),
        ("", ","),
        ('"Email Address, no end\n' + "x;" * 200_000, ","),
        ("sep=|\nEmail Address,First Name|x\n", "|"),
        ('"sep=;"\r\nEmail Address,First Name\n', ";"),
        ("SEP=\t\n", "\t"),
        ("sep=\\t\n", "\t"),
        ("Email Address^First Name\n", "^"),
    ],
)
def test_the_header_tells_the_delimiter(sample, delimiter):
    assert find_delimiter("p.csv", sample, ["Email Address", "First Name"], None) == delimiter


def test_columns_that_are_mapped_tell_it_too():
    assert find_delimiter("p.csv", "E-mail;Name, given, other\n", ["E-mail", "x"], None) == ";"


def test_the_separator_line_of_excel_counts_as_a_line_and_nothing_else():
    [found], source = read("\ufeffsep=;\r\nEmail Address;First Name\r\na@x.org;A,B\r\n".encode())
    assert found.first_name == "A,B"
    assert [row.line for row in source.rows()] == [3]


def test_a_delimiter_that_is_named_wins():
    content = b"Email Address^First Name^a;b;c\na@x.org^A^\n"
    assert read(content, delimiter="^")[0][0].first_name == "A"
    with pytest.raises(CommandError, match="there is no column 'Email Address'"):
        read(content, delimiter=";")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("tab", "\t"), ("\\t", "\t"), ("semicolon", ";"), ("pipe", "|"), ("comma", ","), ("^", "^")],
)
def test_delimiters_have_names(given, kept):
    assert ReadOptions(delimiter=given).delimiter == kept


@pytest.mark.parametrize("wrong", ["", ";;", '"', "\n", "semi"])
def test_other_delimiters_are_refused(wrong):
    with pytest.raises(CommandError, match="one character"):
        ReadOptions(delimiter=wrong)


@pytest.mark.parametrize(
    "wrong",
    ["latin-99", "hex", "rot13", "a\0b", "", "idna", "unicode_escape", "undefined"],
)
def test_encodings_of_nothing_are_refused(wrong):
    with pytest.raises(CommandError, match="no such encoding"):
        ReadOptions(encoding=wrong)


def test_a_named_utf_8_tolerates_a_bom():
    options = ReadOptions(encoding="UTF8")
    path = Path("p.csv")
    path.write_bytes(b"\xef\xbb\xbfEmail Address,First Name\na@x.org,A\n")
    assert check_file(Source(path, options)).good_total == 1


def test_broken_utf_16_is_told_without_its_text():
    path = Path("p.csv")
    text = "Email Address,First Name\n" + "secret@x.org,A\n" * 5000
    path.write_bytes(text.encode("utf-16") + b"\x00\xd8A\x00")
    with pytest.raises(
        CommandError, match=r"p\.csv: is not utf-16-le somewhere after line \d"
    ) as caught:
        check_file(Source(path))
    assert "secret" not in str(caught.value)
    path.write_bytes("Email".encode("utf-16") + b"\x00\xd8A\x00")
    with pytest.raises(CommandError, match=r"p\.csv: is not utf-16-le\b(?! somewhere)"):
        check_file(Source(path))


@pytest.mark.parametrize("encoding", ["shift_jis", "ascii"])
def test_bytes_that_are_not_of_the_named_encoding_are_told_by_row(encoding):
    path = Path("p.csv")
    path.write_bytes(b"Email Address,First Name\na@x.org,A\nb@x.org,\xa0\xff\n")
    [_, row] = Source(path, ReadOptions(encoding=encoding)).rows()
    assert row == BadRow(3, f"First Name: is not {encoding}; pass another --encoding")


@pytest.mark.parametrize(
    ("ending", "head", "asked", "found"),
    [
        (".tsv", b"x", None, Format.CSV),
        (".ndjson", b'{"Email"', None, Format.JSONL),
        (".txt", b'\n  {"a": 1}', None, Format.JSONL),
        ("", b'\xef\xbb\xbf{"a": 1}', None, Format.JSONL),
        ("", '{"a": 1}'.encode("utf-16"), None, Format.JSONL),
        ("", b"Email Address", None, Format.CSV),
        (".csv", b"PK\x03\x04", None, Format.XLSX),
        (".xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, Format.XLS),
        (".xls", b"Email Address", None, Format.CSV),
        (
            "",
            b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK",
            None,
            Format.ODS,
        ),
        ("", b"PK\x03\x04" + bytes(26) + b"META-INF/manifest.xml", None, Format.ODS),
        (".jsonl", b"x", Format.CSV, Format.CSV),
    ],
)
def test_the_format_is_told(ending, head, asked, found):
    assert format_of("p", ending, head, asked) == found


@pytest.mark.parametrize(
    ("ending", "head", "asked", "words"),
    [
        (".xlsx", b"Email Address", None, "is text, not XLSX"),
        ("", b"Email Address", Format.XLSX, "is text, not XLSX"),
        ("", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format.CSV, "looks like XLS"),
        ("", b"PK\x03\x04", Format.CSV, "looks like XLSX"),
    ],
)
def test_content_that_contradicts_is_refused(ending, head, asked, words):
    with pytest.raises(CommandError, match=words):
        format_of("p", ending, head, asked)
