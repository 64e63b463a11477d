"""Everything this library raises.

::

    MettlError
    ├── ConfigurationError          credentials, options or misuse of the client; nothing was sent
    ├── InvalidInputError           a value you built breaks a rule: .field .problem .fix; nothing was sent
    ├── RegistrationFailuresError        some candidates of a bulk run were not registered: .report
    ├── RunInterruptedError              input, journal or a hook of register_many failed: .report .__cause__
    ├── JournalError                the journal of a bulk run cannot be used: .unrecorded .__cause__
    ├── NotReadyError               a result or a report was not there in time: .why .waited .final
    ├── WebhookError                something about a delivery to a webhook
    │   ├── EventDecodeError            its body is not an event: .problem
    │   ├── ContextDataError            its context_data is not ours, expired, or of another: .reason
    │   └── ClaimLostError              someone else took the event meanwhile; nothing was kept
    └── CallError                   a call was tried: .operation .attempts .request_id .sent .safe_to_repeat
        ├── TransportError          no answer came
        │   ├── ConnectError        the connection could not be made
        │   ├── TransportTimeoutError    too slow, or the call's deadline passed
        │   └── ConnectionLostError      it broke before the whole answer was read
        ├── MettlDecodeError        an answer came that is not what Mettl sends
        └── ApiError                Mettl (or its front end) refused: .code .server_message .status_code
            ├── BadRequestError         E400, E405, E028, HTTP 400, 405, 413, 414, 422
            ├── AuthenticationError     E401, HTTP 401
            ├── PermissionDeniedError   E403, HTTP 403
            ├── NotFoundError           E404, HTTP 404
            ├── TimestampError          E504 invalid, E422 expired
            ├── RegistrationLimitError  E607
            ├── RateLimitError          E509, E503, HTTP 429, 503: .retry_after
            └── ServerError             E408, other HTTP 5xx

Codes and their sources: api.md section 4. No message carries a key, a signature or a candidate's data.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

if TYPE_CHECKING:
    from mettl_async.bulk.outcomes import Outcome, RegistrationReport


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


class RegistrationFailuresError(MettlError):
    """Raised by ``RegistrationReport.raise_for_failures()``; the whole report is in ``.report``."""

    def __init__(self, report: RegistrationReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


class RunInterruptedError(MettlError):
    """The input, the journal or a hook of ``register_many`` failed; how, is the ``__cause__``.

    Attributes:
        report: Outcomes of every candidate that was read before, and what could not be recorded.
    """

    def __init__(self, report: RegistrationReport, cause: Exception) -> None:
        super().__init__(report, cause)
        self.report = report

    def __str__(self) -> str:
        cause = self.args[1]
        which = "its journal failed" if isinstance(cause, JournalError) else "the run ended"
        return f"{which} with {type(cause).__name__}: {self.report}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"  # the cause's own words may be a row


class JournalError(MettlError):
    """The journal of a bulk run belongs to another schedule, or cannot be read or written.

    Attributes:
        unrecorded: Answers of the server that could not be recorded, and were not yielded for that.
            A run that is resumed sends these candidates again, which is harmless and gives the same
            links [seen]. Empty when nothing was sent.
    """

    def __init__(self, problem: str, *, unrecorded: tuple[Outcome, ...] = ()) -> None:
        super().__init__(problem)
        self.unrecorded = unrecorded

    def __str__(self) -> str:
        count = len(self.unrecorded)
        return f"{self.args[0]}; {count} outcomes are not in it" if count else str(self.args[0])


class NotReadyError(MettlError):
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
        return f"{self.why} ({rest})"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), waited=self.waited, final=self.final), (self.why,)


class WebhookError(MettlError):
    """Something is wrong with a delivery to a webhook."""


class EventDecodeError(WebhookError):
    """The body of a delivery is not an event: no JSON, no UTF-8, no object.

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


class ClaimLostError(WebhookError):
    """The lease of a claim ended and someone else took the event; nothing of this one was kept."""


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
        server_message: Mettl's words, with personal values blanked.
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


class CallError(MettlError):
    """A call was tried and failed; see `CallFacts` for the attributes."""

    hint: ClassVar[str] = ""

    def __init__(self, problem: str, facts: CallFacts | None = None) -> None:
        super().__init__(problem, facts or CallFacts())
        self.problem = problem
        self.facts = facts or CallFacts()

    @property
    def operation(self) -> str:
        """The method, such as ``candidates.register``."""
        return self.facts.operation

    @property
    def attempts(self) -> int:
        """How many requests were made for the call."""
        return self.facts.attempts

    @property
    def request_id(self) -> str:
        """The client's own id of the call, the same in its log lines."""
        return self.facts.request_id

    @property
    def sent(self) -> bool:
        """Whether the server may have seen (any attempt of) the request."""
        return self.facts.sent

    @property
    def may_have_been_handled(self) -> bool:
        """Whether the server may have done (in any attempt) what was asked."""
        return self.facts.may_have_been_handled

    @property
    def safe_to_repeat(self) -> bool:
        """Whether doing the call again can do no harm."""
        return self.facts.safe_to_repeat

    @property
    def status_code(self) -> int | None:
        """Status of the last answer, if there was one."""
        return self.facts.status_code

    @property
    def code(self) -> str | None:
        """Mettl's code, such as ``E401``."""
        return self.facts.code

    @property
    def server_message(self) -> str | None:
        """Mettl's words, with personal values blanked."""
        return self.facts.server_message

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait."""
        return self.facts.retry_after

    @property
    def sent_at(self) -> tuple[datetime, ...]:
        """When each request was sent that the server may have seen, in UTC."""
        return self.facts.sent_at

    def __str__(self) -> str:
        facts = self.facts
        known = [
            f"HTTP {facts.status_code}" if facts.status_code else "",
            f"attempt {facts.attempts}" if facts.attempts else "",
            f"retry after {facts.retry_after:g} s" if facts.retry_after is not None else "",
            self._fate(),
            f"request {facts.request_id}" if facts.request_id else "",
        ]
        head = f"{facts.operation}: {self.problem}" if facts.operation else self.problem
        hint = f". {self.hint}" if self.hint else ""
        return f"{head} ({', '.join(filter(None, known))}){hint}"

    def _fate(self) -> str:
        """What became of it, in words: was it sent, and what would a repeat do?"""
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


class TransportError(CallError):
    """No answer came; ``.sent`` says whether the server may have seen the request."""


class ConnectError(TransportError):
    """The connection could not be made (DNS, refused, TLS, proxy)."""


class TransportTimeoutError(TransportError):
    """Connecting, writing or reading took too long, or the call's total deadline passed."""


class ConnectionLostError(TransportError):
    """The connection broke before the whole answer was read."""


class MettlDecodeError(CallError):
    """An answer came that is not what Mettl sends: HTML, truncated JSON, an empty body, a redirect."""


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
    """Too many requests, or the service is briefly unavailable."""


class ServerError(ApiError):
    """The server failed to answer properly."""
