"""The service of docs/webhooks.md: the page has it word for word, and it runs."""

import ast
import asyncio
import importlib
import os
import re
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from running_postgres import free_port

from mettl_async import Candidate, MettlClient
from mettl_async.sandbox import Sandbox
from mettl_async.webhooks import TestGraded, parse_event, sample_event

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples" / "webhooks"
FILES = ("service", "set_up", "worker")
ADDRESS = "http://service.example"


def test_the_page_has_each_file_word_for_word():
    page = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for name in FILES:
        assert (EXAMPLES / f"{name}.py").read_text(encoding="utf-8") in blocks, name


@pytest.fixture
async def load(monkeypatch, tmp_path):
    """Import the files as new processes would, beside a sandbox of which they have the keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("METTL_WEBHOOK_PASSWORD", "a made up password")
    monkeypatch.setenv("METTL_CONTEXT_SECRET", "a made up secret of the context")
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def forget():
        for one in FILES:
            sys.modules.pop(one, None)

    def fresh(name):
        forget()
        return importlib.import_module(name)

    yield fresh
    forget()


class ToTheApp(httpx.AsyncBaseTransport):
    """What the sandbox sends its deliveries through: to the app that serves now."""

    app = None

    async def handle_async_request(self, request):
        return await httpx.ASGITransport(self.app).handle_async_request(request)


@asynccontextmanager
async def sandbox_with_schedule(load, monkeypatch, capsys):
    """Run set_up.py against a sandbox, and export what it prints."""
    transport = ToTheApp()
    async with Sandbox(webhook_transport=transport).serve() as server:
        await export_schedule(server, load, monkeypatch, capsys, ADDRESS)
        yield server.sandbox, transport


async def export_schedule(server, load, monkeypatch, capsys, address):
    monkeypatch.setenv("METTL_PUBLIC_KEY", server.credentials.public_key)
    monkeypatch.setenv("METTL_PRIVATE_KEY", server.credentials.private_key)
    monkeypatch.setenv("METTL_BASE_URL", server.base_url)
    for _ in range(2):  # harmless to repeat
        await load("set_up").main(address)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    variable, _, key = first.removeprefix("export ").partition("=")
    monkeypatch.setenv(variable, key)


async def rows_of(backend, application):
    return (await backend.get(f"/applications/{application}/results")).json()


async def some_rows_of(backend, application):
    async with asyncio.timeout(20):
        while not (rows := await rows_of(backend, application)):  # noqa: ASYNC110 - another process may write
            await asyncio.sleep(0.01)
    return rows


async def test_it_invites_and_stores_each_result_once(load, monkeypatch, capsys):
    async with sandbox_with_schedule(load, monkeypatch, capsys) as (sandbox, transport):
        sandbox.delivery_rules.duplicates = 1.0
        service = load("service")
        app = transport.app = service.app
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS) as backend,
        ):
            url = "/applications/application-7/invitation"
            asha = {"email": "asha@example.org", "first_name": "Asha"}
            link = (await backend.post(url, json=asha)).json()["link"]
            assert link.startswith("http")
            assert (await backend.post(url, json={**asha, "email": "asha"})).status_code == 422
            person = sandbox.candidates["asha@example.org"]
            person.start()
            person.finish()
            await sandbox.deliveries.settled()
            statuses = [attempt.status for one in sandbox.deliveries for attempt in one.attempts]
            assert statuses == [200, 200]
            (row,) = await some_rows_of(backend, "application-7")
            assert row["status"] == "Completed"
            assert row["marks"] is not None
            assert (await backend.post(url, json=asha)).status_code == 409
        # Whatever was still at work has ended.
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=ADDRESS
        ) as backend:
            assert await rows_of(backend, "application-7") == [row]
        await service.engine.dispose()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals in a loop")
async def test_a_worker_of_its_own_handles_events_until_it_is_told_to_stop(
    load, monkeypatch, capsys
):
    async with sandbox_with_schedule(load, monkeypatch, capsys):
        worker = load("worker")
        service = sys.modules["service"]
        access_key = os.environ["METTL_ACCESS_KEY"]
        async with MettlClient() as mettl:
            asha = Candidate(email="asha@example.org", first_name="Asha")
            await mettl.candidates.register(access_key, [asha])
        event = parse_event(
            sample_event(TestGraded, access_key=access_key, email="asha@example.org")
        )
        running = asyncio.create_task(worker.main())
        await service.inbox.add(event)
        async with asyncio.timeout(20):
            while await service.inbox.waiting():  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await running


async def up(backend):
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.HTTPError):
                return await backend.get("/openapi.json")
            await asyncio.sleep(0.1)


async def takes_the_test(backend, number):
    """Invite somebody, and play him in the pages of the sandbox."""
    url = f"/applications/application-{number}/invitation"
    person = {"email": f"c{number}@example.org", "first_name": "C"}
    link = (await backend.post(url, json=person)).json()["link"]
    for action in ("start", "finish"):
        await backend.post(link, data={"action": action})


def processes_of(parent):
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes in /proc")
async def test_two_processes_store_each_result_once_though_one_is_killed(load, monkeypatch, capsys):
    port = free_port()
    async with Sandbox().serve() as server:
        await export_schedule(server, load, monkeypatch, capsys, f"http://127.0.0.1:{port}")
        uvicorn = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", "service:app", "--app-dir", EXAMPLES, "--workers", "2",
            "--port", str(port), "--log-level", "warning",
            env={**os.environ, "PYTHONPATH": str(DOCS.parent)},
        )  # fmt: skip
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30
            ) as backend:
                await up(backend)
                for number in range(3):
                    await takes_the_test(backend, number)
                    await some_rows_of(backend, f"application-{number}")
                os.kill(int(processes_of(uvicorn.pid)[0]), signal.SIGKILL)
                for number in range(3, 7):
                    await up(backend)
                    await takes_the_test(backend, number)
                for number in range(7):
                    assert len(await some_rows_of(backend, f"application-{number}")) == 1
        finally:
            uvicorn.terminate()
            await uvicorn.wait()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_example_names_its_environment(path):
    source = path.read_text(encoding="utf-8")
    told = ast.get_docstring(ast.parse(source))
    for variable in re.findall(r'os\.environ(?:\.get\(|\[)"(\w+)"', source):
        assert f"\n{variable} " in told, variable
