"""Pulling: results and reports to all places, each once."""

import asyncio
import json
import stat

import pytest
from pulled_data import Pulled, emails

from mettl_async import InvalidInputError
from mettl_async.jobs import FolderStore, JobError, JobState, pull_results, tables
from mettl_async.jobs.pull_statements import PullTables
from mettl_async.sandbox import Pace as Grading


@pytest.fixture
async def pulled(jobs_file_url):
    pulled = Pulled(jobs_file_url)
    async with pulled.jobs:
        yield pulled
    await pulled.aclose()


async def test_results_of_all_schedules_go_into_the_table(pulled):
    other = pulled.sandbox.add_schedule("Other").access_key
    await pulled.take_test(1, 2)
    await pulled.take_test(3, access_key=other)
    status = await pulled.pull(pull_results())
    assert (status.job.total, status.registered, status.failed) == (2, 2, 0)
    rows = await pulled.results()
    assert sorted(row.email for row in rows) == emails(1, 2, 3)
    assert {row.access_key for row in rows} == {pulled.access_key, other}
    assert {row.account for row in rows} == {"acme"}
    assert len({row.report for row in rows}) == 3
    assert json.loads(rows[0].result)["email"] == rows[0].email


async def test_only_results_that_are_final_are_pulled(pulled):
    pulled.sandbox.pace = Grading(grade_delay=1000, report_delay=0)
    await pulled.take_test(1)
    await pulled.pull(pull_results())
    assert await pulled.results() == []


async def test_results_of_an_assessment(pulled):
    one = pulled.sandbox.add_assessment("Other")
    key = pulled.sandbox.add_schedule("Third", assessment=one).access_key
    await pulled.take_test(1)
    await pulled.take_test(2, access_key=key)
    status = await pulled.pull(pull_results(assessment=one.id))
    assert status.registered == 1
    assert [row.email for row in await pulled.results()] == emails(2)


async def test_an_account_without_schedules_is_done_at_once(pulled):
    empty = pulled.sandbox.add_assessment("Empty")
    status = await pulled.pull(pull_results(assessment=empty.id))
    assert (status.job.total, status.registered, status.waiting) == (0, 0, 0)


async def test_files_have_a_line_for_each_candidate(pulled, tmp_path):
    folder = tmp_path / "results" / "deep"
    what = pull_results(pulled.access_key, table=False, files=folder)
    await pulled.take_test(1, 2)
    await pulled.pull(what)
    (file,) = folder.iterdir()
    assert file.name == f"{pulled.access_key}.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open("a") as lines:
        lines.write("not ours")  # and cut short
    await pulled.take_test(3)
    await pulled.pull(what, "b")
    *lines, _ = text = file.read_text().splitlines()
    assert "not ours" in text
    found = [json.loads(line) for line in text if line != "not ours"]
    assert [one["email"] for one in found] == emails(1, 2, 3)
    assert found[0]["access_key"] == pulled.access_key
    assert found[0]["report"].startswith(f"{pulled.access_key}/")
    assert found[0]["result"]["testStatus"]["result"]
    assert await pulled.results() == []


async def test_reports_go_into_a_folder(pulled, tmp_path):
    await pulled.take_test(1, 2)
    await pulled.pull(pull_results(reports=FolderStore(tmp_path / "reports")))
    names = [row.report for row in await pulled.results()]
    files = [tmp_path / "reports" / name for name in names]
    assert all(one.read_bytes().startswith(b"%PDF-") for one in files)
    assert sorted(one for one in tmp_path.rglob("*.*") if one.suffix != ".db" and "jobs" not in one.name) == sorted(files)  # fmt: skip
    assert not [one for one in (*emails(1, 2), "P1") if any(one in name for name in names)]


async def test_reports_go_to_a_store_of_the_users_each_once(pulled):
    what = pull_results(reports="own")
    await pulled.take_test(1, 2)
    for count in (2, 2):
        await pulled.nightly(what)
        assert len(pulled.store.calls) == len(pulled.store.reports) == count
    await pulled.take_test(3)
    await pulled.nightly(what)
    assert len(pulled.store.calls) == 3
    assert all(one.startswith(b"%PDF-") for one in pulled.store.reports.values())
    assert sorted(row.report for row in await pulled.results()) == sorted(pulled.store.reports)


async def test_a_later_result_of_the_same_person_is_pulled(pulled):
    what = pull_results(reports="own")
    await pulled.take_test(1)
    await pulled.nightly(what)
    (before,) = await pulled.results()
    async with pulled.client() as client:
        await client.results.delete(pulled.access_key, before.email)
    await pulled.take_test(1)
    await pulled.nightly(what)
    (after,) = await pulled.results()
    assert after.result != before.result
    assert after.report != before.report
    assert len(pulled.store.reports) == 2


async def test_a_report_that_is_not_ready_is_tried_at_the_next_run(pulled):
    pulled.sandbox.pace = Grading(grade_delay=0, report_delay=1000, links_first=True)
    what = pull_results(reports="own")
    await pulled.take_test(1)
    await pulled.nightly(what)
    assert (len(await pulled.results()), pulled.store.calls) == (1, [])
    pulled.sandbox.clock.advance(1000)
    await pulled.nightly(what)
    assert len(pulled.store.reports) == 1


