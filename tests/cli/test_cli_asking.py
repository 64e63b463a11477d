"""What a terminal is asked, in a real process on a pseudo-terminal: doubts, and whether to send."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest
from attrs import define, field
from openpyxl import Workbook

from mettl_async.sandbox import Sandbox

COMMAND = (sys.executable, "-m", "mettl_async", "register")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
async def server():
    async with Sandbox().serve() as server:
        yield server


@define
class Terminal:
    """The user's side of a pseudo-terminal on which the command runs."""

    process: asyncio.subprocess.Process
    handle: int
    text: str = field(default="", init=False)
    _read: int = field(default=0, init=False)

    async def read(self, until=None):
        """Read on to a text or to the end, and give what was written since the last time."""
        while until is None or until not in self.text[self._read :]:
            try:
                chunk = await asyncio.to_thread(os.read, self.handle, 65_536)
            except OSError:
                chunk = b""  # how a pseudo-terminal says that the other side is gone
            if not chunk:
                assert until is None, self.text
                break
            self.text += ESCAPES.sub("", chunk.decode()).replace("\r\n", "\n")
        start, self._read = self._read, len(self.text)
        if until is not None:
            self._read = self.text.index(until, start) + len(until)
        return self.text[start : self._read]

    def type(self, text):
        os.write(self.handle, text.encode())

    async def end(self):
        await self.read()
        await self.process.wait()
        return self.process.returncode


@pytest.fixture
async def terminal(server, environment):
    """Start the command on a terminal; both its output streams go there."""
    started = []

    async def start(*arguments, columns=80, stdin=None, **variables):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        env = environment(server, TERM="xterm", **variables)
        env = {
            name: value for name, value in env.items() if name not in ("COLUMNS", "CI")
        } | variables
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *map(str, arguments),
            env=env,
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        started.append(Terminal(process, ours))
        return started[-1]

    yield start
    for one in started:
        if one.process.returncode is None:
            one.process.kill()
            await one.process.wait()
        with contextlib.suppress(OSError):
            os.close(one.handle)


def arguments(server, *more):
    return ("p.csv", "--schedule", server.access_key, "--out", "links.csv", *more)


def emails(server):
    return sorted(one.email for one in server.sandbox.candidates)


def files():
    return [file.name for file in Path().iterdir()]


def write(text, encoding="utf-8", name="p.csv"):
    Path(name).write_bytes(text.encode(encoding))


async def test_nothing_is_sent_before_somebody_has_looked_and_said_yes(
    server, terminal, people, read
):
    people(4980, "p.csv")
    one = await terminal(*arguments(server))
    text = await one.read(until="[y/N] ")
    assert "p.csv: CSV, UTF-8, delimiter comma, header in line 1" in text
    assert "Email Address  p2@example.org" in text
    assert f"\nAccount: {server.base_url}\n" in text
    assert text.endswith(f"Register 4,980 people in schedule {server.access_key}? [y/N] ")
    assert server.sandbox.stats.requests == 0
    assert files() == ["p.csv"]
    one.type("yes\n")
    assert await one.end() == 0
    assert "registered  4,980" in one.text
    assert len(read(Path("links.csv"))) == 4980


@pytest.mark.parametrize(
    "answer",
    ["maybe\nNO\n", *(pytest.param(one, marks=pytest.mark.slow) for one in "\n\x04")],
)
async def test_whatever_else_is_answered_nothing_is_sent(server, terminal, people, answer):
    people(5, "p.csv")
    one = await terminal(*arguments(server))
    await one.read(until="[y/N] ")
    one.type(answer)
    assert await one.end() == 2
    assert "nothing was sent" in one.text
    assert "Traceback" not in one.text
    assert server.sandbox.stats.requests == 0
    assert files() == ["p.csv"]


async def test_ctrl_c_is_an_answer_too(server, terminal, people, asleep):
    people(5, "p.csv")
    one = await terminal(*arguments(server))
    await one.read(until="[y/N] ")
    await asleep(one.process)
    one.type("\x03")
    assert await one.end() == 130
    assert "interrupted; nothing was sent" in one.text
    assert "Traceback" not in one.text
    assert server.sandbox.stats.requests == 0


