"""The handlers of a receiver; mistakes are found when a handler is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeAlias, TypeVar, overload

from attrs import frozen

from mettl_async.errors import ConfigurationError
from mettl_async.models.event import EVENTS, Event, TestEvent, UnknownEvent
from mettl_async.webhooks.seen_events import Claim

CLASSES: Final[tuple[type[Event], ...]] = (*EVENTS, UnknownEvent)
E = TypeVar("E", bound=TestEvent | UnknownEvent)
Handler: TypeAlias = Callable[[E], Coroutine[Any, Any, None]]
ClaimHandler: TypeAlias = Callable[[E, Claim], Coroutine[Any, Any, None]]

_MAX_PARAMETERS: Final = 2  # the event and the claim


class HandlerDecorator(Protocol[E]):
    """Decorator that ``receiver.on(...)`` gives: it takes a handler and returns it unchanged."""

    @overload
    def __call__(self, handler: Handler[E], /) -> Handler[E]: ...
    @overload
    def __call__(self, handler: ClaimHandler[E], /) -> ClaimHandler[E]: ...


@frozen
class DeclaredHandler:
    """A handler, and whether it takes the claim."""

    call: Callable[..., Coroutine[Any, Any, None]]
    with_claim: bool


class Handlers:
    """The handlers of each class of events, in the order in which they are called.

    That is the order of declaration, but a handler that takes the claim is called last: when it
    commits the mark with its own writes, nothing may fail after it.
    """

    def __init__(self) -> None:
        self._by_class: dict[type, tuple[DeclaredHandler, ...]] = dict.fromkeys(CLASSES, ())

    def of(self, event: Event) -> tuple[DeclaredHandler, ...]:
        """Give the handlers that an event is passed to."""
        return self._by_class[type(event)]

    def __bool__(self) -> bool:
        return any(self._by_class.values())

    def add(self, cls: type, handler: object) -> None:
        """Declare a handler of a class that `check_class` let pass.

        Raises:
            ConfigurationError: Not an ``async def`` of one or two parameters, declared twice for the
                same class, or the second one that takes the claim.
        """
        declared, changed = _declared(handler), dict(self._by_class)
        for one in (one for one in CLASSES if issubclass(one, cls)):
            others = self._by_class[one]
            if any(declared.call == other.call for other in others):
                raise ConfigurationError(
                    f"on: {_name(handler)} is declared twice for {one.__name__}; keep one of them"
                )
            if declared.with_claim and any(other.with_claim for other in others):
                raise ConfigurationError(
                    f"on: two handlers of {one.__name__} take the claim, and only one can commit it; "
                    "join them, or leave the second parameter out of one"
                )
            changed[one] = tuple(sorted((*others, declared), key=lambda other: other.with_claim))
        self._by_class = changed


def check_class(cls: object) -> None:
    """Refuse anything that is not a class of events.

    Raises:
        ConfigurationError: It is not.
    """
    if not isinstance(cls, type) or cls not in {TestEvent, *CLASSES}:
        given = getattr(cls, "__name__", type(cls).__name__)
        raise ConfigurationError(
            f"on: {given} is not a class of events; write @receiver.on(TestGraded), "
            f"with one of TestEvent, {', '.join(one.__name__ for one in CLASSES)}"
        )


def _declared(handler: object) -> DeclaredHandler:
    call = handler if inspect.isroutine(handler) else getattr(handler, "__call__", None)  # noqa: B004 - its kind matters
    if not callable(handler) or not (
        inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
    ):
        raise ConfigurationError(f"on: {_name(handler)} is not async; declare it with async def")
    signature = inspect.signature(handler)
    for given in range(1, _MAX_PARAMETERS + 1):
        try:
            signature.bind(*range(given))
        except TypeError:
            continue
        return DeclaredHandler(handler, with_claim=given == _MAX_PARAMETERS)
    raise ConfigurationError(
        f"on: {_name(handler)} must take the event, or the event and the claim"
    )


def _name(handler: object) -> str:
    return getattr(handler, "__qualname__", type(handler).__name__)
