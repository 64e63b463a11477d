"""What OpenTelemetry is told, read from the in-memory exporters: enough, and nothing personal."""

import asyncio
import contextlib
import subprocess
import sys
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx
import pytest
import trio
import trio.testing
from attrs import evolve
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mettl_async import (
    Candidate,
    ClientOptions,
    ConfigurationError,
    Credentials,
    MettlClient,
    Middlewares,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    TransportTimeoutError,
)
from mettl_async.core import envelope
from mettl_async.core.request import Response
from mettl_async.otel import BUCKETS, telemetry
from mettl_async.sandbox import Faults, Sandbox

KEYS = Credentials(public_key="PUBLIC-KEY", private_key="PRIVATE-KEY")
ASHA = Candidate(email="asha+1@secret.example", first_name="Firstname")
STUBBORN = RetryPolicy(max_attempts=60, backoff_base=0.001, backoff_cap=0.02, deadline=300.0)
TEMPLATE = "/v2/schedules/{access_key}/candidates"

MAY_BE_SAID = {
    "mettl.operation", "mettl.request_id", "mettl.batch_size", "mettl.attempts", "mettl.code",
    "mettl.registration.status", "server.address", "server.port", "error.type", "url.template",
    "http.request.method", "http.request.method_original", "http.request.resend_count",
    "http.response.status_code",
}  # fmt: skip
ONLY_ON_SPANS = {"mettl.request_id", "mettl.batch_size", "mettl.attempts", "mettl.code"}


class Told:
    """Providers that keep what they are told."""

    def __init__(self):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider(metric_readers=[self.reader], shutdown_on_exit=False)

    def middleware(self, **more):
        return telemetry(tracer_provider=self.tracers, meter_provider=self.meters, **more)

    def spans(self):
        return self.exporter.get_finished_spans()

    def calls(self):
        return [one for one in self.spans() if one.name.startswith("mettl ")]

    def attempts(self):
        return [one for one in self.spans() if "http.request.method" in one.attributes]

    def points(self, name=None):
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if name in {None, metric.name}
        ]

    def sum_of(self, name):
        return sum(point.value for point in self.points(name))

    def everything(self):
        data = self.reader.get_metrics_data()
        texts = [data.to_json() if data else ""]
        for span in self.spans():
            texts += [span.to_json(), repr(span.attributes), repr(span.events)]
            texts += [str(span.status.description), str(span.links), str(span.context)]
        return "\n".join(texts)


@pytest.fixture
def told():
    kept = Told()
    yield kept
    kept.tracers.shutdown()
    kept.meters.shutdown()


class Watching(httpx.AsyncBaseTransport):
    """Keeps what goes out, and what other instrumentations would see."""

    def __init__(self, inner):
        self.inner, self.requests, self.suppressed = inner, [], []

    async def handle_async_request(self, request):
        self.requests.append(request)
        # The name that instrumentations of HTTP libraries import.
        self.suppressed.append(context.get_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY))
        return await self.inner.handle_async_request(request)


@contextlib.asynccontextmanager
async def client_of(sandbox, middleware, **options):
    options = {"retry": STUBBORN, "bulk_retry": STUBBORN} | options
    watching = Watching(sandbox.transport())
    async with (
        httpx.AsyncClient(transport=watching) as http_client,
        MettlClient(
            sandbox.credentials,
            base_url="https://api.example.org:8443",
            http_client=http_client,
            middleware=middleware,
            options=ClientOptions(**options),
        ) as mettl,
    ):
        mettl.watching = watching
        yield mettl


def answering(handler):
    return httpx.AsyncClient(transport=httpx.MockTransport(handler))


async def success(_request):
    await asyncio.sleep(0)
    return httpx.Response(200, json={"status": "SUCCESS", "schedules": [], "paging": {}})


# Spans.


async def test_a_call_is_a_span_and_its_request_one_below_it(told):
    sandbox = Sandbox()
    async with client_of(sandbox, told.middleware()) as mettl:
        await mettl.candidates.register(
            sandbox.access_key, [ASHA, Candidate(email="b@x.org", first_name="B")]
        )
    attempt, call = told.spans()
    request_id = call.attributes["mettl.request_id"]
    assert request_id
    server = {"server.address": "api.example.org", "server.port": 8443}
    assert (call.name, call.kind, call.parent) == (
        "mettl candidates.register", SpanKind.CLIENT, None,
    )  # fmt: skip
    assert dict(call.attributes) == {
        "mettl.operation": "candidates.register",
        "mettl.request_id": request_id,
        "mettl.batch_size": 2,
        "mettl.attempts": 1,
        **server,
    }
    assert (attempt.name, attempt.kind) == (f"POST {TEMPLATE}", SpanKind.CLIENT)
    assert attempt.parent.span_id == call.context.span_id
    assert dict(attempt.attributes) == {
        "mettl.operation": "candidates.register",
        "mettl.request_id": request_id,
        "http.request.method": "POST",
        "url.template": TEMPLATE,
        "http.response.status_code": 200,
        **server,
    }
    assert {one.status.status_code for one in told.spans()} == {StatusCode.UNSET}
    assert {one.instrumentation_scope.name for one in told.spans()} == {"mettl_async"}


