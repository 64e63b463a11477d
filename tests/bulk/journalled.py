"""What the tests of journals share: a server that remembers, and runs against it."""

import asyncio
from collections import Counter

from scripted_server import run_of

from mettl_async import Candidate
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.models import Registration, RegistrationStatus

KEY = schedule_digest("abc123")


def person(number):
    return Candidate(email=f"c{number}@x.org", first_name="A")


def people(count):
    return [person(number) for number in range(count)]


def link(email):
    return f"https://tests.example.org/{email.lower()}"


def answers(entries, status="ToBeTaken", url=link):
    found = []
    for one in entries:
        email = one.candidate.email
        found.append(
            Registration(
                email=email,
                status=RegistrationStatus(status),
                message=f"Candidate ('{email}') is {status}",
                url=url(email),
            )
        )
    return BatchResponse(found, 1)


class Remembering:
    """Registers everybody, and counts how often; ``fail`` may raise for a call."""

    def __init__(self, fail=lambda entries: None):
        self.sent, self.calls, self.fail = Counter(), [], fail

    async def __call__(self, entries):
        self.calls.append(len(entries))
        await asyncio.sleep(0)
        self.sent.update(one.candidate.email.lower() for one in entries)
        return self.fail(entries) or answers(entries)


def stream(candidates, send, journal, *, lifecycle=None, key=KEY, **options):
    return aiter(
        run_of(
            candidates,
            send,
            lifecycle or Lifecycle(),
            journal=journal,
            schedule=key,
            **options,
        )
    )


async def collect(candidates, send, journal, **more):
    return [outcome async for outcome in stream(candidates, send, journal, **more)]
