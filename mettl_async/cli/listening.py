"""``mettl webhooks listen``: print events as they come, verified, until Ctrl-C."""

import asyncio
import logging
from collections import Counter
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from typing import Final

from attrs import define, field

from mettl_async.cli.events import COLUMNS, cells, document, print_line
from mettl_async.cli.printing import print_text
from mettl_async.cli.problems import CommandError, cannot_listen, print_stderr
from mettl_async.cli.signals import on_interrupt
from mettl_async.models import EVENTS, BasicAuth, Event, TestEvent, UnknownEvent
from mettl_async.webhooks import Claim, MemorySeenEvents, Refused, WebhookReceiver
from mettl_async.webhooks.asgi import Scope, Send, send_answer
from mettl_async.webhooks.body import Message, Receive
from mettl_async.webhooks.http import OK, HttpResponse

_ANOTHER_PATH: Final = HttpResponse(404, "another path")
_LOGGER: Final = logging.getLogger("mettl_async.webhooks")


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


class _StderrLog(logging.Handler):
    """Prints the lines that the receiver logs, which are free of personal data."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        print_stderr(f"mettl: {record.getMessage()}")


class _CountingStore(MemorySeenEvents):
    """Counts the events that come again."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    async def claim(self, key: str) -> Claim | Refused:
        """Claim an event; see `SeenEvents`."""
        claim = await super().claim(key)
        self._tally.repeated += claim is Refused.DONE
        return claim


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
        self._trouble: Exception | None = None
        self.tally = Tally()
        self._receiver = WebhookReceiver(auth=auth, seen=_CountingStore(self.tally))
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
        asyncio.run(self._run(listening(self, host, port), f"{host} port {port}"))
        print_stderr(f"mettl: {self.tally}")
        if self._trouble is not None:
            raise self._trouble

    async def _run(self, server: AbstractAsyncContextManager[str], address: str) -> None:
        loop = asyncio.get_running_loop()

        def stop(_number: object) -> None:
            loop.call_soon_threadsafe(self._stop.set)

        async with AsyncExitStack() as stack:
            try:
                base_url = await stack.enter_async_context(server)
            except OSError as error:
                raise cannot_listen(address, error) from None
            log = _StderrLog(logging.WARNING)
            _LOGGER.addHandler(log)
            stack.callback(_LOGGER.removeHandler, log)
            with on_interrupt(stop):
                print_stderr(greeting(base_url + self._path, self._auth))
                if not self._as_json:
                    print_line(COLUMNS, "bold")
                await self._stop.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and count it if it is refused."""
        if scope["path"] == self._path:
            await self._receiver(scope, receive, self._counting(send))
        else:
            print_stderr(f"mettl: {_ANOTHER_PATH}")
            await send_answer(scope, self._counting(send), _ANOTHER_PATH.answer())

    def _counting(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if (status := message.get("status", OK.status_code)) != OK.status_code:
                self.tally.refused[status] += 1
            await send(message)

        return counted

    async def _print(self, event: Event) -> None:
        at = datetime.now(UTC)
        try:
            if self._as_json:
                print_text(document(event, at, personal=self._personal))
            else:
                print_line(cells(event, at, personal=self._personal))
        except (OSError, CommandError) as error:
            # Not printed, so not accepted: the event may come again.
            self._trouble = error
            self._stop.set()
            raise
        self.tally.events[type(event).__name__] += 1


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
