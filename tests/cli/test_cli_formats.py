"""XLSX and stdin as input, flat memory, and what is left behind: nothing."""

import asyncio
import io
import os
import signal
import stat
import sys
import tempfile
import threading
import tracemalloc
from contextlib import closing
from datetime import date, datetime, time, timedelta
from itertools import count
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from mettl_async.cli.bad_rows import report
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.people import text_problem
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import Source
from mettl_async.cli.reading.spool import Reading, spool
from mettl_async.sandbox import Sandbox

HEADER = ("Email Address", "First Name", "Note")
COMMAND = (sys.executable, "-m", "mettl_async")
PIPE = asyncio.subprocess.PIPE


def workbook(*rows, name="p.xlsx", formats=None):
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cell, shown in (formats or {}).items():
        sheet[cell].number_format = shown
    book.save(name)
    return Path(name)


def rows_of(path, **options):
    return list(Source(path, ReadOptions(**options)).rows())


def note(value, shown=None):
    formats = {"C2": shown} if shown else None
    [row] = rows_of(workbook(HEADER, ("a@x.org", "A", value), formats=formats))
    return row.problem if isinstance(row, BadRow) else row.candidate.fields.get("Note")


@pytest.mark.parametrize(
    ("value", "shown", "text"),
    [
        (7, None, "7"),
        (7.0, None, "7"),
        (919845000001, None, "919845000001"),
        (1.5, None, "1.5"),
        (0.1 + 0.2, None, "0.3"),
        (1234, "00000", "01234"),
        ("007", None, "007"),
        (True, None, "TRUE"),
        (date(2026, 1, 31), None, "2026-01-31"),
        (datetime(2026, 1, 31), None, "2026-01-31"),  # noqa: DTZ001 - sheets know no zones
        (datetime(2026, 1, 31, 9, 30), None, "2026-01-31T09:30:00"),  # noqa: DTZ001 - same
        (time(9, 30), None, "09:30:00"),
        (timedelta(hours=30, minutes=15), None, "30:15:00"),
        ("A\nB", None, "A\nB"),
        ("  ", None, None),
        (None, None, None),
        ("#N/A", None, "Note (C2): holds an error such as #N/A; mend its formula"),
    ],
)
def test_cells_are_text(value, shown, text):
    assert note(value, shown) == text


@given(
    st.text(
        st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=20
    )
)
def test_text_in_cells_is_read_as_it_was_written(text):
    if text.startswith(("=", "#")) or "_x" in text or text_problem(text):
        return
    assert note(text) == (text if text.strip() else None)


def edited(path, before, after):
    """Change the XML of the sheet."""
    with ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert before in parts[sheet]
    parts[sheet] = parts[sheet].replace(before, after)
    with ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return path


def formula_file(cell):
    return edited(workbook(HEADER, ("a@x.org", "A", "=1+1")), b"<f>1+1</f><v />", cell)


def test_a_formula_counts_by_its_last_value():
    [row] = rows_of(formula_file(b"<f>1+1</f><v>2</v>"))
    assert row.candidate.fields == {"Note": "2"}


def test_a_formula_that_was_never_computed_is_told_instead_of_left_out():
    [row] = rows_of(formula_file(b"<f>1+1</f>"))
    assert row == BadRow(
        2, "Note (C2): holds a formula without its value; open the file in Excel and save it"
    )


def test_a_workbook_that_says_it_is_smaller_is_read_whole():
    path = edited(workbook(HEADER, ("a@x.org", "A", "n")), b'ref="A1:C2"', b'ref="A1"')
    assert rows_of(path)[0].candidate.fields == {"Note": "n"}


def test_a_date_that_is_none_is_told():
    words = "Note (C2): is formatted as a date, but holds a number that is none; mend it"
    assert note(10**9, "yyyy-mm-dd") == words


def test_empty_rows_and_columns_are_skipped_and_rows_keep_their_numbers():
    path = workbook(
        (None, None),
        (*HEADER, None, " "),
        ("a@x.org", "A"),
        (None, "  ", None),
        ("b@x.org", "B", "n", None, None, " "),
        (),
        ("c@x.org", "C", None, None, "secret"),
        ("A@x.org", "A"),
        ("secret", "S"),
        (None,) * 9,
        formats={"J40": "0.00"},
    )
    source = Source(path)
    checked = check_file(source)
    assert [row.line for row in source.rows()] == [3, 5]
    assert checked.good_total == 2
    lines = report(source, checked, None).splitlines()
    assert lines[0].startswith("p.xlsx:7: has a cell in column 5 (E), which has no name; ")
    assert lines[1] == "p.xlsx:8: Email Address: is the same as in row 3 (case is ignored)"
    assert lines[2].startswith("p.xlsx:9: Email Address: is not an email")
    assert "secret" not in "".join(lines)


