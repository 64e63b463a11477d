"""Spans and metrics for OpenTelemetry, as middleware (extra ``otel``).

::

    from mettl_async.otel import telemetry

    mettl = MettlClient(middleware=telemetry())

A call is a span ``mettl candidates.register``, and each of its requests a span below it, such as
``POST /v2/schedules/{access_key}/candidates``, by the stable semantic conventions for HTTP clients but
for ``url.full``, which is never there: URLs are signed, and hold emails. Everything that is exported
stands in this module, by allow-list; of an error it is the type and Mettl's code, never words or frames.

=================================  ===========================================================
metric
=================================  ===========================================================
``http.client.request.duration``   histogram, seconds of one request, waiting for a slot left out
``mettl.client.active_calls``      up and down, calls under way with their retries and pauses
``mettl.client.retries``           counter, requests that were not the first of their call
``mettl.registrations``            counter, candidates by the server's word on them
=================================  ===========================================================
"""

import time
from collections import Counter
from contextlib import contextmanager
from http import HTTPMethod
from typing import Final
from urllib.parse import urlsplit

from mettl_async._version import __version__
from mettl_async.codec import loads
from mettl_async.core import envelope
from mettl_async.core.middleware import Middlewares, Next
from mettl_async.errors import CallError
from mettl_async.models import RegistrationStatus

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise ImportError(
        'telemetry needs opentelemetry-api: pip install "mettl-async[otel]"'
    ) from error

from collections.abc import Callable, Iterator, Mapping

from mettl_async.core.request import Request, Response

SCOPE: Final = "mettl_async"
"""Name of the tracer and the meter."""

BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
"""Seconds: what the conventions advise for durations of requests."""

_METHODS: Final = frozenset(HTTPMethod)
_OTHER: Final = "_OTHER"
_CANCELLED: Final = frozenset({"CancelledError", "Cancelled"})  # asyncio's and trio's
_REGISTER: Final = "candidates.register"

# What the instrumentations of HTTP libraries look at. The name is not public; without it they run.
_SUPPRESS_HTTP: Final[str] = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "")


def telemetry(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    propagate: bool = False,
) -> Middlewares:
    """Make middleware that records each call and each request with OpenTelemetry.

    Pass it as ``MettlClient(middleware=telemetry())``, or beside yours:
    ``Middlewares(per_call=[*mine, *ours.per_call], per_attempt=[*theirs, *ours.per_attempt])``; what stands
    before it is not measured. One may serve many clients. No email, name, field, link, key, access key,
    signature or text of the server is exported, and no exception's message or traceback.

    While a request is under way, other instrumentations of HTTP libraries are suppressed: those
    of httpx or aiohttp would export the signed URL of a client that you brought. That includes what a
    provider of credentials asks for over HTTP.

    Example::

        async with MettlClient(middleware=telemetry()) as client:
            await client.account.get()

    Args:
        tracer_provider: The global one by default, also when it is set later.
        meter_provider: Likewise.
        propagate: Whether requests carry ``traceparent`` (and ``tracestate``, never baggage). Mettl has no
            use for it [assumed]; your gateway may have.
    """
    spans = _Telemetry(
        trace.get_tracer(SCOPE, __version__, tracer_provider),
        metrics.get_meter(SCOPE, __version__, meter_provider),
        propagate=propagate,
    )
    return Middlewares(per_call=(spans.call,), per_attempt=(spans.attempt,))


