"""The last answer about a candidate counts, whatever was lost before; a link is asked for once more."""

import asyncio
from collections import Counter
from unicodedata import normalize

import attrs
import pytest
from scripted_server import (
    GOOD,
    START,
    Server,
    answer,
    check_each_once,
    collect,
    is_bad,
    lost,
    people,
    person,
    refused,
    registration,
)

from mettl_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    Candidate,
    ClientOptions,
    ConnectionLostError,
    FileJournal,
    MettlClient,
    Registered,
    Rejected,
    RetryPolicy,
    Unknown,
)
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.bulk.outcomes import NO_USABLE_LINK
from mettl_async.errors import CallFacts
from mettl_async.sandbox import Sandbox

IMAGE = "Candidate Image(Verification)"
LOST = {"attempts": 2, "sent": True, "may_have_been_handled": True, "sent_at": (START, START)}
NO_LINK = "the server's answer has no usable link; the server says: m"


def after_a_loss(error):
    """A server that refuses who has number 3, where the answer to the request before was lost."""

    def behave(entries):
        if any(one.index == 3 for one in entries):
            raise error
        return answer(entries)

    return behave


def without_links(entries, status="ToBeTaken"):
    return BatchResponse([registration(one.candidate.email, None, status) for one in entries], 1)


@pytest.mark.parametrize(
    "error",
    [
        BadRequestError("x", CallFacts(code="E028", server_message="photo", **LOST)),
        BadRequestError("x", CallFacts(code="E400", **LOST)),
        ApiError("x", CallFacts(code="E999", **LOST)),
        *(
            BadRequestError("x", CallFacts(status_code=status, **LOST))
            for status in (400, 413, 414, 422)
        ),
    ],
    ids=lambda error: error.code or f"HTTP {error.status_code}",
)
async def test_a_refusal_of_one_alone_is_certain(error):
    outcomes = await collect(people(20), Server(after_a_loss(error)))
    check_each_once(outcomes, 20)
    (rejected,) = [one for one in outcomes if not isinstance(one, Registered)]
    assert (type(rejected), rejected.index) == (Rejected, 3)
    assert rejected.code == (error.code or f"HTTP {error.status_code}")
    assert len(rejected.sent_at) == rejected.attempts > 2
    assert set(rejected.sent_at) == {START}


async def test_a_refusal_of_the_account_says_nothing_of_who_was_lost():
    error = AuthenticationError("x", CallFacts(code="E401", **LOST))
    outcomes = await collect(people(20), Server(after_a_loss(error)))
    assert {type(one) for one in outcomes} == {Unknown}


async def test_the_fallback_is_asked_in_the_second_pass_and_may_lose_an_answer_there():
    asked, shown = Counter(), []

    def behave(entries):
        asked.update((one.index, is_bad(one)) for one in entries)
        if any(asked[one.index, is_bad(one)] == 1 for one in entries):
            raise lost()
        if any(map(is_bad, entries)):
            raise refused()
        return answer(entries)

    def mend(candidate, rejected):
        shown.append(rejected)
        return attrs.evolve(candidate, fields=GOOD)

    candidates = [person(0), person(1, fields={"Photo": "bad"})]
    outcomes = await collect(candidates, Server(behave), candidate_fallback=mend)
    check_each_once(outcomes, 2)
    assert {type(one) for one in outcomes} == {Registered}
    assert [(one.index, one.code) for one in shown] == [(1, "E028")]
    assert asked[1, False] == 2


async def test_a_link_that_is_missing_is_asked_for_once_more():
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        return BatchResponse(
            [
                registration(
                    one.candidate.email, "link" if one.index != 5 or asked[5] == 2 else None
                )
                for one in entries
            ],
            1,
        )

    server = Server(behave)
    outcomes = await collect(people(40), server, concurrency=1)
    check_each_once(outcomes, 40)
    assert {type(one) for one in outcomes} == {Registered}
    assert server.calls[2:] == [[5]]


