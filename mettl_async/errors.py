"""Everything this library raises.

::

    MettlError
    ├── ConfigurationError          credentials, options or misuse of the client; nothing was sent
    ├── InvalidInputError           a value breaks a rule: .field .problem .fix; nothing was sent
    ├── RegistrationFailuresError   some candidates of a bulk run were not registered: .report  (*)
    ├── RunInterruptedError         input, journal or a hook of register_many failed: .report  (*)
    ├── JournalError                the journal of a bulk run cannot be used: .unrecorded  (*)
    │   └── LeaseLostError              another worker has the chunk of a job; nothing more was written  (**)
    ├── JobError                    there is no such job, or its state does not allow what was asked  (**)
    ├── NotReadyError               (TimeoutError) a result or a report is not there: .why .waited .final
    ├── WebhookError                something about a delivery to a webhook
    │   ├── EventDecodeError            the body is not an event: .problem
    │   ├── ContextDataError            context_data is forged, expired or of another: .reason
    │   ├── RefusedDeliveryError        not from whom it must be, too large or too old: .status_code .problem
    │   ├── ClaimLostError              another worker took the event; nothing was kept
    │   ├── HandlerCancelledError       a handler raised CancelledError, and nobody had cancelled it
    │   └── WorkerEndedError            the event is kept, but the worker of this process has failed
    └── CallError                   a call was tried: .operation .attempts .sent .safe_to_repeat ...
        ├── ClientClosedError       the client is closing or closed; this call was not sent
        ├── TransportError          no answer came
        │   ├── ConnectError            (ConnectionError) the connection could not be made
        │   ├── TransportTimeoutError   (TimeoutError) too slow, or the call's deadline passed
        │   └── ConnectionLostError     (ConnectionError) it broke before the whole answer was read
        ├── MettlDecodeError        an answer came that is not what Mettl sends
        │   └── EndlessListError        pages of a list bring nothing new: .items
        └── ApiError                Mettl refused: .code .server_message .status_code .response
            ├── BadRequestError, AuthenticationError, PermissionDeniedError, NotFoundError,
            ├── TimestampError, RegistrationLimitError
            ├── RateLimitError          too many requests: .retry_after
            └── ServerError             the server failed
                └── ServiceUnavailableError     for a short time: .retry_after

(*) These carry outcomes of a bulk run and are defined beside them, in `mettl_async.bulk.outcomes`.
(**) In `mettl_async.jobs`.

`mettl_async.error_codes` says which code and which HTTP status is which error. No message carries a key, a
signature or a candidate's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from attrs import frozen

from mettl_async.display import one_line

T = TypeVar("T")


class MettlError(Exception):
    """Base of everything raised by this library."""


class ConfigurationError(MettlError):
    """Credentials, options or the way the client is used are wrong; nothing was sent."""


class InvalidInputError(MettlError, ValueError):
    """A value breaks a documented rule; nothing was sent.

    Attributes:
        field: Path of the offending field, such as ``schedule_window.ends_at``.
        problem: What is wrong, by shape; never the value where it is personal.
        fix: What to do about it.
    """

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(field, problem, fix)
        self.field, self.problem, self.fix = field, problem, fix

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}; {self.fix}"


class NotReadyError(MettlError, TimeoutError):
    """A result or a report was not there in time, or never will be.

    Attributes:
        why: What it was waiting for.
        waited: Seconds.
        final: Whether waiting longer is no use.
    """

    def __init__(self, why: str, *, waited: float, final: bool) -> None:
        super().__init__(why)
        self.why, self.waited, self.final = why, waited, final

    def __str__(self) -> str:
        rest = "waiting longer is no use" if self.final else f"waited {self.waited:.0f} s"
        return f"{one_line(self.why)} ({rest})"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), waited=self.waited, final=self.final), (self.why,)


class WebhookError(MettlError):
    """Something is wrong with a delivery to a webhook."""


class EventDecodeError(WebhookError):
    """The body of a delivery is not an event: no UTF-8, no JSON, no object, or no type of an event.

    Attributes:
        problem: What is wrong, by shape; never the content.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class ContextDataError(WebhookError):
    """A ``context_data`` does not prove what it must; neither it nor the candidate is in the message.

    Attributes:
        reason: ``missing``, ``malformed``, ``forged`` (or signed with a secret that is gone),
            ``expired``, or ``mismatched`` (signed for another candidate or schedule).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"context_data is {self.reason}"


class RefusedDeliveryError(WebhookError):
    """A delivery does not come from whom it must, is too large or too old; its event was not believed.

    Attributes:
        status_code: HTTP status to answer with.
        problem: What is wrong; nothing of the request is in it.
    """

    def __init__(self, status_code: int, problem: str) -> None:
        super().__init__(status_code, problem)
        self.status_code, self.problem = status_code, problem

    def __str__(self) -> str:
        return f"{self.status_code}: {self.problem}"


class ClaimLostError(WebhookError):
    """The lease of a claim ended and someone else took the event; nothing of this one was kept."""


class HandlerCancelledError(WebhookError):
    """A handler raised ``asyncio.CancelledError``, and nobody had cancelled the delivery: the handler failed."""


class WorkerEndedError(WebhookError):
    """An event is kept in the inbox, but the worker of this process ended by an error: who handles it?"""


@frozen(kw_only=True)
class CallFacts:
    """What is known of a failed call; each is readable as an attribute of the error itself.

    Attributes:
        operation: The method, such as ``candidates.register``.
        attempts: How many requests were made for it.
        request_id: The client's own id of the call, the same in its log lines.
        sent: Whether the server may have seen (any attempt of) the request.
        may_have_been_handled: Whether the server may have done (in any attempt) what was asked.
        safe_to_repeat: Whether doing the call again can do no harm.
        status_code: Status of the last answer, if there was one.
        code: Mettl's code, such as ``E401``.
        server_message: Mettl's words as they came, with personal values blanked. They can hold control
            characters: `str()` of the error has them in a form that is safe for a terminal and a log.
        retry_after: Seconds that the server asked to wait.
        sent_at: When each request was sent that the server may have seen: by this machine's clock, in UTC.
    """

    operation: str = ""
    attempts: int = 0
    request_id: str = ""
    sent: bool = False
    may_have_been_handled: bool = False
    safe_to_repeat: bool = False
    status_code: int | None = None
    code: str | None = None
    server_message: str | None = None
    retry_after: float | None = None
    sent_at: tuple[datetime, ...] = ()


class ServerAnswer(Protocol):
    """What the server answered: a `mettl_async.Response`."""

    @property
    def status_code(self) -> int: ...  # noqa: D102 - see Response
    @property
    def headers(self) -> Mapping[str, str]: ...  # noqa: D102 - same
    @property
    def content(self) -> bytes: ...  # noqa: D102 - same


class _Fact(Generic[T]):
    """An attribute of an error that is read from its `CallFacts`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, error: CallError | None, owner: type) -> T:
        value: T = getattr(_NO_FACTS if error is None else error.facts, self._name)
        return value


