"""An injected client's connections and headers: no answer is another request's, each can be read."""

import ssl

import anyio
import httpx
import httpx2
import pytest
from raw_server import LOCALHOST, answer, get, raw_server

from mettl_async import Candidate, ClientOptions, Credentials, MettlClient, RetryPolicy
from mettl_async.core.transports.injected import InjectedTransport

KEYS = Credentials(public_key="public", private_key="private")
ONCE = ClientOptions(trust_env=False, retry=RetryPolicy(max_attempts=1))
ASHA = Candidate(email="asha@x.org", first_name="Asha")


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request):
    return request.param


async def read_it(response):
    await response.aread()


HOOKS = {"plain": {}, "read by a hook": {"response": [read_it]}}


class Twice:
    """A server that gives each connection's first answer twice, at once, or as it is if ``copies`` is 1."""

    def __init__(self, way="plain", copies=2):
        self.way, self.copies, self.made = way, copies, 0

    async def __call__(self, reader, writer):
        self.made += 1
        copies = self.copies
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"POST" in head[:4]:
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length))
            schedule = head.partition(b"schedules/")[2].partition(b"/")[0]
            item = (
                b'{"email": "asha@x.org", "status": "ToBeTaken", "url": "https://t.x/%s"}'
                % schedule
            )
            packet = answer(b'{"status": "SUCCESS", "registrationStatus": [%s]}' % item)
            # At once, but not in one record of TLS.
            for one in [packet] * copies if self.way == "tls" else [packet * copies]:
                writer.write(one)
            copies = 1


@pytest.mark.parametrize("hooks", HOOKS)
@pytest.mark.parametrize("way", ["plain", "tls"])
@pytest.mark.parametrize("copies", [1, 2])
async def test_a_person_of_two_schedules_gets_the_link_of_each(library, way, hooks, copies):
    server = Twice(way, copies)
    context = ssl.create_default_context(cafile=LOCALHOST)
    made = library.AsyncClient(trust_env=False, verify=context, event_hooks=HOOKS[hooks])
    async with raw_server(server, way) as (url, _), made as http_client:
        mettl = MettlClient(KEYS, base_url=url, http_client=http_client, options=ONCE)
        links = [(await mettl.candidates.register(key, [ASHA]))[0].url for key in ("aaa", "bbb")]
        await mettl.aclose()
    assert links == ["https://t.x/aaa", "https://t.x/bbb"]
    assert server.made == copies  # and without a surplus the connection is used again


async def test_nor_does_a_request_get_it_that_waits_for_the_connection(library):
    server, links = Twice(), {}
    limits = library.Limits(max_connections=1)
    made = library.AsyncClient(trust_env=False, limits=limits)
    async with raw_server(server) as (url, _), made as http_client:
        mettl = MettlClient(KEYS, base_url=url, http_client=http_client, options=ONCE)

        async def register(key):
            links[key] = (await mettl.candidates.register(key, [ASHA]))[0].url

        async with anyio.create_task_group() as tasks:
            for key in ("aaa", "bbb", "ccc"):
                tasks.start_soon(register, key)
        await mettl.aclose()
    assert links == {key: f"https://t.x/{key}" for key in ("aaa", "bbb", "ccc")}


async def test_only_what_we_decompress_is_asked_for(library):
    asked = []

    def respond(request):
        asked.append(request.headers.get_list("accept-encoding"))
        return library.Response(200)

    offers = {"Accept-Encoding": "gzip, deflate, br, zstd"}
    mock = library.MockTransport(respond)
    async with library.AsyncClient(transport=mock, headers=offers) as client:
        await InjectedTransport(client, ONCE).send(get("https://h.example"))
    assert asked == [["gzip, deflate"]]
