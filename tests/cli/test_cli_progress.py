"""What is shown while a run goes on."""

import io
import re
import signal

import attrs
import pytest
from rich.console import Console

from mettl_async import Failed, Progress, Rejected
from mettl_async.cli.problems import print_stderr
from mettl_async.cli.progress import PLAIN_EVERY, Bar, Lines, Tally, at_terminal, status
from mettl_async.errors import AuthenticationError, InvalidInputError
from mettl_async.models import Candidate

ASHA = Candidate(email="asha@example.com", first_name="Asha")


def progress(**figures):
    return Progress(**dict.fromkeys((one.name for one in attrs.fields(Progress)), 0) | figures)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_figures_are_rate_and_remaining_time_and_what_went_wrong(clock):
    tally = Tally(10_000, clock)
    assert status(tally) == "0/10,000"
    clock.now += 10
    tally.registered, tally.unknown = 1999, 1
    assert status(tally) == "2,000/10,000, 200/s, 0:40 left, 1 unknown"
    clock.now += 10_000
    assert status(tally) == "2,000/10,000, 0.2/s, 11:07:20 left, 1 unknown"
    tally.registered = 9999
    assert status(tally) == "10,000/10,000, 1.0/s, 1 unknown"


def test_lines_are_few_and_only_when_something_has_changed(clock):
    written = []
    tally = Tally(100, clock)
    lines = Lines(tally, written.append)
    waiting = progress(retrying=3, retry_reason="ConnectError")
    for _ in range(100):
        clock.now += PLAIN_EVERY / 20
        tally.registered += 1
        lines.show(None)
    assert 3 <= len(written) <= 5
    for _ in range(100):
        clock.now += PLAIN_EVERY
        lines.show(None)
    assert len(written) <= 6
    lines.show(waiting)
    assert len(written) <= 6
    clock.now += PLAIN_EVERY
    lines.show(waiting)
    assert written[-1].endswith("; retrying: 3 calls wait (no connection)")


def test_an_interrupt_is_acknowledged_at_once_and_once(clock):
    written = []
    tally = Tally(100, clock)
    lines = Lines(tally, written.append)
    tally.ended_by = signal.SIGINT
    lines.show(None)
    lines.show(None)
    assert len(written) == 1
    assert "Ctrl-C again exits at once" in written[0]


def test_only_what_was_not_sent_for_an_error_of_the_account_is_a_stop():
    same = {"index": 0, "candidate": ASHA, "attempts": 0}
    tally = Tally(4)
    tally.count(Rejected(**same, reason="again", code="DuplicateEmail"))
    tally.count(Failed(**same, error=InvalidInputError("rd", "is too long", "shorten it")))
    assert not tally.stopped
    assert tally.not_sent == 3
    tally.count(Failed(**same, error=AuthenticationError("E401")))
    assert tally.stopped
    assert tally.codes["failed"] == {"InvalidInputError": 1, "AuthenticationError": 1}


class Screen:
    """A bar, and what it shows on a terminal of some width."""

    def __init__(self, tally, width, **more):
        self.console = Console(
            file=io.StringIO(),
            width=width,
            height=20,
            force_terminal=True,
            legacy_windows=False,
            **more,
        )
        self.bar = Bar(tally, self.console)

    def lines(self):
        text = self.console.file.getvalue()
        # What was drawn last begins where the line before was cleared.
        last = re.split(r"\x1b\[2K", text)[-1]
        return [line.rstrip() for line in re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", last).splitlines()]


@pytest.mark.parametrize("width", [30, 50, 120])
def test_a_bar_fits_into_a_terminal_with_all_of_its_figures(width):
    tally = Tally(100_000)
    tally.already = 40_000
    screen = Screen(tally, width)
    screen.bar.show(progress(registered=40_000))
    screen.bar.show(progress(registered=41_000))
    tally.ended_by = signal.SIGINT
    screen.bar.show(
        progress(registered=42_000, rejected=3, retrying=2, retry_reason="RateLimitError")
    )
    assert tally.told
    shown = screen.lines()
    assert all(len(line) <= width for line in shown)
    words = " ".join(" ".join(shown).split())
    assert "40,000 already there, 3 rejected" in words
    assert "Ctrl-C again exits at once" in words
    assert "retrying: 2 calls wait (too many requests)" in words
    if width >= 50:
        assert re.fullmatch(r"━+╸?━* 42,003/100,000 [\d,]+/s [\d:]+", shown[0])
        assert shown[0].index(" ") == min(40, width - 36)
    tally.registered = 100_000
    screen.bar.end()
    assert not [line for line in screen.lines() if "Ctrl-C" in line]
    assert screen.console.file.getvalue().rstrip().endswith("\x1b[?25h")


def test_those_who_were_there_already_tell_nothing_about_the_rest():
    tally = Tally(100_000)
    screen = Screen(tally, 80)
    screen.bar.show(progress())
    tally.already = 99_000
    screen.bar.show(progress(registered=99_000))
    [task] = screen.bar._bar.tasks
    assert task.completed == 99_000
    assert task.speed is None


def test_without_colour_there_is_none():
    screen = Screen(Tally(10), 80, no_color=True, color_system="truecolor")
    screen.bar.show(progress(registered=5))
    assert not re.search(r"\x1b\[[\d;]*3[0-9]", screen.console.file.getvalue())


@pytest.mark.parametrize(("term", "bar"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch, term, bar):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert at_terminal() is bar


def test_words_that_come_meanwhile_stand_in_a_line_of_their_own(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    bar = Bar(Tally(10), Console(stderr=True, width=60, force_terminal=True))
    bar.show(None)
    print_stderr("sandbox: is there")
    bar.end()
    [line] = [one for one in terminal.getvalue().splitlines() if "sandbox" in one]
    assert line.split("\x1b[2K")[-1] == "sandbox: is there"
