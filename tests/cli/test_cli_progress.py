"""What is shown while a run goes on."""

import logging

import pytest

from mettl_async import Failed, Rejected
from mettl_async.cli.progress import PLAIN_EVERY, Lines, RetryWatch, Tally, status, watching_retries
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
    for _ in range(100):
        clock.now += PLAIN_EVERY / 20
        tally.registered += 1
        lines.show("")
    assert 3 <= len(written) <= 5
    for _ in range(100):
        clock.now += PLAIN_EVERY
        lines.show("")
    assert len(written) <= 6
    lines.show("waiting: 3 calls")
    assert len(written) <= 6
    clock.now += PLAIN_EVERY
    lines.show("waiting: 3 calls")
    assert written[-1].endswith("; waiting: 3 calls")


def test_an_interrupt_is_acknowledged_at_once_and_once(clock):
    written = []
    tally = Tally(100, clock)
    lines = Lines(tally, written.append)
    tally.interrupted = True
    lines.show("")
    lines.show("")
    assert len(written) == 1
    assert "Ctrl-C again exits at once" in written[0]


def test_calls_wait_until_their_time_is_over(clock):
    watch = RetryWatch(clock)
    logger = logging.Logger("made up")  # noqa: LOG001 - not one of the process
    logger.addHandler(watch)
    logger.info("a", extra={"mettl_request_id": "a", "mettl_wait": 2.0})
    logger.info(
        "b", extra={"mettl_request_id": "b", "mettl_wait": 5.0, "mettl_failure": "ConnectError"}
    )
    logger.info("gave up", extra={"mettl_request_id": "c"})
    logger.info("not ours")
    assert watch.waiting == "waiting: 2 calls are being tried again after ConnectError"
    clock.now += 3
    assert watch.waiting == "waiting: 1 call is being tried again after ConnectError"
    clock.now += 3
    assert not watch.waiting


def test_watching_leaves_the_log_as_it_was():
    logger = logging.getLogger("mettl_async")
    before = (logger.level, list(logger.handlers))
    with watching_retries() as watch:
        assert watch in logger.handlers
        assert logger.isEnabledFor(logging.INFO)
    assert (logger.level, list(logger.handlers)) == before


def test_only_what_was_not_sent_for_an_error_of_the_account_is_a_stop():
    same = {"index": 0, "candidate": ASHA, "attempts": 0}
    tally = Tally(4)
    tally.count(Rejected(**same, reason="again", code="DuplicateEmail"))
    tally.count(Failed(**same, error=InvalidInputError("rd", "is too long", "shorten it")))
    assert not tally.stopped
    tally.count(Failed(**same, error=AuthenticationError("E401")))
    assert tally.stopped
    assert tally.codes["failed"] == {"InvalidInputError": 1, "AuthenticationError": 1}
