"""A sandbox beside trio: it is asyncio's, so it has an event loop and a thread of its own."""

import asyncio
import queue
import threading

import pytest

from mettl_async.sandbox import Sandbox


@pytest.fixture
def remote():
    """A sandbox on a socket."""
    box = queue.SimpleQueue()

    async def serve():
        async with Sandbox().serve() as running:
            stop = asyncio.Event()
            box.put((running, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    running, loop, stop = box.get(timeout=30)
    yield running
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()
