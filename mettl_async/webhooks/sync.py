"""One event loop in a thread of its own, for code without one: WSGI, AWS Lambda, scripts."""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import sniffio

from mettl_async.errors import ConfigurationError

T = TypeVar("T")

_END_TIMEOUT: Final = 5.0  # seconds that the end of a process may wait for the end of the loop


class _Loop:
    """The loop of this process: begun when it is first needed, and again in a process that was forked."""

    def __init__(self) -> None:
        # One for each process: a thread of the parent may have held the parent's at the fork.
        self._locks: dict[int, threading.Lock] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def begun(self) -> asyncio.AbstractEventLoop:
        # No hook of os.register_at_fork: uWSGI forks without calling them.
        process = os.getpid()
        with self._locks.setdefault(process, threading.Lock()):
            if self._loop is None or self._process != process:
                started: Future[asyncio.AbstractEventLoop] = Future()
                thread = threading.Thread(
                    target=lambda: asyncio.run(self._serve(started)),
                    name="mettl-async webhooks",
                    daemon=True,
                )
                thread.start()
                self._loop, self._process = started.result(), process
                atexit.register(self._end, thread, process)
            return self._loop

    async def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        self._ended = asyncio.Event()
        started.set_result(asyncio.get_running_loop())
        await self._ended.wait()

    def _end(self, thread: threading.Thread, process: int) -> None:
        # In a process that was forked the parent's thread is not there.
        if process == os.getpid() and thread.is_alive() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join(_END_TIMEOUT)


_LOOP: Final = _Loop()


def run_sync(function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Call an async function from code without an event loop, and wait for its result.

    All calls of a process share one event loop, in a thread of its own. So they can share what belongs to
    a loop, such as an engine of SQLAlchemy or an HTTP client. ``receiver.respond_sync`` runs handlers
    there: make what they use there too, as in ``run_sync(seen.create_table)``.

    A process that is forked (gunicorn with ``--preload``, uWSGI) has a loop of its own. Connections that an
    engine had open before the fork are refused there with a `ConfigurationError`: ``create_table`` leaves none
    open, and after anything else call ``run_sync(engine.dispose)`` before the fork.

    Example::

        run_sync(inbox.create_table)

    Args:
        function: Async function.
        args: What it is called with.

    Raises:
        ConfigurationError: An event loop runs in this thread, and would stand still meanwhile.
        Exception: What the function raised.
    """
    if _has_loop():
        raise ConfigurationError(
            "an event loop runs in this thread, and would stand still meanwhile: await the function "
            "itself (await receiver.respond(...) for respond_sync)"
        )
    return asyncio.run_coroutine_threadsafe(function(*args), _LOOP.begun()).result()


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        # Not current_async_library(): its variable is copied into the threads that a loop starts.
        return sniffio.thread_local.name is not None
    return True
