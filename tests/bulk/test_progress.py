"""What a run tells of itself while it goes on and when it is over."""

import logging
from datetime import UTC, datetime

import attrs
import pytest
from scripted_server import (
    Server,
    answer,
    check_each_once,
    collect,
    lost,
    people,
    person,
    refused,
    run_of,
)

from mettl_async import (
    AuthenticationError,
    ClientOptions,
    Failed,
    MettlClient,
    Progress,
    Registered,
    RegistrationReport,
    Rejected,
    RetryPolicy,
    RunInterruptedError,
    Unknown,
)
from mettl_async.bulk.progress import EVERY, RATE_WINDOW, ProgressTracker, log_stop
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.core.redaction import LOGGED_FIELDS
from mettl_async.errors import CallFacts
from mettl_async.sandbox import Sandbox

PERSONAL = ("secret.example", "Firstname", "no image of c7", "link/")


@pytest.fixture(autouse=True)
def _at_info(caplog):
    caplog.set_level(logging.INFO, "mettl_async")


@pytest.fixture
def always(monkeypatch):
    """Told after each batch."""
    monkeypatch.setattr("mettl_async.bulk.progress.EVERY", 0.0)


def records(caplog, level):
    return [one for one in caplog.records if one.levelno == level and "run" in one.getMessage()]


def everything(one):
    return f"{one.getMessage()} {one.__dict__}"


async def test_figures_add_up_at_the_end(always):
    def behave(entries):
        numbers = {one.index for one in entries}
        if 25 in numbers:
            raise refused()
        if 40 in numbers:
            raise lost(attempts=3)
        return answer(entries)

    told = []
    same = [*people(80), person(1)]
    outcomes = await collect(same, Server(behave), on_progress=told.append, concurrency=2)
    last = told[-1]
    kinds = [type(one) for one in outcomes]
    assert (last.registered, last.rejected, last.failed, last.unknown) == tuple(
        map(kinds.count, (Registered, Rejected, Failed, Unknown))
    )
    assert (last.read, last.in_flight) == (81, 0)
    assert (last.rejected, last.unknown) == (2, 20)
    assert len(told) >= 5
    assert all(isinstance(one, Progress) for one in told)
    assert [one.read for one in told] == sorted(one.read for one in told)
    assert [one.calls for one in told] == sorted(one.calls for one in told)
    assert max(one.in_flight for one in told) >= 1
    assert last.seconds > 0


async def test_who_waits_for_the_second_pass_is_unknown_until_then(always):
    asked = []

    def behave(entries):
        asked.append(entries[0].index)
        if entries[0].index == 0 and asked.count(0) == 1:
            raise lost()
        return answer(entries)

    told = []
    await collect(people(60), Server(behave), on_progress=told.append, concurrency=1)
    assert [one.unknown for one in told] == [20, 20, 20, 0, 0]
    assert [one.read for one in told] == [20, 40, 60, 60, 60]


def test_it_is_told_now_and_then_and_at_the_end():
    clock, told = [100.0], []
    tracker = ProgressTracker(lambda: clock[0], told.append)
    registered = Registered(index=0, candidate=person(0), attempts=1, url="x", status="ToBeTaken")
    for _ in range(1000):
        clock[0] += 0.01
        tracker.record_call(2)
        tracker.count([registered], waiting=0)
    assert 10 / EVERY * 0.9 <= len(told) <= 10 / EVERY
    assert told[-1].rate == pytest.approx(200, rel=0.05)
    assert told[0].rate == pytest.approx(200, rel=0.1)
    tracker.report(final=True)
    assert told[-1] == Progress(
        read=1000, calls=1000, registered=1000, rejected=0, failed=0, unknown=0, in_flight=0,
        rate=pytest.approx(200, rel=0.05), seconds=pytest.approx(10),
    )  # fmt: skip


def test_the_rate_is_that_of_the_last_seconds():
    clock, told = [0.0], []
    tracker = ProgressTracker(lambda: clock[0], told.append)
    for pause in [0.01] * 1000 + [1.0] * 20:
        clock[0] += pause
        tracker.record_call(1)
        tracker.count([], waiting=0)
    assert told[-1].rate == pytest.approx(1.0)
    assert len(tracker._marks) < 100


def test_a_meter_that_nobody_reads_asks_for_no_time():
    times = iter([0.0])
    tracker = ProgressTracker(lambda: next(times))
    tracker.count([], waiting=0)
    tracker.report(final=True)