async def test_each_retry_says_which_it_is_and_why_it_failed(told):
    sandbox = Sandbox()
    sandbox.faults.retry_after = 0
    sandbox.faults.script(["throttle:E509", "server_error:502", "reset_after", None])
    async with client_of(sandbox, told.middleware()) as mettl:
        await mettl.candidates.register(sandbox.access_key, [ASHA])
    (call,) = told.calls()
    said = [
        [one.attributes.get(name) for name in
         ("http.request.resend_count", "http.response.status_code", "error.type", "mettl.code")]
        for one in told.attempts()
    ]  # fmt: skip
    assert said == [
        [None, 200, "RateLimitError", "E509"],
        [1, 502, "ServerError", None],
        [2, None, "ConnectionLostError", None],
        [3, 200, None, None],
    ]
    error, unset = StatusCode.ERROR, StatusCode.UNSET
    assert [one.status.status_code for one in told.attempts()] == [error, error, error, unset]
    assert {one.parent.span_id for one in told.attempts()} == {call.context.span_id}
    assert call.attributes["mettl.attempts"] == 4
    assert call.status.status_code is unset
    assert "error.type" not in call.attributes
    seen = {one.attributes.get("http.response.status_code"): one.count
            for one in told.points("http.client.request.duration")}  # fmt: skip
    assert seen == {200: 1, 502: 1, None: 1}
    (point,) = told.points("mettl.client.retries")
    assert point.value == 3
    assert point.attributes["mettl.operation"] == "candidates.register"


@pytest.mark.parametrize(
    ("fault", "name", "code"),
    [("E403", "PermissionDeniedError", "E403"), ("reset_before", "ConnectionLostError", None)],
)
async def test_a_call_that_fails_has_type_and_code_and_no_words(told, fault, name, code):
    sandbox = Sandbox()
    sandbox.faults.script([fault])
    once = RetryPolicy(max_attempts=1)
    async with client_of(sandbox, told.middleware(), retry=once) as mettl:
        with pytest.raises(Exception, match="register") as caught:
            await mettl.candidates.register(sandbox.access_key, [ASHA])
    assert type(caught.value).__name__ == name
    for span in told.spans():
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None
        assert span.events == ()
        assert span.attributes["error.type"] == name
        assert span.attributes.get("mettl.code") == code
    (call,) = told.calls()
    assert call.attributes["mettl.request_id"] == caught.value.request_id
    (point,) = told.points("http.client.request.duration")
    assert point.attributes["error.type"] == name


async def test_each_span_counts_its_own_attempts_when_a_middleware_calls_again(told):
    async def twice(request, call_next):
        await call_next(request)
        return await call_next(request)

    ours = told.middleware()
    both = Middlewares(per_call=[twice, *ours.per_call], per_attempt=ours.per_attempt)
    async with client_of(Sandbox(), both) as mettl:
        await mettl.account.get()
    assert [one.attributes["mettl.attempts"] for one in told.calls()] == [1, 1]


async def test_the_spans_of_a_user_are_above_and_below(told):
    tracer = told.tracers.get_tracer("user")

    async def theirs(request, call_next):
        with tracer.start_as_current_span("theirs"):
            return await call_next(request)

    ours, sandbox = told.middleware(), Sandbox()
    both = Middlewares(per_call=[theirs, *ours.per_call], per_attempt=[*ours.per_attempt, theirs])
    async with client_of(sandbox, both) as mettl:
        with tracer.start_as_current_span("handler"):
            await mettl.candidates.register(sandbox.access_key, [ASHA])
    names = {one.context.span_id: one.name for one in told.spans()}
    assert [(one.name, one.parent and names[one.parent.span_id]) for one in told.spans()] == [
        ("theirs", f"POST {TEMPLATE}"),
        (f"POST {TEMPLATE}", "mettl candidates.register"),
        ("mettl candidates.register", "theirs"),
        ("theirs", "handler"),
        ("handler", None),
    ]
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_cancelling_ends_the_spans(told):
    asked, forever = asyncio.Event(), asyncio.Event()

    async def silent(_request):
        asked.set()
        await forever.wait()

    async with (
        answering(silent) as http_client,
        MettlClient(KEYS, http_client=http_client, middleware=told.middleware()) as mettl,
    ):
        task = asyncio.create_task(mettl.account.get())
        await asked.wait()
        assert told.sum_of("mettl.client.active_calls") == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(told.spans()) == 2
    for span in told.spans():
        assert span.end_time is not None
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "cancelled"
    assert told.sum_of("mettl.client.active_calls") == 0


