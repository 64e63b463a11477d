"""A server that plays a function per call, and runs against it."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

from mettl_async import BadRequestError, Candidate, ConnectionLostError
from mettl_async.bulk.batch import Batch, Entry, rd_text
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.bulk.registration_run import RegistrationRun
from mettl_async.bulk.run_options import RunOptions
from mettl_async.bulk.run_workers import RunWorkers
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.core.request import encoded_length
from mettl_async.errors import CallFacts
from mettl_async.models import Registration, RegistrationStatus

START = datetime(2026, 2, 7, 12, tzinfo=UTC)


def person(number, **more):
    return Candidate(email=f"c{number}@secret.example", first_name="Firstname", **more)


def people(count):
    return [person(number) for number in range(count)]


def rd_length(candidates):
    return encoded_length(rd_text(candidates))


def batch_of(*numbers):
    return Batch(Entry(number, person(number)) for number in numbers)


def registration(email, url="link", status="ToBeTaken"):
    return Registration(
        email=email,
        status=RegistrationStatus(status),
        message="m",
        url=f"{url}/{email}" if url else None,
    )


def answer(entries):
    return BatchResponse([registration(one.candidate.email) for one in entries], 1)


def refused(code="E028"):
    facts = CallFacts(
        code=code, attempts=1, sent=True, sent_at=(START,), server_message="no image of c7"
    )
    return BadRequestError("the server refused", facts)


def lost(number=0, attempts=1):
    """An answer that was lost; its requests were sent ``number`` minutes after the start, or later."""
    return ConnectionLostError(
        "the connection broke",
        CallFacts(
            attempts=attempts,
            sent=True,
            may_have_been_handled=True,
            sent_at=tuple(
                START + timedelta(minutes=number, seconds=second) for second in range(attempts)
            ),
        ),
    )


BAD, GOOD = {"Photo": "bad"}, {"Photo": "good"}


def is_bad(entry):
    return entry.candidate.fields.get("Photo") == "bad"


def dislikes_photos(entries):
    if any(map(is_bad, entries)):
        raise refused()
    return answer(entries)


class Server:
    """Answers batches by ``behave(entries)``, and keeps the places of what it was sent."""

    def __init__(self, behave=answer):
        self.behave, self.calls, self.finished = behave, [], 0

    async def __call__(self, entries):
        self.calls.append([one.index for one in entries])
        await asyncio.sleep(0)
        result = self.behave(entries)
        result = await result if asyncio.iscoroutine(result) else result
        self.finished += 1
        return result

    def calls_with(self, index):
        return [call for call in self.calls if index in call]


def run_of(
    candidates, send, lifecycle, *, concurrency=4, max_rd_bytes=None, schedule="s", **options
):
    """A run of a client's, with a function in the place of the server."""
    options = RunOptions(concurrency=concurrency, **options)
    make = partial(
        RunWorkers, candidates, send, options, max_rd_bytes=max_rd_bytes, schedule=schedule
    )
    return RegistrationRun(make, lifecycle)


async def collect(candidates, send, found=None, **more):
    """All outcomes; those that came before an exception are in ``found``."""
    found = [] if found is None else found
    lifecycle = Lifecycle()
    try:
        async for outcome in run_of(candidates, send, lifecycle, **more):
            found.append(outcome)
    finally:
        await lifecycle.drain()
    return found


def check_each_once(outcomes, count):
    assert sorted(one.index for one in outcomes) == list(range(count))
