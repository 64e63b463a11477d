"""The receiver: it authenticates deliveries and handles each event once, in any framework."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import anyio

from mettl_async.display import one_line
from mettl_async.errors import (
    ConfigurationError,
    InvalidInputError,
    WebhookError,
)
from mettl_async.models.event import Event, UnknownEvent
from mettl_async.models.webhooks import BasicAuth
from mettl_async.webhooks import asgi
from mettl_async.webhooks.body import BYTES, Body, Receive, SyncBody, read_body, read_body_sync
from mettl_async.webhooks.context import ContextSigner
from mettl_async.webhooks.event_rules import EventRules, response_to
from mettl_async.webhooks.handlers import CLASSES, E, EventHandlers, HandlerDecorator
from mettl_async.webhooks.http import (
    BUSY,
    NO_HANDLER,
    NOT_HANDLED,
    OK,
    TOO_LARGE,
    UNREADABLE,
    Headers,
    HeadRules,
    HttpAnswer,
    HttpResponse,
)
from mettl_async.webhooks.identity import event_identity
from mettl_async.webhooks.processing import (
    EventProcessor,
    Handled,
    Identify,
    OnError,
    Sleep,
    logger,
    within,
)
from mettl_async.webhooks.receiver_arguments import (
    check_lease,
    check_numbers,
    check_parts,
    refuse_with_store,
)
from mettl_async.webhooks.seen_events import EventStore, MemorySeenEvents, SeenEvents
from mettl_async.webhooks.sync import run_sync
from mettl_async.webhooks.unhandled import shown_type
from mettl_async.webhooks.verification import AllowedNetworks, BasicAuthVerifier

MIB = 1024 * 1024
_HANDLER_TIMEOUT: Final = 30.0  # seconds
_BUSY_WAIT: Final = 3.0  # seconds


class WebhookReceiver:
    """Receive the events of Mettl: in any framework by `respond`, and as an ASGI app.

    Example::

        receiver = WebhookReceiver(auth=BasicAuth(username="mettl", password="secret"))


        @receiver.on(TestGraded)
        async def graded(event: TestGraded) -> None:
            print(event.email, event.marks_scored)


        app = Starlette(routes=[Route("/mettl", receiver)])  # or in a view of any other framework:
        status, headers, body = await receiver.respond("POST", request_headers, request_body)
        event = receiver.verify_and_parse(request_headers, request_body)
        for missed in await mettl.results.reconcile(ACCESS_KEY, delivered=[]):
            await receiver.handle(missed)

    The answer is 200 for an event whose handlers all succeeded and that is marked as done, for one
    that was done before, and for one that can be read but has no handler for its class: the log then warns,
    once for each type, and with ``strict`` it is refused. Otherwise the answer is an error, and the event
    may come again; [assumed] Mettl delivers again after an error. With ``store`` the answer is 200 for each
    event that is committed there, also for one that cannot be read: that is a dead letter at once.

    ==== ================================================================================
    405  not a POST
    403  the peer is in none of the ``networks``
    401  no or wrong credentials; answered before any of the body is read
    413  more than ``max_body`` bytes announced or sent
    408  the body was not there after ``read_timeout``
    400  not an event; or one of a known type but, say, without an email, and nobody handles
         `UnknownEvent`, as which it would come (without ``store``); or older than ``max_age``; or it did
         not come whole
    401  ``context_data`` is forged, expired, or of another candidate or schedule
    503  a handler failed or took too long, the store failed, the event is busy elsewhere; with
         ``strict``, nobody handles its type; the event is kept in the inbox, but its worker in this
         process has failed
    ==== ================================================================================

    Any path is accepted. Prefer a route to a mount: Starlette answers a POST to a mount without the
    last slash with a redirect, which nobody says Mettl follows. A client that disconnects does not stop
    a handler. When the server cancels a delivery (a shutdown), the event is released and can come again.

    Handlers of one event run one after the other, and all must succeed: when the event comes again
    after the second one failed, the first one runs again. So keep several handlers harmless to
    repeat, or make them one. A handler also runs again if its event could not be marked afterwards (the
    store failed, or the handler outlived the lease); `SqlSeenEvents` writes both in one transaction.

    What keeps failing is answered with 503 each time, so it stays with the sender; each time ``on_error`` gets
    it. It is never given up here: that would be a 200 for what was not handled, and nobody would have it any
    more. Events that are given up after some tries, ``on_poison``, dead letters and ``mettl webhooks replay``
    belong to an inbox, which has the event: give a `SqlEventInbox` as ``store``.

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
        store: Where events are left instead of handled, such as a `SqlEventInbox`: the answer is 200 as soon
            as the event is committed there, and its workers call the handlers. Not together with what
            belongs to the handlers then: ``seen``, ``handler_timeout``, ``busy_wait``, ``strict``, ``on_error``.
        context: Verifies ``context_data`` and sets ``event.context``. Text of another form than it
            writes counts as absent.
        require_context: Refuse events without a signed ``context_data`` too.
        networks: Networks of the peers that may deliver, such as ``203.0.113.0/24``; None allows all,
            and an empty list nobody.
        max_body: Bytes, at least 1.
        read_timeout: Seconds for the whole body, above 0.
        handler_timeout: Seconds for all handlers of an event, above 0; shorter than the lease of ``seen``.
            None means 30.
        busy_wait: Seconds to wait for the end of another delivery of the same event, at least 0. None
            means 3.
        max_age: Seconds that the timestamp of an event may be away from now, above 0, or the answer is 400; an
            event without one is refused too. None allows any. Nobody signs it: it stops old deliveries
            that are sent again as they were, and true ones that come late.
        strict: Whether an event of a type without a handler is refused instead of accepted.
        identify: Gives the key that two deliveries of the same event share.
        on_error: Awaited with the exception and the event whenever a delivery could not be handled,
            before 503 is answered. It has ``handler_timeout`` seconds; what it raises is logged by type.
        clock: Gives seconds since 1970, for the expiry of ``context_data``.
        sleep: Waits while an event is busy.

    Raises:
        ConfigurationError: An argument is of another type; a number or a combination makes no sense.
        InvalidInputError: ``auth`` has no credentials, or ``networks`` no networks.
    """

    def __init__(
        self,
        *,
        auth: BasicAuthVerifier | Sequence[BasicAuth] | BasicAuth | None,
        seen: SeenEvents | None = None,
        store: EventStore | None = None,
        context: ContextSigner | None = None,
        require_context: bool = False,
        networks: AllowedNetworks | Sequence[str] | None = None,
        max_body: int = MIB,
        read_timeout: float = 10.0,
        handler_timeout: float | None = None,
        busy_wait: float | None = None,
        max_age: float | None = None,
        strict: bool = False,
        identify: Identify = event_identity,
        on_error: OnError | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        check_parts(
            seen=seen,
            store=store,
            context=context,
            identify=identify,
            on_error=on_error,
            clock=clock,
            sleep=sleep,
        )
        if store is not None:
            refuse_with_store(
                seen=seen is not None,
                busy_wait=busy_wait is not None,
                handler_timeout=handler_timeout is not None,
                strict=strict,
                on_error=on_error is not None,
            )
        handler_timeout = _HANDLER_TIMEOUT if handler_timeout is None else handler_timeout
        busy_wait = _BUSY_WAIT if busy_wait is None else busy_wait
        check_numbers(
            max_body=max_body,
            read_timeout=read_timeout,
            handler_timeout=handler_timeout,
            busy_wait=busy_wait,
            max_age=max_age,
        )
        if require_context and context is None:
            raise ConfigurationError("require_context: needs a ContextSigner as context")
        seen = MemorySeenEvents() if seen is None else seen
        check_lease(seen, handler_timeout)
        if auth is not None and not isinstance(auth, BasicAuthVerifier):
            auth = BasicAuthVerifier(auth)
        if networks is not None and not isinstance(networks, AllowedNetworks):
            networks = AllowedNetworks(networks)
        self._rules = HeadRules(auth=auth, networks=networks, max_body=max_body)
        self._events = EventRules(
            context=context, require_context=require_context, max_age=max_age, clock=clock
        )
        self._read_timeout = read_timeout
        self._on_error = on_error
        self._processor = EventProcessor(
            seen=seen,
            store=store,
            identify=identify,
            handler_timeout=handler_timeout,
            busy_wait=busy_wait,
            sleep=sleep,
            strict=strict,
        )

    @property
    def handlers(self) -> EventHandlers:
        """Handlers that were declared here, such as for ``inbox.run(receiver.handlers)``."""
        return self._processor.handlers

    def on(self, cls: type[E]) -> HandlerDecorator[E]:
        """Declare a handler: ``@receiver.on(TestGraded)`` above an ``async def`` that takes the event.

        ``TestEvent`` stands for all known events. With a second parameter the handler gets the
        `Claim` too, to commit the mark with its own writes; an event has one such handler at
        most, and it is called last. The others are called in the order of declaration.

        Raises:
            ConfigurationError: Not a class of events; not async; other parameters; declared twice; a second
                one that takes the claim.
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
        return await self._processor.process(self._events.with_context(event))

    async def respond(
        self, method: str, headers: Headers, body: Body = b"", peer: str | None = None
    ) -> HttpAnswer:
        """Answer one request of any framework: ``status, headers, body = await receiver.respond(...)``.

        All promises of the receiver hold. Credentials are checked before any of the body is read, if it is
        given as something to read. A client that leaves meanwhile gets an answer too, so that each request
        has one.

        Args:
            method: Method of the request.
            headers: Headers: a mapping or pairs, names in any case; values are text, bytes, lists of these, or
                None, which counts as absent.
            body: Async iterable of bytes (Starlette: ``request.stream()``; aiohttp:
                ``request.content.iter_any()``), something to ``read`` from without waiting (Django: the
                request itself), or bytes. What a middleware has read before may be empty here: then give its
                bytes.
            peer: IP address of the peer, with or without a port; only ``networks`` need it.

        Returns:
            Status, headers (a dict; without ``content-length``) and body.

        Raises:
            InvalidInputError: An argument is none of these. No client can cause that.
        """
        return await self._answer(
            self._rules.refusal(method, headers, peer)
            or await read_body(body, self._rules.max_body, self._read_timeout)
        )

    def respond_sync(
        self, method: str, headers: Headers, body: SyncBody = b"", peer: str | None = None
    ) -> HttpAnswer:
        """Answer one request of a framework without ``await``, in any thread; see `respond`.

        The body is read in this thread; handlers run in the event loop of `run_sync`.

        Args:
            method: Method of the request.
            headers: Headers: a mapping or pairs, names in any case; values are text, bytes, lists of these, or
                None, which counts as absent.
            body: Something to ``read`` from (Flask: ``request.stream``; Django: the request itself), or bytes.
                ``read_timeout`` ends between two reads; a read that waits is for the server to end.
            peer: IP address of the peer, with or without a port; only ``networks`` need it.

        Returns:
            Status, headers (a dict; without ``content-length``) and body.

        Raises:
            ConfigurationError: An event loop runs in this thread.
            InvalidInputError: An argument is none of these. No client can cause that.

        Example::

            status, headers, body = receiver.respond_sync("POST", request_headers, request_body)
        """
        return run_sync(
            self._answer,
            self._rules.refusal(method, headers, peer)
            or read_body_sync(body, self._rules.max_body, self._read_timeout),
        )

    def verify_and_parse(self, headers: Headers, body: bytes, peer: str | None = None) -> Event:
        """Check a delivery and give its event, for those who do the rest themselves.

        No handler is called, nothing is claimed, and a second delivery is not told from a first: see
        `event_identity`.

        Args:
            headers: Headers: a mapping or pairs, names in any case; values are text, bytes, lists of these, or
                None, which counts as absent.
            body: The whole body.
            peer: IP address of the peer, with or without a port; only ``networks`` need it.

        Raises:
            InvalidInputError: An argument is of another type.
            RefusedDeliveryError: Wrong credentials or peer, too large, or older than ``max_age``.
            EventDecodeError: The body is not an event; answer 400.
            ContextDataError: ``context_data`` does not prove what it must; answer 401.
        """
        refusal = self._rules.refusal("POST", headers, peer)
        if not isinstance(body, BYTES):
            raise InvalidInputError("body", f"is {type(body).__name__}", "give the bytes that came")
        if refusal is None and len(body) > self._rules.max_body:
            refusal = TOO_LARGE
        found = refusal.error() if refusal else self._events.delivered(bytes(body))
        # Raised where no frame holds the password or the body: error reporters show locals.
        del headers, body
        if isinstance(found, WebhookError):
            raise found
        return found

    async def __call__(self, scope: asgi.Scope, receive: Receive, send: asgi.Send) -> None:
        """Serve one request, or a lifespan; a websocket is refused.

        Raises:
            ConfigurationError: A scope of another type.
        """
        await asgi.serve(self.respond, scope, receive, send)

    async def _answer(self, body: bytes | HttpResponse) -> HttpAnswer:
        """Handle the event of a body; of what was refused already, say why."""
        response = body if isinstance(body, HttpResponse) else await self._handled(body)
        # A handler's failure is in the log already, with its place.
        if not (response is OK or response is BUSY or response is NOT_HANDLED):
            logger.warning("%s", one_line(str(response)))
        return response.answer()

    async def _handled(self, body: bytes) -> HttpResponse:
        """Handle the event of a request whose head was accepted."""
        event = self._events.delivered(body)
        if isinstance(event, WebhookError):
            return response_to(event)
        if not self._processor.handlers and self._processor.store is None:
            # Accepted, it would be lost, and so far nobody has noticed that something is missing.
            return NO_HANDLER.because("no handler is declared at all")
        try:
            handled = await self._processor.process(event)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is logged already
            await self._report(error, event)
            return NOT_HANDLED
        if handled is Handled.BUSY:
            return BUSY
        if handled is Handled.NO_HANDLER and isinstance(event, UnknownEvent) and event.problem:
            # Its class may well have a handler: with a 200 it would be lost without a trace.
            return UNREADABLE.because(f"{event.event_type} can't be read: {event.problem}")
        if handled is Handled.NO_HANDLER and self._processor.strict:
            return NO_HANDLER.because(f"no handler for {shown_type(event)}")
        return OK

    async def _report(self, error: Exception, event: Event) -> None:
        if self._on_error is None:
            return
        try:
            await within(self._processor.handler_timeout, self._on_error(error, event))
        except Exception as another:  # noqa: BLE001 - a hook must not decide what is answered
            logger.error("on_error failed with %s", type(another).__name__)
