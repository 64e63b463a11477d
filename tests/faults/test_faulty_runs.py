"""Thousands of candidates over a socket to a server that fails all the time."""

import random
import traceback
from collections import Counter
from urllib.parse import unquote

import httpx
import pytest

from mettl_async import (
    Candidate,
    ClientOptions,
    MettlClient,
    Registered,
    RetryPolicy,
    RunInterruptedError,
)
from mettl_async.sandbox import Faults, Sandbox

STUBBORN = RetryPolicy(max_attempts=60, backoff_base=0.001, backoff_cap=0.02, deadline=300.0)
IMPATIENT = RetryPolicy(max_attempts=2, backoff_base=0.001, backoff_cap=0.001, deadline=60.0)


def people(count):
    return [
        Candidate(
            email=f"candidate.{number}+x@secret.example",
            first_name=f"Firstname{number} & Söhne",
            fields={"Last Name": 'O\'Neill % "q"'},
            context_data=f"context-{number}",
        )
        for number in range(count)
    ]


def faulty_sandbox(seed, share):
    faults = Faults.each(share)
    faults.latency, faults.jitter, faults.retry_after = 0.0005, 0.001, 0
    faults.clock_skew = 25 * 3600
    return Sandbox(faults=faults, seed=seed)


def spy_on_signatures(mettl):
    """Collect every signature that goes out, decoded and escaped."""
    signatures, transport = set(), mettl._shared.transport
    send = transport.send

    async def watching(request):
        text = (request.target + b"&" + request.body).decode()
        escaped = text.partition("asgn=")[2].partition("&")[0]
        signatures.update({escaped, unquote(escaped)})
        return await send(request)

    transport.send = watching
    return signatures


@pytest.mark.slow
@pytest.mark.parametrize(
    ("placement", "patience", "share", "transport"),
    [
        ("documented", STUBBORN, 0.1, "httpx"),
        ("form", IMPATIENT, 0.05, "httpx"),
        ("documented", IMPATIENT, 0.05, "aiohttp"),
        ("form", STUBBORN, 0.1, "aiohttp"),
    ],
)
async def test_five_thousand_come_out_exactly_once_and_nothing_leaks(
    placement, patience, share, transport, all_logs
):
    # Refusals by chance say nothing of a limit, and each would slow the run down.
    options = ClientOptions(bulk_retry=patience, post_parameters=placement, adaptive=False)
    candidates, sandbox = people(5000), faulty_sandbox(7, share)
    outcomes = []
    async with (
        sandbox.serve() as server,
        MettlClient(
            server.credentials, base_url=server.base_url, options=options, transport=transport
        ) as mettl,
    ):
        signatures = spy_on_signatures(mettl)
        async for outcome in mettl.candidates.register_many(
            server.access_key, candidates, concurrency=8
        ):
            outcomes.append(outcome)

    # Each exactly once, with the candidate that belongs to its place.
    assert sorted(one.index for one in outcomes) == list(range(5000))
    assert all(one.candidate is candidates[one.index] for one in outcomes)
    kinds = Counter(type(one).__name__ for one in outcomes)
    if patience is STUBBORN:
        assert kinds == {"Registered": 5000}
    else:
        assert kinds["Registered"]
        assert kinds["Unknown"]

    # Nobody has another's link, and no two share one.
    registered = [one for one in outcomes if isinstance(one, Registered)]
    assert all(sandbox.owner_of(one.url) == one.candidate.email for one in registered)
    assert len({one.url for one in registered}) == len(registered)

    # What the server saw.
    stats = sandbox.stats
    assert stats.bad_signatures == stats.outcomes["E403"] == 0
    # Refused once for the clock; calls already in flight may have been refused beside it.
    assert 1 <= stats.outcomes["E504"] <= 8
    assert stats.largest_batch <= 20
    assert stats.max_in_flight <= 8
    kinds_of_faults = {
        "reset_before",
        "reset_after",
        "throttle",
        "server_error",
        "html",
        "truncate",
    }
    assert all(stats.faults[kind] for kind in kinds_of_faults)

    # What is known of a candidate that was not registered is true: the server never had the failed.
    known = {key[1] for key, count in stats.registrations.items() if count}
    for one in outcomes:
        if type(one).__name__ == "Failed":
            assert one.candidate.email not in known

    errors = [one.error for one in outcomes if hasattr(one, "error")]
    said = "\n".join(
        [
            *all_logs,
            *map(repr, outcomes),
            *map(repr, candidates),
            repr(mettl),
            repr(vars(mettl)),
            *(
                f"{error}\n{error!r}\n{error.__cause__!r}\n{error.__context__!r}"
                for error in errors
            ),
            *("".join(traceback.format_exception(error)) for error in errors),
        ]
    )
    assert "candidates.register" in said
    assert len(signatures) > 100
    assert server.credentials.private_key not in said
    assert not [one for one in signatures if one in said]
    for personal in ("secret.example", "Firstname", "Söhne", "O'Neill", "context-", "take-test"):
        assert personal not in said


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_every_sixth_request_failing_at_random_loses_nobody(transport):
    """With the default patience, whose pauses are real."""
    chance = random.Random(6)
    sandbox = Sandbox()
    sandbox.faults.retry_after = 0
    kinds = ["reset_before", "reset_after", "throttle", "server_error", "html", "truncate", "empty"]
    sandbox.faults.script(
        [chance.choice(kinds) if chance.random() < 1 / 6 else None for _ in range(600)]
    )
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url, transport=transport) as mettl,
    ):
        report = await mettl.candidates.register_many(server.access_key, people(3000))
    assert sum(sandbox.stats.faults.values()) >= 20
    report.raise_for_failures()
    assert len(report.registered) == 3000


