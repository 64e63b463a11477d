"""A rejected candidate can be mended by the caller and is sent once more, exactly once."""

import asyncio
from collections import Counter

import attrs
import pytest
from scripted_server import (
    BAD,
    GOOD,
    Server,
    answer,
    check_each_once,
    collect,
    dislikes_photos,
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
    Candidate,
    ConfigurationError,
    Failed,
    FileJournal,
    InvalidInputError,
    MettlClient,
    Registered,
    Rejected,
    RunInterruptedError,
    Unknown,
)
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.errors import CallFacts
from mettl_async.sandbox import Sandbox


def some_bad(count, *bad):
    return [person(n, fields=BAD) if n in bad else person(n) for n in range(count)]


def with_good_photo(candidate, rejected):
    assert rejected.candidate is candidate
    return attrs.evolve(candidate, fields=GOOD) if rejected.code == "E028" else None


async def with_good_photo_later(candidate, rejected):
    await asyncio.sleep(0)
    return with_good_photo(candidate, rejected)


async def test_who_has_no_link_and_is_not_mended_stays_rejected_however_many():
    def behave(entries):
        return BatchResponse([registration(one.candidate.email, url=None) for one in entries], 1)

    outcomes = await collect(people(100), Server(behave), candidate_fallback=lambda *_: None)
    check_each_once(outcomes, 100)
    assert all(isinstance(one, Rejected) for one in outcomes)


@pytest.mark.parametrize("hook", [with_good_photo, with_good_photo_later])
async def test_a_mended_candidate_is_registered(hook):
    server = Server(dislikes_photos)
    outcomes = await collect(some_bad(60, 3, 4, 47), server, candidate_fallback=hook)
    check_each_once(outcomes, 60)
    assert all(isinstance(one, Registered) for one in outcomes)
    mended = [one for one in outcomes if one.index in {3, 4, 47}]
    assert all(one.candidate.fields == GOOD for one in mended)
    assert all(one.attempts == len(server.calls_with(one.index)) for one in mended)
    assert [3, 4] in server.calls, "those of a batch are sent together"


@pytest.mark.parametrize("mends", [True, False])
async def test_everybody_may_need_mending_but_not_in_vain(mends):
    """The run stops when all are refused alike, though not before the caller was asked to help."""
    asked = Counter()

    def hook(candidate, rejected):
        asked[rejected.index] += 1
        return attrs.evolve(candidate, fields=GOOD) if mends else None

    def behave(entries):
        if any(map(is_bad, entries)):
            raise refused("E400")
        return answer(entries)

    server = Server(behave)
    outcomes = await collect(some_bad(400, *range(400)), server, candidate_fallback=hook)
    check_each_once(outcomes, 400)
    kinds = Counter(type(one) for one in outcomes)
    if mends:
        assert kinds == {Registered: 400}
        assert asked == dict.fromkeys(range(400), 1)
    else:
        assert kinds[Failed] > 200, "it was stopped"
        assert kinds[Rejected] >= 60


async def test_none_leaves_it_at_the_refusal():
    server = Server(dislikes_photos)
    outcomes = await collect(some_bad(20, 3), server, candidate_fallback=lambda *_: None)
    check_each_once(outcomes, 20)
    (rejected,) = [one for one in outcomes if isinstance(one, Rejected)]
    assert (rejected.index, rejected.code, rejected.candidate.fields) == (3, "E028", BAD)
    assert server.calls[-1] != [3]


async def test_it_is_tried_once_more_and_not_twice():
    asked = Counter()

    def hook(candidate, rejected):
        asked[rejected.index] += 1
        return attrs.evolve(candidate, fields={"Photo": "bad", "SAP ID": "1"})

    server = Server(dislikes_photos)
    outcomes = await collect(some_bad(40, *range(20)), server, candidate_fallback=hook)
    check_each_once(outcomes, 40)
    rejected = [one for one in outcomes if isinstance(one, Rejected)]
    assert asked == dict.fromkeys(range(20), 1)
    assert {one.index for one in rejected} == set(range(20))
    assert all(one.candidate.fields["SAP ID"] == "1" for one in rejected)