async def test_what_a_store_does_not_take_is_given_again(pulled, all_logs):
    pulled.store.fails = [OSError(28, "secret path"), ValueError("secret")]
    await pulled.take_test(1, 2, 3)
    status = await pulled.pull(pull_results(reports="own"))
    assert (status.registered, len(pulled.store.reports), len(pulled.store.calls)) == (1, 3, 5)
    text = "\n".join(all_logs)
    assert "could not be stored" in text
    assert not [one for one in ("secret", *emails(1)) if one in text]


async def test_a_store_that_takes_nothing_fails_its_schedule_only(pulled):
    other = pulled.sandbox.add_schedule("Other").access_key
    pulled.store.fails = [OSError(28, "full")] * 3
    await pulled.take_test(1)
    status = await pulled.pull(pull_results([pulled.access_key, other], reports="own"))
    assert (status.registered, status.failed) == (1, 1)


async def test_a_file_that_cannot_be_written_is_tried_again(pulled, tmp_path, all_logs):
    await pulled.take_test(1)
    (tmp_path / "files").write_text("in the way")
    what = pull_results(pulled.access_key, table=False, files=tmp_path / "files")
    status = await pulled.pull(what)
    assert (status.registered, status.failed) == (0, 1)
    assert (
        sum("the file of results could not be stored: FileExistsError" in one for one in all_logs)
        == 3
    )
    (tmp_path / "files").unlink()
    assert (await pulled.pull(what, "b")).registered == 1


async def test_a_database_that_goes_away_is_no_fault_of_the_file(
    pulled, tmp_path, monkeypatch, all_logs
):
    await pulled.take_test(1)
    whole, away = PullTables.remember, [ConnectionRefusedError()]

    async def remember(*arguments):
        if away:
            raise away.pop()
        await whole(*arguments)

    monkeypatch.setattr(PullTables, "remember", remember)
    status = await pulled.pull(
        pull_results(pulled.access_key, table=False, files=tmp_path / "files")
    )
    assert (status.registered, status.chunks_done) == (1, 1)
    assert not any("could not be stored" in one for one in all_logs)
    (chunk,) = await pulled.rows(tables.chunks)
    assert chunk.tries == 0


async def test_a_schedule_that_is_not_there_fails_alone(pulled):
    await pulled.take_test(1)
    status = await pulled.pull(pull_results(["nosuchkey1", pulled.access_key]))
    assert (status.registered, status.failed) == (1, 1)
    assert len(await pulled.results()) == 1


@pytest.mark.parametrize("keys", [None, ["abcdefghij"]])
async def test_a_refused_account_pauses_the_job(pulled, keys):
    pulled.sandbox.faults.script(["E401"] * 9)
    status = await pulled.pull(pull_results(keys))
    assert status.job.state is JobState.PAUSED
    assert "E401" in status.job.problem
    pulled.sandbox.faults.script([])
    await pulled.jobs.resume("a")


async def test_a_store_that_is_not_here_leaves_the_job_to_others(pulled, all_logs):
    await pulled.take_test(1)
    await pulled.jobs.pull(pull_results(reports="elsewhere"), account="acme", id="a")
    async with pulled.client() as client:
        await asyncio.gather(*map(pulled.running(client)._run, await pulled.tickets()))
    assert any("whose reports go to the store 'elsewhere'; another may" in one for one in all_logs)
    await pulled.work(stores={"elsewhere": pulled.store})
    assert len(pulled.store.reports) == 1


async def test_a_place_that_is_new_gets_everything(pulled, tmp_path):
    await pulled.take_test(1)
    for what in (pull_results(), pull_results(files=tmp_path / "files")):
        await pulled.nightly(what)
    assert len((tmp_path / "files" / f"{pulled.access_key}.jsonl").read_text().splitlines()) == 1


async def test_forgetting_a_job_that_pulled(pulled):
    await pulled.take_test(1)
    await pulled.pull(pull_results())
    assert len(await pulled.rows(tables.pulled)) == 1
    assert await pulled.jobs.forget("a") == 1
    for table in (tables.jobs, tables.chunks, tables.people, tables.outcomes, tables.pulled):
        assert await pulled.rows(table) == []
    assert len(await pulled.results()) == 1


async def test_a_job_that_pulls_is_the_same_by_its_id(pulled):
    what = pull_results([pulled.access_key])
    first = await pulled.jobs.pull(what, account="acme", id="a")
    assert await pulled.jobs.pull(what, account="acme", id="a") == first
    for other, account in ((pull_results(), "acme"), (what, "initech")):
        with pytest.raises(InvalidInputError, match="id: is that of another job"):
            await pulled.jobs.pull(other, account=account, id="a")
    with pytest.raises(InvalidInputError, match="id"):
        await pulled.jobs.register(pulled.access_key, [], account="acme", id="a")
    with pytest.raises(JobError, match="pulls results"):
        _ = [one async for one in pulled.jobs.outcomes("a")]