@pytest.mark.parametrize("code", ["E401", "E403", "E607"])
async def test_a_refusal_of_the_account_stops_the_run(code):
    sandbox = Sandbox()
    sandbox.faults.script([None, None, code])
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        report = await mettl.candidates.register_many(
            server.access_key, people(2000), concurrency=2
        )
    assert len(report.outcomes) == 2000
    assert len(report.registered) in {40, 60}
    assert len(report.failed) == 2000 - len(report.registered)
    assert {one.error.code for one in report.failed} == {code}
    never_sent = [one for one in report.failed if one.attempts == 0]
    assert len(never_sent) == len(report.failed) - 20
    assert sandbox.stats.requests <= 4


async def test_one_bad_photo_does_not_sink_its_batch():
    candidates = people(60)
    bad = Candidate(
        email="photo@secret.example",
        first_name="P",
        fields={"Candidate Image(Verification)": "no-url"},
    )
    candidates[33] = bad
    sandbox = Sandbox()
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        report = await mettl.candidates.register_many(server.access_key, candidates)
    (rejected,) = report.rejected
    assert (rejected.index, rejected.code) == (33, "E028")
    assert len(report.registered) == 59
    assert sandbox.stats.requests <= 3 + 2 * 5


async def test_a_run_in_process_needs_no_socket():
    sandbox = Sandbox(faults=Faults.each(0.05))
    sandbox.faults.retry_after = 0
    async with (
        httpx.AsyncClient(transport=sandbox.transport()) as http_client,
        MettlClient(
            sandbox.credentials,
            http_client=http_client,
            options=ClientOptions(bulk_retry=STUBBORN, adaptive=False),
        ) as mettl,
    ):
        report = await mettl.candidates.register_many(sandbox.access_key, people(500))
    report.raise_for_failures()
    assert sandbox.stats.bad_signatures == 0


async def test_what_was_registered_before_the_input_broke_is_not_lost():
    def source():
        yield from people(100)
        raise OSError("disk")

    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        with pytest.raises(RunInterruptedError, match="OSError: 100 of 100") as caught:
            await mettl.candidates.register_many(server.access_key, source())
        assert len(caught.value.report.registered) == 100
        assert type(caught.value.__cause__) is OSError


async def test_a_server_that_never_answered_is_not_waited_for_as_long(monkeypatch):
    monkeypatch.setattr("mettl_async.api.candidates.FIRST_ANSWER_TIMEOUT", 0.2)
    sandbox = Sandbox()
    pauses = ClientOptions(
        bulk_retry=RetryPolicy(max_attempts=40, backoff_base=0.2, backoff_cap=0.4)
    )
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url, options=pauses) as mettl,
    ):
        sandbox.faults.reset_before = 1.0
        report = await mettl.candidates.register_many(server.access_key, people(20))
        assert len(report.unknown) == 20
        sandbox.faults.reset_before = 0.0
        # Once it has answered, patience is the ordinary one: eight failures take longer than 0.2 s.
        sandbox.faults.script([None, *["reset_before"] * 8])
        report = await mettl.candidates.register_many(server.access_key, people(40), concurrency=1)
    report.raise_for_failures()