async def test_the_deadline_cancels_the_request_and_times_the_call_out(told):
    async def silent(_request):
        await asyncio.Event().wait()

    brief = ClientOptions(retry=RetryPolicy(deadline=0.05))
    async with (
        answering(silent) as http_client,
        MettlClient(
            KEYS, http_client=http_client, middleware=told.middleware(), options=brief
        ) as mettl,
    ):
        with pytest.raises(TransportTimeoutError):
            await mettl.account.get()
    attempt, call = told.spans()
    assert attempt.attributes["error.type"] == "cancelled"
    assert call.attributes["error.type"] == "TransportTimeoutError"


@pytest.mark.parametrize("cancelled", [False, True])
def test_on_trio_every_call_keeps_its_own_parent(told, cancelled):
    tracer = told.tracers.get_tracer("user")

    async def answer(_request):
        await trio.sleep(1 if cancelled else 0)
        return httpx.Response(200, json={"status": "SUCCESS", "account": {}})

    async def one(mettl, number):
        with tracer.start_as_current_span(f"user {number}"):
            await mettl.request("GET", "/account")

    async def several():
        async with (
            answering(answer) as http_client,
            MettlClient(KEYS, http_client=http_client, middleware=told.middleware()) as mettl,
            trio.open_nursery() as nursery,
        ):
            for number in range(5):
                nursery.start_soon(one, mettl, number)
            if cancelled:
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()

    trio.run(several)
    users = {span.context.span_id for span in told.spans() if span.name.startswith("user")}
    assert {span.parent.span_id for span in told.calls()} == users
    assert len(told.calls()) == len(told.attempts()) == len(users) == 5
    types = {one.attributes.get("error.type") for one in (*told.calls(), *told.attempts())}
    assert types == ({"cancelled"} if cancelled else {None})
    assert told.sum_of("mettl.client.active_calls") == 0


# A whole run.


def people(count):
    return [
        Candidate(
            email=f"candidate.{number}+x@secret.example",
            first_name=f"Firstname{number}",
            fields={"Last Name": f"Lastname{number}"},
            context_data=f"context-{number}",
        )
        for number in range(count)
    ]


async def test_a_run_of_five_thousand_has_a_span_for_each_call_below_that_of_the_user(told):
    sandbox = Sandbox()
    async with client_of(sandbox, told.middleware()) as mettl:
        with told.tracers.get_tracer("user").start_as_current_span("import") as user:
            report = await mettl.candidates.register_many(sandbox.access_key, people(5000))
    report.raise_for_failures()
    assert len(told.calls()) == len(told.attempts()) == 250
    assert len(told.spans()) == 501
    assert {one.parent.span_id for one in told.calls()} == {user.get_span_context().span_id}
    assert {one.attributes["mettl.batch_size"] for one in told.calls()} == {20}
    (point,) = told.points("mettl.registrations")
    assert point.value == 5000
    assert point.attributes["mettl.registration.status"] == "ToBeTaken"
    (point,) = told.points("http.client.request.duration")
    assert point.count == 250
    assert point.explicit_bounds == BUCKETS
    assert told.points("mettl.client.retries") == []


