"""Error reporters keep the locals of frames: none below a raised error holds anybody's data."""

import asyncio
import contextlib
import json
import traceback
from datetime import timedelta

import httpx
import pytest

from mettl_async import (
    CallError,
    Candidate,
    ClientOptions,
    Credentials,
    FileJournal,
    MettlClient,
    MettlError,
    RetryPolicy,
)
from mettl_async.errors import ContextDataError, EventDecodeError
from mettl_async.models import Access, InvitedCandidate, NewSchedule
from mettl_async.webhooks import ContextSigner, parse_event

SENTINEL = "sentinel77"
KEYS = Credentials(public_key="PUBLICsentinel77", private_key="PRIVATEsentinel77")
EMAIL = f"{SENTINEL}@example.org"
PERSON = Candidate(
    email=EMAIL, first_name=SENTINEL, fields={"City": SENTINEL}, context_data=SENTINEL
)
CLIENT_OPTIONS = ClientOptions(
    trust_env=False,
    retry=RetryPolicy(max_attempts=2, backoff_base=0, deadline=5.0),
    bulk_retry=RetryPolicy(max_attempts=2, backoff_base=0, deadline=5.0),
    read_timeout=0.3,
)


def chain(error):
    """The error, its causes and contexts (the suppressed ones too) and the members of groups."""
    seen, ahead = [], [error]
    while ahead:
        one = ahead.pop()
        if one is None or any(one is other for other in seen):
            continue
        seen.append(one)
        ahead += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return seen


def told(error):
    """Every local of every frame, but those of this file, that shows the sentinel."""
    found = []
    for one in chain(error):
        for frame, line in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename == __file__:
                continue
            for name, value in list(frame.f_locals.items()):
                with contextlib.suppress(Exception):
                    if SENTINEL in repr(value):
                        place = f"{frame.f_code.co_filename}:{line} {frame.f_code.co_qualname}"
                        found.append(f"{type(one).__name__}: {place}: {name} = {repr(value)[:80]}")
    return found


def assert_silent(error):
    leaks = told(error)
    assert not leaks, "\n".join(leaks)


def answer(status, body):
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


ECHO = json.dumps(
    {"status": "ERROR", "error": {"code": "E400", "message": f"bad {EMAIL}"}}
).encode()
FAULTS = {
    "hangs up": b"",
    "cut": answer(200, ECHO)[:-10],
    "junk": b"junk " + EMAIL.encode() + b"\r\n\r\n",
    "bomb": b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\nsentinel77",
    "refused": answer(200, ECHO),
    "http 500": answer(500, b"<html>" + EMAIL.encode()),
    "not json": answer(200, b'{"status": "SUCCESS", ' + EMAIL.encode()),
    "no items": answer(200, b'{"status": "SUCCESS", "registrationStatus": "sentinel77"}'),
    "odd items": answer(
        200,
        json.dumps({"status": "SUCCESS", "registrationStatus": [{"email": [EMAIL], "url": 7}]}).encode(),
    ),
    "odd result": answer(
        200, json.dumps({"status": "SUCCESS", "candidate": {"email": EMAIL, "testStatus": 7}}).encode()
    ),
    "another": answer(
        200,
        json.dumps(
            {"status": "SUCCESS", "candidate": {"email": f"x{EMAIL}"}, "registrationStatus": [
                {"email": f"x{EMAIL}", "status": "ToBeTaken", "url": "https://h.example/sentinel77"}]}
        ).encode(),
    ),
}  # fmt: skip


@contextlib.asynccontextmanager
async def client_of(way, reply, **more):
    """A client of a server that answers everything in one way; None for a server that is not there."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = [
                int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")
            ]
            await reader.readexactly(sum(size))
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if reply is None:
        server.close()
        await server.wait_closed()
    async with contextlib.AsyncExitStack() as stack:
        if way == "injected":
            http_client = httpx.AsyncClient(trust_env=False, timeout=0.3)
            more["http_client"] = await stack.enter_async_context(http_client)
        else:
            more["transport"] = way
        options = more.pop("options", CLIENT_OPTIONS)
        yield await stack.enter_async_context(
            MettlClient(KEYS, base_url=url, options=options, **more)
        )
    server.close()
    await asyncio.gather(*tasks)


async def register(client):
    await client.candidates.register("key", [PERSON])


async def register_with_invalid_input(client):
    await client.candidates.register("key", [PERSON, PERSON])


async def ensure_registered(client):
    await client.candidates.ensure_registered("key", PERSON)


async def register_many(client):
    report = await client.candidates.register_many("key", [PERSON])
    for outcome in report.outcomes:
        if getattr(outcome, "error", None) is not None:
            assert_silent(outcome.error)
    report.raise_for_failures()


async def get_result(client):
    await client.results.get("key", EMAIL)


async def wait_for_result(client):
    await client.results.wait_for("key", EMAIL, timeout=0.05)


async def list_results(client):
    await client.results.list("key").collect()


async def iterate_results(client):
    async for _ in client.results.list("key"):
        pass


async def create_schedule(client):
    access = Access.by_invitation([InvitedCandidate(email=EMAIL, name=SENTINEL)])
    await client.schedules.create(1, NewSchedule(name="A", source_app="x", access=access))


ACTS = [
    register, register_with_invalid_input, ensure_registered, register_many, get_result,
    wait_for_result, list_results, iterate_results, create_schedule,
]  # fmt: skip


@pytest.mark.parametrize("way", ["httpx", "aiohttp", "injected"])
@pytest.mark.parametrize("fault", [None, *FAULTS])
async def test_no_frame_of_an_error_holds_anybodys_data(way, fault):
    leaks = []
    async with client_of(way, FAULTS.get(fault)) as client:
        for act in ACTS:
            try:
                await act(client)
            except Exception as error:  # noqa: BLE001 - whatever it is
                leaks += [f"{act.__name__}: {one}" for one in told(error)]
    assert not leaks, "\n".join(leaks)


GOOD = answer(
    200,
    json.dumps(
        {
            "status": "SUCCESS",
            "registrationStatus": [
                {"email": EMAIL, "status": "ToBeTaken", "url": "http://127.0.0.1/sentinel77"}
            ],
            "candidate": {
                "email": EMAIL,
                "testStatus": {
                    "pdfReport": f"https://127.0.0.1/{SENTINEL}.pdf",
                    "status": "Completed",
                },
            },
        }
    ).encode(),
)


class OwnError(Exception):
    """Of the caller's own."""


