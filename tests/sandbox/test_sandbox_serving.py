import ast
import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import mettl_async.sandbox
from mettl_async.sandbox import Sandbox, run
from mettl_async.sandbox.deliveries import Delivery

PATH = "/v2/pbts/add"
PBTS = {"pbts": "[1336]"}
PACKAGE = Path(mettl_async.sandbox.__file__).parent


async def until(holds):
    while not holds():  # noqa: ASYNC110 - counters have no event to wait for
        await asyncio.sleep(0.001)


def test_the_sandbox_imports_nothing_of_the_client():
    names = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names.append(node.module)
            elif isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
    ours = [name for name in names if name.split(".")[0] == "mettl_async"]
    assert ours
    assert [name for name in ours if not name.startswith("mettl_async.sandbox")] == []


def test_only_transports_name_httpx():
    naming = [file.name for file in PACKAGE.rglob("*.py") if "import httpx" in file.read_text()]
    assert sorted(naming) == ["deliveries.py", "in_process.py", "sandbox.py", "simulation.py"]


@pytest.mark.parametrize("missing", ["jinja2", "starlette", "uvicorn"])
def test_without_the_extra_the_error_says_what_to_install(missing):
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try:\n    import mettl_async.sandbox\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert 'pip install "mettl-async[sandbox]"' in done.stdout


async def test_the_server_says_where_it_is(server, sandbox):
    assert server.base_url.startswith("http://127.0.0.1:")
    assert (server.sandbox, server.access_key) == (sandbox, sandbox.access_key)
    assert server.credentials.private_key not in repr(server)


async def test_answers_have_the_headers_of_mettl(wire):
    answer = await wire.response(PATH, PBTS)
    assert sorted(answer.headers) == ["content-length", "content-type", "date"]
    assert answer.headers["content-type"] == "application/json"


async def test_answers_are_utf8_and_not_escaped(wire, server):
    rd = {"registrationDetails": [{"Email Address": "zoë@example.com", "First Name": "Zoë"}]}
    path = f"/v2/schedules/{server.access_key}/candidates"
    answer = await wire.response(path, {"rd": json.dumps(rd)})
    assert "zoë@example.com".encode() in answer.content


@pytest.mark.parametrize(("path", "method", "expected"), [
    ("/", "GET", "E404"),
    ("/v3/pbts/add", "POST", "E404"),
    ("/v2/pbts", "POST", "E405"),
    ("/v2/pbts/add", "GET", "E405"),
    ("/v2/pbts/add", "DELETE", "E405"),
])  # fmt: skip
async def test_unknown_paths_and_methods_are_refused(wire, code, path, method, expected):
    answer = await wire.client.request(method, wire.base_url + path)
    assert (answer.status_code, code(answer.json())) == (200, expected)


async def test_a_request_in_a_long_query_is_read(wire, server):
    details = [{"Email Address": f"p{n}@example.com", "First Name": "N" * 200} for n in range(20)]
    answer = await wire.register(server.access_key, details, form=False)
    assert len(answer["registrationStatus"]) == 20


async def test_many_registrations_at_once_keep_links_apart(wire, server, sandbox):
    async def one(number):
        details = [
            {"Email Address": f"p{number}-{n}@example.com", "First Name": "P"} for n in range(20)
        ]
        return await wire.register(server.access_key, details, form=number % 2 == 0)

    answers = await asyncio.gather(*(one(number) for number in range(50)))
    items = [item for answer in answers for item in answer["registrationStatus"]]
    assert len({item["url"] for item in items}) == 1000
    assert all(sandbox.owner_of(item["url"]) == item["email"] for item in items)
    assert sandbox.stats.largest_batch == 20
    assert sandbox.stats.requests == len(sandbox.stats.calls) == 50
    assert sandbox.stats.calls[0].parameters == ("ak", "asgn", "rd", "ts")
    assert {call.sent_in for call in sandbox.stats.calls} == {"query", "form"}


async def test_the_stop_does_not_wait_for_idle_or_busy_connections(sandbox, make_caller, caplog):
    caplog.set_level(logging.INFO)
    before = asyncio.all_tasks()
    async with httpx.AsyncClient() as client:
        async with sandbox.serve() as server:
            caller = make_caller(client, server.base_url, server.credentials)
            await caller.post(PATH, PBTS)
            host, port = server.base_url.removeprefix("http://").split(":")
            half, half_writer = await asyncio.open_connection(host, int(port))
            half_writer.write(
                b"POST /v2/pbts/add HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nak="
            )
            sandbox.faults.latency = 600.0
            busy = asyncio.create_task(caller.post(PATH, PBTS))
            await until(lambda: sandbox.stats.in_flight == 2)
        assert await half.read() == b""
        half_writer.close()
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await busy
        with pytest.raises(httpx.ConnectError):
            await client.get(server.base_url)
    assert sandbox.stats.in_flight == 0
    assert asyncio.all_tasks() == before
    assert [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))] == []


