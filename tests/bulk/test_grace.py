"""A run that is left does not hold its caller: what is in flight has a grace, then it is given up."""

import asyncio
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from scripted_server import Server, answer, collect, people, run_of

from mettl_async import (
    ClientOptions,
    Credentials,
    FileJournal,
    MettlClient,
    Registered,
    RetryPolicy,
)
from mettl_async.bulk.dispatcher import GRACE
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.core.lifecycle import Lifecycle

KEYS = Credentials(public_key="public", private_key="private")
# Without the grace nothing ends before the timeout of the test.
PATIENT = ClientOptions(
    trust_env=False,
    read_timeout=3600,
    max_concurrency=2,
    bulk_retry=RetryPolicy(max_attempts=9, backoff_base=3600, backoff_cap=3600, deadline=3600),
)


class HangingServer:
    """Registers who has an even number, and never answers about others."""

    def __init__(self):
        self.hangs, self.answers = asyncio.Event(), True

    async def __call__(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                form = (await reader.readexactly(int(length[1]))).decode() if length else ""
                params = parse_qs(f"{urlsplit(head.split(' ')[1]).query}&{form}")
                (one,) = json.loads(params["rd"][0])["registrationDetails"]
                email = one["Email Address"]
                if int(email[1]) % 2:
                    self.hangs.set()
                    await reader.read()
                    return
                link = f"http://127.0.0.1/{email}"
                item = {"email": email, "status": "ToBeTaken", "url": link}
                body = json.dumps({"status": "SUCCESS", "registrationStatus": [item]}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
def no_grace(monkeypatch):
    monkeypatch.setattr("mettl_async.bulk.dispatcher.GRACE", 0.0)


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_a_server_that_hangs_holds_nobody(transport, tmp_path, no_grace):
    hanging, path = HangingServer(), tmp_path / "links.journal"
    server = await asyncio.start_server(hanging, "127.0.0.1", 0)
    async with (
        server,
        MettlClient(
            KEYS,
            base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            options=PATIENT,
            transport=transport,
        ) as mettl,
    ):
        run = mettl.candidates.register_many(
            "key1", people(4), batch_size=1, concurrency=2, journal=FileJournal(path)
        )
        caller = asyncio.create_task(run.collect())
        await hanging.hangs.wait()
        caller.cancel()
        await asyncio.wait([caller])
        for work in tuple(mettl._shared.lifecycle._work):
            await work.wait()
        # Slots and connections are free again.
        (one,) = await mettl.candidates.register("key1", people(1))
        assert one.url
    assert caller.cancelled()

    again = Server()
    outcomes = await collect(
        people(4), again, journal=FileJournal(path), schedule=schedule_digest("key1")
    )
    assert {type(one) for one in outcomes} == {Registered}
    asked = {index for call in again.calls for index in call}
    assert {1} <= asked <= {1, 2, 3}, "who was answered is not sent again, who was given up is"


async def test_what_is_answered_within_the_grace_is_recorded(tmp_path):
    path, lifecycle, go_on = tmp_path / "links.journal", Lifecycle(), asyncio.Event()

    async def slow(entries):
        asked.set()
        await go_on.wait()
        return answer(entries)

    asked = asyncio.Event()
    run = run_of(people(40), Server(slow), lifecycle, journal=FileJournal(path))
    caller = asyncio.create_task(run.collect())
    await asked.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    await lifecycle.drain()
    again = Server()
    await collect(people(40), again, journal=FileJournal(path))
    assert again.calls == []


async def test_who_is_given_up_is_unknown_and_sent_no_more(no_grace, tmp_path):
    lifecycle, asked, path = Lifecycle(), asyncio.Event(), tmp_path / "links.journal"

    async def hangs(entries):
        asked.set()
        await asyncio.Event().wait()

    server = Server(hangs)
    run = run_of(people(100), server, lifecycle, concurrency=1, journal=FileJournal(path))
    caller = asyncio.create_task(run.collect())
    await asked.wait()
    await run.aclose()
    await lifecycle.drain()
    await asyncio.wait([caller])
    assert server.calls == [list(range(20))]
    assert run.progress.unknown == 20
    assert run.progress.in_flight == 0
    again = Server()
    await collect(people(20), again, journal=FileJournal(path))
    assert again.calls == [list(range(20))]


def test_the_grace_is_short():
    assert 1 <= GRACE <= 10