async def test_what_it_raises_is_raised_at_the_end_and_loses_nothing(always):
    told = []

    def breaks(progress):
        told.append(progress)
        raise LookupError("the bar fell down")

    asked, found = [], []

    def behave(entries):
        asked.append(entries[0].index)
        if asked.count(40) == 1 and entries[0].index == 40:
            raise lost()
        return answer(entries)

    with pytest.raises(LookupError, match="the bar"):
        await collect(people(200), Server(behave), found, on_progress=breaks)
    check_each_once(found, 200)
    assert all(isinstance(one, Registered) for one in found), "the second pass took place"
    assert len(told) == 1


async def test_what_it_raises_at_the_very_end_is_raised_too():
    def breaks(progress):
        if progress.read == 20:
            raise LookupError("the bar fell down")

    found = []
    with pytest.raises(LookupError):
        await collect(people(20), Server(), found, on_progress=breaks)
    check_each_once(found, 20)


async def test_register_many_still_has_its_report():
    def breaks(_):
        raise LookupError("the bar fell down")

    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        with pytest.raises(RunInterruptedError, match="LookupError: 50 of 50"):
            await mettl.candidates.register_many(server.access_key, people(50), on_progress=breaks)


async def test_the_end_of_a_run_is_one_record(caplog):
    def behave(entries):
        if any(one.index == 7 for one in entries):
            raise refused()
        return answer(entries)

    await collect(people(60), Server(behave))
    (record,) = records(caplog, logging.INFO)
    assert "run of 60 candidates ended" in record.getMessage()
    assert (record.mettl_registered, record.mettl_rejected) == (59, 1)
    assert (record.mettl_failed, record.mettl_unknown, record.mettl_in_flight) == (0, 0, 0)
    assert record.mettl_operation == "candidates.register"
    assert record.mettl_calls > 3
    assert record.mettl_rate > 0
    assert record.mettl_seconds > 0
    extra = {name for name in record.__dict__ if name.startswith("mettl_")}
    assert extra <= {f"mettl_{name}" for name in LOGGED_FIELDS}
    of_a_moment = {"retrying", "retry_reason"}
    figures = {one.name for one in attrs.fields(Progress)} - of_a_moment
    assert {f"mettl_{name}" for name in figures} <= extra
    assert not records(caplog, logging.WARNING)


async def test_a_stop_is_one_warning_with_its_type_and_code(caplog):
    def behave(entries):
        if entries[0].index == 40:
            facts = CallFacts(code="E401", status_code=401, server_message="no c7@secret.example")
            raise AuthenticationError("no c7@secret.example", facts)
        return answer(entries)

    await collect(people(200), Server(behave), concurrency=1)
    (record,) = records(caplog, logging.WARNING)
    assert record.mettl_failure == "AuthenticationError"
    assert (record.mettl_code, record.mettl_status) == ("E401", 401)
    assert "AuthenticationError" in record.getMessage()
    assert "E401" in record.getMessage()
    (end,) = records(caplog, logging.INFO)
    assert (end.mettl_registered, end.mettl_failed) == (40, 160)


@pytest.mark.parametrize("where", ["input", "hook", "middleware"])
async def test_what_breaks_a_run_is_named_by_its_type_only(where, caplog):
    def fail(*_):
        raise LookupError("c7@secret.example")

    def source():
        yield from people(20)
        if where == "input":
            fail()

    def behave(entries):
        if where == "middleware":
            fail()
        if where == "hook" and any(one.index == 7 for one in entries):
            raise refused()
        return answer(entries)

    with pytest.raises(LookupError):
        await collect(source(), Server(behave), candidate_fallback=fail)
    (record,) = records(caplog, logging.WARNING)
    assert record.mettl_failure == "LookupError"
    assert not [one for one in PERSONAL if one in "".join(map(everything, caplog.records))]


async def test_a_run_that_was_left_is_logged_without_a_warning(caplog):
    lifecycle = Lifecycle()
    stream = aiter(run_of(people(400), Server(), lifecycle, concurrency=1))
    await anext(stream)
    await stream.aclose()
    await lifecycle.drain()
    (end,) = records(caplog, logging.INFO)
    assert end.mettl_registered < 400
    assert not records(caplog, logging.WARNING)


