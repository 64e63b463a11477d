"""The client of the plugin for pytest: it is closed in the event loop that it was used in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from mettl_async.client import MettlClient
from mettl_async.config import ClientOptions, KeyPair
from mettl_async.errors import ConfigurationError

_CLOSE_SECONDS = 5.0


class LoopBoundClient:
    """A client for one test, whatever runs the test's event loop and when that ends.

    A fixture does not know which loop that will be. The client asks for its keys before it opens a
    connection, so the loop is learnt then.

    Attributes:
        client: The client.
    """

    def __init__(self, keys: KeyPair, base_url: str) -> None:
        self._keys = keys
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard = self._open_until_the_loop_ends()
        # A proxy of the environment would not find the way to this machine's loopback.
        options = ClientOptions(trust_env=False)
        self.client = MettlClient(self._credentials, base_url=base_url, options=options)

    async def _credentials(self) -> KeyPair:
        if self._loop is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                raise ConfigurationError(
                    "mettl_client runs on asyncio; elsewhere make a MettlClient of mettl_server's"
                    " credentials and base_url in the test"
                ) from None
            await anext(self._guard)
        return self._keys

    async def _open_until_the_loop_ends(self) -> AsyncGenerator[None]:
        """Close the client in the end; an event loop that ends closes its generators first."""
        try:
            yield
        finally:
            await self.client.aclose(timeout=_CLOSE_SECONDS)

    def close(self) -> None:
        """Close the client after the test, unless its event loop is over and has closed it."""
        loop = self._loop
        if loop is None:
            # Nothing was opened: any loop will do, and this one is not left behind as the current one.
            loop = asyncio.new_event_loop()
            try:
                with suppress(ConfigurationError):  # it was tried elsewhere than on asyncio
                    loop.run_until_complete(self.client.aclose())
            finally:
                loop.close()
        elif loop.is_running():
            # In another thread; in this one nothing could wait for it.
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._guard.aclose(), loop).result(_CLOSE_SECONDS)
        elif not loop.is_closed():
            loop.run_until_complete(self._guard.aclose())
