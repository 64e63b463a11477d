"""Reports on trio: a host is looked up once, and only public addresses are connected to."""

import socket

import pytest
import trio
from by_trio import on_trio

from mettl_async import ClientOptions, ConnectError, InvalidInputError
from mettl_async.core.download import Fetcher
from mettl_async.core.link_rules import check_link
from mettl_async.core.transports.httpx_lanes import LaneTransport

BASE, PUBLIC = "https://api.mettl.com", "93.184.215.14"


class Resolver(trio.abc.HostnameResolver):
    """Gives each answer once."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002 - theirs
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.answers.pop(0), port))]

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


@on_trio
async def test_only_the_address_that_was_checked_is_connected_to():
    connected = []

    async def connect(host, port, **_):
        connected.append(host)
        raise OSError("refused")

    trio.socket.set_custom_hostname_resolver(Resolver(PUBLIC, "127.0.0.1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio, "open_tcp_stream", connect)
        transport = LaneTransport(BASE, ClientOptions(trust_env=False))
        fetcher = Fetcher(transport, BASE, 5.0)
        link = check_link("f", "https://reports.example/r", BASE)
        with pytest.raises(ConnectError):
            async with fetcher.fetch(link):
                pass
        with pytest.raises(InvalidInputError, match="public"):
            async with fetcher.fetch(link):
                pass
    assert connected == [PUBLIC]
