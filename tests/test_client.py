"""The client against a sandbox on a real socket, on its own connections and on injected ones."""

import asyncio
import contextlib
import gc
import inspect
import itertools
import logging
import socket
import ssl
from unittest.mock import create_autospec

import anyio
import attrs
import httpx
import pytest

from mettl_async import (
    ApiError,
    AuthenticationError,
    Candidate,
    ClientClosedError,
    ClientOptions,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Credentials,
    InvalidInputError,
    MettlClient,
    MettlDecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    Registered,
    RegistrationOptions,
    RetryPolicy,
    ServerError,
    TransportTimeoutError,
)
from mettl_async.models import Access, AccessEdit, InvitedCandidate, NewSchedule, ScheduleEdit
from mettl_async.sandbox import Sandbox

ONE = [
    Candidate(
        email="asha+1@x.org", first_name='Asha & Co 50% "q" #1 😀', fields={"Last Name": "राव"}
    )
]
ASSESSMENT = next(iter(Sandbox().assessments))
PBTS = [1336, 1255]
KEYS = Credentials(public_key="p", private_key="s")
ONCE = ClientOptions(retry=RetryPolicy(max_attempts=1))


@contextlib.asynccontextmanager
async def raw_server(handler):
    """A bare socket server; its base URL. Handlers are awaited before the test ends."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        await asyncio.gather(*tasks)


def client_of(server, **more):
    return MettlClient(server.credentials, base_url=server.base_url, **more)


async def test_register_gives_links(mettl, server):
    (one,) = await mettl.candidates.register(
        server.access_key, ONE, options=RegistrationOptions(time_limit_in_sec=60)
    )
    assert server.sandbox.owner_of(one.url) == "asha+1@x.org"
    assert (one.email, one.status) == ("asha+1@x.org", "ToBeTaken")
    assert server.sandbox.stats.bad_signatures == 0


async def test_registrations_come_in_the_order_of_the_candidates(mettl, server):
    people = [Candidate(email=f"{n}@x.org", first_name="A") for n in (3, 1, 2)]
    items = await mettl.candidates.register(server.access_key, people)
    assert [item.email for item in items] == ["3@x.org", "1@x.org", "2@x.org"]


async def test_a_finished_candidate_has_no_link(mettl, server):
    await mettl.candidates.register(server.access_key, ONE)
    server.sandbox.candidates[server.access_key, ONE[0].email].finish()
    (one,) = await mettl.candidates.register(server.access_key, ONE)
    assert (one.status, one.url) == ("Completed", None)


@pytest.mark.parametrize("placement", ["form", "query", "documented"])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_every_placement_and_version_is_accepted(server, placement, version):
    options = ClientOptions(post_parameters=placement)
    async with client_of(server, options=options, version=version) as mettl:
        created = await mettl.schedules.create(
            ASSESSMENT,
            NewSchedule(
                name=f"n {placement} {version}", source_app="t", access=Access.open_for_all()
            ),
        )
        (one,) = await mettl.candidates.register(created.access_key, ONE)
        assert one.url
        await mettl.schedules.edit(
            created.access_key, ScheduleEdit(name=f"m {placement} {version}")
        )


async def test_form_mode_keeps_personal_data_out_of_the_url(server):
    targets = []

    async def watch(request, call_next):
        return await call_next(request)

    async with client_of(
        server, options=ClientOptions(post_parameters="form"), middleware=[watch]
    ) as mettl:
        transport = mettl._shared.transport
        send = transport.send

        async def spy(request):
            targets.append(request.target)
            return await send(request)

        transport.send = spy
        await mettl.candidates.register(server.access_key, ONE)
    assert targets == [f"/v2/schedules/{server.access_key}/candidates".encode()]


async def test_the_wrong_keys_are_told_apart(server):
    wrong = Credentials(public_key=server.credentials.public_key, private_key="nope")
    async with MettlClient(wrong, base_url=server.base_url) as mettl:
        with pytest.raises(AuthenticationError, match="mettl sign"):
            await mettl.candidates.register(server.access_key, ONE)
    stranger = Credentials(public_key="stranger", private_key="nope")
    async with MettlClient(stranger, base_url=server.base_url) as mettl:
        with pytest.raises(PermissionDeniedError):
            await mettl.candidates.register(server.access_key, ONE)
    async with client_of(server) as mettl:
        with pytest.raises(NotFoundError):
            await mettl.candidates.register("nosuchkey", ONE)


@pytest.mark.parametrize("hours", [-25, 25])
async def test_a_wrong_clock_is_corrected_from_the_servers_date(server, hours):
    server.sandbox.faults.clock_skew = hours * 3600
    async with client_of(server) as mettl:
        for _ in range(3):
            await mettl.candidates.register(server.access_key, ONE)
    assert server.sandbox.stats.outcomes["E504"] == 1


FAULTS = {
    "reset_before": ConnectionLostError,
    "reset_after": ConnectionLostError,
    "throttle": RateLimitError,
    "server_error": ServerError,
    "html": MettlDecodeError,
    "empty": MettlDecodeError,
}


@pytest.mark.parametrize(("fault", "kind"), FAULTS.items())
async def test_each_fault_is_a_typed_error_that_knows_it_was_sent(server, fault, kind):
    async with client_of(server, options=ONCE) as mettl:
        server.sandbox.faults.script([fault])
        with pytest.raises(kind) as caught:
            await mettl.candidates.register(server.access_key, ONE)
    assert caught.value.sent
    assert caught.value.attempts == 1
    assert caught.value.safe_to_repeat  # registering again is harmless


async def test_a_cut_answer_is_lost_whichever_way_it_was_cut(server):
    async with client_of(server, options=ONCE) as mettl:
        for _ in range(4):
            server.sandbox.faults.script(["truncate"])
            with pytest.raises((MettlDecodeError, ConnectionLostError)) as caught:
                await mettl.candidates.register(server.access_key, ONE)
            assert caught.value.may_have_been_handled


@pytest.mark.parametrize("fault", [*FAULTS, "truncate"])
async def test_registering_is_tried_again_after_each_fault(mettl, server, fault):
    server.sandbox.faults.script([fault, None, fault, None])
    server.sandbox.faults.retry_after = 0
    for _ in range(2):
        (one,) = await mettl.candidates.register(server.access_key, ONE)
        assert one.url
    assert server.sandbox.stats.bad_signatures == 0


@pytest.mark.parametrize(
    "fault", ["reset_before", "reset_after", "server_error", "html", "truncate"]
)
async def test_a_create_whose_answer_was_lost_is_not_sent_again(mettl, server, fault):
    before = server.sandbox.stats.requests
    server.sandbox.faults.script([fault])
    with pytest.raises((ConnectionLostError, ServerError, MettlDecodeError)) as caught:
        await mettl.schedules.create(
            ASSESSMENT, NewSchedule(name="only once", source_app="t", access=Access.open_for_all())
        )
    assert not caught.value.safe_to_repeat
    assert server.sandbox.stats.requests == before + 1


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_refused_connection_was_not_sent_and_even_a_create_is_tried_again():
    url = f"http://127.0.0.1:{closed_port()}"
    retry = RetryPolicy(backoff_base=0.001)
    async with MettlClient(KEYS, base_url=url, options=ClientOptions(retry=retry)) as mettl:
        with pytest.raises(ConnectError) as caught:
            await mettl.schedules.create(
                1, NewSchedule(name="n", source_app="t", access=Access.open_for_all())
            )
    assert not caught.value.sent
    assert caught.value.safe_to_repeat
    assert caught.value.attempts == 3


async def test_a_refused_connection_of_an_injected_client_counts_as_maybe_sent():
    url = f"http://127.0.0.1:{closed_port()}"
    async with httpx.AsyncClient(trust_env=False) as http_client:
        async with MettlClient(KEYS, base_url=url, http_client=http_client, options=ONCE) as mettl:
            with pytest.raises(ConnectError) as caught:
                await mettl.candidates.register("abc", ONE)
    assert caught.value.sent


async def test_a_silent_server_is_a_timeout():
    async def silence(reader, writer):
        await reader.read()

    options = ClientOptions(read_timeout=0.05, retry=RetryPolicy(max_attempts=1))
    async with (
        raw_server(silence) as url,
        MettlClient(KEYS, base_url=url, options=options) as mettl,
    ):
        with pytest.raises(TransportTimeoutError, match=r"read timed out after 0\.\d+ s") as caught:
            await mettl.candidates.register("abc", ONE)
    assert caught.value.sent


async def test_a_dripping_server_is_bounded_by_the_deadline():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not reader.at_eof() and reader.exception() is None:
            writer.write(b" ")
            await asyncio.sleep(0.005)

    options = ClientOptions(retry=RetryPolicy(max_attempts=1, deadline=0.1))
    async with raw_server(drip) as url, MettlClient(KEYS, base_url=url, options=options) as mettl:
        with pytest.raises(TransportTimeoutError, match="deadline") as caught:
            await mettl.candidates.register("abc", ONE)
        assert caught.value.sent
        assert mettl._shared.transport._free == []


@pytest.mark.parametrize("injected", [False, True])
async def test_redirects_are_never_followed(injected):
    async def redirect(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()

    async with (
        raw_server(redirect) as url,
        httpx.AsyncClient(follow_redirects=True, trust_env=False) as http_client,
        MettlClient(KEYS, base_url=url, http_client=http_client if injected else None) as mettl,
    ):
        with pytest.raises(ApiError, match="never followed") as caught:
            await mettl.candidates.register("abc", ONE)
    assert caught.value.attempts == 1


async def test_the_whole_life_of_a_private_schedule(mettl, server):
    invited = [
        InvitedCandidate(email="a@x.org", name="A"),
        InvitedCandidate(email="b@x.org", name="B"),
    ]
    created = await mettl.schedules.create(
        ASSESSMENT,
        NewSchedule(name="Private", source_app="t", access=Access.by_invitation(invited)),
    )
    people = [Candidate(email=f"{name}@x.org", first_name=name) for name in "abc"]
    items = await mettl.candidates.register(created.access_key, people)
    assert [bool(item.url) for item in items] == [True, True, False]
    assert items[2].status == "InValid"
    edit = ScheduleEdit(
        access=AccessEdit.by_invitation(
            add=[InvitedCandidate(email="c@x.org", name="C")], remove=["a@x.org"]
        )
    )
    schedule = await mettl.schedules.edit(created.access_key, edit)
    assert schedule.name == "Private"
    items = await mettl.candidates.register(created.access_key, people)
    assert [bool(item.url) for item in items] == [False, True, True]
    with pytest.raises(Exception, match="unique title") as caught:
        await mettl.schedules.create(
            ASSESSMENT,
            NewSchedule(name="Private", source_app="t", access=Access.by_invitation(invited)),
        )
    assert caught.value.code == "E000"


async def test_an_edit_of_people_is_not_repeated_but_one_of_settings_is(server):
    async with client_of(server) as mettl:
        created = await mettl.schedules.create(
            ASSESSMENT,
            NewSchedule(
                name="P", source_app="t",
                access=Access.by_invitation([InvitedCandidate(email="a@x.org", name="A")]),
            ),
        )  # fmt: skip
        server.sandbox.faults.script(["reset_after"])
        await mettl.schedules.edit(created.access_key, ScheduleEdit(name="Q"))
        server.sandbox.faults.script(["reset_after"])
        add = AccessEdit.by_invitation(add=[InvitedCandidate(email="b@x.org", name="B")])
        with pytest.raises(ConnectionLostError) as caught:
            await mettl.schedules.edit(created.access_key, ScheduleEdit(access=add))
        assert not caught.value.safe_to_repeat


async def test_adding_pbts_answers_partially(mettl, server):
    ids = PBTS[:2]
    first = await mettl.pbts.add(ids[:1])
    assert [(one.pbt_id, one.added) for one in first] == [(ids[0], True)]
    both = await mettl.pbts.add(ids)
    assert [(one.pbt_id, one.added) for one in both] == [(ids[0], False), (ids[1], True)]
    assert both[0].assessment_id is None


@pytest.mark.parametrize("wrong", [[], [1, 1], [0], ["1"], [True], "12", 7])
async def test_pbt_ids_are_checked_first(server, wrong):
    async with client_of(server) as mettl:
        with pytest.raises(InvalidInputError, match="pbt_ids"):
            await mettl.pbts.add(wrong)
    assert server.sandbox.stats.requests == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bad key!", ONE), "access_key"),
        (("", ONE), "access_key"),
        ((7, ONE), "access_key"),
        (("../../x", ONE), "access_key"),
        (("abc", []), "has no items"),
        (
            ("abc", [Candidate(email=f"{n}@x.org", first_name="A") for n in range(21)]),
            "has more than 20 items",
        ),
        (
            ("abc", [*ONE, Candidate(email="ASHA+1@X.org", first_name="A")]),
            "repeats the email of item 0",
        ),
        (("abc", ["a@x.org"]), "is a str"),
        (("abc", "a@x.org"), "is a str"),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(server, arguments, words):
    async with client_of(server) as mettl:
        with pytest.raises(InvalidInputError, match=words):
            await mettl.candidates.register(*arguments)
        for seconds in (0, -1, 1.5, True, "60", 10**5000):
            with pytest.raises(InvalidInputError, match="time_limit_in_sec"):
                RegistrationOptions(time_limit_in_sec=seconds)
        with pytest.raises(InvalidInputError, match="show_custom_instructions"):
            RegistrationOptions(show_custom_instructions="yes")
        with pytest.raises(InvalidInputError, match="options"):
            await mettl.candidates.register("abc", ONE, options={"time_limit_in_sec": 60})
        for wrong in (0, 51, True, 2.0):
            with pytest.raises(InvalidInputError, match="concurrency"):
                await mettl.candidates.register_many("abc", ONE, concurrency=wrong)
        with pytest.raises(InvalidInputError, match="batch_size"):
            await mettl.candidates.register_many("abc", ONE, batch_size=21)
        for wrong in (0, "1", None, 10**5000):
            with pytest.raises(InvalidInputError, match="assessment_id"):
                await mettl.schedules.create(
                    wrong, NewSchedule(name="n", source_app="a", access=Access.open_for_all())
                )
        with pytest.raises(InvalidInputError, match="NewSchedule"):
            await mettl.schedules.create(1, {"name": "x"})
    assert server.sandbox.stats.requests == 0


async def test_several_accounts_live_side_by_side():
    async with Sandbox().serve() as first, Sandbox().serve() as second:
        async with client_of(first) as one, client_of(second) as two:
            await asyncio.gather(
                *(one.candidates.register(first.access_key, ONE) for _ in range(5)),
                *(two.candidates.register(second.access_key, ONE) for _ in range(5)),
            )
            one._shared.clock.learn(0.0)
            assert two._shared.clock.offset == 0.0


async def test_closing_twice_is_fine_and_use_afterwards_is_refused(server):
    mettl = client_of(server)
    await mettl.candidates.register(server.access_key, ONE)
    await mettl.aclose()
    await mettl.aclose()
    with pytest.raises(ClientClosedError, match="closed"):
        await mettl.candidates.register(server.access_key, ONE)
    with pytest.raises(ClientClosedError, match="closed"):
        await mettl.candidates.register_many(server.access_key, ONE)


async def test_an_injected_client_stays_open(server):
    async with httpx.AsyncClient(trust_env=False) as http_client:
        async with client_of(server, http_client=http_client) as mettl:
            await mettl.candidates.register(server.access_key, ONE)
        assert not http_client.is_closed


def test_a_second_event_loop_is_refused_clearly():
    async def main(mettl=None):
        mettl = mettl or client_of(server)
        with pytest.raises((NotFoundError, ConnectError)):
            await mettl.candidates.register("abc", ONE)
        return mettl

    class server:  # noqa: N801 - looks like one
        base_url, credentials = f"http://127.0.0.1:{closed_port()}", KEYS

    mettl = asyncio.run(main())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(main(mettl))


async def test_clones_share_connections_and_differ_in_what_was_given(server):
    async with client_of(server) as mettl:
        hasty = mettl.with_options(timeout=5, max_retries=0, version="v1")
        assert hasty._shared is mettl._shared
        assert (hasty.options.retry.deadline, hasty.version) == (5, "v1")
        assert hasty.options.retry.max_attempts == 1
        assert mettl.options.retry == RetryPolicy()
        await hasty.candidates.register(server.access_key, ONE)
        await hasty.aclose()
        await mettl.candidates.register(server.access_key, ONE)
        with pytest.raises(ConfigurationError, match="max_concurrency"):
            mettl.with_options(options=attrs.evolve(mettl.options, max_concurrency=3))


async def test_a_clone_with_another_rate_shares_all_else(server):
    class Counting:
        asked = 0

        async def acquire(self):
            self.asked += 1

    own, other = Counting(), Counting()
    async with client_of(server, rate_limiter=own) as mettl:
        await mettl.candidates.register(server.access_key, ONE)
        clone = mettl.with_options(rate_limiter=other)
        await clone.candidates.register(server.access_key, ONE)
        await clone.with_options(timeout=5).candidates.register(server.access_key, ONE)
        assert (own.asked, other.asked) == (1, 2)
        assert len(mettl._shared.transport._free) == 1
        here, there = mettl._shared.admission, clone._shared.admission
        for _ in range(mettl.options.max_concurrency):
            await here.acquire_slot()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await there.acquire_slot()
        here.release_slot()
        await there.acquire_slot()
    with pytest.raises(ClientClosedError):
        await clone.candidates.register(server.access_key, ONE)
    with pytest.raises(ConfigurationError, match="rate_limiter"):
        mettl.with_options(rate_limiter=object())


def test_a_clone_keeps_every_argument_of_the_constructor():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    given = MettlClient(
        KEYS, base_url="https://g.example", version="v3",
        options=ClientOptions(ssl_context=context, max_concurrency=7), middleware=[],
    )  # fmt: skip
    clone = given.with_options()
    state = {"_shared", "_auth", "middleware", "base_url", "version", "options"}
    assert set(vars(given)) == set(vars(clone)) == state | {"_owner", "_caller"}
    assert all(getattr(clone, name) == getattr(given, name) for name in state)
    known = {
        "credentials",
        "region",
        "base_url",
        "version",
        "options",
        "auth",
        "middleware",
        "http_client",
        "transport",
        "rate_limiter",
    }
    assert set(inspect.signature(MettlClient).parameters) == known


async def test_connections_are_reused_and_none_leaks(server):
    async with client_of(server) as mettl:
        for _ in range(10):
            await mettl.candidates.register(server.access_key, ONE)
        assert len(mettl._shared.transport._free) == 1
        await asyncio.gather(
            *(mettl.candidates.register(server.access_key, ONE) for _ in range(20))
        )
        assert len(mettl._shared.transport._free) <= 20
        server.sandbox.faults.reset_after = 0.3
        await mettl.candidates.register_many(
            server.access_key, [Candidate(email=f"{n}@x.org", first_name="A") for n in range(200)]
        )
    assert mettl._shared.transport._free == []
    gc.collect()  # an unclosed socket would warn, and warnings are errors


async def test_no_more_in_flight_than_the_client_allows(server):
    server.sandbox.faults.latency = 0.005
    async with client_of(server, options=ClientOptions(max_concurrency=3)) as mettl:
        await asyncio.gather(
            *(mettl.candidates.register(server.access_key, ONE) for _ in range(30))
        )
    assert server.sandbox.stats.max_in_flight <= 3


async def test_a_long_batch_is_cut_so_that_its_url_stays_short(server):
    targets = []
    fields = {"Last Name": "नमस्ते दुनिया " * 5}
    async with client_of(server, options=ClientOptions(post_parameters="query")) as mettl:
        send = mettl._shared.transport.send

        async def spy(request):
            targets.append(len(request.target) + len(mettl.base_url))
            return await send(request)

        mettl._shared.transport.send = spy
        people = [Candidate(email=f"{n}@x.org", first_name="A", fields=fields) for n in range(40)]
        report = await mettl.candidates.register_many(server.access_key, people)
        with pytest.raises(InvalidInputError, match="post_parameters='form'"):
            await mettl.candidates.register(server.access_key, people[:20])
    report.raise_for_failures()
    assert len(targets) > 2
    assert max(targets) <= 7_500
    assert max(targets) > 6_000


async def test_one_candidate_that_no_url_can_hold_fails_alone(server):
    long = Candidate(email="long@x.org", first_name="A", fields={"Last Name": "x" * 8000})
    async with client_of(server, options=ClientOptions(post_parameters="query")) as mettl:
        report = await mettl.candidates.register_many(server.access_key, [*ONE, long])
    assert isinstance(report.outcomes[0], Registered)
    assert isinstance(report.failed[0].error, InvalidInputError)
    assert not report.failed[0].sent


async def test_the_http_librarys_own_log_shows_no_signature(server, all_logs):
    in_url = ClientOptions(post_parameters="query")
    async with httpx.AsyncClient(trust_env=False) as http_client:
        async with client_of(server, http_client=http_client, options=in_url) as mettl:
            await mettl.candidates.register(server.access_key, ONE)
        logging.getLogger("httpx").info("plain %s %d", "https://other.example/?q=1", 7)
    log = "\n".join(all_logs)
    assert "HTTP Request: POST" in log
    assert "https://other.example/?q=1" in log
    for secret in ("asgn=", "asha", "ak=", server.credentials.public_key):
        assert secret not in log


async def test_adding_pbts_is_not_sent_again_once_it_may_have_been_handled(server):
    server.sandbox.faults.script(["reset_after"])
    async with client_of(server) as mettl:
        with pytest.raises(ConnectionLostError) as caught:
            await mettl.pbts.add(PBTS)
    assert not caught.value.safe_to_repeat
    assert server.sandbox.stats.requests == 1


async def test_the_longest_key_still_keeps_urls_short():
    targets = []
    keys = Credentials(public_key="k" * 128, private_key="s")
    options = ClientOptions(
        max_url_bytes=600, post_parameters="query", retry=RetryPolicy(max_attempts=1)
    )
    async with MettlClient(keys, options=options) as mettl:
        # A fixed time and host: how many characters of a signature are escaped is chance otherwise.
        mettl._shared.clock.wall = lambda: 1_635_976_200.0

        async def spy(request):
            targets.append(len("https://api.mettl.com") + len(request.target))
            raise PermissionDeniedError("not sent anywhere")

        mettl._shared.transport.send = spy
        for size in range(1, 250):
            person = Candidate(email="a@x.org", first_name="A" * size)
            with contextlib.suppress(InvalidInputError, PermissionDeniedError):
                await mettl.candidates.register("0x0x0x0x0x", [person])
    assert 500 < max(targets) <= 600


async def test_closing_is_whole_even_when_its_caller_is_cancelled(server):
    server.sandbox.faults.latency = 0.05
    people = [Candidate(email=f"{n}@x.org", first_name="A") for n in range(4000)]
    with anyio.move_on_after(0.12):
        async with client_of(server) as mettl:
            await mettl.candidates.register_many(server.access_key, people)
    assert mettl._shared.lifecycle.closed
    assert mettl._shared.transport._free == []
    assert server.sandbox.stats.in_flight == 0
    gc.collect()


async def test_closing_in_another_event_loop_is_refused(server):
    mettl = client_of(server)
    await mettl.candidates.register(server.access_key, ONE)

    def elsewhere():
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(mettl.aclose())

    await asyncio.to_thread(elsewhere)
    await mettl.aclose()


async def test_endless_and_async_inputs_are_for_many_only(server):
    async def source():
        yield ONE[0]

    async with client_of(server) as mettl:
        endless = (Candidate(email=f"{n}@x.org", first_name="A") for n in itertools.count())
        with pytest.raises(InvalidInputError, match="more than 20"):
            await mettl.candidates.register(server.access_key, endless)
        with pytest.raises(InvalidInputError, match="pass an iterable of"):
            await mettl.candidates.register(server.access_key, source())


@pytest.mark.parametrize("name", ["read_timeout", "connect_timeout", "user_agent"])
async def test_a_clone_cannot_silently_differ_in_its_connections(server, name):
    async with client_of(server) as mettl:
        other = attrs.evolve(mettl.options, **{name: "x/1" if name == "user_agent" else 0.5})
        with pytest.raises(ConfigurationError, match=name):
            mettl.with_options(options=other)
        with pytest.raises(ConfigurationError, match="options"):
            mettl.with_options(options={})


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0}, {"timeout": "5"}, {"max_retries": -1}, {"max_retries": 1.5}]
)
def test_a_clone_names_the_argument_that_cannot_work(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        MettlClient(KEYS).with_options(**wrong)


def test_a_clone_of_a_subclass_is_one_with_all_its_attributes():
    class Ours(MettlClient):
        def __init__(self, tenant):
            super().__init__(KEYS)
            self.tenant = tenant

    clone = Ours("acme").with_options(timeout=5)
    assert (type(clone), clone.tenant) == (Ours, "acme")


async def test_a_clones_resources_are_its_own(server):
    async with client_of(server) as mettl:
        assert mettl.candidates is mettl.candidates
        clone = mettl.with_options(timeout=5)
        assert clone.candidates is not mettl.candidates
        assert clone.candidates._caller.options.retry.deadline == 5


async def test_a_users_test_replaces_a_resource(monkeypatch):
    class Fake:
        async def register(self, access_key, candidates):
            return [access_key]

    mettl = MettlClient(KEYS)
    monkeypatch.setattr(mettl, "candidates", Fake())
    assert await mettl.candidates.register("abc", ONE) == ["abc"]
    assert await mettl.with_options(timeout=5).candidates.register("abc", ONE) == ["abc"]


async def test_an_autospec_of_the_client_knows_the_resources_and_their_methods():
    mettl = create_autospec(MettlClient, instance=True)
    mettl.candidates.register.return_value = ["link"]
    assert await mettl.candidates.register("abc", ONE) == ["link"]
    assert mettl.schedules.list().collect
    with pytest.raises(TypeError):
        await mettl.candidates.register()
    with pytest.raises(AttributeError):
        mettl.candidates.enrol  # noqa: B018 - it is what is tested
