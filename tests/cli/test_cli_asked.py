"""What a terminal is asked, without a process: each promise of ``test_cli_asking.py`` that is slow there."""

import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from openpyxl import Workbook

from mettl_async.cli import asking, looking, rendering
from mettl_async.cli import register as registering

KEYS = {
    "METTL_PUBLIC_KEY": "public",
    "METTL_PRIVATE_KEY": "private",
    "METTL_BASE_URL": "http://127.0.0.1:1",
}
OUT = ("--schedule", "ab12", "--out", "links.csv")
NAMES = "Email Address;First Name\na@x.org;Kov\u00e1cs \u0150rsi\nb@x.org;T\u0171nde\n"


@pytest.fixture
def asked(mettl, monkeypatch):
    """Run the command for somebody at a terminal who types this, and never yes to the last question."""

    def run(typed, *more, name="p.csv", **env):
        with monkeypatch.context() as patch:
            patch.setattr(asking, "can_ask", lambda: True)
            done = mettl("register", name, *OUT, *more, env={**KEYS, **env}, input=typed)
        assert not Path("links.csv").exists()
        return done

    return run


@pytest.mark.parametrize("typed", ["\n", "", "n\n", "No\n", "maybe\nNO\n"])
def test_whatever_else_is_answered_than_yes_nothing_is_sent(asked, people, typed):
    people(5, "p.csv")
    done = asked(typed)
    assert done.exit_code == 2
    assert "Register 5 people in schedule ab12? [y/N]" in done.output
    assert "nothing was sent" in done.stderr
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


class Stream(io.StringIO):
    terminal = True

    def isatty(self):
        return self.terminal


class Redirected(Stream):
    terminal = False


@pytest.mark.parametrize(
    ("ci", "stdin", "stderr", "can"),
    [
        ("", Stream(), Stream(), True),
        ("false", Stream(), Stream(), True),
        ("1", Stream(), Stream(), False),
        ("true", Stream(), Stream(), False),
        ("", Redirected(), Stream(), False),
        ("", Stream(), Redirected(), False),
        ("", None, Stream(), False),
    ],
)
def test_somebody_is_asked_who_sits_at_a_terminal(monkeypatch, ci, stdin, stderr, can):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(asking, "sys", SimpleNamespace(stdin=stdin, stderr=stderr))
    assert asking.can_ask() is can


def test_a_stream_that_was_closed_is_no_terminal(monkeypatch):
    stream = Stream()
    stream.close()
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(asking, "sys", SimpleNamespace(stdin=Stream(), stderr=stream))
    monkeypatch.setattr(Stream, "isatty", io.StringIO.isatty)
    assert asking.can_ask() is False


@pytest.mark.parametrize("more", [("--yes", *OUT), ("-y", *OUT), ("--sandbox",)])
def test_with_yes_and_in_the_sandbox_nothing_is_asked(mettl, sandbox, people, monkeypatch, more):
    people(2, "p.csv")
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(asking, "confirm", lambda _: pytest.fail("was asked"))
    sent = []
    monkeypatch.setattr(registering, "_run", lambda *given: sent.append(given[-1]) or 0)
    done = mettl("register", "p.csv", *more, env=KEYS)
    assert (done.exit_code, sent) == (0, [2])
    assert "[y/N]" not in done.output


def test_the_preview_says_what_is_left_out(asked):
    Path("p.csv").write_text("Email Address,First Name\na@x.org,A\nnobody,B\nA@x.org,C\n")
    done = asked("n\n", "--skip-bad", "bad.csv")
    for said in (
        "Note: 1 row cannot be sent.",
        "Note: 1 row repeats the email of a row before.",
        "Note: these are written to bad.csv.",
        "Register 1 person in schedule",
    ):
        assert said in done.output
    assert not Path("bad.csv").exists()


def test_where_nobody_can_be_sent_nothing_is_asked(asked):
    Path("p.csv").write_text("Email Address,First Name\nnobody,B\n")
    done = asked("", "--skip-bad", "bad.csv")
    assert done.exit_code == 2
    assert "[y/N]" not in done.output
    assert "nobody is left to be sent; the rows are in bad.csv" in done.stderr


def test_the_only_answer_to_a_doubt_is_confirmed(asked):
    book = Workbook()
    for row in (
        ("Email Address", "First Name", "City"),
        ("a@x.org", "A", "Pune"),
        ("b@x.org", "B"),
    ):
        book.active.append(row)
    book.active.merge_cells("C2:C3")
    book.save("p.xlsx")
    done = asked("n\n", name="p.xlsx")
    assert "1  --merged-cells fill" in done.output
    assert "not confirmed; nothing was sent" in done.stderr
    assert "Register" not in done.output
    done = asked("y\nn\n", name="p.xlsx")
    assert "City           Pune" in done.output.partition("row 3")[2]
    assert "Register 2 people" in done.output


def test_a_doubt_that_is_not_answered_ends_it(asked, monkeypatch):
    Path("p.csv").write_bytes(NAMES.encode("cp1250"))
    done = asked("")
    assert done.exit_code == 2
    assert "no answer was given; nothing was sent" in done.stderr

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(looking.asking, "choose", interrupt)
    done = asked("")
    assert done.exit_code == 130
    assert done.stderr == "mettl: interrupted; nothing was sent\n"


def test_with_yes_a_doubt_is_told_and_not_asked(asked):
    Path("p.csv").write_bytes(NAMES.encode("cp1250"))
    done = asked("1\ny\n", "--yes")
    assert done.exit_code == 2
    assert "Pass one of:" in done.stderr
    assert "Which is right?" not in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with names")
def test_a_pipe_is_asked_about_and_not_read_twice(asked):
    os.mkfifo("pipe.csv")
    writer = threading.Thread(target=Path("pipe.csv").write_bytes, args=(NAMES.encode("cp1250"),))
    writer.start()
    done = asked("cp1250\nn\n", name="pipe.csv")
    writer.join()
    assert "First Name     T\u0171nde" in done.output
    assert "Register 2 people" in done.output


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_it_fits_the_terminal(asked, columns, monkeypatch):
    monkeypatch.setattr(rendering, "_UNBOUND", columns)
    names = ",".join(f"A rather long name of column {n}" for n in range(3))
    Path("p.csv").write_text(
        f"Email Address,First Name,{names}\n"
        f"{'a' * 60}@example.org,Asha,{'word ' * 30},{'x' * 90},short\n"
    )
    done = asked("n\n")
    lines = done.stderr.partition("header in line")[2].partition("Account:")[0].splitlines()
    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line.endswith(" ")] == []  # people copy from there
    assert "x" * 20 in done.stderr
