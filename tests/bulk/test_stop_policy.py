"""What a failed call says about its candidates, and when a run stops."""

import pytest
from scripted_server import START, Server, collect, person, refused

from mettl_async import (
    ApiError,
    BadRequestError,
    ConnectError,
    Failed,
    NotFoundError,
    PermissionDeniedError,
    Rejected,
    Unknown,
)
from mettl_async.bulk.batch import Entry
from mettl_async.bulk.stop_policy import (
    REFUSED_ALIKE,
    StopPolicy,
    is_too_long,
    may_be_one_candidates_fault,
    stops_the_run,
)
from mettl_async.errors import CallFacts

PEOPLE = [person(number) for number in range(3)]


def answered(status, code=None, kind=ApiError):
    return kind("x", CallFacts(status_code=status, code=code, attempts=1, sent=True))


def sixty(policy, *, code="E050", count=REFUSED_ALIKE):
    return [policy.record_rejection(refused(code)) for _ in range(count)]


def test_the_sixtieth_refused_alike_stops_a_run():
    assert sixty(StopPolicy(4)) == [False] * (REFUSED_ALIKE - 1) + [True]


def test_a_success_between_them_or_another_code_begins_anew():
    policy = StopPolicy(4)
    sixty(policy, count=REFUSED_ALIKE - 1)
    policy.record_success()
    assert not policy.record_rejection(refused("E050"))
    sixty(policy, count=REFUSED_ALIKE - 2)
    assert not policy.record_rejection(refused("E051"))
    assert sixty(policy, code="E051", count=REFUSED_ALIKE - 1)[-2:] == [False, True]


def test_images_never_stop_a_run():
    assert not any(sixty(StopPolicy(4), code="E028", count=3 * REFUSED_ALIKE))


@pytest.mark.parametrize(
    ("status", "stops"),
    [(200, False), (300, True), (302, True), (399, True), (400, False), (405, True), (414, False)],
)
def test_a_redirect_and_a_wrong_method_are_about_the_address(status, stops):
    assert stops_the_run(answered(status)) is stops
    assert may_be_one_candidates_fault(answered(status)) is not stops


def test_the_wrong_method_by_code_stops_a_run_too():
    assert stops_the_run(answered(200, "E405"))
    assert not stops_the_run(answered(200, "E404X"))


@pytest.mark.parametrize("kind", [PermissionDeniedError, NotFoundError])
def test_without_a_code_a_firewall_may_have_refused_one_candidate(kind):
    assert not stops_the_run(answered(403, kind=kind))
    assert stops_the_run(answered(403, "E403", kind=kind))


def test_what_is_no_answer_is_nobodys_fault():
    assert not may_be_one_candidates_fault(ConnectError("x"))
    assert not stops_the_run(ConnectError("x"))


@pytest.mark.parametrize(("status", "too_long"), [(413, True), (414, True), (400, False)])
def test_too_long_is_about_how_many_they_are(status, too_long):
    assert is_too_long(answered(status)) is too_long


@pytest.mark.parametrize(("handled", "kind"), [(False, Failed), (True, Unknown)])
def test_each_outcome_has_its_own_candidate(handled, kind):
    entry = Entry(0, PEOPLE[0], attempts=1, sent_at=(START,))
    entry.record_call(2, (START,), may_be_registered=handled)
    outcome = entry.unanswered(ConnectError("x"))
    assert type(outcome) is kind
    assert (outcome.index, outcome.candidate, outcome.attempts) == (0, PEOPLE[0], 3)
    assert kind is Failed or outcome.sent_at == (START, START)


@pytest.mark.parametrize(
    ("facts", "code", "reason"),
    [
        ({"code": "E028", "server_message": "no photo"}, "E028", "no photo"),
        ({"code": "E028"}, "E028", "refused"),
        ({"status_code": 414, "server_message": "URI too long"}, "HTTP 414", "URI too long"),
    ],
)
async def test_a_refusal_has_the_servers_words_and_code_or_the_best_there_is(facts, code, reason):
    def behave(_):
        raise BadRequestError("refused", CallFacts(attempts=1, **facts))

    (rejected,) = await collect(PEOPLE[:1], Server(behave))
    assert isinstance(rejected, Rejected)
    assert (rejected.index, rejected.candidate) == (0, PEOPLE[0])
    assert (rejected.code, rejected.reason, rejected.attempts) == (code, reason, 1)
