"""``mettl webhooks listen``: print events as they come, verified, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from attrs import define, field

from mettl_async.cli.events import COLUMNS, cells, document, print_aligned, tabbed
from mettl_async.cli.interrupt import on_interrupt
from mettl_async.cli.printing import at_terminal, print_text
from mettl_async.cli.problems import CommandError, os_reason, tell
from mettl_async.models import EVENTS, BasicAuth, Event, TestEvent, UnknownEvent
from mettl_async.webhooks import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from mettl_async.webhooks.asgi import Message, Receive, Scope, Send


@define(eq=False)
class Tally:
    """Counts of what came so far."""

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


@define(eq=False)
class _Request:
    """The request that is being served.

    ``printed`` stays false when its event was accepted because it came before; ``reason`` is what the
    receiver logged last.
    """

    printed: bool = False
    reason: str = ""


_REQUEST: Final[ContextVar[_Request]] = ContextVar("mettl_request")


class Listener:
    """An ASGI app around a receiver, which prints the events that it accepts and counts the rest.

    Args:
        path: Path that events are accepted on.
        auth: Credentials that are accepted; None accepts anyone.
        as_json: Whether a line is a JSON document.
        personal: Whether candidates are shown.
    """

    def __init__(self, *, path: str, auth: BasicAuth | None, as_json: bool, personal: bool) -> None:
        self._path = path
        self._auth = auth
        self._as_json = as_json
        self._personal = personal
        self._stop = asyncio.Event()
        self._aligned = at_terminal()
        self._trouble: Exception | None = None
        self.tally = Tally()
        self._receiver = WebhookReceiver(auth=auth)
        self._receiver.on(TestEvent)(self._print)
        self._receiver.on(UnknownEvent)(self._print)

    def listen(self, host: str, port: int) -> None:
        """Print what comes until Ctrl-C.

        Raises:
            CommandError: The address cannot be used, stdout cannot be written, or the extra is missing.
            BrokenPipeError: Nobody reads stdout any more.
        """
        try:
            from mettl_async.sandbox.server import listening  # noqa: PLC0415 - needs the extra
        except ImportError:
            raise CommandError(
                'listening needs more packages: pip install "mettl-async[sandbox]"'
            ) from None
        asyncio.run(self._run(lambda: listening(self, host, port), f"{host} port {port}"))
        tell(f"mettl: {self.tally}")
        if self._trouble is not None:
            raise self._trouble

    async def _run(
        self, serve: Callable[[], AbstractAsyncContextManager[str]], address: str
    ) -> None:
        loop, serving = asyncio.get_running_loop(), serve()
        try:
            base_url = await serving.__aenter__()
        except OSError as error:
            raise CommandError(f"cannot listen on {address}: {os_reason(error)}") from None

        def stop() -> None:
            loop.call_soon_threadsafe(self._stop.set)

        try:
            with on_interrupt(stop), _reasons():
                tell(greeting(base_url + self._path, self._auth))
                if self._aligned and not self._as_json:
                    print_aligned(COLUMNS, "bold")
                elif not self._as_json:
                    print_text(tabbed(COLUMNS))
                await self._stop.wait()
        finally:
            await serving.__aexit__(None, None, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and print a line about it if it was refused."""
        status, request = 0, _Request()
        _REQUEST.set(request)

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        if scope["path"] == self._path:
            await self._receiver(scope, receive, watched)
        else:
            request.reason = "another path"
            await watched({"type": "http.response.start", "status": 404, "headers": []})
            await watched({"type": "http.response.body", "body": b""})
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
            self.tally.repeated += not request.printed
        elif status:
            self.tally.refused[status] += 1
            tell(f"mettl: refused with {status}: {request.reason.removeprefix(f'{status}: ')}")

    async def _print(self, event: Event) -> None:
        at = datetime.now(UTC)
        try:
            if self._as_json:
                print_text(document(event, at, personal=self._personal))
            elif self._aligned:
                print_aligned(cells(event, at, personal=self._personal))
            else:
                print_text(tabbed(cells(event, at, personal=self._personal)))
        except (OSError, CommandError) as error:
            # Not printed, so not accepted: the event may come again.
            self._trouble = error
            self._stop.set()
            raise
        self.tally.events[type(event).__name__] += 1
        _REQUEST.get().printed = True


class _Reasons(logging.Handler):
    """Keeps what the receiver logs, which is free of personal data, instead of printing it."""

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


def greeting(url: str, auth: BasicAuth | None) -> str:
    """Write what to put into a schedule so that its events come here."""
    lines = [f"{kind.url_property:<36}{url}" for kind in EVENTS.values()]
    if auth is None:
        who = "Anybody can send events here: --no-auth."
    else:
        who = f"Only senders with the password of {auth.username!r} are accepted."
        lines.append(f"{'testNotificationBasicAuthHeader':<36}base64 of {auth.username}:PASSWORD")
    listed = "\n".join(lines)
    return f"""\
Listening for events until Ctrl-C. {who}
In a schedule (behind a tunnel or a proxy, with its address instead):

{listed}
"""