async def test_a_candidate_without_a_link_may_be_mended_too():
    def behave(entries):
        return BatchResponse(
            [
                registration(one.candidate.email, None, "InValid")
                if is_bad(one)
                else registration(one.candidate.email)
                for one in entries
            ],
            1,
        )

    def hook(candidate, rejected):
        assert rejected.code == "InValid"
        return attrs.evolve(candidate, fields=GOOD if rejected.index else BAD)

    outcomes = await collect(some_bad(20, 0, 7), Server(behave), candidate_fallback=hook)
    by_index = {one.index: one for one in outcomes}
    assert (type(by_index[7]), by_index[7].attempts) == (Registered, 2)
    assert (type(by_index[0]), by_index[0].attempts) == (Rejected, 2)


async def test_a_refusal_after_a_definite_answer_is_certain():
    def behave(entries):
        if entries[0].candidate.fields == GOOD:
            raise refused()
        if len(entries) > 1:  # refused at last, after an answer was lost
            facts = CallFacts(code="E000", attempts=2, sent=True, may_have_been_handled=True)
            raise ApiError("refused", facts)
        return BatchResponse([registration(entries[0].candidate.email, None, "InValid")], 1)

    hook = lambda candidate, _: attrs.evolve(candidate, fields=GOOD)  # noqa: E731 - short
    outcomes = await collect(people(2), Server(behave), candidate_fallback=hook)
    assert [(type(one), one.code) for one in outcomes] == [(Rejected, "E028")] * 2


async def test_times_from_before_the_mending_are_kept():
    def behave(entries):
        if entries[0].candidate.fields == GOOD:
            raise lost()
        return dislikes_photos(entries)

    outcomes = await collect(some_bad(2, 0), Server(behave), candidate_fallback=with_good_photo)
    (unknown,) = [one for one in outcomes if isinstance(one, Unknown)]
    assert unknown.attempts == len(unknown.sent_at) == 4


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            Candidate(email="else@secret.example", first_name="A"),
            "returned a candidate with another",
        ),
        ("c3@secret.example", "returned a str"),
        ({"Photo": "good"}, "returned a dict"),
    ],
    ids=["another person", "text", "fields"],
)
async def test_nobody_else_slips_in(made, words):
    server, found = Server(dislikes_photos), []
    with pytest.raises(InvalidInputError, match=words) as caught:
        await collect(
            some_bad(40, 3), server, found, candidate_fallback=lambda *_: made, concurrency=2
        )
    assert "secret.example" not in f"{caught.value} {caught.value!r}"
    check_each_once(found, len(found))
    assert isinstance({one.index: one for one in found}[3], Rejected)
    assert sum(isinstance(one, Registered) for one in found) == len(found) - 1


async def test_the_same_email_in_other_letters_is_the_same_person():
    def hook(candidate, _):
        return attrs.evolve(candidate, email=candidate.email.upper(), fields=GOOD)

    outcomes = await collect(some_bad(3, 1), Server(dislikes_photos), candidate_fallback=hook)
    assert all(isinstance(one, Registered) for one in outcomes)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (LookupError("c3@secret.example"), LookupError),
        (asyncio.CancelledError(), ConfigurationError),
    ],
    ids=["error", "cancellation"],
)
async def test_what_the_hook_raises_ends_the_run_like_the_input(raised, expected):
    asked, found = [], []

    async def hook(_, rejected):
        asked.append(rejected.index)
        await asyncio.sleep(0)
        raise raised

    def source():
        yield from some_bad(400, 3, 4, 25)

    server = Server(dislikes_photos)
    with pytest.raises(expected):
        await collect(source(), server, found, candidate_fallback=hook, concurrency=2)
    sent = {index for call in server.calls for index in call}
    assert {one.index for one in found} == sent
    check_each_once(found, len(found))
    assert len(found) < 400
    rejected = {one.index for one in found if isinstance(one, Rejected)}
    assert {3, 4} <= rejected <= {3, 4, 25}
    assert all(isinstance(one, Registered) for one in found if one.index not in rejected)
    assert 4 not in asked


