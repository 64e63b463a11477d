"""The library's own client of a sandbox, without a socket."""

import httpx

from mettl_async import MettlClient


def client_of(sandbox):
    return MettlClient(
        sandbox.credentials,
        base_url="https://api.mettl.com",
        http_client=httpx.AsyncClient(transport=sandbox.transport()),
    )
