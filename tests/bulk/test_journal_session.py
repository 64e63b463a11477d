"""Whatever a journal raises becomes one kind of error, with its cause and nobody's data."""

import asyncio

import anyio
import anyio.lowlevel
import pytest
from scripted_server import person

from mettl_async import JournalError, Registered, Rejected
from mettl_async.bulk.journal_session import JournalSession
from mettl_async.bulk.outcomes import DUPLICATE_EMAIL
from mettl_async.models import RegistrationStatus

ERRORS = [
    (OSError(28, "No space left on device", "c0@secret.example"), "No space left on device"),
    (RuntimeError("c0@secret.example"), "RuntimeError"),
    (OSError("c0@secret.example"), "OSError"),
]
DONE = Registered(
    index=0, candidate=person(0), attempts=1, url="https://x", status=RegistrationStatus.TO_BE_TAKEN
)
OPEN = Rejected(index=1, candidate=person(1), attempts=1, reason="photo", code="E028")
NOT_SENT = Rejected(index=2, candidate=person(2), attempts=0, reason="twice", code=DUPLICATE_EMAIL)


class Failing:
    """A journal one of whose methods raises."""

    def __init__(self, method, error):
        self.method, self.error = method, error

    def done(self, method):
        if method == self.method:
            raise self.error

    async def open(self, schedule):
        self.done("open")

    async def close(self):
        self.done("close")

    async def find(self, emails):
        self.done("find")
        return {}

    async def record(self, settled):
        self.done("record")


async def use(session):
    async with session:
        await session.find(["c0@secret.example"])


@pytest.mark.parametrize(
    ("method", "what"), [("open", "opened"), ("close", "closed"), ("find", "read")]
)
@pytest.mark.parametrize(("error", "words"), ERRORS)
async def test_what_cannot_be_done_is_told_with_its_cause(method, what, error, words):
    with pytest.raises(JournalError) as caught:
        await use(JournalSession(Failing(method, error), "digest"))
    assert str(caught.value) == f"the journal cannot be {what}: {words}"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("method", ["open", "close", "find"])
async def test_what_a_journal_says_itself_is_left_as_it_is(method):
    said = JournalError("not now")
    said.__cause__ = cause = OSError("disk")
    with pytest.raises(JournalError) as caught:
        await use(JournalSession(Failing(method, said), "digest"))
    assert caught.value is said
    assert said.__cause__ is cause


@pytest.mark.parametrize(
    ("error", "words"),
    [*ERRORS, (asyncio.CancelledError("c0@secret.example"), "ConfigurationError")],
)
async def test_what_could_not_be_recorded_is_in_the_failure_and_not_told(error, words):
    session = JournalSession(Failing("record", error), "digest")
    assert await session.record([DONE, NOT_SENT, OPEN]) == [NOT_SENT]
    assert session.failure.unrecorded == (DONE, OPEN)
    assert f"cannot be written: {words}" in str(session.failure)
    assert "secret" not in str(session.failure)
    assert type(session.failure.__cause__).__name__ == words or session.failure.__cause__ is error


class Slow(Failing):
    """A journal that takes a moment for everything."""

    def __init__(self):
        super().__init__(None, None)
        self.closed = False

    async def close(self):
        await anyio.lowlevel.checkpoint()
        self.closed = True

    async def record(self, settled):
        await anyio.lowlevel.checkpoint()


async def test_a_cancelled_run_closes_its_journal_and_blames_it_for_nothing():
    journal = Slow()
    session = JournalSession(journal, "digest")
    with anyio.CancelScope() as scope:
        async with session:
            scope.cancel()
            await session.record([DONE])
    assert scope.cancelled_caught
    assert session.failure is None
    assert journal.closed