@pytest.mark.parametrize("status", ["ToBeTaken", "InProgress", ""])
async def test_who_gets_no_link_twice_is_rejected_for_that(status, tmp_path):
    path = tmp_path / "links.journal"
    server = Server(lambda entries: without_links(entries, status))
    outcomes = await collect(people(3), server, journal=FileJournal(path))
    assert {(type(one), one.code, one.reason) for one in outcomes} == {
        (Rejected, NO_USABLE_LINK, NO_LINK)
    }
    assert server.calls == [[0, 1, 2]] * 2
    # It may have passed by the next run.
    again = await collect(people(3), Server(), journal=FileJournal(path))
    assert {type(one) for one in again} == {Registered}


@pytest.mark.parametrize("status", ["Completed", "InValid", "AccessRevoked"])
async def test_a_status_that_says_why_there_is_no_link_is_not_asked_again(status):
    server = Server(lambda entries: without_links(entries, status))
    outcomes = await collect(people(3), server)
    assert {(type(one), one.code, one.reason) for one in outcomes} == {(Rejected, status, "m")}
    assert len(server.calls) == 1


async def test_completed_with_a_link_is_no_link():
    def behave(entries):
        items = [registration(one.candidate.email, status="Completed") for one in entries]
        return BatchResponse(items, 1)

    outcomes = await collect(people(1), Server(behave))
    assert [(type(one), one.code) for one in outcomes] == [(Rejected, "Completed")]


@pytest.mark.parametrize("end", [lost, "stopped"])
async def test_who_got_no_link_has_an_answer_even_if_the_second_has_none(end):
    def behave(entries):
        if entries[0].index == 20:
            return stops(entries)
        if len(server.calls_with(entries[0].index)) == 2:
            raise lost()
        return without_links(entries)

    async def stops(entries):
        if end == "stopped":
            await asyncio.sleep(0.01)
            raise AuthenticationError("no", CallFacts(code="E401", attempts=1, sent=True))
        return answer(entries)

    server = Server(behave)
    outcomes = await collect(people(21), server)
    assert {one.code for one in outcomes if one.index < 20} == {NO_USABLE_LINK}
    assert len(server.calls_with(0)) == (2 if end is lost else 1)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_another_unicode_form_is_the_same_person(form):
    email = normalize(form, "josé@exämple.org")
    other = normalize("NFD" if form == "NFC" else "NFC", email)
    assert email != other
    server = Server(lambda entries: BatchResponse([registration(other)], 1))
    candidates = [Candidate(email=email, first_name="J"), Candidate(email=other, first_name="J")]
    outcomes = await collect(candidates, server)
    assert [type(one) for one in outcomes] == [Registered, Rejected]
    assert outcomes[1].code == "DuplicateEmail"


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@pytest.mark.parametrize("attempts", [1, 30])
async def test_over_a_socket_only_who_has_no_answer_is_unknown(attempts, transport):
    """With one answer of twenty lost, bad photos come out as what they are."""
    candidates = [
        person(number, fields={IMAGE: "no-url"}) if number % 20 == 0 else person(number)
        for number in range(600)
    ]
    sandbox = Sandbox(seed=11)
    sandbox.faults.reset_after = 0.05
    patience = RetryPolicy(max_attempts=attempts, backoff_base=0.001, backoff_cap=0.001)
    options = ClientOptions(bulk_retry=patience, adaptive=False)
    async with (
        sandbox.serve() as server,
        MettlClient(
            server.credentials, base_url=server.base_url, options=options, transport=transport
        ) as mettl,
    ):
        report = await mettl.candidates.register_many(server.access_key, candidates)
    assert sandbox.stats.faults["reset_after"] > 5
    assert {(one.code, one.index % 20) for one in report.rejected} == {("E028", 0)}
    assert all(len(one.sent_at) == one.attempts for one in report.rejected)
    assert {type(one.error) for one in report.unknown} <= {ConnectionLostError}
    if attempts > 1:
        assert not report.unknown
        assert len(report.rejected) == 30
