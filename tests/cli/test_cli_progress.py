"""What is shown while a run goes on."""

import signal

import attrs
import pytest

from mettl_async import Failed, Progress, Rejected
from mettl_async.cli.progress import PLAIN_EVERY, Lines, Tally, status
from mettl_async.errors import AuthenticationError, InvalidInputError
from mettl_async.models import Candidate

ASHA = Candidate(email="asha@example.com", first_name="Asha")


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
    none = dict.fromkeys(one.name for one in attrs.fields(Progress))
    waiting = Progress(**none | {"retrying": 3, "retry_reason": "ConnectError"})
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
    assert written[-1].endswith("; retrying: 3 calls wait after ConnectError")


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
