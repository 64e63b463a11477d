"""The receiver: an ASGI app that believes only who knows the password, and handles each event once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
from attrs import evolve

from mettl_async.errors import (
    ConfigurationError,
    ContextDataError,
    EventDecodeError,
    InvalidInputError,
)
from mettl_async.models.event import TestEvent, UnknownEvent
from mettl_async.webhooks import asgi, gate
from mettl_async.webhooks.asgi import OK, Answer
from mettl_async.webhooks.gate import Gate
from mettl_async.webhooks.handlers import KINDS, Handlers, checked_kind
from mettl_async.webhooks.handling import Handled, Handling, logger
from mettl_async.webhooks.identity import event_identity
from mettl_async.webhooks.parse import parse_event
from mettl_async.webhooks.patience import within
from mettl_async.webhooks.seen import MemorySeenEvents

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mettl_async.models.event import Event
    from mettl_async.models.webhooks import BasicAuth
    from mettl_async.webhooks.basic_auth import BasicAuthVerifier
    from mettl_async.webhooks.context import ContextSigner
    from mettl_async.webhooks.handlers import E, Registers
    from mettl_async.webhooks.handling import Identify, Sleep
    from mettl_async.webhooks.networks import AllowedNetworks
    from mettl_async.webhooks.seen import SeenEvents

MIB = 1024 * 1024


class WebhookReceiver:
    """An ASGI app for the events of Mettl: ``app.router.routes.append(Route("/mettl", receiver))``.

    Answered with 200 is only an event whose handlers all succeeded and that is marked as done, one
    that was done before, or one that can be read but has no handler for its class. In any other case the answer is an
    error, and the event may come again; [assumed] Mettl delivers again after an error.

    ==== ================================================================================
    405  not a POST
    403  the peer is in none of the ``networks``
    401  no or wrong credentials: told before any of the body is read
    413  more than ``max_body`` bytes announced or sent
    408  the body was not there after ``read_timeout``
    400  not an event; or one of a known type but, say, without an email, and nobody handles
         `UnknownEvent`, as which it would come
    401  ``context_data`` is forged, expired, or of another candidate or schedule
    503  a handler failed or took too long, the store failed, the event is busy elsewhere
    ==== ================================================================================

    Any path is accepted. Prefer a route to a mount: Starlette answers a POST to a mount without the
    last slash with a redirect, which nobody says Mettl follows. A client that goes away does not stop a handler. When the server cancels a
    delivery (a shutdown), the event is released and can come again.

    Handlers of one event run one after the other, and all must succeed: when the event comes again
    after the second one failed, the first one runs again. So keep several handlers harmless to
    repeat, or make them one. A handler that did its work, but whose event could not be marked (the
    store failed, or the handler outlived the lease) is run again too; whoever can't live with
    that writes both in one transaction: see `SqlSeenEvents`.

    Logged are the operation, the type and the place (file and line) of an exception, the class of the event and
    the start of a digest of its identity: never the text of a handler's exception, as it may hold personal data.
    ``on_error`` gets the exception itself.

    Behind a proxy the peer is the proxy. Let the server find the real one (uvicorn:
    ``--proxy-headers`` and ``--forwarded-allow-ips`` with the proxy's address); no ``X-Forwarded-For``
    is read here, as anyone can send one.

    Args:
        auth: The credentials set as ``Webhooks.basic_auth``, or several during a change of password,
            or a verifier; None accepts anyone.
        seen: Which events were handled; by default a `MemorySeenEvents`, which knows one process only.
        context: Verifies ``context_data`` and sets ``event.context``. Text of another form than it
            writes is like none at all.
        require_context: Refuse events without a signed ``context_data`` too.
        networks: Of the peers that may deliver, such as ``203.0.113.0/24``; None means all, and an empty
            list nobody.
        max_body: Bytes.
        read_timeout: Seconds for the whole body.
        handler_timeout: Seconds for all handlers of an event; shorter than the lease of ``seen``.
        busy_wait: Seconds to wait for the end of another delivery of the same event.
        identify: What makes two deliveries the same event.
        on_error: Awaited with the exception and the event whenever a delivery could not be handled,
            before 503 is answered. It has ``handler_timeout`` seconds; what it raises is logged by type.
        clock: Seconds since 1970, for the expiry of ``context_data``.
        sleep: Waits while an event is busy.

    Raises:
        ConfigurationError: A number or a combination makes no sense.
        InvalidInputError: ``auth`` or ``networks`` do.

    Source: api.md section 7, observed.md section 9.
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
        self._gate = Gate(
            auth=gate.verifier(auth), networks=gate.allowed(networks), max_body=max_body
        )
        self._context = context
        self._require_context = require_context
        self._read_timeout = read_timeout
        self._on_error = on_error
        self._clock = clock
        self._handlers = Handlers()
        self._handling = Handling(
            handlers=self._handlers,
            seen=seen,
            identify=identify,
            timeout=handler_timeout,
            busy_wait=busy_wait,
            sleep=sleep,
        )

    def on(self, kind: type[E]) -> Registers[E]:
        """Declare a handler: ``@receiver.on(TestGraded)`` above an ``async def`` that takes the event.

        ``TestEvent`` stands for the four known events. With a second parameter the handler gets the
        `Claim` too, to commit the mark with its own writes; there is one such handler of an event at
        most, and it is called last. The others are called in the order of declaration.

        Raises:
            ConfigurationError: Not a class of events; not async; other parameters; declared twice.
        """
        checked_kind(kind)

        def register(handler: Callable[..., object]) -> Callable[..., object]:
            self._handlers.add(kind, handler)
            return handler

        return register  # type: ignore[return-value]  # it gives back what it got

    async def handle(self, event: Event) -> Handled:
        """Handle an event that did not come over HTTP, such as one from ``results.reconcile``.

        The same promises as for a delivery, so one that came meanwhile is not handled again. The
        context of a reconciled event must have been valid when it happened.

        Raises:
            InvalidInputError: Not an event.
            ContextDataError: Where a delivery is answered with 401.
            WebhookError: The store failed, or the claim was lost while handlers were at work.
            Exception: What a handler raised, or TimeoutError; the event was released.
        """
        if type(event) not in KINDS:
            raise InvalidInputError("event", f"is {type(event).__name__}", "pass an event")
        return await self._handling.run(self._with_context(event))

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve one request, or a lifespan; a websocket is refused.

        Raises:
            ConfigurationError: A scope of another type.
        """
        kind = scope["type"]
        if kind == "http":
            try:
                await asgi.respond(scope, send, await self._answer_to(scope, receive))
            except asgi.ClientLeft:
                logger.info("the client left before the whole body came")
            except OSError:
                # How servers say it since ASGI 2.4. What was to be done is done.
                logger.debug("the client left before the answer")
        elif kind == "lifespan":
            await asgi.live(receive, send)
        elif kind == "websocket":
            await asgi.refuse_websocket(receive, send)
        else:
            raise ConfigurationError("only the scopes http and lifespan are served")

    async def _answer_to(self, scope: asgi.Scope, receive: asgi.Receive) -> Answer:
        """Check one request, step by step, and handle its event."""
        if (refusal := self._gate.refusal(scope)) is not None:
            logger.warning("%s", refusal)
            return refusal
        try:
            body = await within(self._read_timeout, asgi.read_body(receive, self._gate.max_body))
        except asgi.BodyTooLarge:
            logger.warning("%s", gate.TOO_LARGE)
            return gate.TOO_LARGE
        except TimeoutError:
            logger.warning("%s", gate.TOO_SLOW)
            return gate.TOO_SLOW
        try:
            event = self._with_context(parse_event(body))
        except EventDecodeError as error:
            logger.warning("400: not an event: %s", error.problem)
            return gate.NOT_AN_EVENT
        except ContextDataError as error:
            logger.warning("401: context_data is %s", error.reason)
            return gate.WRONG_CONTEXT
        return await self._handled(event)

    async def _handled(self, event: Event) -> Answer:
        if not self._handlers:
            # Accepted, it would be lost, and so far nobody has noticed that something is missing.
            logger.error("503: no handler is declared at all")
            return gate.NOT_HANDLED
        try:
            handled = await self._handling.run(event)
        except Exception as error:  # noqa: BLE001 - whatever a user's handler raises; logged already
            await self._report(error, event)
            return gate.NOT_HANDLED
        if handled is Handled.BUSY:
            return gate.BUSY
        if handled is Handled.NO_HANDLER and isinstance(event, UnknownEvent) and event.problem:
            # Its kind may well have a handler: with a 200 it would be lost without a trace.
            logger.warning("400: %s can't be read: %s", event.event_type, event.problem)
            return gate.UNREADABLE
        return OK

    async def _report(self, error: Exception, event: Event) -> None:
        if self._on_error is None:
            return
        try:
            await within(self._handling.timeout, self._on_error(error, event))
        except Exception as another:  # noqa: BLE001 - a hook must not decide what is answered
            logger.error("on_error failed with %s", type(another).__name__)

    def _with_context(self, event: Event) -> Event:
        """The event with what its ``context_data`` says, if it says anything.

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