def test_the_named_sheet_is_read():
    book = Workbook()
    book.active.title = "Hidden"
    book.active.sheet_state = "hidden"
    for title, name in (("Autumn", "A"), ("Spring", "S")):
        sheet = book.create_sheet(title)
        sheet.append(HEADER)
        sheet.append(("a@x.org", name))
    book.save("p.xlsx")
    assert rows_of(Path("p.xlsx"), sheet="Spring")[0].candidate.first_name == "S"
    with pytest.raises(CommandError, match="no sheet 'Sprng'; did you mean 'Spring'"):
        rows_of(Path("p.xlsx"), sheet="Sprng")
    with pytest.raises(CommandError, match="no sheet 'X'; it has 'Hidden', 'Autumn', 'Spring'"):
        rows_of(Path("p.xlsx"), sheet="X")
    with pytest.raises(CommandError, match=r"p\.xlsx: is empty"):
        rows_of(Path("p.xlsx"), sheet="Hidden")


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_damaged_workbook_is_told_in_one_line(keep):
    content = workbook(HEADER, ("a@x.org", "A")).read_bytes()
    Path("p.xlsx").write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(CommandError, match="is damaged, or not a workbook"):
        rows_of(Path("p.xlsx"))


def test_a_workbook_with_broken_cells_is_told_without_them():
    path = edited(workbook(HEADER, ("a@x.org", "A", 1)), b"<v>1</v>", b"<v>secret</v>")
    with pytest.raises(CommandError, match="is damaged") as caught:
        rows_of(path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("p.csv", {"sheet": "A"}, "is CSV, which has no --sheet"),
        ("p.xlsx", {"delimiter": ";"}, "is XLSX, which has no --delimiter"),
        ("p.xlsx", {"encoding": "utf-8"}, "is XLSX, which has no --encoding"),
        ("p.jsonl", {"delimiter": ";"}, "is JSONL, which has no --delimiter"),
    ],
)
def test_options_that_the_format_does_not_know_are_refused(people, name, options, words):
    people(1, name)
    if name == "p.jsonl":
        Path(name).write_text("{}")
    if name == "p.xlsx":
        workbook(HEADER)
    with pytest.raises(CommandError, match=words):
        rows_of(Path(name), **options)


def traced(source):
    """How many rows there are, and the most bytes held while they were read."""
    next(source.rows())  # what is kept for good: compiled patterns, modules
    tracemalloc.start()
    try:
        return sum(1 for _ in source.rows()), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("spooled", [False, True])
def test_a_long_file_is_never_held(spooled):
    content = b"".join(b"p%d@x.org;Ada %d;%b\n" % (n, n, b"x" * 50) for n in range(30_000))
    path = Path("p.csv")
    path.write_bytes(b"Email Address;First Name;Note\n" + content)
    with path.open("rb") as file, closing(Source(path)) as source:
        if spooled:
            source._spool = spool(file)
        rows, peak = traced(source)
    assert rows == 30_000
    assert peak < 500_000 < len(content)


@pytest.mark.slow
def test_a_long_workbook_is_never_held():
    peaks = []
    for rows in (2_000, 12_000):
        book = Workbook(write_only=True)
        sheet = book.create_sheet()
        sheet.append(HEADER)
        for number in range(rows):
            sheet.append((f"p{number}@x.org", "A", number))
        book.save("p.xlsx")
        rows_of(workbook(HEADER, ("a@x.org", "A"), name="warm.xlsx"))
        with closing(Source(Path("p.xlsx"))) as source:
            tracemalloc.start()
            read = sum(1 for _ in source.rows())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert read == rows
    assert peaks[1] - peaks[0] < 10_000 * 20


class Endless:
    """A stream that never ends; it gives what there is, so that Ctrl-C is heard in between."""

    def __init__(self):
        self._reads = count()

    def read1(self, _):
        if next(self._reads) > 3:
            raise KeyboardInterrupt
        return b"x"


def test_a_spool_is_private_nameless_and_read_twice(monkeypatch, tmp_path):
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    content = bytes(range(256)) * 1000
    with spool(io.BytesIO(content)) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        assert list(home.iterdir()) == []
        lock = threading.Lock()
        first, second = (io.BufferedReader(Reading(file, lock)) for _ in range(2))
        assert first.read(1000) == content[:1000]
        second.seek(-5, os.SEEK_END)
        assert second.read() == content[-5:]
        assert first.read() == content[1000:]


