"""A sandbox in a process of its own, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mettl_async.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from mettl_async.sandbox.sandbox import Server


def run(
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    sandbox: Sandbox | None = None,
    on_ready: Callable[[Server], None] | None = None,
) -> None:
    """Serve until Ctrl-C; must not be called inside a running event loop.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        sandbox: What to serve, and to close at the end; a new one by default.
        on_ready: Called once, when requests are answered.

    Raises:
        OSError: The address can't be bound.
        StorageError: The file of the sandbox cannot be written at the end.
    """
    served = sandbox or Sandbox()

    async def serve() -> None:
        async with served.serve(host, port) as server:
            if on_ready is not None:
                on_ready(server)
            await asyncio.Event().wait()

    with served, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
