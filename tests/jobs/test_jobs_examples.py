"""The examples of ``docs/examples/jobs`` run as they are written."""

import importlib.util
from functools import partial
from pathlib import Path

import pytest
import yaml
from pretended_engine import Dispatch
from typer.testing import CliRunner

from mettl_async.cli.app import app
from mettl_async.jobs import run_worker

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "jobs"


@pytest.fixture
def from_code():
    spec = importlib.util.spec_from_file_location("from_code", EXAMPLES / "from_code.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_script_registers_people_and_prints_their_links(
    from_code, server, jobs_file_url, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("METTL_PUBLIC_KEY", server.credentials.public_key)
    monkeypatch.setenv("METTL_PRIVATE_KEY", server.credentials.private_key)
    monkeypatch.setenv("METTL_BASE_URL", server.base_url)
    # DBOS needs a second to begin; what it does is tested elsewhere.
    quick = partial(run_worker.Worker, make_engine=Dispatch().make_engine)
    monkeypatch.setattr(run_worker, "Worker", quick)
    path = tmp_path / "autumn.csv"
    path.write_text(
        "Email Address,First Name\n" + "".join(f"p{i}@example.org,P\n" for i in range(3))
    )
    await from_code.main(path, server.access_key, jobs_file_url)
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