@pytest.mark.parametrize(
    "way", ["CI", *(pytest.param(one, marks=pytest.mark.slow) for one in ("-y", "stdin"))]
)
async def test_where_nobody_is_asked_it_is_sent(server, terminal, people, way):
    people(5, "p.csv")
    more = [way] if way.startswith("-") else []
    stdin = asyncio.subprocess.DEVNULL if way == "stdin" else None
    one = await terminal(
        *arguments(server, *more), stdin=stdin, **({"CI": "1"} if way == "CI" else {})
    )
    assert await one.end() == 0
    assert "[y/N]" not in one.text
    assert len(emails(server)) == 5


@pytest.mark.slow
async def test_who_goes_on_is_told_that_nobody_is_sent_twice(server, terminal, people):
    people(5, "p.csv")
    for more in ((), ("--resume",)):
        one = await terminal(*arguments(server, *more), CI="false")
        text = await one.read(until="[y/N] ")
        told = "Note: who has an answer in links.csv.journal is not sent again." in text
        assert told == bool(more)
        one.type("y\n")
        assert await one.end() == 0
    assert "5 of them had their answer before" in one.text


@pytest.mark.slow
async def test_the_sandbox_asks_nothing(terminal, people):
    people(5, "p.csv")
    one = await terminal("p.csv", "--sandbox")
    text = await one.read(until="registered  5")
    assert "[y/N]" not in text


@pytest.mark.slow
async def test_the_preview_says_what_is_left_out(server, terminal):
    write("Email Address,First Name\na@x.org,A\nnobody,B\nA@x.org,C\n")
    one = await terminal(*arguments(server, "--skip-bad", "bad.csv"))
    text = await one.read(until="[y/N] ")
    assert "Note: 1 row cannot be sent." in text
    assert "Note: 1 row repeats the email of a row before." in text
    assert "Note: these are written to bad.csv." in text
    assert "Register 1 person in schedule" in text
    assert "bad.csv" not in files()
    one.type("y\n")
    assert await one.end() == 1
    assert "left out    2 rows, in bad.csv" in one.text
    assert "bad.csv" in files()


@pytest.mark.slow
async def test_where_nobody_can_be_sent_nothing_is_asked(server, terminal):
    write("Email Address,First Name\nnobody,B\n")
    one = await terminal(*arguments(server, "--skip-bad", "bad.csv"))
    assert await one.end() == 2
    assert "[y/N]" not in one.text
    assert "nobody is left to be sent; the rows are in bad.csv" in one.text


NAMES = "Email Address;First Name\na@x.org;Kov\u00e1cs \u0150rsi\nb@x.org;T\u0171nde\n"


@pytest.mark.parametrize("answer", [" windows-1250", pytest.param("", marks=pytest.mark.slow)])
async def test_a_doubt_is_asked_and_reading_goes_on_with_the_answer(server, terminal, read, answer):
    """The answer is the name of an encoding, whether it is offered or not, or a number."""
    write(NAMES, "cp1250")
    one = await terminal(*arguments(server))
    text = await one.read(until="Which is right?")
    assert "its bytes alone do not tell which encoding it is in.\n" in text
    number = re.search(
        r"(\d+)  --encoding cp1250\n +line 2: Kov\u00e1cs \u0150rsi\n +line 3: T\u0171nde", text
    )[1]
    for wrong in ("0", str(int(number) + 100), "no-such"):
        one.type(f"{wrong}\n")
        await one.read(until="Type one of the numbers, or the name of an encoding such as cp1252.")
    one.type(f"{answer or number}\n")
    text = await one.read(until="[y/N] ")
    assert f"reading it with --encoding {answer.strip() or 'cp1250'}" in text
    assert "First Name     T\u0171nde" in text
    one.type("y\n")
    assert await one.end() == 0
    assert read(Path("links.csv"))[1]["First Name"] == "T\u0171nde"


