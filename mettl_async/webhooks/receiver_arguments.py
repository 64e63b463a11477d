"""What a receiver is built with: wrong arguments are refused at once, with the fix. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mettl_async.errors import ConfigurationError
from mettl_async.webhooks.context import ContextSigner
from mettl_async.webhooks.seen_events import check_number

if TYPE_CHECKING:
    from mettl_async.webhooks.seen_events import SeenEvents

_OF_WORKERS: Final = ("handler_timeout", "strict", "on_error")


def refuse_with_store(**given: bool) -> None:
    """Refuse what would do nothing, as handlers are not called by a receiver that has a store.

    Raises:
        ConfigurationError: Something of it is given.
    """
    names = [name for name, is_given in given.items() if is_given]
    if not names:
        return
    moved = [name for name in names if name in _OF_WORKERS]
    where = f"; give {', '.join(moved)} to inbox.run(...) or inbox.working(...)" if moved else ""
    raise ConfigurationError(
        f"store: leave out {', '.join(names)}, as handlers are not called here and a second delivery is "
        f"told by the store{where}"
    )


def check_parts(*, seen: object, store: object, context: object, **functions: object) -> None:
    """Refuse parts of other types; ``functions`` are those that are called, by the names of their arguments.

    Raises:
        ConfigurationError: Names the argument, its type and the fix. It shows no value: one may be a secret.
    """
    if seen is not None and not _has(seen, "claim", "complete", "release", "lease"):
        raise ConfigurationError(
            f"seen: is {_shown(seen)}; give a store such as MemorySeenEvents() or SqlSeenEvents(engine)"
        )
    if store is not None and not _has(store, "add"):
        raise ConfigurationError(
            f"store: is {_shown(store)}; give one such as SqlEventInbox(engine)"
        )
    if context is not None and not isinstance(context, ContextSigner):
        raise ConfigurationError(f"context: is {_shown(context)}; give ContextSigner([secret])")
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise ConfigurationError(f"{name}: is {_shown(function)}; give a function")


def check_numbers(
    *,
    max_body: float,
    read_timeout: float,
    handler_timeout: float,
    busy_wait: float,
    max_age: float | None,
) -> None:
    """Refuse what is no number, or too small.

    Raises:
        ConfigurationError: Names the argument.
    """
    for name, value, least in (
        ("max_body", max_body, 1),
        ("read_timeout", read_timeout, 0.001),
        ("handler_timeout", handler_timeout, 0.001),
        ("busy_wait", busy_wait, 0),
        ("max_age", 1 if max_age is None else max_age, 0.001),
    ):
        check_number(name, value)
        if not value >= least:
            raise ConfigurationError(f"{name}: must be at least {least}")


def check_lease(seen: SeenEvents, handler_timeout: float) -> None:
    """Refuse a time for handlers that is not shorter than the lease of their events.

    Raises:
        ConfigurationError: It is not.
    """
    if not seen.lease > handler_timeout:
        raise ConfigurationError(
            f"handler_timeout: {handler_timeout:g} s is not shorter than the lease of the store "
            f"({seen.lease:g} s): an event could be taken from a handler at work"
        )


def _has(part: object, *names: str) -> bool:
    # Not a class instead of its object, which has the names, too.
    return not isinstance(part, type) and all(hasattr(part, name) for name in names)


def _shown(part: object) -> str:
    return f"the class {part.__name__}" if isinstance(part, type) else type(part).__name__