_NO_FACTS = CallFacts()


class CallError(MettlError):
    """A call was tried and failed.

    Attributes:
        problem: What happened, in words; Mettl's among them are as they came.
        facts: What is known of the call; each of its attributes is one of the error too.
        response: What the server answered, if it did. It can hold candidates' data, so it is in no text
            of the error, and pickling leaves it out.
    """

    hint: ClassVar[str] = ""

    def __init__(self, problem: str, facts: CallFacts | None = None) -> None:
        # One argument: some errors are OSErrors too, and those read two as a number and its words.
        super().__init__(problem)
        self.problem = problem
        self.facts = facts or _NO_FACTS
        self.response: ServerAnswer | None = None

    operation = _Fact[str]()
    attempts = _Fact[int]()
    request_id = _Fact[str]()
    sent = _Fact[bool]()
    may_have_been_handled = _Fact[bool]()
    safe_to_repeat = _Fact[bool]()
    status_code = _Fact[int | None]()
    code = _Fact[str | None]()
    server_message = _Fact[str | None]()
    retry_after = _Fact[float | None]()
    sent_at = _Fact[tuple[datetime, ...]]()

    def __str__(self) -> str:
        facts = self.facts
        known = [
            f"HTTP {facts.status_code}" if facts.status_code else "",
            f"attempt {facts.attempts}" if facts.attempts else "",
            f"retry after {facts.retry_after:g} s" if facts.retry_after is not None else "",
            self._fate(),
            f"request {facts.request_id}" if facts.request_id else "",
        ]
        problem = one_line(self.problem)
        head = f"{facts.operation}: {problem}" if facts.operation else problem
        hint = f". {self.hint}" if self.hint else ""
        return f"{head} ({', '.join(filter(None, known))}){hint}"

    def _fate(self) -> str:
        """Describe what became of the request: whether it was sent, and what a repeat would do."""
        if not self.facts.sent:
            return "not sent, safe to repeat"
        if not self.facts.may_have_been_handled:
            return "nothing was done, safe to repeat"
        repeat = "safe" if self.facts.safe_to_repeat else "not safe"
        return f"it may have been handled, {repeat} to repeat"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[type[CallError], tuple[str, CallFacts]]:
        return type(self), (self.problem, self.facts)


