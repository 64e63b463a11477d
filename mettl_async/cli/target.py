"""Which account is talked to: the options that say so, and the client made of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import frozen

from mettl_async.config import ApiVersion, ClientOptions, Region

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mettl_async.client import MettlClient

T = TypeVar("T")

MOST_PORT: Final = 65_535


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
        from mettl_async.client import MettlClient

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