@pytest.mark.slow
async def test_nothing_personal_is_exported_in_a_faulty_run(told):
    faults = Faults.each(0.04)
    faults.retry_after, faults.clock_skew = 0, 25 * 3600
    sandbox = Sandbox(faults=faults, seed=7)
    candidates = people(5000)
    candidates[33] = Candidate(
        email="photo@secret.example",
        first_name="Firstname",
        fields={"Candidate Image(Verification)": "no-url"},
    )

    async def broken(request, call_next):
        if request.operation == "account.get":
            raise ValueError(f"Firstname {request.url}")
        return await call_next(request)

    ours = told.middleware()
    middleware = Middlewares(per_call=ours.per_call, per_attempt=[*ours.per_attempt, broken])
    # Without its pace, which throttling would slow down: it is not what is tested.
    async with client_of(sandbox, middleware, adaptive=False) as mettl:
        report = await mettl.candidates.register_many(sandbox.access_key, candidates)
        for _ in range(3):
            with pytest.raises(NotFoundError):
                await mettl.results.get(sandbox.access_key, "nobody@secret.example")
        with pytest.raises(ValueError, match="Firstname"):
            await mettl.account.get()
        requests = mettl.watching.requests

    # Faults of each kind were met, and every request has its span, and no more.
    assert {"RateLimitError", "ServerError", "ConnectionLostError", "MettlDecodeError", "TimestampError",
            "BadRequestError", "NotFoundError", "ValueError",
            } <= {one.attributes.get("error.type") for one in told.attempts()}  # fmt: skip
    assert len(told.attempts()) == len(requests) + 1  # that of account.get never went out
    assert len({one.attributes["mettl.request_id"] for one in told.calls()}) == len(told.calls())
    in_calls = sum(one.attributes["mettl.attempts"] for one in told.calls())
    assert in_calls == len(told.attempts())
    retries = told.sum_of("mettl.client.retries")
    assert retries == len(told.attempts()) - len(told.calls()) > 20
    assert sum(point.count for point in told.points("http.client.request.duration")) == in_calls
    assert told.sum_of("mettl.client.active_calls") == 0
    links = [one.url for one in report.registered]
    assert len(links) == 4999
    words = Counter(
        {point.attributes["mettl.registration.status"]: point.value
         for point in told.points("mettl.registrations")}
    )  # fmt: skip
    assert words == {"ToBeTaken": 4999}

    # Nothing but what the allow-list has.
    for span in told.spans():
        assert set(span.attributes) <= MAY_BE_SAID
        assert span.events == ()
        assert span.status.description is None
    for point in told.points():
        assert set(point.attributes) <= MAY_BE_SAID - ONLY_ON_SPANS
    said = told.everything()
    assert TEMPLATE in said
    signatures = {
        one
        for request in requests
        for one in parse_qs(urlsplit(str(request.url)).query + "&" + request.content.decode())[
            "asgn"
        ]
    }
    assert len(signatures) > 250
    keys = {sandbox.credentials.private_key, sandbox.credentials.public_key, sandbox.access_key}
    for secret in keys | signatures | set(links):
        assert secret not in said
    for personal in ("secret.example", "%40", "Firstname", "Lastname", "context-", "take-test"):
        assert personal not in said


# What is sent, and what others see.


@pytest.mark.parametrize("propagate", [False, True])
async def test_nothing_of_the_trace_is_sent_unless_asked_for(told, propagate):
    sandbox = Sandbox()
    token = context.attach(baggage.set_baggage("user", "asha"))
    try:
        middleware = told.middleware(propagate=propagate)
        async with client_of(sandbox, middleware) as mettl:
            await mettl.candidates.register(sandbox.access_key, [ASHA])
            (sent,) = mettl.watching.requests
    finally:
        context.detach(token)
    assert not {"tracestate", "baggage"} & set(sent.headers)
    (attempt,) = told.attempts()
    ids = f"00-{attempt.context.trace_id:032x}-{attempt.context.span_id:016x}-"
    assert sent.headers.get("traceparent", "").startswith(ids) is propagate
    assert ("traceparent" in sent.headers) is propagate


async def test_other_instrumentations_of_the_http_library_are_silent_meanwhile(told):
    sandbox = Sandbox()
    async with client_of(sandbox, told.middleware()) as mettl:
        await mettl.candidates.register(sandbox.access_key, [ASHA])
        assert mettl.watching.suppressed == [True]
    assert context.get_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY) is None


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_own_connections_do_not_pass_where_those_instrumentations_sit(
    told, server, monkeypatch, transport
):
    for owner, name in (
        (httpx.AsyncClient, "send"),
        (httpx.AsyncHTTPTransport, "handle_async_request"),
        (aiohttp.ClientSession, "__init__"),
        (aiohttp.ClientSession, "_request"),
    ):
        monkeypatch.setattr(owner, name, None)
    async with MettlClient(
        server.credentials,
        base_url=server.base_url,
        transport=transport,
        middleware=told.middleware(),
    ) as mettl:
        await mettl.candidates.register(server.access_key, [ASHA])
    assert len(told.spans()) == 2
    port = urlsplit(server.base_url).port
    assert {one.attributes["server.port"] for one in told.spans()} == {port}


async def test_a_success_is_read_once_with_it_too(told, monkeypatch):
    read, loads = [], envelope.loads
    monkeypatch.setattr(envelope, "loads", lambda content: read.append(content) or loads(content))
    sandbox = Sandbox()
    async with client_of(sandbox, told.middleware()) as mettl:
        await mettl.candidates.register(sandbox.access_key, [ASHA])
    assert len(read) == 1


