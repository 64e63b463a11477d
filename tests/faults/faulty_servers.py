"""What the fault matrix runs against: a sandbox on a socket, whatever stands in front of it, and a client."""

import asyncio
import contextlib
import itertools
import socket
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from attrs import evolve, frozen
from matrix import MOST, RETRY_AFTER

from mettl_async import ClientOptions, Credentials, MettlClient, RetryPolicy
from mettl_async.sandbox import Sandbox

NO_SUCH_HOST = "no-such-host.invalid"
PATIENCE = RetryPolicy(max_attempts=MOST)
# The only wait that is real: an answer that drips in is given up at the deadline.
HASTE = RetryPolicy(max_attempts=MOST, deadline=0.5)
SKEW = {"behind": 25 * 3600.0, "ahead": -25 * 3600.0}


class SkippedTime:
    """Pauses take no time, and are remembered; the clock goes on as if they had taken theirs."""

    def __init__(self):
        self.pauses, self._skipped = [], 0.0

    def now(self):
        return time.monotonic() + self._skipped

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self._skipped += seconds
        await asyncio.sleep(0)

    def rule(self, mettl):
        """Have the client live by it."""
        admission = mettl._shared.admission
        admission.effects = evolve(
            admission.effects, monotonic=self.now, sleep=self.sleep, chance=lambda: 0.5
        )


class Relay:
    """A TCP server that passes everything on to another one.

    Attributes:
        drips: On so many connections, the first ones, answers come byte by byte; None for all.
        holds: Asked as an answer comes in whether to keep it and all that follow.
        held: Set when it was kept.
    """

    def __init__(self, upstream, *, drips=0, holds=lambda: False):
        parts = urlsplit(upstream)
        self._upstream = parts.hostname, parts.port
        self._drips, self._holds = drips, holds
        self._connections, self._tasks = itertools.count(), set()
        self.held = asyncio.Event()

    @asynccontextmanager
    async def on(self, listener):
        """Serve on a bound socket, until the block ends."""
        server = await asyncio.start_server(self._serve, sock=listener)
        try:
            yield
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        dripping = self._drips is None or next(self._connections) < self._drips
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        try:
            with contextlib.suppress(OSError):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._answer, up_reader, writer, dripping)
                    while data := await reader.read(65_536):
                        up_writer.write(data)
                        await up_writer.drain()
                    group.cancel_scope.cancel()
        except* OSError:
            pass  # the client has left
        finally:
            for one in (writer, up_writer):
                one.transport.abort()
            await asyncio.sleep(0)
            self._tasks.discard(task)

    async def _answer(self, up_reader, writer, dripping):
        while data := await up_reader.read(65_536):
            if self.held.is_set() or self._holds():
                self.held.set()
                continue
            for piece in [bytes([one]) for one in data] if dripping else [data]:
                writer.write(piece)
                await writer.drain()
                if dripping:
                    await asyncio.sleep(0.01)


@frozen
class Stage:
    """A client of a sandbox that fails."""

    mettl: MettlClient
    sandbox: Sandbox
    time: SkippedTime

    @property
    def assessment_id(self):
        """Of an assessment to create schedules in."""
        return next(iter(self.sandbox.assessments))

    def served(self, operation):
        """How many requests the server did as it was asked."""
        return sum(
            call.operation == operation and call.outcome == "SUCCESS"
            for call in self.sandbox.stats.calls
        )


@asynccontextmanager
async def staged(fault, transport, monkeypatch, *, times=None, after=0):
    """A stage on which the fault meets the first ``times`` requests; None for all that will ever come.

    Args:
        after: Requests that go well before it, where the sandbox's own script makes the fault.
    """
    sandbox, skipped = Sandbox(hosts=[NO_SUCH_HOST]), SkippedTime()
    sandbox.faults.retry_after = RETRY_AFTER
    sandbox.faults.clock_skew = SKEW.get(fault.by, 0.0)
    if fault.by == "script":
        entries = itertools.islice(itertools.cycle(fault.script), 100 if times is None else times)
        sandbox.faults.script([*[None] * after, *entries])
    patience = HASTE if fault.by == "drip" else PATIENCE
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(sandbox.serve())
        base_url, middleware, keys = server.base_url, [], server.credentials
        if fault.by == "refuse":
            base_url, door = await _closed_door(stack, base_url, times)
            middleware = [door]
        elif fault.by == "drip":
            base_url = await _relayed(stack, Relay(base_url, drips=times))
        elif fault.by == "dns":
            _forget_the_host(monkeypatch, times)
            base_url = f"http://{NO_SUCH_HOST}:{urlsplit(base_url).port}"
        elif fault.by == "mix_up":
            middleware = [_mixing_up(sandbox, times)]
        elif fault.by == "key":
            keys = Credentials(public_key=keys.public_key, private_key="not-the-one")
        options = ClientOptions(
            retry=patience, bulk_retry=patience, trust_env=False, allow_insecure_http=True
        )
        mettl = await stack.enter_async_context(
            MettlClient(
                keys, base_url=base_url, options=options, transport=transport, middleware=middleware
            )
        )
        skipped.rule(mettl)
        yield Stage(mettl, sandbox, skipped)


def _mixing_up(sandbox, times):
    """A middleware that makes so many answers those about other people and schedules."""
    answers = itertools.count()
    others = {
        b"@x.org": b"@else.org",
        b'"Autumn"': b'"Winter"',
        sandbox.access_key.encode(): b"else",
    }

    async def mix_up(request, call_next):
        response = await call_next(request)
        if times is not None and next(answers) >= times:
            return response
        content = response.content
        for ours, theirs in others.items():
            content = content.replace(ours, theirs)
        return response.evolve(content=content)

    return mix_up


async def _relayed(stack, relay):
    listener = _bound(stack)
    await stack.enter_async_context(relay.on(listener))
    return _url(listener)


@asynccontextmanager
async def relayed(relay):
    """The base URL of a relay while it serves."""
    async with contextlib.AsyncExitStack() as stack:
        yield await _relayed(stack, relay)


async def _closed_door(stack, upstream, times):
    """A port that refuses connections, and a middleware that opens it after so many attempts."""
    listener, attempts, is_open = _bound(stack), itertools.count(), False

    async def door(request, call_next):
        nonlocal is_open
        if next(attempts) == times and not is_open:
            is_open = True
            await stack.enter_async_context(Relay(upstream).on(listener))
        return await call_next(request)

    return _url(listener), door


def _bound(stack):
    # Bound, but not listening: that is a connection refused.
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)  # noqa: FBT003 - the only way to call it
    return listener


def _url(listener):
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _forget_the_host(monkeypatch, times):
    """Have the system know no such host for so many look-ups, and this machine by that name afterwards."""
    real, looks = socket.getaddrinfo, itertools.count()

    def getaddrinfo(host, *args, **kwargs):
        if host not in {NO_SUCH_HOST, NO_SUCH_HOST.encode()}:
            return real(host, *args, **kwargs)
        if times is None or next(looks) < times:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
