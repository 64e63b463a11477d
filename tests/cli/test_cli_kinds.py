"""Files as people have them: each is read as it is meant, or told by its nature and what to do."""

import bz2
import gzip
import io
import lzma
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.source import Source

HEADER = "Email Address,First Name\n"
ASHA = "a@x.org,Asha\n"


def read(content, name="p.csv", **options):
    """The people who would be sent, and the bad rows with their reasons."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with closing(Source(Path(name), ReadOptions(**options))) as source:
        checked = check_file(source)
        people = [
            (row.candidate.email, row.candidate.first_name, *row.candidate.fields.values())
            for row in source.rows()
        ]
        return people, [f"{row.line}: {row.problem}" for row in checked.bad_rows()], source


def zipped(name):
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr(name, HEADER + ASHA)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.csv.gz", gzip.compress(HEADER.encode(), mtime=0), r"is compressed \(gzip\); unpack it first"),
        ("p.csv", bz2.compress(HEADER.encode()), r"is compressed \(bzip2\)"),
        ("p.csv", lzma.compress(HEADER.encode()), r"is compressed \(xz\)"),
        ("p.zip", zipped("p.csv"), "is a zip archive; unpack it"),
        ("p.xls", "<html><body><table>", r"is a web page \(HTML\), whatever its name says; open"),
        ("p.xls", "\ufeff\r\n <TABLE border=1>", "is a web page"),
        ("p.xls", "<!DOCTYPE html>".encode("utf-16"), "is a web page"),
        ("p.xls", "MIME-Version: 1.0\r\n", r"is a web page \(MHTML\)"),
        ("p.xls", '<?xml version="1.0"?>\n<?mso-a?>\n<Workbook xmlns="u">', "workbook of Excel 2003"),
        ("p.xml", '<?xml version="1.0"?><people/>', "is XML"),
        ("p.slk", "ID;PWXL;N;E\r\n", "is a SYLK file"),
        ("p.pdf", "%PDF-1.7\n", "is a PDF; export the table"),
        ("p.doc", "{\\rtf1\\ansi", "is a text document"),
        ("p.vcf", "BEGIN:VCARD\r\n", "holds contacts"),
        ("p.csv", b"\x89PNG\r\n\x1a\n", "is a picture"),
        ("p.csv", b"SQLite format 3\0", "is a database"),
        ("p.csv", "version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("p.json", '[{"Email Address": "a@x.org"}]', "is a JSON array; write one object on each line"),
        ("p.json", '{"people": [\n  {"Email Address": "a@x.org"}\n]}', "is JSON over several lines"),
        ("p.json", '{"Email Address": "a@x.org",\n "First Name": "A"}', "is JSON over several lines"),
        ("p.csv", '{"Email Address": "a@x.org", "First Name": "A"}\n', "looks like JSON Lines, not like"),
        ("p.jsonl", HEADER + ASHA, "looks like CSV, not like JSON Lines"),
        ("p.xlsx", HEADER + ASHA, "is text, not XLSX; give it its real ending, or pass --format csv"),
        ("p.jsonl", '{"email": "a@x.org", "name": "A"}\n', "did you mean 'email'"),
        ("p.csv", f'"{HEADER.strip()}"\n"{ASHA.strip()}"\n', "the whole line is one cell"),
        ("~$p.xlsx", b"\x05Admin" + b" " * 50, "is Excel's mark of an open file"),
        ("p.csv", "", "is empty; the first line must name the columns"),
        ("p.csv", "\ufeff \r\n", "is empty"),
        ("p.csv", HEADER, "names its columns, but holds no candidates"),
    ],
)  # fmt: skip
def test_what_holds_no_rows_is_told_by_its_nature_in_one_line(name, content, words):
    with pytest.raises(CommandError, match=words) as caught:
        read(content, name)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)
    assert "a@x.org" not in str(caught.value)


def test_a_numbers_document_may_be_a_directory():
    Path("p.numbers").mkdir()
    with pytest.raises(CommandError, match="is an Apple Numbers document"):
        check_file(Source(Path("p.numbers")))


def test_id_as_the_first_column_makes_no_sylk_file():
    assert read("ID,Email Address,First Name\n7,a@x.org,A\n")[0] == [("a@x.org", "A", "7")]


@pytest.mark.parametrize(
    ("content", "people"),
    [
        ("Email Address,First Name\ra@x.org,A\rb@x.org,B\r", ["A", "B"]),
        ("Email Address,First Name\r\na@x.org,A\nb@x.org,B\rc@x.org,C", ["A", "B", "C"]),
        ("Email Address,First Name\r\r\na@x.org,A\r\r\n", ["A"]),
        (f"{HEADER}a@x.org,A\n\x1a", ["A"]),
        (f"{HEADER}a@x.org,A\x1a", ["A"]),
        (f"{HEADER}a@x.org,A\r\n" + "\x1a" * 99, ["A"]),
        ('Email Address, "First Name"\na@x.org, "A, B"\n', ["A, B"]),
        ('Email Address\t "First Name"\na@x.org\t "A"\n', ["A"]),
        ("sep=;\nEmail Address;First Name\na@x.org;A\n", ["A"]),
        ("Email Address||First Name\na@x.org||A\n", ["A"]),
        ("\ufeff\ufeffEmail Address,First Name\na@x.org,A\n", ["A"]),
    ],
)  # fmt: skip
def test_what_programs_of_all_ages_write_is_read_as_it_is_meant(content, people):
    found, bad, _ = read(content)
    assert ([one[1] for one in found], bad) == (people, [])


def test_json_may_stand_in_a_cell():
    text = 'Email Address,First Name,N\na@x.org,A,"{""say"": ""\\""hi\\"" \\n""}"\n'
    assert read(text)[0] == [("a@x.org", "A", '{"say": "\\"hi\\" \\n"}')]


def test_a_quoted_blank_before_a_quote_stays():
    found, bad, _ = read('Email Address,First Name,N\na@x.org,A," ""x"""\n')
    assert (found, bad) == ([("a@x.org", "A", ' "x"')], [])


