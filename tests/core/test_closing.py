"""Closing: whatever happens to its caller, within its time limit, and nothing stays open."""

import asyncio
import contextlib
import socket
from pathlib import Path

import anyio
import httpx
import httpx2
import pytest

from mettl_async import (
    Candidate,
    ClientClosedError,
    ClientOptions,
    ConfigurationError,
    ConnectionLostError,
    Credentials,
    FileJournal,
    MettlClient,
)
from mettl_async.models import CandidateResult, TestStatus

KEYS = Credentials(public_key="p", private_key="k")
ASHA = [Candidate(email="asha@example.org", first_name="Asha")]
PAYLOAD = b'{"status":"SUCCESS","pbts":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PAYLOAD), PAYLOAD)


class Server:
    """Answers GET at once and POST never, until it is let go; counts its connections."""

    def __init__(self):
        self.open, self.posts, self.let_go = 0, 0, asyncio.Event()
        self.changed = asyncio.Condition()

    async def serve(self, reader, writer):
        await self.count(open=1)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"GET /v2"):
                    await self.count(posts=1)
                    left = asyncio.ensure_future(self.left(reader))
                    gone = asyncio.ensure_future(self.let_go.wait())
                    await asyncio.wait([left, gone], return_when=asyncio.FIRST_COMPLETED)
                    gone.cancel()
                    if left.done():
                        break
                    writer.write(ANSWER)
                    await left
                    break
                writer.write(ANSWER)
        writer.close()
        await self.count(open=-1)

    async def left(self, reader):
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass

    async def count(self, **more):
        async with self.changed:
            for name, number in more.items():
                setattr(self, name, getattr(self, name) + number)
            self.changed.notify_all()

    async def until(self, condition):
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(condition), 10)


@pytest.fixture
async def hanging():
    """A server that answers no POST, and its base URL."""
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener:
        yield server, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        await server.until(lambda: server.open == 0)


@pytest.fixture(params=["httpx", "aiohttp", "injected httpx", "injected httpx2"])
def client_of(request):
    """Make a client, of each kind."""
    library = {"injected httpx": httpx, "injected httpx2": httpx2}.get(request.param)
    closed_by_us = library is None

    @contextlib.asynccontextmanager
    async def make(base_url, **more):
        async with contextlib.AsyncExitStack() as stack:
            more["transport"] = request.param
            if library is not None:
                http_client = library.AsyncClient(trust_env=False)
                del more["transport"]
                more["http_client"] = await stack.enter_async_context(http_client)
            options = ClientOptions(trust_env=False, read_timeout=3600)
            mettl = MettlClient(KEYS, base_url=base_url, options=options, **more)
            mettl.closes_connections = closed_by_us
            yield mettl

    return make


async def all_kinds_are_refused(mettl):
    with pytest.raises(ClientClosedError, match="closed"):
        await mettl.request("GET", "/pbts")
    with pytest.raises(ClientClosedError, match="closed"):
        await mettl.candidates.register("abc", ASHA)
    with pytest.raises(ClientClosedError, match="closed"):
        await mettl.candidates.register_many("abc", ASHA)


async def closed_by_wait_for(mettl):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(mettl.aclose(), 0.05)


async def closed_by_two_cancels(mettl):
    task = asyncio.create_task(mettl.aclose())
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def closed_on_leaving_a_block_that_is_cancelled_again(mettl):
    async def use():
        async with mettl:
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    for _ in range(4):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "close",
    [closed_by_wait_for, closed_by_two_cancels, closed_on_leaving_a_block_that_is_cancelled_again],
)
async def test_a_cancelled_caller_leaves_nothing_open(hanging, client_of, close):
    server, url = hanging
    async with client_of(url) as mettl:
        assert mettl.is_closed is False
        await asyncio.gather(*(mettl.request("GET", "/pbts") for _ in range(5)))
        run = asyncio.create_task(mettl.candidates.register_many("abc", ASHA).collect())
        one = asyncio.create_task(mettl.candidates.register("abc", ASHA))
        await server.until(lambda: server.posts == 2)
        await close(mettl)
        assert mettl.is_closed
        await all_kinds_are_refused(mettl)
        with pytest.raises(ClientClosedError, match="the client was closed before this run"):
            await run
        with pytest.raises(ConnectionLostError, match="closed while this was in flight") as caught:
            await one
        assert caught.value.sent
        assert caught.value.may_have_been_handled
        if mettl.closes_connections:
            await server.until(lambda: server.open == 0)
        await mettl.aclose()
        assert mettl._shared.lifecycle.closed