async def test_several_doubts_are_asked_one_after_the_other(server, terminal):
    book = Workbook()
    for sheet in (book.active, book.create_sheet("Batch 2")):
        sheet.append(["Email Address", "First Name"])
        for n in range(3):
            sheet.append([f"p{n}@{sheet.title.replace(' ', '')}.org", "Name"])
        sheet.row_dimensions[3].hidden = True
    book.save("p.xlsx")
    one = await terminal("p.xlsx", *arguments(server)[1:], "--map", "First Name=First Name")
    assert '2  --sheet "Batch 2"' in await one.read(until="Which is right?")
    one.type("2\n")
    assert "1 row is hidden, by a filter or by hand" in await one.read(until="Which is right?")
    one.type("1\n")
    text = await one.read(until="[y/N] ")
    assert "p.xlsx: XLSX, sheet 'Batch 2', header in row 1" in text
    assert "Note: 1 hidden row left out." in text
    one.type("y\n")
    assert await one.end() == 0
    assert emails(server) == ["p0@Batch2.org", "p2@Batch2.org"]


@pytest.mark.slow
async def test_the_only_answer_to_a_doubt_is_confirmed(server, terminal):
    book = Workbook()
    for row in (
        ("Email Address", "First Name", "City"),
        ("a@x.org", "A", "Pune"),
        ("b@x.org", "B"),
    ):
        book.active.append(row)
    book.active.merge_cells("C2:C3")
    book.save("p.xlsx")
    for answer, code in (("n", 2), ("y", 0)):
        one = await terminal("p.xlsx", *arguments(server)[1:])
        assert "1  --merged-cells fill" in await one.read(until="Read it in this way? [y/N] ")
        one.type(f"{answer}\n")
        if not code:
            await one.read(until="[y/N] ")
            one.type("y\n")
        assert await one.end() == code
    people = {one.email: one.candidate.fields["City"] for one in server.sandbox.candidates}
    assert people == {"a@x.org": "Pune", "b@x.org": "Pune"}


@pytest.mark.parametrize("answer", ["\x04", "\x03"])
@pytest.mark.slow
async def test_a_doubt_that_is_not_answered_ends_it(server, terminal, answer, asleep):
    write(NAMES, "cp1250")
    one = await terminal(*arguments(server))
    await one.read(until="Which is right?")
    await asleep(one.process)
    one.type(answer)
    assert await one.end() == {"\x04": 2, "\x03": 130}[answer]
    assert "nothing was sent" in one.text
    assert server.sandbox.stats.requests == 0


@pytest.mark.parametrize("variables", [{"CI": "true"}, {}])
@pytest.mark.slow
async def test_with_yes_or_in_ci_a_doubt_is_told_and_not_asked(server, terminal, variables):
    write(NAMES, "cp1250")
    one = await terminal(*arguments(server, *(() if variables else ("--yes",))), **variables)
    assert await one.end() == 2
    assert "Pass one of:" in one.text
    assert server.sandbox.stats.requests == 0
    assert files() == ["p.csv"]


@pytest.mark.slow
async def test_a_pipe_is_asked_about_and_not_read_twice(server, terminal):
    os.mkfifo("pipe.csv")
    one = await terminal("pipe.csv", *arguments(server)[1:])
    await asyncio.to_thread(write, NAMES, "cp1250", "pipe.csv")
    await one.read(until="Which is right?")
    one.type("1\n")
    await one.read(until="[y/N] ")
    one.type("y\n")
    assert await one.end() == 0
    assert len(emails(server)) == 2


@pytest.mark.parametrize("columns", [50, 120])
@pytest.mark.slow
async def test_it_fits_the_terminal(server, terminal, columns):
    names = ",".join(f"A rather long name of column {n}" for n in range(3))
    write(
        f"Email Address,First Name,{names}\n"
        f"{'a' * 60}@example.org,Asha,{'word ' * 30},{'x' * 90},short\n"
    )
    one = await terminal(*arguments(server), columns=columns)
    text = await one.read(until="[y/N] ")
    lines = text.partition("header in line")[2].splitlines()
    assert max(map(len, lines)) <= columns
    assert [line for line in lines[:-1] if line.endswith(" ")] == []  # people copy from there
    assert "x" * 20 in text
    one.type("n\n")
    assert await one.end() == 2
