"""``mettl jobs worker`` and ``watch``: what they are told, what they show, and how they end."""

import asyncio
import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from mettl_async.cli.jobs_watch import Lines, LiveTable, follow, table_of
from mettl_async.cli.jobs_words import Look, Speed, exit_code, is_settled, remarks
from mettl_async.client import MettlClient
from mettl_async.errors import ConfigurationError
from mettl_async.jobs import Job, JobState, JobStatus, WorkerHealth
from mettl_async.jobs.metrics import JobMetrics
from mettl_async.sandbox import Sandbox
from mettl_async.sql_backend import sa

PIPE = asyncio.subprocess.PIPE
DB = ("--db", "sqlite:///jobs.db")


def status(name="autumn", *, state="ready", total=100, workers=2, problem="", **counts):
    job = Job(
        id=name, kind="register", account="acme", state=JobState(state), problem=problem, total=total,
        chunk_size=10, submitted_at=datetime(2027, 1, 1, tzinfo=UTC), ended_at=None,
    )  # fmt: skip
    given = {"registered": 0, "rejected": 0, "failed": 0, "unknown": 0, **counts}
    return JobStatus(job=job, chunks=10, chunks_done=0, chunks_in_work=0, workers=workers, **given)


# ---- the worker's order


@pytest.fixture
def ordered(mettl, monkeypatch):
    """Start a worker that ends at once; gives the result, and what the library was asked for."""
    asked = []

    class Client(MettlClient):
        def __init__(self, credentials, **more):
            super().__init__(credentials, **more)
            self.given = credentials

    async def run_worker(_, **given):
        asked.append(given)

    monkeypatch.setattr("mettl_async.client.MettlClient", Client)

    monkeypatch.setattr("mettl_async.jobs.Jobs.run_worker", run_worker)
    monkeypatch.setenv("METTL_CONFIG_DIR", str(Path.cwd()))
    for name in ("ACME", "EU"):
        monkeypatch.setenv(f"{name}_KEY", f"private-{name.lower()}")
    assert mettl("jobs", "init", *DB).exit_code == 0

    def start(*arguments, **env):
        return mettl("jobs", "worker", *DB, *arguments, env=env), asked

    return start


def profiles():
    Path("profiles.toml").write_text(
        "".join(
            f'[{name}]\npublic_key = "public-{name}"\nregion = "{region}"\n'
            f'private_key_env = "{name.upper()}_KEY"\n'
            for name, region in (("acme", "india"), ("eu", "eu"))
        )
    )


def test_each_account_has_the_client_of_its_profile(ordered):
    profiles()
    done, asked = ordered(
        "--account", "acme", "--account", "europe=eu", "--rate", "acme=20", "--rate", "europe=0.5",
        "--concurrency", 64, "--chunks-at-once", 3, "--lease", 10,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    [given] = asked
    clients = given["accounts"]
    assert list(clients) == ["acme", "europe"]
    assert [one.given.public_key for one in clients.values()] == ["public-acme", "public-eu"]
    assert clients["europe"].base_url != clients["acme"].base_url
    assert clients["acme"].options.max_concurrency == 64
    assert given["rates"] == {"acme": 20, "europe": 0.5}
    assert (given["concurrency"], given["chunks_at_once"], given["lease"]) == (64, 3, 10)
    assert [type(one) for one in given["observers"]] == [JobMetrics]
    assert "works for acme, europe until" in done.stderr
    assert "private-" not in done.output


def test_the_account_of_the_environment_has_a_name_that_jobs_have(ordered):
    keys = {
        "METTL_PUBLIC_KEY": "public",
        "METTL_PRIVATE_KEY": "private",
        "METTL_BASE_URL": "https://mettl.example",
    }
    done, asked = ordered("--env-account", "acme", "--health-port", 0, **keys)
    assert done.exit_code == 0, done.output
    [(name, client)] = asked[0]["accounts"].items()
    assert (name, client.given, client.base_url) == ("acme", None, "https://mettl.example")
    assert [type(one) for one in asked[0]["observers"]] == [JobMetrics, WorkerHealth]
    assert re.search(r"health at http://127.0.0.1:\d+/", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--account is missing"),
        (("--account", "nobody"), "no profile 'nobody' in .*pass --env-account nobody"),
        (("--env-account", "acme"), "METTL_PUBLIC_KEY"),
        (("--account", "acme", "--account", "acme"), "--account acme: is given twice"),
        (("--account", "acme", "--env-account", "acme"), "--env-account acme: is an --account"),
        (("--account", "acme", "--rate", "20"), "write it as in acme=20"),
        (("--account", "acme", "--rate", "acme=nan"), "write it as in acme=20"),
        (("--account", "acme", "--rate", "eu=20"), "no account 'eu'; add --account"),
        (("--account", "acme", "--health-host", "192.0.2.1", "--health-port", 1), "cannot listen"),
    ],
)
def test_an_order_that_cannot_be_followed_is_refused(ordered, arguments, words):
    profiles()
    done, asked = ordered(*arguments)
    assert (done.exit_code, asked) == (2, [])
    assert re.search(words, done.stderr.splitlines()[-1])