@pytest.mark.parametrize(
    ("rows", "people", "bad"),
    [
        ('a@x.org,"Asha\nb@x.org,Bo"\nc@x.org,Cy\n', ["Cy"], ["2: ...in line 2 takes in the rows after",
                                                             '3: has a quote (") without its pair']),
        ('"a@x.org,Asha\nb@x.org",Bo\n', [], ["2: ...in line 2 takes in", "3: has a quote"]),
        ('a@x.org,"As\nha"\nb@x.org,B\n', ["B"], [('2: First Name: has a line break in it; its quote (") '
                                                 "opens in line 2")]),
        ('"a@x.org\n",A\n', ["A"], []),
        ('a@x.org,"Asha\nb@x.org,B\n', ["B"], ["2: ...that opens a cell in line 2 is never closed"]),
        ('a@x.org,"As"ha\nb@x.org,B\n', ["B"], ["2: ...in line 2 closes in the middle"]),
        ('a@x.org,"As \\"x\\" ha"\nb@x.org,B\n', ["B"], ["2: ...closes in the middle"]),
        ('a@x.org,As"ha\n', [], ['2: First Name: has a quote (") without its pair']),
        ('a@x.org,  "As\nha"\n', [], ["2: a blank stands before a quote", "3: "]),
        ("a@x.org,As\\\n", [], ["2: has a backslash"]),
        ("a@x.org,A\x1a\nb@x.org,B\n", ["B"], ["2: First Name: has a character that cannot be seen"]),
        ("a@x.org,A\n\0\0\0", ["A"], ["3: holds NULs; was the file cut off"]),
        ("\ufeffa@x.org,A\nb@x.org,B\n", ["B"], ["2: Email Address: has a character that cannot be seen"]),
        (f"{ASHA}\ufeff{HEADER}b@x.org,B\n", ["Asha", "B"], ["3: repeats the header"]),
    ],
)  # fmt: skip
def test_wrong_quotes_and_the_like_are_told_by_the_line_and_the_rest_is_read(rows, people, bad):
    found, told, _ = read(HEADER + rows)
    assert [one[1] for one in found] == people
    assert len(told) == len(bad)
    for line, (number, _, words) in zip(told, (one.partition(" ") for one in bad), strict=True):
        assert line.startswith(number)
        assert words.removeprefix("...") in line


@pytest.mark.parametrize("quote", ['"', ""])
def test_a_cell_without_end_is_told_and_the_rest_is_read(quote):
    cell = f"{quote}{'x' * 140_000}{quote}"
    found, bad, _ = read(f"{HEADER}a@x.org,{cell}\nb@x.org,B\n")
    assert bad == ["2: a cell has more than 131,072 characters; shorten it"]
    assert [one[1] for one in found] == ["B"]