async def test_requests_in_flight_finish_before_it_is_closed(hanging, client_of):
    server, url = hanging
    async with client_of(url) as mettl:
        one = asyncio.create_task(mettl.request("POST", "/x"))
        await server.until(lambda: server.posts == 1)
        closing = asyncio.create_task(mettl.aclose())
        await anyio.wait_all_tasks_blocked()
        assert mettl.is_closed
        assert not closing.done()
        server.let_go.set()
        await closing
        assert (await one).payload["status"] == "SUCCESS"


async def test_it_has_a_time_limit_and_tells_and_records_what_was_cut_off(
    hanging, client_of, tmp_path
):
    server, url = hanging
    journal = FileJournal(tmp_path / "journal")
    async with client_of(url) as mettl:
        run = mettl.candidates.register_many("abc", ASHA, journal=journal)
        task = asyncio.create_task(run.collect())
        await server.until(lambda: server.posts == 1)
        await mettl.aclose(timeout=0.05)
        with pytest.raises(ClientClosedError):
            await task
        assert run.progress.unknown == 1
        if mettl.closes_connections:
            await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("timeout", [-1, float("nan"), 10**6, "1", None])
async def test_a_time_limit_out_of_bounds_is_refused(timeout):  # noqa: ASYNC109 - its value
    mettl = MettlClient(KEYS)
    with pytest.raises(ConfigurationError, match="timeout"):
        await mettl.aclose(timeout=timeout)
    assert not mettl.is_closed


async def test_a_second_caller_may_be_in_a_greater_hurry(hanging, client_of):
    server, url = hanging
    async with client_of(url) as mettl:
        one = asyncio.create_task(mettl.request("POST", "/x"))
        await server.until(lambda: server.posts == 1)
        patient = asyncio.create_task(mettl.aclose())
        await anyio.wait_all_tasks_blocked()
        await mettl.aclose(timeout=0)
        await patient
        with pytest.raises(ConnectionLostError):
            await one


async def test_an_enclosing_timeout_is_held_for_the_grace_only(hanging, client_of, monkeypatch):
    monkeypatch.setattr("mettl_async.client.CANCELLED_CLOSE_SECONDS", 0.05)
    monkeypatch.setattr("mettl_async.client.CLOSE_SECONDS", 10_000.0)
    server, url = hanging
    async with client_of(url) as mettl:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), mettl:
                call = asyncio.create_task(mettl.request("POST", "/x"))
                await mettl.candidates.register_many("abc", ASHA)
        assert mettl._shared.lifecycle.closed
        with pytest.raises(ConnectionLostError):
            await call
        if mettl.closes_connections:
            await server.until(lambda: server.open == 0)


async def test_a_download_ends_when_the_client_closes(hanging, client_of, tmp_path):
    server, url = hanging
    async with client_of(url) as mettl:
        result = CandidateResult(
            email="a@x.org", test_status=TestStatus(pdf_report=f"{url}/report")
        )
        task = asyncio.create_task(mettl.results.download_report(result, tmp_path / "r.pdf"))
        await server.until(lambda: server.posts == 1)
        await mettl.aclose()
        with pytest.raises(ClientClosedError, match="before this was read"):
            await task
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_a_call_in_the_tls_handshake_leaves_no_socket(hanging, transport):
    server, url = hanging
    mettl = MettlClient(
        KEYS,
        base_url=url.replace("http", "https"),
        options=ClientOptions(trust_env=False),
        transport=transport,
    )
    call = asyncio.create_task(mettl.request("GET", "/pbts"))
    await server.until(lambda: server.open == 1)
    await asyncio.sleep(0.05)  # the handshake begins
    await mettl.aclose(timeout=0)
    with pytest.raises(ConnectionLostError):
        await call
    await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
def test_an_event_loop_that_ends_meanwhile_leaves_no_socket(transport):
    async def main(url):
        options = ClientOptions(trust_env=False)
        mettl = MettlClient(KEYS, base_url=url, options=options, transport=transport)
        call = asyncio.create_task(mettl.request("POST", "/x"))
        run = asyncio.create_task(mettl.candidates.register_many("abc", ASHA).collect())
        while len(mettl._shared.lifecycle._in_flight) < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # they connect
        await closed_by_two_cancels(mettl)
        return mettl, call, run

    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections and never answers
        before = len(list(Path("/proc/self/fd").iterdir()))
        mettl, call, run = asyncio.run(main(f"http://127.0.0.1:{server.getsockname()[1]}"))
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert mettl._shared.lifecycle.closed
    for task in (call, run):
        assert task.cancelled() or task.exception()
