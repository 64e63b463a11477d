"""Every cell of the fault matrix, over a socket, with both transports."""

import re
from pathlib import Path

import pytest
from faulty_servers import staged
from matrix import (
    BULK,
    CREATE,
    FAULTS,
    MOST,
    PEOPLE,
    READ,
    REGISTER,
    RETRY_AFTER,
    STORIES,
    Operation,
    render,
)

from mettl_async import CallError, Candidate, Registered, Rejected, Unknown
from mettl_async.models import Access, CreatedSchedule, NewSchedule

ROOT = Path(__file__).parents[2]
START, END = "<!-- fault matrix -->", "<!-- end of fault matrix -->"
CELLS = [
    pytest.param(fault, operation, id=f"{fault.name}-{operation}")
    for fault in FAULTS
    for operation in Operation
]
# The others last until somebody mends them; what drips in is over at its deadline.
PASSING = [one for one in CELLS if one.values[0].by in {"script", "refuse", "dns"}]
SCRIPTED = [fault for fault in FAULTS if fault.by == "script"]
NEW = NewSchedule(name="Autumn", source_app="acme-ats", access=Access.open_for_all())

both = pytest.mark.parametrize("transport", ["httpx", "aiohttp"])


def people(count=PEOPLE):
    return [Candidate(email=f"c{number}@x.org", first_name="C") for number in range(count)]


async def perform(operation, stage):
    """The result, or the error; of a bulk run its outcomes."""
    mettl, key = stage.mettl, stage.sandbox.access_key
    try:
        match operation:
            case Operation.READ:
                return await mettl.schedules.get(key)
            case Operation.REGISTER:
                return await mettl.candidates.register(key, people())
            case Operation.BULK:
                report = await mettl.candidates.register_many(key, people(), concurrency=1)
                return report.outcomes
            case Operation.CREATE:
                return await mettl.schedules.create(stage.assessment_id, NEW)
    except CallError as error:
        return error


def works(operation, stage, result):
    """Whether it is what one gets when nothing is wrong."""
    sandbox = stage.sandbox
    match operation:
        case Operation.READ:
            return result.access_key == sandbox.access_key
        case Operation.CREATE:
            return result.access_key in sandbox.schedules and result.name == NEW.name
        case _:
            assert operation is REGISTER or all(type(one) is Registered for one in result)
            return [sandbox.owner_of(one.url) for one in result] == [one.email for one in people()]


def check(error, cell):
    assert type(error) is cell.error
    assert (error.code, error.sent) == (cell.code, cell.sent)
    assert error.may_have_been_handled is cell.handled
    assert error.safe_to_repeat is cell.safe
    if cell.outcome is None:
        assert error.attempts == cell.attempts
        assert len(error.sent_at) == (cell.attempts if cell.sent else 0)


def check_outcomes(outcomes, cell):
    assert [one.index for one in outcomes] == list(range(PEOPLE))
    for one in outcomes:
        assert type(one) is cell.outcome
        assert one.attempts == cell.attempts
        if type(one) is Rejected:
            assert one.code == cell.code
        else:
            check(one.error, cell)
        if type(one) is Unknown:
            assert len(one.sent_at) == cell.attempts


def served(stage, operation):
    return stage.served(REGISTER if operation is BULK else operation)


def schedules_named(stage):
    return [key for key, one in stage.sandbox.schedules.items() if one.name == NEW.name]


@both
@pytest.mark.parametrize(("fault", "operation"), CELLS)
async def test_a_fault_that_lasts(fault, operation, transport, monkeypatch):
    cell = fault.cells[operation]
    async with staged(fault, transport, monkeypatch) as stage:
        result = await perform(operation, stage)
        if cell.error is None:
            assert works(operation, stage, result)
        elif cell.outcome is not None:
            check_outcomes(result, cell)
        else:
            check(result, cell)
    assert stage.sandbox.stats.requests == cell.requests
    assert served(stage, operation) == cell.served
    if operation is CREATE:
        assert len(schedules_named(stage)) == cell.served


