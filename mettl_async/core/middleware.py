"""The middleware contract, and how a chain is built from it.

A middleware is ``async (request, call_next) -> Response``. It may change the request (a copy of it),
look at the response, call next again, or answer by itself. A 4xx or 5xx arrives as a response; typed
errors are raised above the chain.

Two slots, for two kinds of work: ``per_call`` sees a call once, however many requests it takes (spans, caches);
``per_attempt`` sees every request that goes out, before it is signed (headers of a gateway, budgets).
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from attrs import field, frozen

from mettl_async.core.request import Request, Response
from mettl_async.errors import ConfigurationError

Next = Callable[[Request], Awaitable[Response]]
Middleware = Callable[[Request, Next], Awaitable[Response]]

_SHAPE = "write `async def middleware(request, call_next): return await call_next(request)`"


def _checked(middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    try:
        chain = tuple(middleware)
    except TypeError:
        raise ConfigurationError(f"middleware: pass a list of callables; {_SHAPE}") from None
    for one in chain:
        check_middleware(one)
    return chain


def check_middleware(middleware: Middleware) -> None:
    """Refuse what cannot work as a middleware, when the client is built.

    Raises:
        ConfigurationError: Not an async callable of two positional arguments.
    """
    name = getattr(middleware, "__name__", type(middleware).__name__)
    if not callable(middleware) or isinstance(middleware, type):
        raise ConfigurationError(f"middleware {name}: not a function or an instance; {_SHAPE}")
    target = middleware.func if isinstance(middleware, partial) else middleware
    function = target if inspect.isroutine(target) else type(target).__call__
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"middleware {name}: not async; {_SHAPE}")
    try:
        inspect.signature(middleware).bind(None, None)
    except TypeError:
        raise ConfigurationError(
            f"middleware {name}: must take (request, call_next); {_SHAPE}"
        ) from None


@frozen(kw_only=True)
class Middlewares:
    """Middleware by slot; the first of each list is the outermost.

    Raises:
        ConfigurationError: One of them is not an async callable of two arguments.
    """

    per_call: tuple[Middleware, ...] = field(default=(), converter=_checked)
    per_attempt: tuple[Middleware, ...] = field(default=(), converter=_checked)


def build_chain(middleware: Iterable[Middleware], last: Next) -> Next:
    """Wrap ``last`` in the middleware, the first becoming the outermost."""
    call = last
    for one in reversed(tuple(middleware)):
        call = partial(_step, one, call)
    return call


async def _step(middleware: Middleware, call_next: Next, request: Request) -> Response:
    response = await middleware(request, call_next)
    if not isinstance(response, Response):
        name = getattr(middleware, "__name__", type(middleware).__name__)
        # No ConfigurationError, which promises that nothing was sent.
        raise TypeError(
            f"middleware {name}: returned {type(response).__name__}; return what call_next gave"
        )
    return response
