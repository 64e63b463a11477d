"""Recurring work: what is due is begun once, one at a time, whoever leads."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from pretended_engine import Dispatch
from pulled_data import Pulled, emails

from mettl_async import ConfigurationError, InvalidInputError
from mettl_async.jobs import (
    FolderStore,
    Jobs,
    JobSchedule,
    JobState,
    pull_results,
    run_worker,
    tables,
)
from mettl_async.jobs.pull_spec import spec_of, spec_text
from mettl_async.jobs.recurring import Recurring, _begin, _due
from mettl_async.jobs.statements import now_of
from mettl_async.models import ResultDetail
from mettl_async.sql_backend import sa

KEY = "a1b2c3d4e5"
WHAT = pull_results(KEY)
GIVEN = {"name": "nightly", "account": "acme"}


@pytest.fixture
def recurring(jobs):
    return Recurring(jobs._backend)


async def be_due(jobs, at=None, **more):
    """Let all schedules be due at a time, or now."""
    values = {"next_at": now_of(jobs._backend.dialect) if at is None else at, **more}
    await jobs._backend.change(sa.update(tables.schedules).values(**values), {})


async def ids(jobs):
    return [one.id for one in reversed(await jobs.list())]


async def test_a_schedule_says_when_it_is_due(jobs):
    one = await jobs.every("0 2 * * *", WHAT, timezone="Asia/Kolkata", **GIVEN)
    assert isinstance(one, JobSchedule)
    assert (one.name, one.account, one.last_job) == ("nightly", "acme", None)
    assert (one.next_at.hour, one.next_at.minute, one.next_at.tzinfo) == (20, 30, UTC)
    assert timedelta(0) < one.next_at - datetime.now(UTC) < timedelta(hours=24, minutes=1)
    assert await jobs.schedules() == (one,)


async def test_the_same_schedule_again_puts_nothing_off(jobs, recurring):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    await be_due(jobs, 60.0)
    missed = await jobs.every("0 2 * * *", WHAT, **GIVEN)
    assert missed.next_at.timestamp() == 60.0
    changed = await jobs.every("0 3 * * *", WHAT, **GIVEN)
    assert changed.next_at > datetime.now(UTC)
    await recurring.begin_due()
    assert await jobs.list() == ()
    moved = await jobs.every("0 3 * * *", WHAT, **{**GIVEN, "account": "initech"})
    assert (moved.account, moved.next_at) == ("initech", changed.next_at)
    assert len(await jobs.schedules()) == 1


async def test_a_time_that_is_due_makes_one_job(jobs, recurring):
    await jobs.every("0 2 * * *", pull_results([KEY, "f6g7h8i9j0"]), **GIVEN)
    await recurring.begin_due()
    assert await jobs.list() == ()
    await be_due(jobs, 60.0)  # and thousands more were missed
    for _ in range(3):
        await recurring.begin_due()
    (job,) = await jobs.list()
    assert (job.id, job.kind, job.account, job.state) == (
        "nightly@1970-01-01T00:01:00Z", "pull", "acme", JobState.READY
    )  # fmt: skip
    assert ((await jobs.status(job.id)).chunks, job.total) == (2, 2)
    (schedule,) = await jobs.schedules()
    assert (schedule.last_job, schedule.next_at > datetime.now(UTC)) == (job.id, True)


async def test_leaders_at_once_make_one_job(jobs, jobs_url, recurring):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    await jobs.every("0 2 * * *", WHAT, **{**GIVEN, "name": "other"})
    await be_due(jobs, 60.0)
    async with Jobs(jobs_url, create_tables=False) as others:
        other = Recurring(others._backend)
        await asyncio.gather(*(one.begin_due() for one in (recurring, other) * 3))
    assert sorted(await ids(jobs)) == ["nightly@1970-01-01T00:01:00Z", "other@1970-01-01T00:01:00Z"]


async def test_a_leader_that_was_frozen_does_not_make_a_job_again(jobs, recurring):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    await be_due(jobs, 60.0)
    ((_, row),) = await jobs._backend.run(_due)
    await recurring.begin_due()
    await jobs.forget("nightly@1970-01-01T00:01:00Z")
    assert await jobs._backend.run(partial(_begin, row=row, following=9e9)) is None
    assert await jobs.list() == ()


@pytest.mark.parametrize("state", ["submitting", "ready", "paused"])
async def test_there_is_one_at_a_time(jobs, recurring, all_logs, state):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    await be_due(jobs, 60.0)
    await recurring.begin_due()
    await jobs._backend.change(sa.update(tables.jobs).values(state=state), {})
    await be_due(jobs, 120.0)
    await recurring.begin_due()
    assert len(await jobs.list()) == 1
    (schedule,) = await jobs.schedules()
    assert schedule.next_at > datetime.now(UTC)
    said = f"1970-01-01T00:02:00Z is left out, because nightly@1970-01-01T00:01:00Z is {state}"
    (line,) = [one for one in all_logs if said in one]
    assert ("WARNING" in line) == (state == "paused")
    await jobs._backend.change(sa.update(tables.jobs).values(state="done"), {})
    await be_due(jobs, 180.0)
    await recurring.begin_due()
    assert len(await jobs.list()) == 2


@pytest.mark.parametrize("end", ["cancel", "forget"])
async def test_after_a_job_that_is_gone_comes_the_next(jobs, recurring, end):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    await be_due(jobs, 60.0)
    await recurring.begin_due()
    await getattr(jobs, end)("nightly@1970-01-01T00:01:00Z")
    await be_due(jobs, 120.0)
    await recurring.begin_due()
    assert (await ids(jobs))[-1] == "nightly@1970-01-01T00:02:00Z"


async def test_old_jobs_are_forgotten(jobs, recurring, monkeypatch):
    monkeypatch.setattr("mettl_async.jobs.recurring._KEPT", 1)
    for name in ("nightly", "n_ghtly"):
        await jobs.every("0 2 * * *", WHAT, **{**GIVEN, "name": name})
    for tick in range(3):
        await be_due(jobs, float(tick))
        await recurring.begin_due()
        await jobs._backend.change(sa.update(tables.jobs).values(state="done"), {})
    await jobs.pull(WHAT, account="acme", id="nightly@mine")
    left = [f"{name}@1970-01-01T00:00:0{tick}Z" for tick in (1, 2) for name in ("nightly", "n_ghtly")]  # fmt: skip
    assert sorted(await ids(jobs)) == sorted([*left, "nightly@mine"])


async def test_what_a_newer_version_pulls_is_begun(jobs, recurring):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    newer = {**json.loads(spec_text(WHAT, "nightly")), "only_on_sundays": True}
    await be_due(jobs, 60.0, spec=json.dumps(newer))
    await recurring.begin_due()
    assert len(await jobs.list()) == 1
    with pytest.raises(ConfigurationError, match=r"\(only_on_sundays\); upgrade this worker"):
        spec_of(json.dumps(newer))


def test_what_is_pulled_is_written_and_read():
    every = pull_results(
        [KEY], files="f", reports=FolderStore("r"), detail=ResultDetail(evaluation=True)
    )
    for one in (WHAT, every, pull_results(assessment=7, table=False, reports="own")):
        assert spec_of(spec_text(one, "nightly")) == ("nightly", one)
    assert every.files is not None
    assert every.files.startswith("/")


async def test_a_zone_that_is_not_known_here_stops_no_other(jobs, recurring, all_logs):
    for name in ("a", "b"):
        await jobs.every("0 2 * * *", WHAT, **{**GIVEN, "name": name})
    await be_due(jobs, 60.0)
    lost = sa.update(tables.schedules).where(tables.schedules.c.name == "a")
    await jobs._backend.change(lost.values(timezone="Mars/Base"), {})
    for _ in range(2):
        await recurring.begin_due()
    assert await ids(jobs) == ["b@1970-01-01T00:01:00Z"]
    assert sum("schedule a cannot be run here: timezone" in one for one in all_logs) == 1


async def test_a_schedule_is_removed_with_its_memory(jobs):
    await jobs.every("0 2 * * *", WHAT, **GIVEN)
    rows = [{"task": task, "digest": "d", "pulled_at": 0.0} for task in ("nightly", "other")]
    await jobs._backend.change(sa.insert(tables.pulled), rows)
    assert await jobs.remove_schedule("nightly")
    assert not await jobs.remove_schedule("nightly")
    assert await jobs.schedules() == ()
    async with jobs._engine.connect() as connection:
        assert (await connection.execute(sa.select(tables.pulled.c.task))).scalars().all() == [
            "other"
        ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "a@b"}, "name"),
        ({"name": "n" * 71}, "name"),
        ({"name": None}, "name"),
        ({"account": ""}, "account"),
        ({"cron": "x"}, "cron"),
        ({"timezone": "x"}, "timezone"),
        ({"what": "results"}, "what"),
    ],
)
async def test_a_schedule_that_makes_no_sense_is_refused(jobs, given, field):
    with pytest.raises(InvalidInputError) as raised:
        await jobs.every(**{"cron": "0 2 * * *", "what": WHAT, **GIVEN, **given})
    assert raised.value.field == field
    assert await jobs.schedules() == ()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"access_keys": "no key!"}, "access_key"),
        ({"access_keys": []}, "access_keys"),
        ({"access_keys": 7}, "access_keys"),
        ({"assessment": 0}, "assessment"),
        ({"assessment": 7, "access_keys": KEY}, "assessment"),
        ({"table": 1}, "table"),
        ({"table": False}, "table"),
        ({"files": 7}, "path"),
        ({"reports": 7}, "reports"),
        ({"detail": {}}, "detail"),
    ],
)
def test_what_cannot_be_pulled_is_refused(given, field):
    with pytest.raises(InvalidInputError) as raised:
        pull_results(**given)
    assert raised.value.field == field


async def test_a_folder_keeps_its_reports_to_itself(tmp_path):
    async def chunks():
        yield b"%PDF-"

    store = FolderStore(tmp_path / "reports")
    for name in (
        "../a.pdf",
        "/etc/a.pdf",
        "a/../../b.pdf",
        "a/b/c.pdf",
        ".a.pdf",
        "",
        "a\\b",
        "a/",
    ):
        with pytest.raises(InvalidInputError, match="name"):
            await store(name, chunks())
    assert list(tmp_path.iterdir()) == []
    await store("a/b.pdf", chunks())
    assert (tmp_path / "reports" / "a" / "b.pdf").read_bytes() == b"%PDF-"


async def test_a_report_that_breaks_off_leaves_nothing(tmp_path):
    async def chunks():
        yield b"%PDF-"
        raise OSError("broken off")

    (tmp_path / "a.pdf").write_bytes(b"old")
    with pytest.raises(OSError, match="broken off"):
        await FolderStore(tmp_path)("a.pdf", chunks())
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.pdf", b"old")]


async def test_a_worker_does_what_is_due(jobs_file_url, monkeypatch):
    quick = partial(run_worker.Worker, make_engine=Dispatch().make_engine)
    monkeypatch.setattr(run_worker, "Worker", quick)
    pulled = Pulled(jobs_file_url)
    await pulled.take_test(1)
    async with pulled.jobs, pulled.working(), asyncio.timeout(20):
        await pulled.jobs.every("0 0 1 1 *", pull_results(), **GIVEN)
        await pulled.be_due()
        while not await pulled.rows(tables.jobs, tables.jobs.c.state == "done"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [row.email for row in await pulled.results()] == emails(1)
    await pulled.aclose()
