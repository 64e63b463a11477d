"""``mettl webhooks listen``: prints events as they come, verified, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from mettl_async.cli.events import COLUMNS, Came, cells, document, print_aligned, tabbed
from mettl_async.cli.interrupt import on_interrupt
from mettl_async.cli.problems import CommandError, os_reason, tell
from mettl_async.cli.tables import at_terminal, print_text
from mettl_async.models import BasicAuth, TestEvent, UnknownEvent
from mettl_async.webhooks import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any, TypeAlias

    Message: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Message]]
    Send: TypeAlias = Callable[[Message], Awaitable[None]]
    App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]
    Serving: TypeAlias = Callable[[App, str, int], AbstractAsyncContextManager[str]]

_OK: Final = range(200, 300)


@frozen(kw_only=True)
class Job:
    """Where to listen, whom to believe, and how to print."""

    host: str
    port: int
    path: str
    auth: BasicAuth | None
    as_json: bool
    personal: bool


@define(eq=False)
class Tally:
    """What came so far."""

    events: Counter[str] = field(factory=Counter)
    repeated: int = 0
    refused: Counter[int] = field(factory=Counter)

    def __str__(self) -> str:
        count = self.events.total()
        kinds = ", ".join(f"{one} {name}" for name, one in self.events.most_common())
        parts = [
            ("1 event" if count == 1 else f"{count:,} events") + (f": {kinds}" if kinds else "")
        ]
        if self.repeated:
            parts.append(f"{self.repeated:,} came again")
        if self.refused:
            statuses = ", ".join(f"{one} with {status}" for status, one in self.refused.items())
            parts.append(f"{self.refused.total():,} refused: {statuses}")
        return "; ".join(parts)


def listen(job: Job) -> int:
    """Print what comes until Ctrl-C; gives the exit code.

    Raises:
        CommandError: The address cannot be used, stdout cannot be written, or the extra is missing.
        BrokenPipeError: Nobody reads stdout any more.
    """
    serving = _serving()
    listener = Listener(job)
    asyncio.run(listener.run(serving))
    tell(f"mettl: {listener.tally}")
    if listener.trouble is not None:
        raise listener.trouble
    return 0


def _serving() -> Serving:
    try:
        from mettl_async.sandbox.server import listening  # noqa: PLC0415 - needs the extra
    except ImportError:
        raise CommandError(
            'listening needs more packages: pip install "mettl-async[sandbox]"'
        ) from None
    return listening


class Listener:
    """An ASGI app around a receiver, which prints what the receiver believes and counts the rest."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stop = asyncio.Event()
        self._aligned = at_terminal()
        self.tally = Tally()
        self.trouble: Exception | None = None
        self._receiver = WebhookReceiver(auth=job.auth)
        self._receiver.on(TestEvent)(self._print)
        self._receiver.on(UnknownEvent)(self._print)

    async def run(self, serving: Serving) -> None:
        """Serve until Ctrl-C, or until stdout cannot be written.

        Raises:
            CommandError: The address cannot be used.
        """
        job, loop = self._job, asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(self._stop.set)

        served = serving(self, job.host, job.port)
        try:
            base_url = await served.__aenter__()
        except OSError as error:
            raise CommandError(
                f"cannot listen on {job.host} port {job.port}: {os_reason(error)}"
            ) from None
        try:
            with on_interrupt(end), _reasons():
                self._greet(base_url + job.path)
                await self._stop.wait()
        finally:
            await served.__aexit__(None, None, None)

    def _greet(self, url: str) -> None:
        tell(greeting(url, self._job.auth))
        if self._job.as_json:
            return
        if self._aligned:
            print_aligned(COLUMNS, "bold")
        else:
            print_text(tabbed(COLUMNS))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, and tell of it if it was refused."""
        status, request = 0, _Request()
        _REQUEST.set(request)

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        if scope["path"] == self._job.path:
            await self._receiver(scope, receive, watched)
        else:
            request.reason = "another path"
            await _refuse(404, watched)
        if status in _OK:
            self.tally.repeated += not request.printed
        elif status:
            self.tally.refused[status] += 1
            tell(f"mettl: refused with {status}: {request.reason.removeprefix(f'{status}: ')}")

    async def _print(self, event: TestEvent | UnknownEvent) -> None:
        came = Came(event=event, at=datetime.now(UTC))
        personal = self._job.personal
        try:
            if self._job.as_json:
                told = document(came, personal=personal)
                print_text(json.dumps(told, ensure_ascii=False) + "\n")
            elif self._aligned:
                print_aligned(cells(came, personal=personal))
            else:
                print_text(tabbed(cells(came, personal=personal)))
        except (OSError, CommandError) as error:
            # Not printed, so not accepted: the event may come again.
            self.trouble = error
            self._stop.set()
            raise
        self.tally.events[came.kind] += 1
        _REQUEST.get().printed = True


@define(eq=False)
class _Request:
    """What the request that is being served led to.

    ``printed`` stays false when the event was accepted because it came before; ``reason`` is what the
    receiver logged last.
    """

    printed: bool = False
    reason: str = ""


_REQUEST: Final[ContextVar[_Request]] = ContextVar("mettl_request")


class _Reasons(logging.Handler):
    """Takes what the receiver logs, which is free of personal data, instead of having it printed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last line."""
        _REQUEST.get().reason = record.getMessage()


@contextmanager
def _reasons() -> Iterator[None]:
    logger, handler = logging.getLogger("mettl_async.webhooks"), _Reasons(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


async def _refuse(status: int, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def greeting(url: str, auth: BasicAuth | None) -> str:
    """What to put into a schedule so that its events come here."""
    properties = (
        "testStartNotificationUrl",
        "testFinishNotificationUrl",
        "testGradedNotificationUrl",
        "testResumeEnabledForExpiredTestURL",
    )
    lines = [f"{name:<36}{url}" for name in properties]
    if auth is None:
        who = "Anybody can send events here: --no-auth."
    else:
        who = f"Only who knows the password of {auth.username!r} is believed."
        lines.append(f"{'testNotificationBasicAuthHeader':<36}base64 of {auth.username}:PASSWORD")
    listed = "\n".join(lines)
    return f"""\
Listening for events until Ctrl-C. {who}
In a schedule (behind a tunnel or a proxy, with its address instead):

{listed}
"""