class ClientClosedError(CallError):
    """The client is closing or closed, and this call (or this rest of a run) was not sent."""

    def __init__(self, problem: str, facts: CallFacts | None = None) -> None:
        super().__init__(problem, facts or CallFacts(safe_to_repeat=True))


class TransportError(CallError):
    """No answer came; ``.sent`` says whether the server may have seen the request."""


class ConnectError(TransportError, ConnectionError):
    """The connection could not be made (DNS, refused, TLS, proxy)."""


class TransportTimeoutError(TransportError, TimeoutError):
    """Connecting, writing or reading took too long, or the call's total deadline passed."""


class ConnectionLostError(TransportError, ConnectionError):
    """The connection broke before the whole answer was read."""


class MettlDecodeError(CallError):
    """An answer came that is not what Mettl sends: HTML, truncated JSON, an empty body, a redirect."""


class EndlessListError(MettlDecodeError):
    """Two pages of a list in a row brought nothing new, though the server says that more follow.

    Attributes:
        items: What ``collect()`` had read until then; empty where the items were given one by one.
            They are in no text of the error, and pickling leaves them out.
    """

    def __init__(self, problem: str, facts: CallFacts | None = None) -> None:
        super().__init__(problem, facts)
        self.items: tuple[Any, ...] = ()


class ApiError(CallError):
    """Mettl (or its front end) refused the call."""

    def _fate(self) -> str:
        if self.facts.may_have_been_handled or not self.facts.sent:
            return super()._fate()
        return "refused, nothing was done"


class BadRequestError(ApiError):
    """The request is not well-formed for this endpoint."""


class AuthenticationError(ApiError):
    """The signature does not match: wrong private key, region or version, or a proxy that rewrites URLs."""

    hint = "Compare with `mettl sign`: it prints the string to sign and the signature"


class PermissionDeniedError(ApiError):
    """The public key is unknown, or not authorised for this resource."""

    hint = "Check the public key, and that it belongs to this region"


class NotFoundError(ApiError):
    """No such schedule, assessment or candidate in this account and region."""

    hint = "Check the access key or id, and that it belongs to this account and region"


class TimestampError(ApiError):
    """The server refused the time of signing, even after the clock was corrected."""

    hint = "Set this machine's clock (NTP)"


class RegistrationLimitError(ApiError):
    """The account's quota of candidate registrations is used up."""


class RateLimitError(ApiError):
    """Too many requests: the server refused this one, or the next slot is beyond the deadline."""


class ServerError(ApiError):
    """The server failed to answer properly."""


class ServiceUnavailableError(ServerError):
    """The service is unavailable for a short time."""
