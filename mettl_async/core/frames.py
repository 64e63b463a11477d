"""Frames of an error that leaves: error reporters show their locals, and ours hold candidates' data."""

import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_OURS = {
    "mettl_async", "aiohttp", "anyio", "asyncio", "attr", "attrs", "cattrs", "concurrent", "contextlib",
    "functools", "h11", "h2", "httpcore", "httpcore2", "httpx", "httpx2", "json", "sqlalchemy", "trio",
    "uvloop",
}  # fmt: skip
"""This library and what it calls; a frame of any other is of the caller's code, and his."""


_GENERATED = ("<attrs generated", "<cattrs generated")


def forget(error: BaseException) -> None:
    """Clear the locals of our frames, in an error and in all that led to it; their lines stay.

    Frames that are still at work keep theirs: those of the function that calls this, and above it.
    """
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        ahead += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            ahead += one.exceptions
        for frame, _ in traceback.walk_tb(one.__traceback__):
            name = str(frame.f_globals.get("__name__", ""))
            if name.partition(".")[0] in _OURS or frame.f_code.co_filename.startswith(_GENERATED):
                with suppress(RuntimeError):
                    frame.clear()


def forgetful(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Have an async function raise errors without anybody's data in their frames."""

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await function(*args, **kwargs)
        except BaseException as error:
            forget(error)
            del args, kwargs
            raise

    return call
