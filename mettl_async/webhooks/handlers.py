"""The handlers of events: which are called for which class, and in which order."""

import inspect
from collections.abc import Callable, Coroutine
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias, TypeVar, overload

from mettl_async.errors import ConfigurationError
from mettl_async.models.event import EVENTS, Event, TestEvent, UnknownEvent
from mettl_async.webhooks.seen_events import Claim

CLASSES: Final[tuple[type[Event], ...]] = (*EVENTS, UnknownEvent)
E = TypeVar("E", bound=TestEvent | UnknownEvent)
Handler: TypeAlias = Callable[[E], Coroutine[Any, Any, None]]
ClaimHandler: TypeAlias = Callable[[E, Claim], Coroutine[Any, Any, None]]

_MAX_PARAMETERS: Final = 2  # of a handler: the event and the claim


class HandlerDecorator(Protocol[E]):
    """Decorator that ``receiver.on(...)`` gives: it takes a handler and returns it unchanged."""

    @overload
    def __call__(self, handler: Handler[E], /) -> Handler[E]: ...
    @overload
    def __call__(self, handler: ClaimHandler[E], /) -> ClaimHandler[E]: ...


class EventHandlers:
    """The handlers of events, for a `WebhookReceiver` or for workers of an inbox.

    Those of one event are called one after the other, as declared, but the one that takes the claim is
    last: when it commits the mark with its own writes, nothing may fail after it.

    Example::

        handlers = EventHandlers()


        @handlers.on(TestGraded)
        async def graded(event: TestGraded) -> None: ...
    """

    def __init__(self) -> None:
        # Each with whether it takes the claim.
        self._of: dict[type, list[tuple[Callable[..., Any], bool]]] = {cls: [] for cls in CLASSES}

    def __bool__(self) -> bool:
        return any(self._of.values())

    def on(self, cls: type[E]) -> HandlerDecorator[E]:
        """Declare a handler: ``@handlers.on(TestGraded)`` above an ``async def`` that takes the event.

        ``TestEvent`` stands for all known events. With a second parameter the handler gets the
        `Claim` too, to commit the mark with its own writes; an event has one such handler at
        most, and it is called last. The others are called in the order of declaration.

        Raises:
            ConfigurationError: Not a class of events; not async; other parameters; declared twice.
        """
        if cls not in (TestEvent, *CLASSES):
            given = getattr(cls, "__name__", type(cls).__name__)
            raise ConfigurationError(
                f"on: {given} is not a class of events; write @receiver.on(TestGraded), "
                f"with one of TestEvent, {', '.join(one.__name__ for one in CLASSES)}"
            )

        def register(handler: Callable[..., object]) -> Callable[..., object]:
            self._add(cls, handler)
            return handler

        return register  # type: ignore[return-value]  # it gives back what it got

    def has(self, cls: type) -> bool:
        """Tell whether any handler is declared for a class."""
        return bool(self._of[cls])

    async def call(self, event: Event, claim: Claim) -> None:
        """Call all handlers of an event.

        Raises:
            Exception: What the first one that failed raised; those after it are not called.
        """
        for handler, with_claim in self._of[type(event)]:
            await (handler(event, claim) if with_claim else handler(event))

    def _add(self, cls: type, handler: Callable[..., Any]) -> None:
        with_claim, changed = _takes_claim(handler), {}
        for one in (one for one in CLASSES if issubclass(one, cls)):
            others = self._of[one]
            if any(handler == other for other, _ in others):
                raise ConfigurationError(
                    f"on: {_name(handler)} is declared twice for {one.__name__}; keep one of them"
                )
            if with_claim and any(takes for _, takes in others):
                raise ConfigurationError(
                    f"on: two handlers of {one.__name__} take the claim, and only one can commit it; "
                    "join them, or leave the second parameter out of one"
                )
            changed[one] = sorted([*others, (handler, with_claim)], key=itemgetter(1))
        self._of.update(changed)


def _takes_claim(handler: object) -> bool:
    """Tell whether a handler takes the claim too, and refuse what is no handler."""
    # The second: of what is callable, such as what asgiref's sync_to_async gives.
    kinds = (handler, getattr(type(handler), "__call__", None))  # noqa: B004 - its kind matters
    if not callable(handler) or not any(map(inspect.iscoroutinefunction, kinds)):
        raise ConfigurationError(f"on: {_name(handler)} is not async; declare it with async def")
    signature = inspect.signature(handler)
    for given in range(1, _MAX_PARAMETERS + 1):
        try:
            signature.bind(*range(given))
        except TypeError:
            continue
        return given == _MAX_PARAMETERS
    raise ConfigurationError(
        f"on: {_name(handler)} must take the event, or the event and the claim"
    )


def _name(handler: object) -> str:
    return getattr(handler, "__qualname__", type(handler).__name__)