async def test_over_a_socket_no_log_has_personal_data(all_logs):
    sandbox = Sandbox()
    sandbox.faults.script(["reset_after", None, "E607"])
    candidates = people(200)
    candidates[3] = person(3, fields={"Candidate Image(Verification)": "no-url"})
    told = []
    async with (
        sandbox.serve() as server,
        MettlClient(
            server.credentials,
            base_url=server.base_url,
            options=ClientOptions(bulk_retry=RetryPolicy(max_attempts=1)),
        ) as mettl,
    ):
        await mettl.candidates.register_many(
            server.access_key, candidates, concurrency=2, on_progress=told.append
        )
    said = "\n".join([*all_logs, *map(repr, told)])
    assert "run of 200 candidates ended" in said
    assert "stopped by RegistrationLimitError (code E607" in said
    assert server.access_key not in said
    assert not [one for one in PERSONAL if one in said]


async def test_an_answer_says_when_it_was_asked_for():
    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        before = datetime.now(UTC)
        answered = await mettl.request("GET", "/account")
        (sent_at,) = answered.response.sent_at
        assert before <= sent_at <= datetime.now(UTC)


async def test_times_of_single_calls_are_known_too():
    sandbox = Sandbox()
    sandbox.faults.script(["server_error", "reset_after"])
    options = ClientOptions(retry=RetryPolicy(max_attempts=2, backoff_base=0.001))
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url, options=options) as mettl,
    ):
        before = datetime.now(UTC)
        with pytest.raises(Exception, match="attempt 2") as caught:
            await mettl.candidates.register(server.access_key, people(1))
        assert before <= caught.value.sent_at[0] <= caught.value.sent_at[1] <= datetime.now(UTC)
        assert len(caught.value.sent_at) == 2


async def test_what_stopped_a_run_is_logged_without_a_word_of_anybodys(all_logs):
    class RowError(Exception):
        def __init__(self, row):
            super().__init__(row)
            self.code, self.status_code = row, "Firstname"

    def rows():
        yield from people(3)
        raise RowError({"Email Address": "asha@secret.example"})

    with pytest.raises(RowError):
        await collect(rows(), Server())
    assert any("was stopped by RowError" in line for line in all_logs)
    assert not any("secret" in line or "Firstname" in line for line in all_logs)


def test_the_repr_of_an_interrupted_run_has_no_row_in_it():
    error = RunInterruptedError(RegistrationReport(()), ValueError("asha@secret.example"))
    assert "secret" not in f"{error!r}{error}"
    assert "ValueError" in repr(error)


def test_the_end_and_a_stop_are_told_whole(caplog):
    now = [100.0]
    tracker = ProgressTracker(lambda: now[0])
    tracker.record_call(3)
    tracker.record_call(2)
    now[0] += 2.0
    tracker.log_end()
    log_stop(AuthenticationError("E401", CallFacts(code="E401", status_code=200)))
    log_stop(OSError("secret.example"))
    ended, *stops = [one.getMessage() for one in caplog.records]
    assert ended == (
        "candidates.register: run of 0 candidates ended after 2.0 s: 0 registered, 0 rejected,"
        " 0 failed, 0 unknown; 2 calls, 2.5 requests/s"
    )
    assert stops == [
        "candidates.register: the run was stopped by AuthenticationError (code E401, HTTP 200)",
        "candidates.register: the run was stopped by OSError (code None, HTTP None)",
    ]
    stopped = caplog.records[1]
    assert (stopped.mettl_operation, stopped.mettl_code) == ("candidates.register", "E401")


def test_the_rate_begins_with_the_last_mark_before_the_window():
    now, told = [100.0], []
    tracker = ProgressTracker(lambda: now[0], told.append)
    for requests in (10, 30, 50):
        now[0] += RATE_WINDOW
        tracker.record_call(requests)
        tracker.report()
    assert [one.rate for one in told] == [10 / RATE_WINDOW, 30 / RATE_WINDOW, 50 / RATE_WINDOW]
    tracker.report(final=True)
    assert told[-1].rate == 50 / RATE_WINDOW, "the mark of this very moment is not divided by"


async def test_a_run_tells_which_calls_wait_for_a_retry_and_why():
    seen, sandbox = [], Sandbox()
    sandbox.faults.script(["throttle:429"])

    async def sleep(_):
        seen.append((run.progress.in_flight, run.progress.retrying, run.progress.retry_reason))

    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        admission = mettl._shared.admission
        admission.effects = attrs.evolve(admission.effects, sleep=sleep)
        run = mettl.candidates.register_many(server.access_key, people(5))
        assert run.progress is None
        await run
    assert (1, 1, "RateLimitError") in seen
    assert (run.progress.retrying, run.progress.retry_reason) == (0, None)
    assert run.progress.registered == 5
