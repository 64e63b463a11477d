"""What a failed call says about its candidates, and when a run stops."""

import pytest
from scripted_server import START, person, refused

from mettl_async import (
    ApiError,
    BadRequestError,
    ConnectError,
    Failed,
    MettlDecodeError,
    NotFoundError,
    PermissionDeniedError,
    Registered,
    Rejected,
    Unknown,
)
from mettl_async.bulk.details import Entry
from mettl_async.bulk.journal_record import JournalRecord, from_record
from mettl_async.bulk.part import Part
from mettl_async.bulk.stop_policy import (
    REFUSED_ALIKE,
    StopPolicy,
    is_call_wide,
    is_too_long,
    not_mentioned,
    stops_the_run,
    unexpected,
)
from mettl_async.errors import CallFacts

PEOPLE = [person(number) for number in range(3)]
ENTRIES = [Entry(number, one) for number, one in enumerate(PEOPLE)]


def answered(status, code=None, kind=ApiError):
    return kind("x", CallFacts(status_code=status, code=code, attempts=1, sent=True))


def sixty(brakes, *, code="E050", alone=True, count=REFUSED_ALIKE):
    return [brakes.was_refused(refused(code), alone=alone) for _ in range(count)]


def test_the_sixtieth_refused_alike_stops_a_run():
    assert sixty(StopPolicy(4)) == [False] * (REFUSED_ALIKE - 1) + [True]


def test_a_batch_that_is_refused_is_no_candidate_that_is():
    assert not any(sixty(StopPolicy(4), alone=False, count=2 * REFUSED_ALIKE))


def test_a_success_between_them_or_another_code_begins_anew():
    brakes = StopPolicy(4)
    sixty(brakes, count=REFUSED_ALIKE - 1)
    brakes.went_through()
    assert not brakes.was_refused(refused("E050"), alone=True)
    sixty(brakes, count=REFUSED_ALIKE - 2)
    assert not brakes.was_refused(refused("E051"), alone=True)
    assert sixty(brakes, code="E051", count=REFUSED_ALIKE - 1)[-2:] == [False, True]


def test_images_never_stop_a_run():
    assert not any(sixty(StopPolicy(4), code="E028", count=3 * REFUSED_ALIKE))


@pytest.mark.parametrize(
    ("status", "stops"),
    [(200, False), (300, True), (302, True), (399, True), (400, False), (405, True), (414, False)],
)
def test_a_redirect_and_a_wrong_method_are_about_the_address(status, stops):
    assert stops_the_run(answered(status)) is stops
    assert is_call_wide(answered(status)) is not stops


def test_the_wrong_method_by_code_stops_a_run_too():
    assert stops_the_run(answered(200, "E405"))
    assert not stops_the_run(answered(200, "E404X"))


@pytest.mark.parametrize("kind", [PermissionDeniedError, NotFoundError])
def test_without_a_code_a_firewall_may_have_refused_one_candidate(kind):
    assert not stops_the_run(answered(403, kind=kind))
    assert stops_the_run(answered(403, "E403", kind=kind))


def test_what_is_no_answer_is_nobodys_fault():
    assert not is_call_wide(ConnectError("x"))
    assert not stops_the_run(ConnectError("x"))


@pytest.mark.parametrize(("status", "too_long"), [(413, True), (414, True), (400, False)])
def test_too_long_is_about_how_many_they_are(status, too_long):
    assert is_too_long(answered(status)) is too_long


def test_after_an_unexpected_exception_they_may_be_registered():
    error = unexpected(ValueError("c1@secret.example"))
    assert error.problem == "ValueError was raised while sending"
    assert (error.operation, error.sent, error.may_have_been_handled) == (
        "candidates.register", True, True,
    )  # fmt: skip


def test_who_is_not_mentioned_may_be_asked_for_again():
    error = not_mentioned()
    assert isinstance(error, MettlDecodeError)
    assert error.problem == "the server's answer does not mention this candidate"
    assert (error.operation, error.sent, error.safe_to_repeat) == (
        "candidates.register", True, True,
    )  # fmt: skip


@pytest.mark.parametrize(("handled", "kind"), [(False, Failed), (True, Unknown)])
def test_each_outcome_has_its_own_candidate(handled, kind):
    part = Part(ENTRIES, 2, handled=handled, sent_at=(START,))
    outcomes = part.unsettled(ConnectError("x"))
    assert [type(one) for one in outcomes] == [kind] * 3
    assert [(one.index, one.candidate) for one in outcomes] == list(enumerate(PEOPLE))
    assert {one.attempts for one in outcomes} == {2}


@pytest.mark.parametrize(
    ("facts", "code", "reason"),
    [
        ({"code": "E028", "server_message": "no photo"}, "E028", "no photo"),
        ({"code": "E028"}, "E028", "refused"),
        ({"status_code": 414, "server_message": "URI too long"}, "HTTP 414", "URI too long"),
    ],
)
def test_a_refusal_has_the_servers_words_and_code_or_the_best_there_is(facts, code, reason):
    outcomes = Part(ENTRIES, 1).refused(BadRequestError("refused", CallFacts(**facts)))
    assert all(isinstance(one, Rejected) for one in outcomes)
    assert [(one.index, one.candidate) for one in outcomes] == list(enumerate(PEOPLE))
    assert {(one.code, one.reason, one.attempts) for one in outcomes} == {(code, reason, 1)}


@pytest.mark.parametrize(
    ("url", "kind", "status"),
    [("https://x/1", Registered, "InProgress"), (None, Rejected, "InValid")],
)
def test_what_was_recorded_is_told_of_the_candidate_of_this_run(url, kind, status):
    settled = JournalRecord(email="c0@secret.example", status=status, url=url, reason="why")
    outcome = from_record(settled, 4, PEOPLE[0])
    assert isinstance(outcome, kind)
    assert (outcome.index, outcome.candidate, outcome.attempts) == (4, PEOPLE[0], 0)
    if kind is Registered:
        assert (outcome.url, outcome.status) == (url, status)
    else:
        assert (outcome.code, outcome.reason) == (status, "why")