@both
@pytest.mark.parametrize(("fault", "operation"), PASSING)
async def test_a_fault_that_passes(fault, operation, transport, monkeypatch):
    cell = fault.cells[operation]
    async with staged(fault, transport, monkeypatch, times=fault.once) as stage:
        result = await perform(operation, stage)
        if not cell.mended:
            check(result, cell) if cell.outcome is None else check_outcomes(result, cell)
            assert stage.sandbox.stats.requests == cell.requests
            return
        assert works(operation, stage, result)
    if cell.sent:
        parts = PEOPLE if cell.mended == "each alone" else 1
        assert stage.sandbox.stats.requests == fault.once + parts
    if operation is BULK:
        assert {one.attempts for one in result} == {fault.once + 1}
    else:
        assert len(stage.time.pauses) == (fault.once if cell.mended == "retried" else 0)


@both
@pytest.mark.parametrize(
    "fault", [one for one in FAULTS if one.cells[BULK].again], ids=lambda fault: fault.name
)
async def test_a_bulk_run_asks_again_at_its_end(fault, transport, monkeypatch):
    first = fault.cells[BULK].attempts // 2
    async with staged(fault, transport, monkeypatch, times=first) as stage:
        result = await perform(BULK, stage)
        assert works(BULK, stage, result)
        assert {one.attempts for one in result} == {first + 1}


@pytest.mark.parametrize("fault", SCRIPTED, ids=lambda fault: fault.name)
async def test_a_bulk_run_stops_only_where_going_on_is_no_use(fault, monkeypatch):
    cell = fault.cells[BULK]
    async with staged(fault, "httpx", monkeypatch) as stage:
        report = await stage.mettl.candidates.register_many(
            stage.sandbox.access_key, people(2), concurrency=1, batch_size=1
        )
    first, second = report.outcomes
    assert first.attempts > 0
    assert (second.attempts == 0) is cell.stops


@pytest.mark.parametrize("operation", [READ, REGISTER, CREATE])
@pytest.mark.parametrize(
    "fault",
    [one for one in FAULTS if one.group.startswith("HTTP 429")],
    ids=lambda fault: fault.name,
)
async def test_retry_after_is_honoured(fault, operation, monkeypatch):
    async with staged(fault, "httpx", monkeypatch) as stage:
        error = await perform(operation, stage)
    # An HTTP date has whole seconds.
    assert RETRY_AFTER - 1 <= error.retry_after <= RETRY_AFTER
    assert len(stage.time.pauses) == MOST - 1
    assert all(pause > RETRY_AFTER - 1 for pause in stage.time.pauses)


@pytest.mark.parametrize("fault", SCRIPTED, ids=lambda fault: fault.name)
async def test_get_or_create_finds_what_a_lost_create_left(fault, monkeypatch):
    cell = fault.cells[CREATE]
    async with staged(fault, "httpx", monkeypatch, times=1, after=1) as stage:
        try:
            result = await stage.mettl.schedules.get_or_create(stage.assessment_id, NEW)
        except CallError as error:
            result = error
        mended = cell.mended != "" or cell.served == 1
        if mended:
            assert type(result) is CreatedSchedule
            assert [result.access_key] == schedules_named(stage)
        else:
            check(result, cell)
            assert schedules_named(stage) == []


async def test_get_or_create_finds_what_another_answer_hid(monkeypatch):
    (fault,) = [one for one in FAULTS if one.by == "mix_up"]
    # The first list, and the answer to the creation.
    async with staged(fault, "httpx", monkeypatch, times=2) as stage:
        created = await stage.mettl.schedules.get_or_create(stage.assessment_id, NEW)
    assert [created.access_key] == schedules_named(stage)


def test_the_stories_have_tests_that_exist():
    for story in STORIES:
        assert set(story.words) == set(Operation)
        for file, name in story.tests:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert not name or f"def {name}(" in text, f"{file}::{name}"


def test_every_fault_has_every_cell_and_a_name_of_its_own():
    assert len({(fault.group, fault.name) for fault in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        assert set(fault.cells) == set(Operation)
        assert len({cell.error for cell in fault.cells.values()}) == 1


def test_the_page_of_faults_shows_the_matrix_as_it_is():
    page = (ROOT / "docs" / "reference" / "faults.md").read_text(encoding="utf-8")
    shown = re.findall(f"{START}\n(.*?){END}", page, re.DOTALL)
    assert page.count(START) == page.count(END) == len(shown) == 1
    assert all(one.strip() == render().strip() for one in shown)