def test_a_source_closes_its_spool():
    with closing(Source(Path("p.csv"))) as source:
        file = source._spool = spool(io.BytesIO(b"Email Address,First Name\n"))
        assert list(source.rows()) == []
    assert file.closed


def test_ctrl_c_while_stdin_is_read_closes_the_spool(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        spool(Endless())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
async def server():
    async with Sandbox().serve() as server:
        yield server


async def start(server, env, *arguments, **more):
    return await asyncio.create_subprocess_exec(
        *COMMAND, "register", "-", "--schedule", server.access_key, "--out", "links.csv", *arguments,
        env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE, **more,
    )  # fmt: skip


def json_lines():
    return "".join(
        f'{{"Email Address": "p{n}@x.org", "First Name": "Åsa"}}\n' for n in range(30)
    ).encode()


def semicolons():
    rows = "".join(f"p{n}@x.org;Åsa\r\n" for n in range(30))
    return ("Email Address;First Name\r\n" + rows).encode("utf-16")


def sheet():
    workbook(HEADER, *((f"p{n}@x.org", "Åsa") for n in range(30)), name="made.xlsx")
    return Path("made.xlsx").read_bytes()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """An empty folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


async def test_stdin_is_read_by_a_process_and_leaves_nothing_behind(
    server, environment, read, temporary
):
    process = await start(server, environment(server, TMPDIR=str(temporary)))
    out, err = await process.communicate(json_lines())
    assert process.returncode == 0, err
    assert b"registered  30" in out
    assert len(read(Path("links.csv"))) == 30
    assert {one.candidate.fields["First Name"] for one in server.sandbox.candidates} == {"Åsa"}
    assert list(temporary.iterdir()) == []


def from_stdin(mettl, data):
    return mettl("register", "-", "--sandbox", "--out", "links.csv", input=data)


@pytest.mark.parametrize("make", [semicolons, sheet])
def test_stdin_is_read_whatever_it_is(mettl, sandbox, read, temporary, make):
    done = from_stdin(mettl, make())
    assert done.exit_code == 0, done.stderr
    assert "registered  30" in done.stdout
    assert len(read(Path("links.csv"))) == 30
    assert {one.candidate.fields["First Name"] for one in sandbox.candidates} == {"Åsa"}
    assert list(temporary.iterdir()) == []


def test_bad_rows_of_stdin_are_told_and_nothing_is_sent(mettl, sandbox):
    done = from_stdin(mettl, b"Email Address,First Name\na@x.org,A\nsecret,B\n")
    assert done.exit_code == 2
    assert done.stderr.startswith("stdin:3: Email Address: is not an email")
    assert "secret" not in done.stderr
    assert sandbox.stats.requests == 0


def test_no_one_on_stdin_is_told(mettl):
    done = from_stdin(mettl, b"")
    assert done.exit_code == 2
    assert done.stderr == "mettl: stdin: is empty; the first line must name the columns\n"


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the other side is a process
        await asyncio.sleep(0.01)


async def test_killed_at_once_it_leaves_no_copy_of_stdin(server, environment, temporary):
    server.sandbox.faults.latency = 600.0
    process = await start(server, environment(server, TMPDIR=str(temporary)))
    process.stdin.write(semicolons())
    process.stdin.close()
    await until(lambda: server.sandbox.stats.requests)
    process.kill()
    await process.communicate()
    assert list(temporary.iterdir()) == []


async def test_ctrl_c_ends_the_reading_of_stdin(
    server, environment, temporary, listen_to_interrupts, asleep
):
    process = await start(
        server, environment(server, TMPDIR=str(temporary)), preexec_fn=listen_to_interrupts
    )
    process.stdin.write(b"Email Address,First Name\n" + b"a@x.org,A\n" * 100_000)
    await process.stdin.drain()  # most of it has gone through the pipe
    await asleep(process)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert err == b"mettl: interrupted; nothing was sent\n"
    assert list(temporary.iterdir()) == []


def test_a_pipe_with_a_name_is_kept_like_stdin():
    os.mkfifo("pipe")
    writer = threading.Thread(
        target=Path("pipe").write_text, args=("Email Address|First Name\na@x.org|A\n",)
    )
    writer.start()
    with closing(Source(Path("pipe"))) as source:
        for _ in range(2):
            assert [row.candidate.email for row in source.rows()] == ["a@x.org"]
    writer.join()


def test_options_for_an_input_need_one(mettl):
    done = mettl("register", "--sandbox", "--generate", 3, "--map", "a=b")
    assert done.exit_code == 2
    assert "need a FILE" in done.stderr