class _Telemetry:
    def __init__(
        self,
        tracer: trace.Tracer,
        meter: metrics.Meter,
        *,
        propagate: bool,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._tracer, self._now = tracer, now
        self._propagator = TraceContextTextMapPropagator() if propagate else None
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._active = meter.create_up_down_counter(
            "mettl.client.active_calls",
            unit="{call}",
            description="Calls under way, with their retries and pauses.",
        )
        self._retries = meter.create_counter(
            "mettl.client.retries",
            unit="{request}",
            description="Requests that were not the first of their call.",
        )
        self._registrations = meter.create_counter(
            "mettl.registrations",
            unit="{candidate}",
            description="Candidates in answers to registrations, by the server's word on each.",
        )

    async def call(self, request: Request, call_next: Next) -> Response:
        labels = {"mettl.operation": request.operation, **_server(request.url)}
        span = self._tracer.start_span(
            f"mettl {request.operation}",
            kind=trace.SpanKind.CLIENT,
            attributes={**labels, "mettl.request_id": request.request_id},
        )
        if span.is_recording():
            span.set_attributes(_batch_size(request))
        before = request.history.attempts
        self._active.add(1, labels)
        try:
            with _inside(span):
                response, error = _read(request, await call_next(request))
                _mark(span, error)
                if error is None and request.operation == _REGISTER:
                    self._count(response, labels)
                return response
        except BaseException as exc:
            _mark(span, exc)
            raise
        finally:
            self._active.add(-1, labels)
            span.set_attribute("mettl.attempts", request.history.attempts - before)
            span.end()

    async def attempt(self, request: Request, call_next: Next) -> Response:
        server = _server(request.url)
        method = request.method if request.method in _METHODS else _OTHER
        labels: dict[str, str | int] = {
            "http.request.method": method,
            "url.template": request.template,
            **server,
        }
        own = {"mettl.operation": request.operation, "mettl.request_id": request.request_id}
        span = self._tracer.start_span(
            f"{'HTTP' if method == _OTHER else method} {request.template}",
            kind=trace.SpanKind.CLIENT,
            attributes={**labels, **own},
        )
        if method == _OTHER:
            span.set_attribute("http.request.method_original", request.method)
        if (resent := request.history.attempts - 1) > 0:
            span.set_attribute("http.request.resend_count", resent)
            self._retries.add(1, {"mettl.operation": request.operation, **server})
        began = self._now()
        with _inside(span, alone=True):
            try:
                response, error = _read(request, await call_next(self._with_trace(request)))
            except BaseException as exc:
                labels.update(_mark(span, exc))
                raise
            else:
                labels["http.response.status_code"] = response.status_code
                span.set_attribute("http.response.status_code", response.status_code)
                labels.update(_mark(span, error))
                return response
            finally:
                # Inside of the span's context, so that an exemplar can point to it.
                self._duration.record(self._now() - began, labels)
                span.end()

    def _with_trace(self, request: Request) -> Request:
        if self._propagator is None:
            return request
        headers = dict(request.headers)
        self._propagator.inject(headers)
        return request.evolve(headers=headers)

    def _count(self, response: Response, labels: Mapping[str, str | int]) -> None:
        items = response.envelope.payload.get("registrationStatus")
        for word, count in Counter(map(_word, items if isinstance(items, list) else ())).items():
            self._registrations.add(count, {**labels, "mettl.registration.status": word})


def _word(item: object) -> str:
    """Read a candidate's status for metrics; unknown words count as one, or there could be thousands."""
    text = item.get("status") if isinstance(item, dict) else None
    status = RegistrationStatus(text if isinstance(text, str) else "")
    return status.value if status.is_known else _OTHER


@contextmanager
def _inside(span: trace.Span, *, alone: bool = False) -> Iterator[None]:
    """Make it the current span; not with `trace.use_span`, which records exceptions by default."""
    current = trace.set_span_in_context(span)
    if alone:
        current = context.set_value(_SUPPRESS_HTTP, value=True, context=current)
    token = context.attach(current)
    try:
        yield
    finally:
        context.detach(token)


def _read(request: Request, response: Response) -> tuple[Response, CallError | None]:
    """Return the error that an answer is, if any; a success keeps its decoded payload, to be read once."""
    if response.envelope is not None:
        return response, response.envelope.error
    # An error is left for the pipeline to read, with its clock: only type and code are used here.
    read = envelope.read(request, response, 0.0)
    return (response.evolve(envelope=read) if read.error is None else response), read.error


def _mark(span: trace.Span, error: BaseException | None) -> dict[str, str]:
    """Mark a span as failed; returns the label of a metric."""
    if error is None:
        return {}
    name = type(error).__name__
    kind = {"error.type": "cancelled" if name in _CANCELLED else name}
    span.set_attributes(kind)
    if isinstance(error, CallError) and error.code is not None:
        span.set_attribute("mettl.code", error.code)
    # Without a description, which would have to be the error's words.
    span.set_status(trace.StatusCode.ERROR)
    return kind


def _server(url: str) -> dict[str, str | int]:
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(f"{scheme}://{rest.partition('/')[0]}")
        port = parts.port or (443 if scheme == "https" else 80)
    except ValueError:
        return {}
    return {"server.address": parts.hostname, "server.port": port} if parts.hostname else {}


def _batch_size(request: Request) -> dict[str, int]:
    if request.operation != _REGISTER:
        return {}
    try:
        people = loads(request.params["rd"].encode())["registrationDetails"]
        return {"mettl.batch_size": len(people)}
    except (KeyError, TypeError, ValueError):
        return {}  # a middleware has changed it