async def test_repeated_emails_are_not_asked_about():
    asked = []
    twice = [person(1), person(1)]
    outcomes = await collect(twice, Server(), candidate_fallback=lambda *a: asked.append(a))
    assert {type(one) for one in outcomes} == {Registered, Rejected}
    assert asked == []


async def test_a_stopped_run_asks_nobody():
    asked = []

    def behave(entries):
        if not is_bad(entries[0]) or len(entries) > 1:
            return dislikes_photos(entries)
        return later(entries)

    async def later(entries):
        stopping.set()
        await stopped.wait()
        raise refused()

    async def stops():
        await stopping.wait()
        stopped.set()
        raise AuthenticationError("no", CallFacts(code="E401", attempts=1, sent=True))

    stopping, stopped = asyncio.Event(), asyncio.Event()
    server = Server(lambda entries: stops() if entries[0].index == 20 else behave(entries))
    outcomes = await collect(
        some_bad(40, 0), server, candidate_fallback=lambda *a: asked.append(a), concurrency=2
    )
    check_each_once(outcomes, 40)
    kinds = {one.index: type(one) for one in outcomes}
    assert kinds[0] is Rejected
    assert kinds[20] is Failed
    assert asked == []


async def test_a_mended_candidate_whose_answer_is_lost_gets_the_second_pass():
    asked = Counter()

    def behave(entries):
        for one in entries:
            if one.candidate.fields == GOOD:
                asked[one.index] += 1
                if asked[one.index] == 1:
                    raise lost()
        return dislikes_photos(entries)

    outcomes = await collect(some_bad(20, 3), Server(behave), candidate_fallback=with_good_photo)
    check_each_once(outcomes, 20)
    (mended,) = [one for one in outcomes if one.index == 3]
    assert (type(mended), mended.candidate.fields) == (Registered, GOOD)


async def test_a_journal_has_who_was_mended_and_they_are_not_asked_about_again(tmp_path):
    async def run(server, hook):
        journal = FileJournal(tmp_path / "links.journal")
        return await collect(
            some_bad(20, 3), server, journal=journal, schedule="s", candidate_fallback=hook
        )

    await run(Server(dislikes_photos), with_good_photo)
    again = Server()
    outcomes = await run(again, lambda *_: pytest.fail("asked"))
    check_each_once(outcomes, 20)
    assert again.calls == []


@pytest.mark.parametrize("name", ["candidate_fallback", "on_progress"])
async def test_what_cannot_be_called_is_refused(name):
    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        with pytest.raises(InvalidInputError, match=name):
            await mettl.candidates.register_many(server.access_key, people(1), **{name: "hook"})


async def test_over_a_socket_a_photo_is_replaced():
    image = "Candidate Image(Verification)"
    candidates = people(50)
    candidates[33] = person(33, fields={image: "no-url"})

    async def hook(candidate, rejected):
        assert rejected.code == "E028"
        return attrs.evolve(candidate, fields={image: "https://photos.example/placeholder.png"})

    sandbox = Sandbox()
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        report = await mettl.candidates.register_many(
            server.access_key, candidates, candidate_fallback=hook
        )
    report.raise_for_failures()
    assert sandbox.owner_of(report.outcomes[33].url) == candidates[33].email


async def test_a_report_has_what_was_registered_before_the_hook_failed():
    def hook(*_):
        raise LookupError("no such photo")

    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        bad = person(0, fields={"Candidate Image(Verification)": "no-url"})
        with pytest.raises(RunInterruptedError, match="LookupError: 19 of 20") as caught:
            await mettl.candidates.register_many(
                server.access_key, [bad, *people(20)[1:]], candidate_fallback=hook
            )
    assert len(caught.value.report.rejected) == 1
