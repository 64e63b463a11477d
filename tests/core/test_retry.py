"""Retry decisions: what, whether, when; and the quota's bounds."""

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.config import RetryPolicy
from mettl_async.core.retry import (
    RETRY_COST,
    GiveUp,
    RetryQuota,
    SignAgain,
    Wait,
    backoff,
    decide,
    http_date,
    may_have_been_handled,
    retry_after,
)
from mettl_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    CallFacts,
    ConnectError,
    ConnectionLostError,
    MettlDecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RegistrationLimitError,
    ServerError,
    ServiceUnavailableError,
    TimestampError,
    TransportTimeoutError,
)

POLICY = RetryPolicy()


def choose(error, *, repeatable=False, attempt=1, remaining=60.0, chance=0.5, **more):
    return decide(
        error, repeatable=repeatable, attempt=attempt, policy=more.pop("policy", POLICY),
        remaining=remaining, chance=chance, **more,
    )  # fmt: skip


NOT_SENT = ConnectError("x", CallFacts(sent=False))
LOST = ConnectionLostError("x", CallFacts(sent=True))
CERTAINLY_REFUSED = [RateLimitError("x", CallFacts(code="E509", status_code=200)),
                     RateLimitError("x", CallFacts(status_code=429))]  # fmt: skip
PERHAPS_HANDLED = [
    LOST,
    TransportTimeoutError("x", CallFacts(sent=True)),
    MettlDecodeError("x"),
    ServerError("x", CallFacts(status_code=502)),
    ServiceUnavailableError("x", CallFacts(status_code=503)),
    ServiceUnavailableError("x", CallFacts(code="E503", status_code=200)),
]
FINAL = [ApiError, AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError,
         RegistrationLimitError]  # fmt: skip


@pytest.mark.parametrize("error", [NOT_SENT, *CERTAINLY_REFUSED], ids=str)
def test_what_was_not_handled_is_repeated_even_for_an_unsafe_call(error):
    assert not may_have_been_handled(error)
    assert isinstance(choose(error, repeatable=False), Wait)


@pytest.mark.parametrize("error", PERHAPS_HANDLED, ids=str)
def test_what_may_have_been_handled_is_repeated_only_when_that_is_harmless(error):
    assert may_have_been_handled(error)
    assert isinstance(choose(error, repeatable=True), Wait)
    assert isinstance(choose(error, repeatable=False), GiveUp)


@pytest.mark.parametrize("kind", FINAL)
def test_a_refusal_is_never_repeated(kind):
    assert isinstance(choose(kind("x"), repeatable=True), GiveUp)


def test_attempts_are_bounded():
    assert isinstance(choose(NOT_SENT, attempt=2), Wait)
    assert isinstance(choose(NOT_SENT, attempt=3), GiveUp)


def test_a_pause_that_outlasts_the_deadline_is_not_begun():
    assert isinstance(choose(NOT_SENT, remaining=0.1, chance=1.0), GiveUp)
    slow = RateLimitError("x", CallFacts(status_code=429, retry_after=61.0))
    assert isinstance(choose(slow, remaining=60.0), GiveUp)


def test_retry_after_is_the_least_wait_and_jittered():
    error = RateLimitError("x", CallFacts(status_code=429, retry_after=5.0))
    assert choose(error, chance=0.0) == Wait(5.0)
    assert choose(error, chance=1.0) == Wait(5.0 + POLICY.backoff_base)


def test_a_wrong_clock_is_corrected_once():
    error = TimestampError("x", CallFacts(code="E504"))
    assert choose(error, server_time=17.0) == SignAgain(17.0)
    assert isinstance(choose(error, server_time=17.0, signed_again=True), GiveUp)
    assert isinstance(choose(error, server_time=None), GiveUp)


@given(
    st.integers(1, 100_000),
    st.floats(0, 3600),
    st.floats(0, 3600),
    st.floats(0, 1),
)
def test_backoff_stays_between_zero_and_its_cap(attempt, base, cap, chance):
    policy = RetryPolicy(backoff_base=base, backoff_cap=cap)
    assert 0 <= backoff(attempt, policy, chance) <= cap


@given(st.floats(0.001, 1000), st.floats(0, 1), st.integers(1, 200))
def test_no_wait_reaches_the_deadline(remaining, chance, attempt):
    verdict = choose(
        NOT_SENT, attempt=attempt, remaining=remaining, chance=chance,
        policy=RetryPolicy(max_attempts=100, backoff_cap=900.0),
    )  # fmt: skip
    assert isinstance(verdict, GiveUp) or 0 <= verdict.seconds < remaining


