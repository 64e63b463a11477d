"""The receiver: an ASGI app that authenticates deliveries and handles each event once."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import anyio
from attrs import evolve

from mettl_async.display import one_line
from mettl_async.errors import (
    ConfigurationError,
    ContextDataError,
    EventDecodeError,
    InvalidInputError,
)
from mettl_async.models.event import Event, TestEvent, UnknownEvent
from mettl_async.models.webhooks import BasicAuth
from mettl_async.webhooks import asgi
from mettl_async.webhooks.context import ContextSigner
from mettl_async.webhooks.handlers import CLASSES, E, HandlerDecorator
from mettl_async.webhooks.identity import event_identity
from mettl_async.webhooks.parse import parse_event
from mettl_async.webhooks.processing import (
    EventProcessor,
    Handled,
    Identify,
    Sleep,
    logger,
    within,
)
from mettl_async.webhooks.seen_events import MemorySeenEvents, SeenEvents
from mettl_async.webhooks.verification import AllowedNetworks, BasicAuthVerifier

MIB = 1024 * 1024
_MAX_LENGTH_DIGITS = 18  # of a content-length


class WebhookReceiver:
    """An ASGI app for the events of Mettl: ``app.router.routes.append(Route("/mettl", receiver))``.

    The answer is 200 for an event whose handlers all succeeded and that is marked as done, for one
    that was done before, and for one that can be read but has no handler for its class. Otherwise it is
    an error, and the event may come again; [assumed] Mettl delivers again after an error.

    ==== ================================================================================
    405  not a POST
    403  the peer is in none of the ``networks``
    401  no or wrong credentials; answered before any of the body is read
    413  more than ``max_body`` bytes announced or sent
    408  the body was not there after ``read_timeout``
    400  not an event; or one of a known type but, say, without an email, and nobody handles
         `UnknownEvent`, as which it would come
    401  ``context_data`` is forged, expired, or of another candidate or schedule
    503  a handler failed or took too long, the store failed, the event is busy elsewhere
    ==== ================================================================================

    Any path is accepted. Prefer a route to a mount: Starlette answers a POST to a mount without the
    last slash with a redirect, which nobody says Mettl follows. A client that disconnects does not stop
    a handler. When the server cancels a delivery (a shutdown), the event is released and can come again.

    Handlers of one event run one after the other, and all must succeed: when the event comes again
    after the second one failed, the first one runs again. So keep several handlers harmless to
    repeat, or make them one. A handler also runs again if its event could not be marked afterwards (the
    store failed, or the handler outlived the lease); `SqlSeenEvents` writes both in one transaction.

    The log has the operation, the type and the place (file and line) of an exception, the class of the event
    and the start of a digest of its identity: never the text of a handler's exception, as it may hold
    personal data. ``on_error`` gets the exception itself.

    Behind a proxy the peer is the proxy. Let the server find the real one (uvicorn:
    ``--proxy-headers`` and ``--forwarded-allow-ips`` with the proxy's address); no ``X-Forwarded-For``
    is read here, as anyone can send one.

    Args:
        auth: Credentials of ``Webhooks.basic_auth``, or several during a change of password,
            or a verifier; None accepts anyone.
        seen: Store of the events that were handled; by default a `MemorySeenEvents`, for one process.
        context: Verifies ``context_data`` and sets ``event.context``. Text of another form than it
            writes counts as absent.
        require_context: Refuse events without a signed ``context_data`` too.
        networks: Networks of the peers that may deliver, such as ``203.0.113.0/24``; None allows all,
            and an empty list nobody.
        max_body: Bytes, at least 1.
        read_timeout: Seconds for the whole body, above 0.
        handler_timeout: Seconds for all handlers of an event, above 0; shorter than the lease of ``seen``.
        busy_wait: Seconds to wait for the end of another delivery of the same event, at least 0.
        identify: Gives the key that two deliveries of the same event share.
        on_error: Awaited with the exception and the event whenever a delivery could not be handled,
            before 503 is answered. It has ``handler_timeout`` seconds; what it raises is logged by type.
        clock: Gives seconds since 1970, for the expiry of ``context_data``.
        sleep: Waits while an event is busy.

    Raises:
        ConfigurationError: A number or a combination of arguments makes no sense.
        InvalidInputError: ``auth`` has no credentials, or ``networks`` no networks.
    """

    def __init__(
        self,
        *,
        auth: BasicAuthVerifier | Sequence[BasicAuth] | BasicAuth | None,
        seen: SeenEvents | None = None,
        context: ContextSigner | None = None,
        require_context: bool = False,
        networks: AllowedNetworks | Sequence[str] | None = None,
        max_body: int = MIB,
        read_timeout: float = 10.0,
        handler_timeout: float = 30.0,
        busy_wait: float = 3.0,
        identify: Identify = event_identity,
        on_error: Callable[[Exception, Event], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        for name, value, least in (
            ("max_body", max_body, 1),
            ("read_timeout", read_timeout, 0.001),
            ("handler_timeout", handler_timeout, 0.001),
            ("busy_wait", busy_wait, 0),
        ):
            if not value >= least:
                raise ConfigurationError(f"{name}: must be at least {least}")
        if require_context and context is None:
            raise ConfigurationError("require_context: needs a ContextSigner as context")
        seen = MemorySeenEvents() if seen is None else seen
        if not seen.lease > handler_timeout:
            raise ConfigurationError(
                f"handler_timeout: {handler_timeout:g} s is not shorter than the lease of the store "
                f"({seen.lease:g} s): an event could be taken from a handler at work"
            )
        if auth is not None and not isinstance(auth, BasicAuthVerifier):
            auth = BasicAuthVerifier(auth)
        if networks is not None and not isinstance(networks, AllowedNetworks):
            networks = AllowedNetworks(networks)
        self._auth = auth
        self._networks = networks
        self._max_body = max_body
        self._context = context
        self._require_context = require_context
        self._read_timeout = read_timeout
        self._on_error = on_error
        self._clock = clock
        self._processor = EventProcessor(
            seen=seen,
            identify=identify,
            handler_timeout=handler_timeout,
            busy_wait=busy_wait,
            sleep=sleep,
        )

    def on(self, cls: type[E]) -> HandlerDecorator[E]:
        """Declare a handler: ``@receiver.on(TestGraded)`` above an ``async def`` that takes the event.

        ``TestEvent`` stands for all known events. With a second parameter the handler gets the
        `Claim` too, to commit the mark with its own writes; an event has one such handler at
        most, and it is called last. The others are called in the order of declaration.

        Raises:
            ConfigurationError: Not a class of events; not async; other parameters; declared twice.
        """
        return self._processor.handlers.on(cls)

    async def handle(self, event: Event) -> Handled:
        """Handle an event that did not come over HTTP, such as one from ``results.reconcile``.

        The promises are those of a delivery, so one that came meanwhile is not handled again. The
        context of a reconciled event must have been valid when it happened.

        Raises:
            InvalidInputError: Not an event.
            ContextDataError: A delivery would be answered with 401.
            WebhookError: The store failed, or the claim was lost while handlers were running.
            Exception: What a handler raised, or TimeoutError; the event was released.
        """
        if type(event) not in CLASSES:
            raise InvalidInputError("event", f"is {type(event).__name__}", "pass an event")
        return await self._processor.process(self._with_context(event))

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve one request, or a lifespan; a websocket is refused.

        Raises:
            ConfigurationError: A scope of another type.
        """
        kind = scope["type"]
        if kind == "http":
            try:
                await asgi.send_response(scope, send, await self._respond(scope, receive))
            except asgi.ClientDisconnected:
                logger.info("the client disconnected before the whole body came")
            except OSError:
                # How servers say it since ASGI 2.4. The event was handled all the same.
                logger.debug("the client disconnected before the response")
        elif kind == "lifespan":
            await asgi.serve_lifespan(receive, send)
        elif kind == "websocket":
            await asgi.refuse_websocket(receive, send)
        else:
            raise ConfigurationError("only the scopes http and lifespan are served")

    async def _respond(self, scope: asgi.Scope, receive: asgi.Receive) -> asgi.HttpResponse:
        """Check the head, then read the body, then handle its event."""
        if (rejection := self._rejection(scope)) is not None:
            return _refused(rejection)
        try:
            body = await within(self._read_timeout, asgi.read_body(receive, self._max_body))
        except asgi.BodyTooLarge:
            return _refused(asgi.TOO_LARGE)
        except TimeoutError:
            return _refused(asgi.TOO_SLOW)
        return await self._respond_to_body(body)

    def _rejection(self, scope: asgi.Scope) -> asgi.HttpResponse | None:
        """Give the response to a request whose head must be refused; None if its body may be read."""
        if scope["method"] != "POST":
            return asgi.NOT_A_POST
        peer = scope.get("client")
        if self._networks is not None and not self._networks.allows(peer[0] if peer else None):
            return asgi.WRONG_NETWORK
        authorization, length = _head(scope["headers"])
        if self._auth is not None and not self._auth.check(authorization):
            return asgi.WRONG_CREDENTIALS
        if length is None:
            return None
        if not length.isdigit():
            return asgi.BAD_LENGTH
        digits = length.lstrip(b"0")
        # Python's int() refuses thousands of digits with another error.
        if len(digits) > _MAX_LENGTH_DIGITS or int(digits or b"0") > self._max_body:
            return asgi.TOO_LARGE
        return None

    async def _respond_to_body(self, body: bytes) -> asgi.HttpResponse:
        """Handle the event of a request whose head was accepted."""
        try:
            event = self._with_context(parse_event(body))
        except EventDecodeError as error:
            return _refused(asgi.NOT_AN_EVENT, f"not an event: {error.problem}")
        except ContextDataError as error:
            return _refused(asgi.WRONG_CONTEXT, f"context_data is {error.reason}")
        if not self._processor.handlers:
            # Accepted, it would be lost, and so far nobody has noticed that something is missing.
            logger.error("503: no handler is declared at all")
            return asgi.NOT_HANDLED
        try:
            handled = await self._processor.process(event)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is logged already
            await self._report(error, event)
            return asgi.NOT_HANDLED
        if handled is Handled.BUSY:
            return asgi.BUSY
        if handled is Handled.NO_HANDLER and isinstance(event, UnknownEvent) and event.problem:
            # Its class may well have a handler: with a 200 it would be lost without a trace.
            problem = f"{event.event_type} can't be read: {event.problem}"
            return _refused(asgi.UNREADABLE, problem)
        return asgi.OK

    async def _report(self, error: Exception, event: Event) -> None:
        if self._on_error is None:
            return
        try:
            await within(self._processor.handler_timeout, self._on_error(error, event))
        except Exception as another:  # noqa: BLE001 - a hook must not decide what is answered
            logger.error("on_error failed with %s", type(another).__name__)

    def _with_context(self, event: Event) -> Event:
        """Add what the event's ``context_data`` says, if it says anything.

        Raises:
            ContextDataError: It proves nothing, or too little.
        """
        if self._context is None:
            return event
        now = self._clock()
        if isinstance(event, TestEvent) and event.reconciled and event.timestamp is not None:
            now = event.timestamp.timestamp()
        try:
            context = self._context.verify(
                event.context_data,
                access_key=event.access_key or "",
                email=event.email or "",
                now=now,
            )
        except ContextDataError as error:
            # Text of another form than ours was written before, or by someone else: as good as none.
            if self._require_context or error.reason not in {"missing", "malformed"}:
                raise
            return event
        return evolve(event, context=context)


def _head(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None]:
    """Give authorization and content-length; None if absent, empty if sent twice with two values."""
    authorization = length = None
    for name, value in headers:
        if name == b"authorization":
            authorization = value if authorization in {None, value} else b""
        elif name == b"content-length":
            length = value if length in {None, value} else b""
    return authorization, length


def _refused(response: asgi.HttpResponse, problem: str = "") -> asgi.HttpResponse:
    """Log a refusal, with the problem if it is more precise than the response."""
    logger.warning("%d: %s", response.status_code, one_line(problem or response.text))
    return response