async def test_clients_that_go_away_leave_nothing_behind(sandbox, server, wire, caplog):
    host, port = server.base_url.removeprefix("http://").split(":")
    for sent in (
        b"POST /v2/pbts/add HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nak=",
        b"POS",
    ):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    sandbox.faults.latency = 0.02
    leaving = asyncio.create_task(wire.post(PATH, PBTS))
    await until(lambda: sandbox.stats.in_flight == 1)
    leaving.cancel()
    await until(lambda: sandbox.stats.in_flight == 0)
    sandbox.faults.latency = 0.0
    assert (await wire.post(PATH, PBTS))["status"] in ("SUCCESS", "ERROR")
    assert caplog.records == []


async def test_two_servers_of_one_sandbox_share_its_state(sandbox, make_caller, code):
    async with sandbox.serve() as one, sandbox.serve() as two, httpx.AsyncClient() as client:
        first = make_caller(client, one.base_url, one.credentials)
        second = make_caller(client, two.base_url, two.credentials)
        assert code(await first.post(PATH, PBTS)) == "SUCCESS"
        assert code(await second.post(PATH, PBTS)) == "ERROR"


async def test_serving_takes_no_signal_handlers(sandbox):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    async with sandbox.serve():
        assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


async def test_a_port_in_use_is_an_oserror(server):
    port = int(server.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address"):
        async with Sandbox().serve(port=port):
            pass


def test_run_serves_until_ctrl_c():
    ready = []

    def on_ready(server):
        ready.append(server.base_url)
        os.kill(os.getpid(), signal.SIGINT)

    run(port=0, on_ready=on_ready)
    assert ready[0].startswith("http://127.0.0.1:")


async def test_a_bug_inside_answers_500_and_logs_no_values(wire, server, asha, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("asha@example.com")

    monkeypatch.setattr("mettl_async.sandbox.candidate_endpoints._register", broken)
    path = f"/v2/schedules/{server.access_key}/candidates"
    answer = await wire.response(path, {"rd": json.dumps({"registrationDetails": [asha]})})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "E000")
    assert "RuntimeError" in caplog.text
    assert "asha" not in caplog.text
    assert server.sandbox.stats.calls[-1].outcome == "E000"


async def test_the_app_runs_under_any_asgi_server(make_caller, code):
    sandbox = Sandbox(hosts=["X.org"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials)
        assert code(await caller.post(PATH, PBTS)) == "SUCCESS"
        sandbox.faults.script(["reset_before"])
        assert (await caller.response(PATH, PBTS)).status_code == 502


async def test_the_target_extension_is_what_is_requested(caller, sandbox, encoded, code):
    params = caller.parameters(PATH, PBTS)
    target = f"{PATH}?{encoded(params)}".encode()
    url = caller.base_url + PATH
    answer = await caller.client.post(url, extensions={"target": target})
    assert code(answer.json()) == "SUCCESS"
    assert sandbox.stats.calls[-1].sent_in == "query"


async def test_a_cancelled_call_in_process_stays_cancelled(caller, sandbox):
    sandbox.faults.latency = 600.0
    task = asyncio.create_task(caller.post(PATH, PBTS))
    await until(lambda: sandbox.stats.in_flight == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sandbox.stats.in_flight == 0


def test_it_is_served_in_a_thread_of_its_own_until_the_block_ends():
    sandbox = Sandbox()
    with sandbox.serve_in_thread() as running:
        port = int(running.base_url.rpartition(":")[2])
        assert httpx.get(f"{running.base_url}/v2/x", trust_env=False).status_code == 200
        assert (sandbox.stats.in_flight, len(sandbox.stats.calls)) == (0, 1)
        with pytest.raises(OSError, match="use"), sandbox.serve_in_thread(port=port):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.base_url, trust_env=False)


async def test_beside_a_thread_webhooks_go_to_an_app_in_the_event_loop_that_settles_them():
    loops = []

    async def app(scope, receive, send):
        loops.append(asyncio.get_running_loop())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    sandbox = Sandbox(webhook_transport=httpx.ASGITransport(app))
    with sandbox.serve_in_thread() as running:
        sandbox.deliveries.restore(
            [
                Delivery(
                    number=1, event_type="startTest", url="https://ats.example/started",
                    access_key=sandbox.access_key, email="a@x.org", body=b"{}",
                )
            ]
        )  # fmt: skip
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"{running.base_url}/v2/x")
        await sandbox.deliveries.settled()
    assert loops == [asyncio.get_running_loop()]


def test_tests_are_taken_beside_a_thread_that_lets_the_time_pass(monkeypatch):
    monkeypatch.setattr("mettl_async.sandbox.deliveries.TICK_SECONDS", 0.0002)
    sandbox = Sandbox()
    schedule = sandbox.schedules[sandbox.access_key]
    people = [
        sandbox.candidates.person(sandbox.state.candidate(schedule, f"c{number}@x.org"))
        for number in range(40)
    ]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the threads change places all the time
    try:
        with sandbox.serve_in_thread():
            for _ in range(300):
                for person in people:
                    person.start()
                    person.finish("TestExpired")
                    person.resume()
    finally:
        sys.setswitchinterval(before)