def test_a_backslash_before_a_line_without_end_is_no_traceback():
    text = f"{HEADER.strip()},Town\na@x.org,A,C:\\\nb@x.org,B,{'x' * 140_000}\n"
    assert [one.partition(":")[0] for one in read(text)[1]] == ["2", "3"]


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        (r'"{""p"": ""C:\\x""}"', r'{"p": "C:\\x"}'),
        (r'"{""p"": ""C:\\x"", ""q"": ""it\'s \""q\""""}"', r'{"p": "C:\\x", "q": "it\'s \"q\""}'),
        ("C:\\dir\\", "C:\\dir\\"),
        ('"C:\\dir\\"', "C:\\dir\\"),
    ],
)
def test_a_backslash_that_can_be_meant_in_one_way_only_stays(written, cell):
    found, bad, _ = read(f'Email Address,First Name,Note,Town\na@x.org,A,{written},"Pune"\n')
    assert (found, bad) == ([("a@x.org", "A", cell, "Pune")], [])


@pytest.mark.parametrize(
    "row",
    [
        "a@x.org,A\\,b,",
        "a@x.org,A,b\\\\c,Pune",
        'a@x.org,A,"{""p"": ""C:\\\\x""",Pune',
        'a@x.org,A,"b\\",c"',
        "a@x.org,A,b,Pune\\\\",
        "a@x.org,A,b,Pune\\\n",
        "a@x.org,A,b,Pune\\\nand more",
        'a@x.org,A,b,"Pune\\"\nand more"',
    ],
)
def test_a_backslash_that_can_be_meant_in_two_ways_is_refused(row):
    found, bad, _ = read(f"Email Address,First Name,Note,Town\n{row}\n")
    assert found == []
    assert bad[0].startswith("2: has a backslash")


@pytest.mark.parametrize("town", ["C:\\dir\\", '"C:\\dir\\"'])
def test_a_backslash_at_the_end_of_a_line_is_text_where_another_person_follows(town):
    rows = [f"{one}@x.org,A,b,{town}\r\n" for one in "abc"]
    found, bad, _ = read("Email Address,First Name,Note,Town\r\n" + "".join(rows))
    assert bad == []
    assert found == [(f"{one}@x.org", "A", "b", "C:\\dir\\") for one in "abc"]


def test_the_line_of_the_quote_is_told_though_its_row_begins_before():
    text = 'Note,First Name,Email Address\n"a\nb","As\nha",a@x.org\n'
    assert read(text)[1] == ['2: First Name: has a line break in it; its quote (") opens in line 3']


def test_a_row_with_a_wrong_quote_is_given_to_be_corrected():
    Path("p.csv").write_text(f'{HEADER}a@x.org,"Asha\nb@x.org,Bo"\n', encoding="utf-8")
    checked = check_file(Source(Path("p.csv")))
    assert [row.own for row in checked.bad_rows()] == [
        {"Email Address": "a@x.org", "First Name": '"Asha'},
        {"Email Address": "b@x.org", "First Name": 'Bo"'},
    ]


@pytest.mark.parametrize("after", [200_000, 1_000])
def test_an_unclosed_quote_costs_its_own_row_only(after):
    rows = "".join(f"p{i}@x.org,B\n" for i in range(after // 12))
    found, bad, _ = read(f'{HEADER}a@x.org,"Asha\n{rows}')
    assert len(found) == after // 12
    assert len(bad) == 1
    assert bad[0].startswith('2: the quote (") that opens a cell in line 2 is ')


def test_so_many_wrong_quotes_are_another_dialect():
    with pytest.raises(CommandError, match=r"p\.csv:\d+: the quote"):
        read(HEADER + 'a@x.org,"A"B\n' * 1100)


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Email Address\u200b,First\u00a0Name", ""),
        ("\ufeffEmail  Address ,\u200eFirst Name\u200f", ""),
        ('"Email\nAddress",\u202fFirst Name', ""),
        ("Email Address,First Name,,", ",,"),
        ("Email Address,First Name,\u00a0,\u200b", ",,"),
        ("Email Address,First Name,,", ""),
        ("Email Address,First Name", ",, "),
    ],
)
def test_headers_lose_what_nobody_sees_and_empty_columns_do_not_count(header, cells):
    assert read(f"{header}\na@x.org,A{cells}\n")[0] == [("a@x.org", "A")]


def test_columns_without_a_name_may_stand_anywhere_but_not_hold_anything():
    assert read(",Email Address,,First Name\n,a@x.org,,A\n")[0] == [("a@x.org", "A")]
    with pytest.raises(
        CommandError, match=r"p\.csv:2: has a cell in column 1.*, which has no name"
    ):
        read(",Email Address,First Name\n0,a@x.org,A\n")
    found, bad, _ = read(f"Email Address,First Name,,\n{ASHA}b@x.org,B,,x\n")
    assert [one[0] for one in found] == ["a@x.org"]
    assert bad[0].startswith("3: has a cell in column 4")
    assert "which has no name; name the column" in bad[0]


