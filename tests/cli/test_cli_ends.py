"""How a run ends, without a process: signals, streams and what stays up."""

import io
import os
import signal
import sys
from contextlib import closing
from itertools import chain, islice, repeat
from pathlib import Path
from types import SimpleNamespace

import pytest

from mettl_async.cli import agreeing, printing, queries, signals, staying
from mettl_async.cli import register as registering
from mettl_async.cli import run as running
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import Layout
from mettl_async.cli.reading.source import Source
from mettl_async.cli.reading.text_rows import csv_rows, json_rows
from mettl_async.cli.summary import folded

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def _heard():
    """Hear the signals wherever the tests were started: in the background, or by nohup."""
    before = {
        number: signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )
        for number in CODES
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("told", [True, False])
def test_a_second_signal_ends_at_once_once_the_user_knows(monkeypatch, number, told):
    first, exits = [], []
    monkeypatch.setattr(signals.os, "_exit", exits.append)
    with signals.on_interrupt(first.append, lambda: told):
        for _ in range(2):
            signal.raise_signal(number)
    assert first == [number]
    assert exits == ([CODES[number]] if told else [])  # "timeout" sends two at once, and means one


@pytest.mark.parametrize("number", CODES)
def test_a_signal_before_anything_is_sent_says_so(mettl, sandbox, people, monkeypatch, number):
    people(2, "p.csv")
    monkeypatch.setattr(agreeing, "look", lambda *_, **__: signal.raise_signal(number))
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == CODES[number]
    how = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert done.stderr == f"mettl: {how}; nothing was sent\n"
    assert sandbox.stats.requests == 0


@pytest.mark.parametrize(
    "arguments",
    [("results", "ab12", "--out", "r.csv"), ("report", "ab12", "a@x.org", "--out", "r.pdf")],
)
def test_ctrl_c_while_reading_leaves_no_file(mettl, monkeypatch, arguments):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(queries, arguments[0], interrupt)
    done = mettl(*arguments)
    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr == "mettl: interrupted; nothing was written\n"
    assert not list(Path().iterdir())


@pytest.mark.parametrize("number", CODES)
def test_a_run_finishes_what_is_in_flight_and_counts_the_rest(
    mettl, sandbox, people, read, number, monkeypatch
):
    people(200, "p.csv")
    count = running.Tally.count

    def interrupt(self, outcome):
        count(self, outcome)
        if self.done == 20:
            signal.raise_signal(number)

    monkeypatch.setattr(running.Tally, "count", interrupt)
    done = mettl("register", "p.csv", "--sandbox", "--concurrency", 1)
    assert done.exit_code == CODES[number]
    rows = read(Path("links.csv"))
    assert len(rows) == 200
    registered = {row["Email Address"] for row in rows if row["link"]}
    assert registered == {one.email for one in sandbox.candidates}
    assert 20 <= len(registered) < 200
    assert f"interrupted {200 - len(registered)} of 200 were not sent" in done.stdout


def test_a_signal_while_the_sandbox_stays_up_is_no_failure(mettl, sandbox, people, monkeypatch):
    people(2, "p.csv")
    waited = []

    async def stay(ended):
        assert not ended()
        signal.raise_signal(signal.SIGINT)
        waited.append(ended())

    monkeypatch.setattr(registering, "can_stay", lambda _: True)
    monkeypatch.setattr(registering, "stay", stay)
    done = mettl("register", "p.csv", "--sandbox")
    assert (done.exit_code, waited) == (0, [True])


@pytest.mark.parametrize(
    ("change", "quiet", "stays"),
    [
        ({}, False, True),
        ({"yes": True}, False, False),
        ({"as_json": True}, False, False),
        ({"sandbox": False}, False, False),
        ({}, True, False),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="it never stays there")
def test_the_sandbox_does_not_stay_for_programs(monkeypatch, change, quiet, stays):
    monkeypatch.setattr(staying, "can_ask", lambda: True)
    monkeypatch.setattr(staying, "is_quiet", lambda: quiet)
    monkeypatch.setattr(staying.sys, "stdout", SimpleNamespace(isatty=lambda: True))
    job = SimpleNamespace(**{"yes": False, "as_json": False, "sandbox": True, **change})
    assert staying.can_stay(job) is stays


def test_stdin_that_is_closed_or_empty_is_told(mettl, sandbox, monkeypatch):
    done = mettl("register", "-", "--sandbox", input="")
    assert done.exit_code == 2
    assert "stdin: is empty" in done.stderr
    monkeypatch.setattr(sys, "stdin", None)
    with closing(Source(Path("-"))) as source, pytest.raises(CommandError, match="stdin is closed"):
        list(source.rows())


def test_output_is_utf_8_whatever_the_locale(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "latin-1"))
    printing.print_text("zo\u00eb \u674e\n")
    sys.stdout.flush()
    assert raw.getvalue().decode() == "zo\u00eb \u674e\n"


def test_a_file_that_only_this_command_writes_is_not_called_changed(
    mettl, sandbox, people, monkeypatch
):
    monkeypatch.setattr(running, "WRITE_EVERY", 0.005)
    monkeypatch.setattr(running, "_PAUSE_PER_WRITING", 0)
    sandbox.faults.latency = 0.02
    people(60, "p.csv")
    for more in ((), ("--resume",)):
        done = mettl("register", "p.csv", "--sandbox", "--concurrency", 1, *more)
        assert done.exit_code == 0, done.output
        assert "changed" not in done.stdout


def test_rows_of_text_are_read_as_they_are_needed():
    header = "Email Address,First Name\n"
    endless = chain([header], repeat("a@x.org,A\n"))
    assert len(list(islice(csv_rows(Layout(name="p.csv"), endless), 50))) == 50
    endless = repeat('{"Email Address": "a@x.org", "First Name": "A"}\n')
    assert len(list(islice(json_rows(Layout(name="p.jsonl"), endless), 50))) == 50


def test_a_summary_is_folded_at_words_under_what_it_says():
    text = (
        "registered  2\n"
        "journal     /a/long/path-with-dashes/to/links.csv.journal is what --resume goes on from\n"
    )
    assert folded(text, 60).splitlines() == [
        "registered  2",
        "journal     /a/long/path-with-dashes/to/links.csv.journal is",
        "            what --resume goes on from",
    ]
    assert folded(text, 200) == text.rstrip()
    for columns in (10, 50):
        lines = folded(text, columns).splitlines()
        assert "/a/long/path-with-dashes/to/links.csv.journal" in " ".join(lines).split()
        assert all(line.startswith(" " * 12) for line in lines[2:])