async def failing_middleware(request, call_next):
    del request, call_next
    raise OwnError


def failing_input():
    yield PERSON
    raise OwnError


def failing_hook(*_):
    raise OwnError


class FailingJournal:
    """A journal of the caller's own, which cannot record."""

    async def open(self, schedule):
        pass

    async def find(self, emails):
        return {}

    async def record(self, records):
        raise OwnError

    async def close(self):
        pass


@pytest.mark.parametrize("way", ["httpx", "aiohttp", "injected"])
@pytest.mark.parametrize("iterated", [False, True])
async def test_what_ends_a_run_holds_nobodys_data(way, iterated, tmp_path):
    async def run(client, candidates, **more):
        made = client.candidates.register_many("key", candidates, **more)
        if iterated:
            return [outcome async for outcome in made]
        return await made

    broken = tmp_path / "a.journal"
    broken.write_text(SENTINEL)
    ends = [
        (failing_input(), {}),
        ([PERSON, SENTINEL], {}),
        ([PERSON], {"on_progress": failing_hook}),
        ([PERSON], {"journal": FailingJournal()}),
        ([PERSON], {"journal": FileJournal(broken)}),
    ]
    async with client_of(way, GOOD) as client:
        for candidates, more in ends:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
                await run(client, candidates, **more)
            assert_silent(caught.value)
        twisted = client.with_options(middleware=[failing_middleware])
        for act in (*ACTS, lambda client: run(client, [PERSON])):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
                await act(twisted)
            assert_silent(caught.value)


@pytest.mark.parametrize("way", ["httpx", "aiohttp", "injected"])
async def test_a_report_that_cannot_be_fetched_holds_nobodys_data(way, tmp_path):
    async with client_of(way, GOOD) as client:
        result = await client.results.get("key", EMAIL)
        with pytest.raises(MettlError) as caught:
            await client.results.download_report(result, tmp_path / SENTINEL, timeout=0.2)
        assert_silent(caught.value)


@pytest.mark.parametrize("way", ["httpx", "aiohttp", "injected"])
@pytest.mark.parametrize("fault", [None, "refused", "cut"])
async def test_an_endpoint_without_a_method_keeps_nothing_either(way, fault):
    async with client_of(way, FAULTS.get(fault)) as client:
        with pytest.raises(CallError) as caught:
            await client.request("POST", "/x/{who}", {"rd": EMAIL}, path_values={"who": EMAIL})
        assert_silent(caught.value)


async def test_a_call_that_is_cancelled_leaves_nothing():
    async with client_of("httpx", b"") as client:
        task = asyncio.create_task(client.candidates.register("key", [PERSON]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert_silent(caught.value)


async def test_the_callers_own_frames_keep_their_locals_and_ours_their_lines():
    async def failing(request, call_next):
        mine = SENTINEL
        if mine:
            raise OwnError
        return await call_next(request)

    async with client_of("httpx", GOOD, middleware=[failing]) as client:
        with pytest.raises(OwnError) as caught:
            await client.candidates.register("key", [PERSON])
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert frames[-1].f_locals["mine"] == SENTINEL
    assert "pipeline.py" in "".join(traceback.format_tb(caught.value.__traceback__))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        EMAIL.encode(),
        b'{"email": "sentinel77',
        b"\xff sentinel77",
        b'["sentinel77"]',
        b'{"a": NaN, "email": "sentinel77"}',
        b"[" * 100_000 + b"sentinel77",
    ],
)
def test_a_body_that_is_no_event_stays_out_of_the_error(body):
    with pytest.raises(EventDecodeError) as caught:
        parse_event(body)
    assert_silent(caught.value)


def test_context_data_that_proves_nothing_stays_out_of_the_error():
    signer = ContextSigner([SENTINEL * 4])
    good = signer.sign(SENTINEL, access_key="key", email=EMAIL, expires_in=timedelta(1), now=0)
    wrong = [
        (None, EMAIL, 0), (SENTINEL, EMAIL, 0), (good[:-4] + "AAAA", EMAIL, 0), (good, f"x{EMAIL}", 0),
        (good, EMAIL, 10**6),
    ]  # fmt: skip
    for text, email, now in wrong:
        with pytest.raises(ContextDataError) as caught:
            signer.verify(text, access_key="key", email=email, now=now)
        assert_silent(caught.value)
