"""The one loop that joins the parts of a call.

Outermost first: per-call middleware, retry loop, admission, per-attempt middleware, auth (signs), redacted
log, transport. Signing comes after admission, so that a timestamp never ages in a queue.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from anyio import to_thread
from attrs import evolve, field, frozen

from mettl_async.core import envelope
from mettl_async.core.admission import Admission
from mettl_async.core.auth import ServerClock
from mettl_async.core.deadline import give_up_after
from mettl_async.core.effects import Effects
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.core.middleware import Middleware, Middlewares, build_chain
from mettl_async.core.redaction import log_fields
from mettl_async.core.request import Request, Response, encode
from mettl_async.core.retry import (
    GiveUp,
    RetryQuota,
    SignAgain,
    Wait,
    decide,
    http_date,
    may_have_been_handled,
)
from mettl_async.core.transports.contract import Transport
from mettl_async.errors import (
    CallError,
    CallFacts,
    ClientClosedError,
    ConfigurationError,
    ConnectionLostError,
    MettlDecodeError,
    RateLimitError,
    ServiceUnavailableError,
    TransportTimeoutError,
)

T = TypeVar("T")

# Bytes. To read more, and to make models of it, can take seconds: a thread does it, and the loop goes on.
_LARGE = 1024 * 1024

logger = logging.getLogger("mettl_async")


@frozen(kw_only=True)
class Shared:
    """What a client and its copies have in common."""

    transport: Transport
    base_url: str
    admission: Admission
    quota: RetryQuota
    clock: ServerClock

    @property
    def lifecycle(self) -> Lifecycle:
        """Tells when the client closes."""
        return self.admission.lifecycle

    @property
    def effects(self) -> Effects:
        """Clock, pauses and chance."""
        return self.admission.effects


@frozen(slots=False)  # quicker to make
class ApiResponse:
    """A success: the whole JSON object, and the response it came in."""

    payload: dict[str, Any] = field(repr=False)
    response: Response


class Pipeline:
    """Performs calls: `call` returns the value of a success or raises a typed `CallError`."""

    def __init__(self, shared: Shared, auth: Middleware, middleware: Middlewares) -> None:
        self._shared = shared
        self._prefix = f"{shared.base_url}/"
        self._attempt = build_chain((*middleware.per_attempt, auth), self._send)
        self._call = build_chain(middleware.per_call, self._with_retries)

    async def call(self, request: Request, decode: Callable[[ApiResponse], T]) -> T:
        """Perform one call, and make a value of its success with ``decode``.

        Raises:
            CallError: No answer, a spoilt one, or a refusal; see the tree in `mettl_async.errors`.
            ClientClosedError: The client is closed or closing.
            ConfigurationError: It is used from a second event loop.
        """
        self._shared.lifecycle.check()
        response = await self._call(request)
        read = self._read(request, response)
        if read.error is not None:
            # The retry loop has completed it already, unless a middleware answered by itself.
            if not read.error.operation:
                _complete(read.error, request, response)
            raise read.error
        try:
            answer = ApiResponse(read.payload, response)
            if len(response.content) > _LARGE:
                return await to_thread.run_sync(decode, answer)
            return decode(answer)
        except MettlDecodeError as error:
            _complete(error, request, response)
            # A success with something else in it: it may be another's, and so may all that follow it there.
            if request.history.abandon is not None:
                await request.history.abandon()
            raise

    def _read(self, request: Request, response: Response) -> envelope.Envelope:
        known: envelope.Envelope | None = response.envelope
        if known and (known.error is None or known.error.request_id in {"", request.request_id}):
            return known
        return envelope.read(request, response, self._shared.effects.wall())

    async def _with_retries(  # noqa: C901, PLR0912 - the one loop; splitting it would hide its order
        self, request: Request
    ) -> Response:
        effects, quota, policy = self._shared.effects, self._shared.quota, request.retry
        began = effects.monotonic()
        history, attempt, retries, signed_again = request.history, 0, 0, False
        while True:
            attempt += 1
            if attempt > 1:
                request = request.evolve(attempt=attempt)
            # A run that keeps to a rate is not a run that fails: its deadline does not count that wait.
            outcome: Response | CallError | None = None
            if request.run is not None:
                waited, outcome = await self._own_turn(request)
                began += waited
            outcome = outcome or await self._one_attempt(request, began)
            if request.run is not None or self._shared.admission.has_rate:
                await self._adapt(request, outcome)
            response: Response | None = None
            if isinstance(outcome, Response):
                response, known = outcome, outcome.envelope.error
                if request.run is not None:
                    request.run.answered = True
                if known is None:
                    if request.run is None:
                        quota.give_back(retries)
                    return response
                error = known
            else:
                error = outcome
            history.sent = history.sent or response is not None or error.sent
            history.handled = history.handled or may_have_been_handled(error)
            _complete(error, request, response)
            verdict = decide(
                error,
                repeatable=request.repeatable,
                attempt=attempt,
                policy=policy,
                remaining=began + request.time_limit - effects.monotonic(),
                chance=effects.chance(),
                server_time=http_date(response.headers.get("date")) if response else None,
                signed_again=signed_again,
            )
            if isinstance(verdict, SignAgain):
                signed_again = True
                self._shared.clock.learn(verdict.server_time)
                _log_failed_attempt(request, error, "signing again", wait=0.0)
                continue
            if isinstance(verdict, Wait) and request.run is None and not quota.take():
                verdict = GiveUp("the client's quota of retries is used up")
            if isinstance(verdict, Wait):
                retries += 1
                _log_failed_attempt(
                    request, error, f"trying again in {verdict.seconds:.2f} s", wait=verdict.seconds
                )
                try:
                    run = request.run
                    with (
                        self._shared.lifecycle.until_closing(),
                        nullcontext() if run is None else run.waiting_for_retry(error),
                    ):
                        await effects.sleep(verdict.seconds)
                    continue
                except ClientClosedError:
                    verdict = GiveUp("the client closes")
            _log_failed_attempt(request, error, f"giving up: {verdict.reason}")
            if response is None:
                raise error
            return response

    async def _own_turn(self, request: Request) -> tuple[float, CallError | None]:
        """Wait for the turn of a bulk run's request: how long that took, or why there is none."""
        began = self._shared.effects.monotonic()
        try:
            # Not the shorter patience before a run's first answer: nobody was asked yet.
            await self._shared.admission.wait_for_turn(request.retry.deadline)
        except CallError as error:
            return 0.0, error.with_traceback(None)
        return self._shared.effects.monotonic() - began, None

    async def _one_attempt(self, request: Request, began: float) -> Response | CallError:
        admission, effects = self._shared.admission, self._shared.effects
        started, history, time_limit = False, request.history, request.time_limit
        left = began + time_limit - effects.monotonic()
        with give_up_after(left) as limit:
            try:
                if admission.has_rate and request.run is None:
                    await admission.wait_for_turn(left)
                await admission.acquire_slot()
                admission.lifecycle.sent(limit)
                try:
                    started = True
                    history.attempts += 1
                    history.sent_at = effects.monotonic()
                    history.times.append(datetime.fromtimestamp(effects.wall(), UTC))
                    response = await self._attempt(request)
                finally:
                    admission.lifecycle.ended(limit)
                    admission.release_slot()
                history.abandon = response.abandon
                if len(response.content) > _LARGE:
                    read = await to_thread.run_sync(self._read, request, response)
                else:
                    read = self._read(request, response)
                return response.evolve(
                    abandon=None,
                    attempts=history.attempts,
                    sent_at=tuple(history.times),
                    envelope=read,
                )
            except CallError as error:
                if started and not error.sent:
                    history.times.pop()
                # Without its frames: their locals hold the signature, and error reporters show locals.
                return error.with_traceback(None)
        if admission.lifecycle.cut:
            return ConnectionLostError(
                "the client was closed while this was in flight", CallFacts(sent=started)
            )
        where = "in flight" if started else "before it could be sent"
        return TransportTimeoutError(
            f"the deadline of {time_limit:g} s passed {where}",
            CallFacts(sent=started),
        )

    async def _adapt(self, request: Request, outcome: Response | CallError) -> None:
        """Let the pace follow what the server says."""
        admission, effects = self._shared.admission, self._shared.effects
        now, sent_at = effects.monotonic(), request.history.sent_at
        error = outcome.envelope.error if isinstance(outcome, Response) else outcome
        if error is None:
            admission.pacer.succeeded(now, now - sent_at)
        throttled = isinstance(error, (RateLimitError, ServiceUnavailableError))
        if throttled and error.status_code is not None:
            admission.pacer.throttled(now, sent_at, error.retry_after, effects.chance())
            await admission.share_pause(error.retry_after)

    def _send(self, request: Request) -> Awaitable[Response]:
        if not request.url.startswith(self._prefix):
            raise ConfigurationError(
                f"{request.operation}: a middleware changed the URL's host; "
                "a signed request goes to base_url only"
            )
        if not logger.isEnabledFor(logging.DEBUG):
            return self._shared.transport.send(encode(request))
        return self._send_logged(request)

    async def _send_logged(self, request: Request) -> Response:
        started = self._shared.effects.monotonic()
        status: int | None = None
        try:
            response = await self._shared.transport.send(encode(request))
            status = response.status_code
        finally:
            seconds = self._shared.effects.monotonic() - started
            logger.debug(
                "%s: %s %s -> %s in %.0f ms (attempt %d, request %s)",
                request.operation, request.method, request.template, status or "failed",
                seconds * 1000, request.attempt, request.request_id,
                extra=log_fields(request, status=status, seconds=seconds),
            )  # fmt: skip
        return response


def _complete(error: CallError, request: Request, response: Response | None) -> None:
    """Fill in what only the pipeline knows: the call, and what all its attempts came to."""
    history = request.history
    answered = error.status_code is not None or isinstance(error, MettlDecodeError)
    handled = history.handled or may_have_been_handled(error)
    error.response = response
    error.facts = evolve(
        error.facts,
        operation=request.operation,
        request_id=request.request_id,
        attempts=history.attempts,
        sent=history.sent or answered or error.sent,
        sent_at=tuple(history.times),
        may_have_been_handled=handled,
        safe_to_repeat=request.repeatable or not handled,
    )


def _log_failed_attempt(request: Request, error: CallError, what_next: str, **more: float) -> None:
    logger.info(
        "%s: attempt %d failed (%s), %s (request %s)",
        request.operation, request.attempt, type(error).__name__, what_next, request.request_id,
        extra=log_fields(request, failure=type(error).__name__, **more),
    )  # fmt: skip
