"""The examples of ``docs/examples/jobs`` run as they are written."""

import asyncio
import importlib.util
import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest
import yaml
from pretended_engine import Dispatch
from typer.testing import CliRunner

from mettl_async import Candidate
from mettl_async.cli.app import app
from mettl_async.jobs import Jobs, run_worker

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples" / "jobs"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def account(server, monkeypatch):
    """Set the keys in the environment, and begin quickly: DBOS needs a second, and is tested elsewhere."""
    monkeypatch.setenv("METTL_PUBLIC_KEY", server.credentials.public_key)
    monkeypatch.setenv("METTL_PRIVATE_KEY", server.credentials.private_key)
    monkeypatch.setenv("METTL_BASE_URL", server.base_url)
    quick = partial(run_worker.Worker, make_engine=Dispatch().make_engine)
    monkeypatch.setattr(run_worker, "Worker", quick)


def test_the_page_has_the_worker_word_for_word():
    page = (DOCS / "how-to" / "jobs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert blocks == [(EXAMPLES / "jobs_worker.py").read_text(encoding="utf-8")]


@pytest.mark.usefixtures("account")
async def test_the_worker_works_until_it_is_told_to_stop(server, jobs_file_url):
    async with Jobs(jobs_file_url) as jobs, asyncio.timeout(20):
        asha = Candidate(email="asha@example.org", first_name="Asha")
        job = await jobs.register(server.access_key, [asha], account="acme")
        worker = asyncio.create_task(load("jobs_worker").main(jobs_file_url))
        await load("from_code").until_settled(jobs, job.id)
        assert not worker.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await worker
        assert (await jobs.status(job.id)).registered == 1


@pytest.mark.usefixtures("account")
async def test_the_script_registers_people_and_prints_their_links(
    server, jobs_file_url, tmp_path, capsys
):
    path = tmp_path / "autumn.csv"
    path.write_text(
        "Email Address,First Name\n" + "".join(f"p{i}@example.org,P\n" for i in range(3))
    )
    await load("from_code").main(path, server.access_key, jobs_file_url)
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [email for email, _ in printed] == [f"p{i}@example.org" for i in range(3)]
    for email, link in printed:
        assert server.sandbox.owner_of(link) == email


def test_the_compose_file_starts_three_workers_by_commands_that_there_are(monkeypatch, tmp_path):
    services = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())["services"]
    assert set(services) == {"postgres", "tables", "worker"}
    worker = services["worker"]
    assert worker["deploy"]["replicas"] == 3
    assert services["tables"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert worker["depends_on"]["tables"]["condition"] == "service_completed_successfully"
    assert worker["environment"] == services["tables"]["environment"]
    asked = []

    async def run(_, **given):
        asked.append(given)

    monkeypatch.setattr("mettl_async.jobs.Jobs.run_worker", run)
    env = {
        "METTL_JOBS_DB": f"sqlite:///{tmp_path / 'jobs.db'}",
        "METTL_PUBLIC_KEY": "public",
        "METTL_PRIVATE_KEY": "private",
    }
    for service in ("tables", "worker"):
        command = services[service]["command"]
        # The port of a container is its own; here it may be another's.
        command = ["0" if one == "8080" else one for one in command]
        done = CliRunner().invoke(app, command, env=env)
        assert done.exit_code == 0, done.output
    assert list(asked[0]["accounts"]) == ["acme"]
    assert asked[0]["rates"] == {"acme": 20.0}