def test_headers_are_compared_in_one_form_of_unicode():
    decomposed = "E-mail,Pre\u0301nom\na@x.org,A\n"
    mapping = ["E-mail=Email Address", "Pr\u00e9nom=First Name"]
    assert read(decomposed, mapping=mapping)[0] == [("a@x.org", "A")]
    other = "Email Address,First Name,Pr\u00e9nom\na@x.org,A,x\n"
    assert read(other, drop=["Pre\u0301nom"])[0] == [("a@x.org", "A")]


def test_a_title_above_the_header_is_told_and_passed_over():
    text = f'Candidates, "2027\n\n{HEADER}{ASHA}'
    assert read(text, header_row=3)[0] == [("a@x.org", "Asha")]
    with pytest.raises(CommandError, match="line 3 names them: pass --header-row 3"):
        read(text.replace('"', ""))


def test_two_delimiters_that_both_find_the_columns_are_a_doubt():
    text = "Email Address,First Name,x;Email Address;First Name\n"
    with pytest.raises(DoubtError, match="told apart in more than one way") as caught:
        read(text)
    assert [one.value for one in caught.value.choices] == ["comma", "semicolon"]
    assert caught.value.choices[0].shown == (
        "Email Address | First Name | x;Email Address;First Name",
    )


LINKS = "Email Address,First Name,status,link,code,reason"


@pytest.mark.parametrize(
    ("name", "text", "people", "left_out"),
    [
        ("p.csv", f"{LINKS}\n'+t@x.org,'=A,registered,http://secret,ToBeTaken,\n",
         [("+t@x.org", "=A")], "status, link, code, reason"),
        ("p.csv", ("Email Address,status,url,code,reason,attempts,line,schedule,First Name\n"
         "'apos@x.org,registered,http://secret,,,1,2,key,A\n"),
         [("'apos@x.org", "A")], "status, url, code, reason, attempts, line, schedule"),
        ("p.jsonl", ('{"Email Address":"a@x.org","First Name":"A","status":"x","link":"http://secret",'
         '"code":"","reason":""}\n'), [("a@x.org", "A")], "code, link, reason, status"),
    ],
)  # fmt: skip
def test_a_file_of_links_gives_the_persons_own_columns_only(name, text, people, left_out):
    found, bad, source = read(text, name)
    assert (found, bad) == (people, [])
    assert source.note == f"{name}: is a file of links; its columns {left_out} are left out"
    assert source.columns == ("Email Address", "First Name")


def test_a_status_of_ones_own_is_sent():
    found, _, source = read("Email Address,First Name,status\na@x.org,A,single\n")
    assert (found, source.note) == ([("a@x.org", "A", "single")], None)


def test_links_can_be_sent_again_as_they_were_written(mettl, sandbox):
    text = "Email Address,First Name,ID,+Tel\n+t@x.org,A,=1+1,\nb@x.org,B;=1,-5,\u202f=1\n"
    Path("p.csv").write_text(text, "utf-8")
    assert mettl("register", "p.csv", "--sandbox", "--out", "links.csv").exit_code == 0
    first, again = (
        [row.candidate for row in Source(Path(name)).rows()] for name in ("p.csv", "links.csv")
    )
    assert [(one.email, one.first_name, one.fields) for one in again] == [
        (one.email, one.first_name, one.fields) for one in first
    ]
    assert len(sandbox.candidates) == 2


def test_who_is_too_long_for_a_url_is_told_before_anything_is_sent(mettl, sandbox):
    header = "Email Address,First Name,context_data\n"
    Path("p.csv").write_text(f"{header}a@x.org,A,{'अ' * 1500}\nb@x.org,B,\n", "utf-8")
    done = mettl("register", "p.csv", "--sandbox", "--post-parameters", "query")
    assert done.exit_code == 2
    assert "p.csv:2: is too long for a URL, by " in done.stderr
    assert "pass --post-parameters form" in done.stderr
    assert sandbox.stats.requests == 0
    assert mettl("register", "p.csv", "--sandbox", "--post-parameters", "form").exit_code == 0


def test_findings_tell_how_a_file_was_read():
    text = "Mail;First Name;Age;Town\na@x.org;A;7;Pune\n"
    *_, source = read(text, mapping=["Mail=Email Address"], drop=["Age"])
    assert source.findings.header_line == 1
    assert source.findings.sent == {
        "Mail": "Email Address",
        "First Name": "First Name",
        "Town": "Town",
    }
    assert source.findings.left_out == ("Age",)
    assert (source.layout.delimiter, source.layout.encoding) == (";", "utf-8-sig")