def test_without_the_engine_it_says_what_to_install(mettl, ordered, monkeypatch):
    profiles()

    async def run_worker(_, **_given):
        raise ConfigurationError('jobs need an extra: pip install "mettl-async[jobs]"')

    monkeypatch.setattr("mettl_async.jobs.Jobs.run_worker", run_worker)
    done, _ = ordered("--account", "acme")
    assert done.exit_code == 2
    assert 'pip install "mettl-async[jobs]"' in done.stderr


# ---- what is shown


def test_speed_is_that_of_the_last_half_minute():
    speed = Speed()
    assert speed.rate is None
    speed.note(0, 0)
    speed.note(10, 100)
    assert speed.rate == 10
    for now in range(20, 80, 10):
        speed.note(now, 100 + now)
    assert speed.rate == 1


def test_a_look_says_how_long_it_takes_only_while_something_happens():
    look = Look(status(registered=30, rejected=1, total=1031), 100.0)
    assert look.line() == "autumn: ready, 31/1,031, 100/s, 0:10 left, 1 rejected"
    paused = Look(status(state="paused", problem="wrong key"), 100.0)
    assert (paused.rate_text, paused.left_text) == ("", "")
    assert "mettl jobs resume autumn" in remarks([paused])[0]


def test_the_exit_code_says_how_a_job_ended():
    assert exit_code(status(state="done", registered=100)) == 0
    assert exit_code(status(state="done", registered=99, failed=1)) == 1
    assert exit_code(status(state="cancelled", registered=99)) == 2
    assert [is_settled(status(state=one)) for one in ("ready", "paused", "done", "cancelled")] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("width", [50, 80])
def test_the_table_fits_the_terminal(width):
    looks = [
        Look(status("autumn", registered=1_234_567, total=2_000_000), 1240.0),
        Look(status("spring-2027", state="paused", total=10)),
    ]
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table_of(looks, wide=width >= 72))
    lines = captured.get().splitlines()
    assert max(len(one.rstrip()) for one in lines) <= width
    assert len(lines) == (3 if width == 80 else 4)  # a state that is not the usual one is folded
    assert "1,234,567" in lines[1]
    assert "paused" in lines[-1]


def test_a_live_table_stays_in_the_end_and_warns_where_nobody_works(capsys):
    console = Console(force_terminal=True, width=80, highlight=False)
    board = LiveTable(console)
    board.show([Look(status(workers=0))])
    board.end([Look(status(state="done", registered=100))])
    shown = capsys.readouterr().out
    assert "mettl jobs worker --account acme" in shown
    assert "2 workers are alive" in shown.rpartition("autumn")[2]


def test_lines_come_when_something_has_changed(capsys):
    now = [0.0]
    board = Lines(clock=lambda: now[0])
    for at, count in ((0, 1), (1, 2), (2, 2), (4, 2), (6, 3)):
        now[0] = float(at)
        board.show([Look(status(registered=count, workers=0))])
    board.end([Look(status(registered=3, workers=0))])
    out, err = capsys.readouterr()
    assert [line.split()[2] for line in out.splitlines()] == ["1/100", "2/100", "3/100"]
    assert len(err.splitlines()) == 1