REFUSAL = b'{"status":"ERROR","error":{"code":"E403","message":"Firstname"}}'


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: Response(status_code=200, headers={}, content=REFUSAL),
        lambda response: evolve(response, content=REFUSAL),
    ],
    ids=["its own answer", "a changed one"],
)
async def test_what_another_middleware_answers_is_told_as_the_client_reads_it(told, spoil):
    async def spoilt(request, call_next):
        return spoil(await call_next(request))

    ours, sandbox = told.middleware(), Sandbox()
    both = Middlewares(per_call=[*ours.per_call, spoilt], per_attempt=ours.per_attempt)
    async with client_of(sandbox, both) as mettl:
        with pytest.raises(PermissionDeniedError):
            await mettl.candidates.register(sandbox.access_key, [ASHA])
    (call,), (attempt,) = told.calls(), told.attempts()
    assert call.attributes["error.type"] == "PermissionDeniedError"
    assert call.attributes["mettl.code"] == "E403"
    assert "error.type" not in attempt.attributes
    assert told.points("mettl.registrations") == []


@pytest.mark.parametrize(
    "url", ["nonsense", "https://host:99999/v2", "https:///v2", "https://[x/v2"]
)
async def test_a_request_that_another_middleware_has_broken_fails_as_without_it(told, url):
    async def breaking(request, call_next):
        return await call_next(request.evolve(url=url, params={"rd": "{"}))

    ours, sandbox = told.middleware(), Sandbox()
    both = Middlewares(per_call=[breaking, *ours.per_call], per_attempt=ours.per_attempt)
    async with client_of(sandbox, both) as mettl:
        with pytest.raises(ConfigurationError, match="changed the URL's host"):
            await mettl.candidates.register(sandbox.access_key, [ASHA])
    for span in told.spans():
        assert span.attributes["error.type"] == "ConfigurationError"
        assert not {"server.address", "mettl.batch_size"} & set(span.attributes)
    assert len(told.spans()) == 2


async def test_words_that_nobody_knows_are_one_label(told):
    async def strange(request):
        items = [{"email": f"{n}@x.org", "status": f"word {n}"} for n in range(3)]
        return httpx.Response(200, json={"status": "SUCCESS", "registrationStatus": [*items, 7]})

    async with (
        answering(strange) as http_client,
        MettlClient(KEYS, http_client=http_client, middleware=told.middleware()) as mettl,
    ):
        asked = [Candidate(email=f"{n}@x.org", first_name="A") for n in range(3)]
        await mettl.candidates.register("abc", asked)
    (point,) = told.points("mettl.registrations")
    assert (point.value, point.attributes["mettl.registration.status"]) == (4, "_OTHER")


async def test_a_method_that_the_conventions_do_not_know_is_other(told):
    async with (
        answering(success) as http_client,
        MettlClient(KEYS, http_client=http_client, middleware=told.middleware()) as mettl,
    ):
        await mettl.request("PURGE", "/caches/{name}", path_values={"name": "asha@x.org"})
    (attempt,) = told.attempts()
    assert attempt.name == "HTTP /v2/caches/{name}"
    assert attempt.attributes["http.request.method"] == "_OTHER"
    assert attempt.attributes["http.request.method_original"] == "PURGE"
    assert (attempt.attributes["server.port"], told.calls()[0].attributes["server.port"]) == (
        443, 443,
    )  # fmt: skip
    assert "asha" not in told.everything()


async def test_it_serves_with_no_sdk_at_all():
    sandbox = Sandbox()
    async with client_of(sandbox, telemetry(propagate=True)) as mettl:
        (one,) = await mettl.candidates.register(sandbox.access_key, [ASHA])
        assert sandbox.owner_of(one.url) == ASHA.email
        assert "traceparent" not in mettl.watching.requests[0].headers


# The extra.


def run(program):
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_without_the_extra_the_import_says_which():
    done = run("import sys; sys.modules['opentelemetry'] = None; import mettl_async.otel")
    assert 'ImportError: telemetry needs opentelemetry-api: pip install "mettl-async[otel]"' in (
        done.stderr
    )


def test_who_does_not_use_it_does_not_load_it():
    done = run("import sys, mettl_async; print('opentelemetry' in sys.modules)")
    assert done.stdout.strip() == "False"


def test_it_needs_no_sdk():
    done = run(
        "import sys, mettl_async.otel; mettl_async.otel.telemetry();"
        "print('opentelemetry.sdk' in sys.modules)"
    )
    assert done.stdout.strip() == "False"
