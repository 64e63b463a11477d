"""Rows that cannot be sent: told, and written to a file that can be corrected and registered."""

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest

ROWS = (
    "E-mail;First Name;City;Age\n"
    "asha@example.org;Asha;Pune;31\n"
    "nobody;Zoe;-5 north;1\n"
    "ASHA@example.org;Asha;Pune;2\n"
    "li@example.org;李;北京;33\n"
    "short@example.org;B\n"
    "long@example.org;B;C;4;5\n"
)
OPTIONS = ("--map", "E-mail=Email Address", "--drop", "Age", "--sandbox")


@pytest.fixture
def skip(mettl, sandbox):
    def run(text, *more, bad="bad.csv", name="p.csv", options=OPTIONS):
        Path(name).write_text(text, "utf-8")
        return mettl("register", name, *options, "--skip-bad", bad, *more)

    return run


def rows_of(name, delimiter=";"):
    text = Path(name).read_text("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def emails(sandbox):
    return sorted(one.email for one in sandbox.candidates)


def test_the_others_are_sent_and_all_bad_rows_are_written_as_they_are(skip, sandbox, read):
    done = skip(ROWS)
    assert done.exit_code == 1, done.output
    assert "registered  2" in done.stdout
    assert done.stdout.splitlines()[-1] == "left out    4 rows, in bad.csv"
    assert (
        "mettl: 4 rows of 6 cannot be sent; all of them, with the reasons: bad.csv" in done.stderr
    )
    assert emails(sandbox) == ["asha@example.org", "li@example.org"]
    assert [row["E-mail"] for row in read(Path("links.csv"))] == emails(sandbox)
    header, nobody, again, short, long = rows_of("bad.csv")
    assert header == ["problem", "E-mail", "First Name", "City", "Age"]
    assert nobody[0].startswith("line 3: Email Address: is not an email address")
    assert nobody[1:] == ["nobody", "Zoe", "'-5 north", "1"]
    assert again[0].startswith("line 4: Email Address: is the same as in line 2")
    assert again[1:] == ["ASHA@example.org", "Asha", "Pune", "2"]
    assert short[1:] == ["short@example.org", "B"]
    assert long[1:] == ["long@example.org", "B", "C", "4", "5"]
    assert Path("bad.csv").stat().st_mode & 0o777 == 0o600


def test_all_are_written_not_twenty(skip):
    bad = "".join(f"nobody{n};A;B;1\n" for n in range(1234))
    done = skip(ROWS + bad)
    assert len(done.stderr.splitlines()) < 30
    assert "... and 1,218 more" in done.stderr
    assert len(rows_of("bad.csv")) == 1 + 4 + 1234


def test_what_was_corrected_is_registered_and_what_was_not_is_refused(skip, sandbox, mettl):
    skip(ROWS)
    done = mettl("register", "bad.csv", *OPTIONS, "--out", "more.csv")
    assert done.exit_code == 2
    told = [line.split(":")[1] for line in done.stderr.splitlines() if line[:8] == "bad.csv:"]
    assert told[-4:] == ["2", "3", "4", "5"]
    header, nobody, again, short, _ = rows_of("bad.csv")
    nobody[1], again[1], short[3:] = "zoe@example.org", "ada@example.org", ["Rome", "4"]
    with Path("bad.csv").open("w", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([header, nobody, again, short])
    before = set(emails(sandbox))
    done = mettl("register", "bad.csv", *OPTIONS, "--out", "more.csv")
    assert done.exit_code == 0, done.output
    assert "its column 'problem' is left out" in done.stderr
    assert set(emails(sandbox)) - before == {
        "zoe@example.org",
        "ada@example.org",
        "short@example.org",
    }
    people = {one.email: one.candidate for one in sandbox.candidates}
    assert people["zoe@example.org"].fields["City"] == "-5 north"
    assert all("problem" not in one.fields for one in people.values())


@pytest.mark.parametrize("bad", ["bad.csv", "bad.jsonl"])
def test_who_was_left_out_as_repeated_is_not_sent_by_registering_the_file_of_bad_rows(
    mettl, sandbox, bad, read
):
    rows = (("a@x.org", "A"), ("nobody", "B"), ("A@x.org", "C"))
    named = [{"Email Address": email, "First Name": name} for email, name in rows]
    name = f"p{Path(bad).suffix}"
    if bad.endswith("l"):
        Path(name).write_text("".join(json.dumps(one) + "\n" for one in named))
    else:
        Path(name).write_text(
            "Email Address,First Name\n" + "".join(",".join(row) + "\n" for row in rows)
        )
    assert mettl("register", name, "--sandbox", "--skip-bad", bad).exit_code == 1
    mended = Path(bad).read_text("utf-8").replace("nobody", "b@x.org")
    Path(bad).write_text(mended, "utf-8")
    for more, code in (((), 2), (("--skip-bad", "worse.csv"), 1)):
        done = mettl("register", bad, "--sandbox", "--out", "more.csv", *more)
        assert done.exit_code == code
        assert ": Email Address: is the same as in line " in done.stderr
        assert "of the file before, and was left out; remove the row" in done.stderr
        assert "x.org" not in done.stderr
    assert emails(sandbox) == ["a@x.org", "b@x.org"]
    done = mettl("register", "worse.csv", "--sandbox", "--out", "last.csv")
    assert done.exit_code == 2  # still known after one more file of bad rows
    assert "of the file before, and was left out" in done.stderr
    [row] = read(Path("worse.csv"))
    row["problem"] = ""
    with Path("worse.csv").open("w") as file:
        csv.writer(file).writerows([row.keys(), row.values()])
    assert mettl("register", "worse.csv", "--sandbox", "--out", "last.csv").exit_code == 0


def test_a_byte_order_mark_is_there_unless_it_is_not_wanted(skip):
    assert skip(ROWS).exit_code == 1
    assert Path("bad.csv").read_bytes().startswith(b"\xef\xbb\xbfproblem;")
    assert skip(ROWS, "--no-bom", "--overwrite").exit_code == 1
    assert Path("bad.csv").read_bytes().startswith(b"problem;")
    assert skip(ROWS, "--no-bom", "--resume").exit_code == 1


def test_a_column_of_that_name_is_kept(skip, sandbox):
    text = "Email Address,First Name,problem\na@example.org,A,p\nnobody,B,q\n"
    more = ("--sandbox", "--map", "problem=problem")
    assert skip(text, options=more).exit_code == 1
    assert rows_of("bad.csv", ",") == [
        ["problem 2", "Email Address", "First Name", "problem"],
        [
            "line 3: Email Address: is not an email address; give it as name@domain",
            "nobody",
            "B",
            "q",
        ],
    ]
    assert next(iter(sandbox.candidates)).candidate.fields["problem"] == "p"


def test_json_lines_keep_their_values(skip, read):
    rows = [
        {"Email Address": "a@example.org", "First Name": "A"},
        {"Email Address": "nobody", "First Name": "B", "tags": ["x"], "note": "=1"},
        {"Email Address": "c@example.org", "First Name": {"x": 1}},
    ]
    text = "\n".join(map(json.dumps, rows)) + "\nno json\n"
    for bad in ("bad.jsonl", "bad.csv"):
        Path("links.csv").unlink(missing_ok=True)
        done = skip(
            text, "--overwrite", bad=bad, name="p.jsonl", options=("--sandbox", "--drop", "tags")
        )
        assert done.exit_code == 1, done.output
    found = read(Path("bad.jsonl"))
    assert [one.pop("problem").partition(":")[0] for one in found] == ["line 2", "line 3", "line 4"]
    assert found == [*rows[1:], {"text": "no json"}]
    [header, second, third, fourth] = rows_of("bad.csv", ",")
    assert header == ["problem", "Email Address", "First Name", "tags", "note", "text"]
    assert second[1:] == ["nobody", "B", '["x"]', "'=1"]
    assert third[1:] == ["c@example.org", '{"x": 1}']
    assert fourth[1:] == ["", "", "", "", "no json"]


def test_bytes_that_are_no_text_do_not_become_a_name_that_passes(mettl, sandbox):
    Path("p.csv").write_bytes(
        b"Email Address,First Name\na@example.org,Zo\xc3\xab\nb@example.org,Ren\xe9\n"
    )
    arguments = ("--sandbox", "--encoding", "utf-8", "--skip-bad", "bad.csv")
    assert mettl("register", "p.csv", *arguments).exit_code == 1
    assert rows_of("bad.csv", ",")[1][1:] == ["b@example.org", "Ren\ufffd"]
    done = mettl("register", "bad.csv", "--sandbox", "--out", "more.csv")
    assert done.exit_code == 2
    assert "a letter that was lost" in done.stderr


def test_a_file_that_somebody_may_have_corrected_is_not_replaced(skip, sandbox):
    assert skip(ROWS).exit_code == 1
    assert skip(ROWS, "--resume").exit_code == 1
    corrected = Path("bad.csv").read_text("utf-8").replace("nobody", "zoe@example.org")
    Path("bad.csv").write_text(corrected, "utf-8")
    requests = sandbox.stats.requests
    for more in ((), ("--dry-run",)):
        done = skip(ROWS, "--resume", *more)
        assert done.exit_code == 2
        assert "bad.csv: exists already, and has something else in it" in done.stderr
    assert sandbox.stats.requests == requests
    assert Path("bad.csv").read_text("utf-8") == corrected
    assert skip(ROWS, "--overwrite").exit_code == 1
    assert "nobody" in Path("bad.csv").read_text("utf-8")


def test_without_bad_rows_there_is_no_file(skip):
    assert skip("Email Address,First Name\na@x.org,A\n", options=("--sandbox",)).exit_code == 0
    assert not Path("bad.csv").exists()


def test_where_nobody_is_left_nothing_is_sent(skip, sandbox):
    done = skip("E-mail;First Name;Age\nnobody;B;1\n")
    assert done.exit_code == 2
    assert "nobody is left to be sent; the rows are in bad.csv" in done.stderr
    assert len(rows_of("bad.csv")) == 2
    assert not Path("links.csv").exists()
    assert sandbox.stats.requests == 0


def test_rows_of_a_table_are_not_written_as_json_lines(skip, sandbox):
    """Where one with too few cells would be a good one."""
    for more in ((), ("--dry-run",)):
        done = skip(ROWS, *more, bad="bad.jsonl")
        assert done.exit_code == 2
        assert "bad.jsonl: rows of a table cannot be JSON Lines" in done.stderr
    assert sandbox.stats.requests == 0
    assert not Path("bad.jsonl").exists()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("p.csv", "p.csv: is the input itself; write the bad rows to another file"),
        ("hard.csv", "hard.csv: is the input itself"),
        ("links.csv", "links.csv: is the file of the links, too"),
        ("./links.csv", "links.csv: is the file of the links, too"),
        ("no/bad.csv", "there is no directory"),
        ("bad.txt", "neither CSV"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(
    skip, sandbox, bad, words
):
    Path("p.csv").touch()
    Path("hard.csv").hardlink_to("p.csv")
    done = skip(ROWS, bad=bad)
    assert done.exit_code == 2
    assert words in done.stderr
    assert sandbox.stats.requests == 0
    assert Path("p.csv").read_text("utf-8") == ROWS


def test_by_default_nothing_is_sent_and_the_way_out_is_told(mettl, sandbox):
    Path("p.csv").write_text(ROWS, "utf-8")
    done = mettl("register", "p.csv", *OPTIONS)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "mettl: 4 rows of 6 cannot be sent; nothing was sent; correct them, or pass --skip-bad bad.csv: "
        "it gets these, and the others are sent"
    )
    assert sandbox.stats.requests == 0


@pytest.mark.parametrize(
    ("value", "number_format", "options"),
    [
        (1234567890123456789, "0", ()),
        ("=1+1", "General", ()),
        (-1, "yyyy-mm-dd", ()),
        (0.25, "# ?/?", ("--numbers", "shown")),
        (1234567890123456789, "0", ("--merged-cells", "fill")),
    ],
)
def test_a_cell_of_a_workbook_that_was_refused_is_so_until_it_is_mended(
    mettl, sandbox, value, number_format, options
):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Email Address", "First Name", "ID", "City"],
        ["asha@example.org", "Asha", value],
        ["li@example.org", "Li", None if "fill" in options else "7"],
        ["zoe@example.org", "Zoe", "8", "Pune"],
    ):
        sheet.append(row)
    sheet["C2"].number_format = number_format
    if "fill" in options:
        sheet.merge_cells("C2:C3")
    book.save("p.xlsx")
    done = mettl("register", "p.xlsx", "--sandbox", "--skip-bad", "bad.csv", *options)
    assert done.exit_code == 1, done.output
    sent = emails(sandbox)
    header, *rows = rows_of("bad.csv", ",")
    assert len(rows) == 3 - len(sent)
    assert {len(row) for row in rows} == {len(header)}
    again = ("register", "bad.csv", "--sandbox", "--out", "again.csv")
    assert mettl(*again).exit_code == 2
    assert emails(sandbox) == sent
    for row in rows:
        row[3] = "00042"
    with Path("bad.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    done = mettl(*again)
    assert done.exit_code == 0, done.output
    assert emails(sandbox) == ["asha@example.org", "li@example.org", "zoe@example.org"]