@given(st.integers(0, 600), st.lists(st.one_of(st.none(), st.integers(0, 20))))
def test_the_quota_stays_within_its_bounds(capacity, moves):
    quota = RetryQuota(capacity)
    for move in moves:
        before = quota.left
        if move is None:
            taken = quota.take()
            assert taken == (before >= RETRY_COST)
            assert quota.left == before - (RETRY_COST if taken else 0)
        else:
            quota.give_back(move)
            assert quota.left >= before
        assert 0 <= quota.left <= capacity


def test_a_quota_that_is_used_up_refuses():
    quota = RetryQuota(12)
    assert [quota.take(), quota.take(), quota.take()] == [True, True, False]
    quota.give_back(2)
    assert quota.left == 12
    quota.take()
    quota.give_back(0)
    assert quota.left == 8


DAYS = datetime(1970, 1, 2), datetime(2999, 1, 1)  # noqa: DTZ001 - hypothesis wants naive bounds
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:35 GMT"}, 30.0),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 02 Jan 100000 03:04:00 GMT"}, None),
        # Both times are the server's, so a local clock that is an hour off changes nothing.
        (
            {
                "retry-after": "Fri, 02 Jan 2026 04:04:15 GMT",
                "date": "Fri, 02 Jan 2026 04:04:05 GMT",
            },
            10.0,
        ),
    ],
)
def test_retry_after_in_both_forms(headers, seconds):
    assert retry_after(headers, NOW.timestamp()) == seconds


@given(st.text())
def test_junk_headers_never_raise(text):
    value = retry_after({"retry-after": text, "date": text}, 0.0)
    assert value is None or value >= 0
    http_date(text)


@given(st.datetimes(DAYS[0], DAYS[1]))
def test_http_dates_round_trip(moment):
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert http_date(format_datetime(moment, usegmt=True)) == moment.timestamp()


def test_a_longer_backoff_beats_a_short_retry_after():
    error = RateLimitError("x", CallFacts(status_code=429, retry_after=0.0))
    policy = RetryPolicy(backoff_base=4.0)
    assert choose(error, chance=0.5, policy=policy) == Wait(2.0)


def test_the_clock_is_not_corrected_after_the_deadline():
    error = TimestampError("x", CallFacts(code="E504"))
    assert isinstance(choose(error, server_time=17.0, remaining=0.0), GiveUp)


def test_the_pauses_double_up_to_the_cap():
    policy = RetryPolicy(backoff_base=0.5, backoff_cap=3.0, max_attempts=9)
    assert [backoff(n, policy, 1.0) for n in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff(3, policy, 0.25) == 0.5


REASONS = [
    ({"error": TimestampError("x"), "server_time": None}, "the time of signing was refused"),
    ({"error": NotFoundError("x")}, "a repeat would fail the same way"),
    ({"error": LOST}, "it may have been handled, and doing it twice could do harm"),
    ({"error": NOT_SENT, "attempt": POLICY.max_attempts}, "no attempts left"),
    ({"error": NOT_SENT, "remaining": 0.0}, "the deadline would pass first"),
]


@pytest.mark.parametrize(("given", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_giving_up_says_why(given, reason):
    assert choose(**given) == GiveUp(reason)


def test_a_pause_that_ends_with_the_deadline_is_too_long():
    policy = RetryPolicy(backoff_base=2.0, backoff_cap=2.0)
    just = {"error": NOT_SENT, "policy": policy, "chance": 1.0}
    assert choose(**just, remaining=2.0) == GiveUp("the deadline would pass first")
    assert choose(**just, remaining=2.001) == Wait(2.0)


def test_signing_again_needs_some_time_left_however_little():
    error = TimestampError("x")
    assert choose(error, server_time=5.0, remaining=0.5) == SignAgain(5.0)
    assert choose(error, server_time=5.0, remaining=0.0) == GiveUp(
        "the time of signing was refused"
    )


def test_an_http_date_without_a_zone_is_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert http_date("Thu, 01 Jan 1970 00:01:00 -0000") == 60.0
        assert http_date("Thu, 01 Jan 1970 05:31:00 +0530") == 60.0
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
