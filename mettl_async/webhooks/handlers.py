"""Who is called for which event; mistakes are found when a handler is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeAlias, TypeVar, overload

from attrs import frozen

from mettl_async.errors import ConfigurationError
from mettl_async.models.event import EVENTS, Event, TestEvent, UnknownEvent
from mettl_async.webhooks.seen import Claim

KINDS: Final[tuple[type[Event], ...]] = (*EVENTS, UnknownEvent)
E = TypeVar("E", bound=TestEvent | UnknownEvent)
Handler: TypeAlias = Callable[[E], Coroutine[Any, Any, None]]
ClaimHandler: TypeAlias = Callable[[E, Claim], Coroutine[Any, Any, None]]


class Registers(Protocol[E]):
    """What ``@receiver.on(...)`` is: takes a handler and gives it back unchanged."""

    @overload
    def __call__(self, handler: Handler[E], /) -> Handler[E]: ...
    @overload
    def __call__(self, handler: ClaimHandler[E], /) -> ClaimHandler[E]: ...


@frozen
class Declared:
    """A handler, and whether it is given the claim."""

    call: Callable[..., Coroutine[Any, Any, None]]
    with_claim: bool


class Handlers:
    """The handlers of each kind of event, in the order in which they are called.

    That is the order of declaration, but a handler that is given the claim is the last one: when it
    commits the mark with its own writes, nothing may fail after it.
    """

    def __init__(self) -> None:
        self._of: dict[type, tuple[Declared, ...]] = dict.fromkeys(KINDS, ())

    def of(self, event: Event) -> tuple[Declared, ...]:
        """Those to be called for an event."""
        return self._of[type(event)]

    def __bool__(self) -> bool:
        return any(self._of.values())

    def add(self, kind: type, handler: object) -> None:
        """Declare a handler of a class that `checked_kind` let pass.

        Raises:
            ConfigurationError: Not an ``async def`` of one or two parameters, declared twice for the
                same kind, or the second one that is given the claim.
        """
        declared, changed = _declared(handler), dict(self._of)
        for one in (one for one in KINDS if issubclass(one, kind)):
            if any(declared.call == other.call for other in self._of[one]):
                raise ConfigurationError(
                    f"on: {_name(handler)} is declared twice for {one.__name__}; keep one of them"
                )
            if declared.with_claim and any(other.with_claim for other in self._of[one]):
                raise ConfigurationError(
                    f"on: two handlers of {one.__name__} take the claim, and only one can commit it; "
                    "join them, or leave the second parameter out of one"
                )
            changed[one] = tuple(
                sorted((*self._of[one], declared), key=lambda other: other.with_claim)
            )
        self._of = changed


def checked_kind(kind: object) -> None:
    """Let only classes of events pass.

    Raises:
        ConfigurationError: Anything else.
    """
    if not isinstance(kind, type) or kind not in {TestEvent, *KINDS}:
        given = getattr(kind, "__name__", type(kind).__name__)
        raise ConfigurationError(
            f"on: {given} is not a class of events; write @receiver.on(TestGraded), "
            f"with one of TestEvent, {', '.join(one.__name__ for one in KINDS)}"
        )


def _declared(handler: object) -> Declared:
    call = handler if inspect.isroutine(handler) else getattr(handler, "__call__", None)  # noqa: B004 - its kind matters
    if not callable(handler) or not (
        inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
    ):
        raise ConfigurationError(f"on: {_name(handler)} is not async; declare it with async def")
    parameters = inspect.signature(handler).parameters.values()
    places = [
        one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}
    ]
    needed = [one for one in places if one.default is one.empty]
    others = [
        one for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty
    ]
    takes_any = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if others or len(needed) > _EVENT_AND_CLAIM or not (places or takes_any):
        raise ConfigurationError(
            f"on: {_name(handler)} must take the event, or the event and the claim"
        )
    return Declared(handler, with_claim=len(needed) == _EVENT_AND_CLAIM)


_EVENT_AND_CLAIM = 2


def _name(handler: object) -> str:
    return getattr(handler, "__qualname__", type(handler).__name__)
