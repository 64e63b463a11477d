"""Which account is talked to: the options that say so, and the client made of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer
from attrs import frozen

from mettl_async.client import MettlClient
from mettl_async.config import ApiVersion, ClientOptions, Region

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

RegionOption = Annotated[
    Region | None, typer.Option(help="Of the account; METTL_REGION, or else india.")
]
BaseUrlOption = Annotated[
    str | None, typer.Option(help="Instead of a region; also METTL_BASE_URL.", metavar="URL")
]
MOST_PORT: Final = 65_535
VersionOption = Annotated[ApiVersion, typer.Option(help="Of the API.")]


@frozen(kw_only=True)
class Target:
    """An account's address; its keys come from the environment."""

    region: Region | None = None
    base_url: str | None = None
    version: ApiVersion = ApiVersion.V2

    def client(self, options: ClientOptions | None = None) -> MettlClient:
        """Make a client; what no option says comes from the environment.

        Raises:
            ConfigurationError: A key is missing, or a value cannot work.
        """
        return MettlClient(
            region=self.region,
            base_url=self.base_url,
            version=self.version,
            options=options,
        )

    def ask(self, work: Callable[[MettlClient], Awaitable[T]]) -> T:
        """Run what needs a client, which is closed afterwards.

        Raises:
            KeyboardInterrupt: Ctrl-C; calls in flight were given up.
            MettlError: Of the client or the work.
        """
        client = self.client()

        async def whole() -> T:
            async with client:
                return await work(client)

        return asyncio.run(whole())
