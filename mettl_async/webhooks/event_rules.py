"""What an event must have before it is handled: a form, a time, a context."""

from collections.abc import Callable

from attrs import evolve, frozen

from mettl_async.errors import (
    ContextDataError,
    EventDecodeError,
    RefusedDeliveryError,
    WebhookError,
)
from mettl_async.models.event import Event, TestEvent
from mettl_async.webhooks.context import ContextSigner
from mettl_async.webhooks.http import NOT_AN_EVENT, WRONG_CONTEXT, WRONG_TIME, HttpResponse
from mettl_async.webhooks.parse import parse_event


@frozen(kw_only=True)
class EventRules:
    """The rules for events; see `WebhookReceiver` for the attributes."""

    context: ContextSigner | None
    require_context: bool
    max_age: float | None
    clock: Callable[[], float]

    def delivered(self, body: bytes) -> Event | WebhookError:
        """Give the event of a delivery, or the reason why it must be refused.

        The reason is not raised, and has no traceback: its frames would hold the body.
        """
        try:
            event = parse_event(body)
            if self.max_age is not None and (problem := self._time_problem(event, self.max_age)):
                return RefusedDeliveryError(WRONG_TIME.status_code, problem)
            return self.with_context(event)
        except (EventDecodeError, ContextDataError) as error:
            return error.with_traceback(None)

    def with_context(self, event: Event) -> Event:
        """Add what the event's ``context_data`` says, if it says anything.

        Raises:
            ContextDataError: It proves nothing, or too little.
        """
        if self.context is None:
            return event
        now = self.clock()
        if isinstance(event, TestEvent) and event.reconciled and event.timestamp is not None:
            now = event.timestamp.timestamp()
        try:
            context = self.context.verify(
                event.context_data,
                access_key=event.access_key or "",
                email=event.email or "",
                now=now,
            )
        except ContextDataError as error:
            # Text of another form than ours was written before, or by someone else: as good as none.
            if self.require_context or error.reason not in {"missing", "malformed"}:
                raise
            return event
        return evolve(event, context=context)

    def _time_problem(self, event: Event, max_age: float) -> str:
        """Say why the timestamp is too far from now; empty if it is not."""
        if event.timestamp is None:
            return "the event has no timestamp, and max_age is set"
        age = self.clock() - event.timestamp.timestamp()
        if abs(age) <= max_age:
            return ""
        where = "old" if age > 0 else "in the future"
        return f"the event is {abs(age):.0f} s {where}, and max_age is {max_age:g} s"


def response_to(error: WebhookError) -> HttpResponse:
    """Give the response to a delivery that is refused."""
    if isinstance(error, EventDecodeError):
        return NOT_AN_EVENT.because(f"not an event: {error.problem}")
    if isinstance(error, RefusedDeliveryError):
        return WRONG_TIME.because(error.problem)
    return WRONG_CONTEXT.because(str(error))
