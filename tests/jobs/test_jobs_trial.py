"""``mettl jobs submit --sandbox``: all of it in this process, on an engine in memory."""

import csv
import json
import signal
from functools import partial
from pathlib import Path

import pytest
from pretended_engine import Dispatch
from typer.testing import CliRunner

from mettl_async.cli import jobs_trial
from mettl_async.cli.app import app
from mettl_async.errors import ConfigurationError
from mettl_async.jobs import run_worker
from mettl_async.sandbox import Sandbox


@pytest.fixture
def made(monkeypatch, tmp_path):
    """The sandbox of the trial."""
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox()
    monkeypatch.setattr(jobs_trial, "load_sandbox", lambda: lambda: sandbox)
    # DBOS needs a second to begin; what it does is tested elsewhere.
    quick = partial(run_worker.Worker, make_engine=Dispatch().make_engine)
    monkeypatch.setattr(run_worker, "Worker", quick)
    monkeypatch.setattr(jobs_trial, "_LOOK_EVERY", 0.02)
    return sandbox


def tried(*arguments):
    given = ("jobs", "submit", "--sandbox", "--chunk-size", "10", *arguments)
    return CliRunner().invoke(app, given)


def links():
    with Path("links.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_trial_needs_no_keys_and_leaves_the_links(made):
    done = tried("--generate", "25")
    assert done.exit_code == 0, done.output
    rows = links()
    assert len(rows) == 25
    for row in rows:
        assert made.owner_of(row["link"]) == row["Email Address"]
    assert "trial: done, 25/25" in done.stdout
    assert "25 links of 25 people: links.csv" in done.stdout
    assert "nothing leaves this machine" in done.stderr
    assert "no worker" not in done.stderr
    assert {one.name for one in Path().iterdir()} == {"links.csv"}  # the database is gone
    again = tried("--generate", "25")
    assert again.exit_code == 2
    assert "links.csv: exists already" in again.stderr


def test_a_trial_of_a_file_says_for_programs_what_came_of_it(made):
    Path("people.csv").write_text("Email Address,First Name\na@example.org,A\nb@example.org,\n")
    assert tried("people.csv").exit_code == 2
    done = tried("people.csv", "--skip-bad", "bad.csv", "--json", "--id", "autumn")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["id"], found["state"], found["registered"]) == ("autumn", "done", 1)
    assert len(links()) == 1
    assert "b@example.org" in Path("bad.csv").read_text("utf-8-sig")


def test_an_interrupted_trial_ends_in_order_and_writes_the_links_until_then(made, monkeypatch):
    made.faults.latency = 0.02
    follow = jobs_trial.follow

    async def interrupted(*given, stopped, **more):
        def now():
            if made.stats.requests >= 3:
                signal.raise_signal(signal.SIGINT)
            return stopped()

        return await follow(*given, stopped=now, **more)

    monkeypatch.setattr(jobs_trial, "follow", interrupted)
    done = tried("--generate", "2000")
    assert done.exit_code == 130, done.output
    assert "interrupted: calls in flight are finishing" in done.stderr
    rows = links()
    assert 0 < len(rows) < 2000
    assert all(made.owner_of(row["link"]) == row["Email Address"] for row in rows)
    assert len(rows) == len(made.candidates)  # what was in flight was recorded


def test_a_trial_whose_worker_cannot_begin_says_why(made, monkeypatch):
    async def fails(_, **_given):
        raise ConfigurationError('jobs need an extra: pip install "mettl-async[jobs]"')

    monkeypatch.setattr("mettl_async.jobs.Jobs.run_worker", fails)
    done = tried("--generate", "5")
    assert done.exit_code == 2
    assert done.stderr.endswith('pip install "mettl-async[jobs]"\n')
    assert not Path("links.csv").exists()
