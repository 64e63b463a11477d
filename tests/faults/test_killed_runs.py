"""The command ended at any instant, and resumed: the server's records and the journal agree."""

import asyncio
import contextlib
import random
import resource
import signal
from collections import Counter

import pytest
from killing import an_instant, killing

CANDIDATES = 5_000
RUNS = (
    ("links.csv", 1),
    ("links.jsonl", 2),
    ("links.csv", 3),
    ("links.jsonl", 4),
    ("links.csv", 5),
)


@pytest.mark.slow
@pytest.mark.parametrize(("out", "seed"), RUNS)
async def test_killed_at_random_instants_and_resumed_nobody_is_lost_doubled_or_sent_in_vain(
    tmp_path, out, seed
):
    async with killing(tmp_path, out, CANDIDATES) as run:
        midway = await end_and_resume(run, random.Random(seed), signal.SIGKILL, CANDIDATES, 10)
        assert midway >= 2


@pytest.mark.slow
@pytest.mark.parametrize(("out", "seed"), [("links.csv", 6), ("links.jsonl", 7)])
async def test_ended_by_sigterm_at_random_instants_and_resumed_nobody_is_sent_twice(
    tmp_path, out, seed
):
    async with killing(tmp_path, out, CANDIDATES) as run:
        midway = await end_and_resume(run, random.Random(seed), signal.SIGTERM, CANDIDATES, 10)
        assert midway >= 2
        assert max(run.handled().values()) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_ended_and_resumed_nobody_is_lost_or_doubled(tmp_path, number):
    async with killing(tmp_path, "links.csv", 600) as run:
        await end_and_resume(run, random.Random(8), number, 600, 2)


async def end_and_resume(run, rng, number, candidates, times):
    """End runs by a signal again and again, finish the last one, and return how many ended midway.

    After each, what the journal and the file say is held against what the server knows.
    """
    calls = max(2, 2 * candidates // 20 // times)
    had, counts, midway = Counter(), Counter(), 0
    for _ in range(times):
        process = await run.start()
        await an_instant(rng, run, process, calls)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        _, err = await process.communicate()
        assert b"Traceback" not in err
        assert process.returncode in {0, -number, 128 + number}
        await run.quiet()
        links = run.links()
        assert len(run.rows()) in (0, candidates)
        handled = run.handled()
        assert not links or max(links.values()) == 1
        # A link that was there before is still there, and was not asked for again.
        assert had.keys() <= links.keys()
        assert all(handled[email] == counts[email] for email in had)
        # The journal never says more than the server knows, and lacks what was in flight at most.
        assert links.keys() <= handled.keys()
        if process.returncode == 128 + number:  # in order: nothing was in flight
            assert links.keys() == handled.keys()
            assert {row["Email Address"] for row in run.rows() if row["link"]} == links.keys()
        midway += len(had) < len(links) < candidates
        had, counts = links, handled
    code, said, err = await run.finish()
    assert code == 0, err
    assert not had or f"already     {len(had):,} of them had their answer before" in said
    run.check_end(candidates)
    assert all(run.handled()[email] == counts[email] for email in had)
    return midway


@pytest.mark.slow
async def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    async with killing(tmp_path, "links.csv", 1_000) as run:
        code, said, err = await run.finish(preexec_fn=small_disk)
        assert code == 2
        assert "links.csv.journal: cannot be read or written: disk I/O error" in err
        assert "pass --resume to go on" in err
        assert "Traceback" not in err
        links, known = run.links(), len(run.handled())
        assert 0 < len(links) < known < 1_000
        assert f"registered  {known:>5,}" in said
        assert f"{known - len(links):,} outcomes are not in it" in err
        assert f"{1_000 - known:,} of 1,000 candidates were not sent" in err
        counts = run.handled()
        # The disk is still full: again in order, and nothing of the journal is lost.
        code, _, err = await run.finish(preexec_fn=small_disk)
        assert code == 2
        assert run.links().keys() >= links.keys()
        assert all(run.handled()[email] == counts[email] for email in links)
        code, _, err = await run.finish()
        assert code == 0, err
        run.check_end(1_000)
        assert all(run.handled()[email] == counts[email] for email in links)


@pytest.mark.slow
async def test_two_commands_on_one_output_are_one_too_many(tmp_path):
    async with killing(tmp_path, "links.csv", 2_000) as run:
        first = await run.start()
        while run.box.stats.requests < 20:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.005)
        first.send_signal(signal.SIGSTOP)  # it is still there when the second one begins
        code, _, err = await run.finish()
        first.send_signal(signal.SIGCONT)
        assert code == 2
        assert f"links.csv.journal: is in use by another run (process {first.pid}, since " in err
        await first.communicate()
        assert first.returncode == 0
        run.check_end(2_000)
        assert max(run.handled().values()) == 1


@pytest.mark.slow
async def test_ctrl_c_and_resume_finish_a_run(tmp_path):
    async with killing(tmp_path, "links.csv", 2_000) as run:
        process = await run.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while run.box.stats.requests < 20:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
        assert process.returncode == 130
        assert "were not sent; --resume goes on" in out.decode()
        links = run.links()
        assert 0 < len(links) < 2_000
        rows = run.rows()
        assert Counter(row["status"] for row in rows) == {
            "registered": len(links),
            "not sent": 2_000 - len(links),
        }
        code, _, err = await run.finish()
        assert code == 0, err
        run.check_end(2_000)
        assert max(run.handled().values()) == 1