class Asked:
    """Jobs whose status is that of a list, one after another."""

    def __init__(self, *answers):
        self.answers = [*answers]

    async def status(self, _):
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


async def test_a_database_that_goes_away_is_waited_for(capsys):
    gone = sa.exc.OperationalError("select", {}, OSError("gone"))
    jobs = Asked(status(), gone, gone, status(state="done", registered=100))
    assert await follow(jobs, ["autumn"], Lines(), every=0) == 0
    assert capsys.readouterr().err.count("trying again") == 1
    with pytest.raises(sa.exc.OperationalError):
        await follow(Asked(gone), ["autumn"], Lines(), every=0)


# ---- all of it


@pytest.mark.slow
def test_a_trial_runs_on_the_engine_itself(mettl, read):
    done = mettl("jobs", "submit", "--sandbox", "--generate", 45, "--chunk-size", 10)
    assert done.exit_code == 0, done.output
    assert len(read(Path("links.csv"))) == 45
    assert "trial: done, 45/45" in done.stdout


class Process:
    """``mettl jobs`` in a process of its own."""

    def __init__(self, process):
        self.process = process

    @classmethod
    async def start(cls, env, *arguments, preexec_fn=None):
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mettl_async", "jobs", *arguments,
                env=env, stdout=PIPE, stderr=PIPE, preexec_fn=preexec_fn,
            )
        )  # fmt: skip

    async def until(self, words):
        said = ""
        while words not in said:
            line = (await asyncio.wait_for(self.process.stderr.readline(), 60)).decode()
            assert line, said
            said += line
        return said

    async def end(self):
        out, err = await asyncio.wait_for(self.process.communicate(), 120)
        return self.process.returncode, out.decode(), err.decode()


@pytest.mark.slow
async def test_a_worker_hands_on_at_sigterm_and_another_ends_the_job(
    environment, people, read, listen_to_interrupts, mettl
):
    people(600, "people.csv")
    assert (await asyncio.to_thread(mettl, "jobs", "init", *DB)).exit_code == 0
    sandbox = Sandbox()
    sandbox.faults.latency = 0.05
    async with sandbox.serve() as server:
        env = environment(server, METTL_JOBS_DB="sqlite:///jobs.db")
        arguments = ("--schedule", server.access_key, "--account", "acme", "--id", "autumn")
        submitted = await Process.start(
            env, "submit", "people.csv", *arguments, "--chunk-size", "300"
        )
        assert (await submitted.end())[0] == 0
        watching = await Process.start(env, "watch", "autumn")
        order = ("worker", "--env-account", "acme", "--health-port", "0", "--concurrency", "2")
        first = await Process.start(env, *order, preexec_fn=listen_to_interrupts)
        said = await first.until("works for acme")
        url = re.search(r"health at (\S+)", said)[1]
        while sandbox.stats.requests < 6:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        first.process.send_signal(signal.SIGTERM)
        code, _, said = await first.end()
        assert code == 0
        assert said.endswith("mettl: ended in order; what was left is handed on\n")
        left = 600 - len(sandbox.candidates)
        assert left > 0
        second = await Process.start(env, *order, preexec_fn=listen_to_interrupts)
        code, shown, _ = await watching.end()
        assert code == 0
        assert shown.splitlines()[-1] == "autumn: done, 600/600"
        second.process.send_signal(signal.SIGINT)
        assert (await second.end())[0] == 0
        # Whoever was in flight was answered and recorded: nobody was asked for twice.
        assert set(sandbox.stats.registrations.values()) == {1}
    exported = await Process.start(env, "export", "autumn", "--out", "links.csv")
    code, shown, _ = await exported.end()
    assert (code, shown) == (0, "600 links of 600 people: links.csv\n")
    for row in read(Path("links.csv")):
        assert sandbox.owner_of(row["link"]) == row["Email Address"]
