"""Whether and when a failed call is tried again; pure.

A call is repeated where that may help (no answer, a spoilt answer, throttling, a server error) and can do
no harm: either the operation may be handled twice, or the server cannot have handled it.
"""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from attrs import Factory, define, field, frozen

from mettl_async.config import RetryPolicy
from mettl_async.error_codes import rule_of
from mettl_async.errors import ApiError, CallError, MettlDecodeError, TimestampError, TransportError

RETRY_COST = 5


@frozen
class Wait:
    """Try again after ``seconds``."""

    seconds: float


@frozen
class SignAgain:
    """The clock was wrong: learn the server's time and try again at once, this once."""

    server_time: float


@frozen
class GiveUp:
    """Raise the error; ``reason`` goes into the log."""

    reason: str


@define
class RetryQuota:
    """What all calls of a client may spend on retries, so that an outage is not made worse.

    A retry costs `RETRY_COST`; a call that succeeds in the end gives back what it took, and one that
    succeeds at once adds 1. The balance stays between 0 and ``capacity``.
    """

    capacity: int
    left: int = field(init=False, default=Factory(lambda self: self.capacity, takes_self=True))

    def take(self) -> bool:
        """Pay for one retry, if there is enough left."""
        if self.left < RETRY_COST:
            return False
        self.left -= RETRY_COST
        return True

    def give_back(self, retries: int) -> None:
        """Credit a call that succeeded after that many retries."""
        self.left = min(self.capacity, self.left + (RETRY_COST * retries or 1))


def may_have_been_handled(error: CallError) -> bool:
    """Tell whether the server may have done what was asked, although the call failed."""
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, ApiError):
        return rule_of(error).may_have_been_handled
    return isinstance(error, MettlDecodeError)


def is_transient(error: CallError) -> bool:
    """Tell whether the same request may succeed later."""
    if isinstance(error, ApiError):
        return rule_of(error).transient
    return isinstance(error, (TransportError, MettlDecodeError))


def backoff(attempt: int, policy: RetryPolicy, chance: float) -> float:
    """Return the seconds to wait after an attempt (1 for the first): full jitter, exponential, capped."""
    # The exponent is bounded before it is raised, or a hundredth attempt would overflow.
    ceiling = min(policy.backoff_cap, policy.backoff_base * 2.0 ** min(attempt - 1, 60))
    return chance * ceiling


def decide(
    error: CallError,
    *,
    repeatable: bool,
    attempt: int,
    policy: RetryPolicy,
    remaining: float,
    chance: float,
    server_time: float | None = None,
    signed_again: bool = False,
) -> Wait | SignAgain | GiveUp:
    """Decide what follows a failed attempt.

    Args:
        error: What the attempt came to.
        repeatable: Whether handling the call twice does no harm.
        attempt: Number of the failed attempt, from 1.
        policy: Bounds.
        remaining: Seconds until the call's deadline.
        chance: A random number, 0 <= chance <= 1.
        server_time: The answer's ``Date`` in seconds since the epoch, if it had one.
        signed_again: Whether the clock was corrected in this call already.
    """
    if isinstance(error, TimestampError):
        # The timestamp is checked first [doc for E504, assumed for E422], so nothing was handled and
        # even an unsafe call may be signed again; it does not count as a retry.
        if signed_again or server_time is None or remaining <= 0:
            return GiveUp("the time of signing was refused")
        return SignAgain(server_time)
    if not is_transient(error):
        return GiveUp("a repeat would fail the same way")
    if may_have_been_handled(error) and not repeatable:
        return GiveUp("it may have been handled, and doing it twice could do harm")
    if attempt >= policy.max_attempts:
        return GiveUp("no attempts left")
    seconds = backoff(attempt, policy, chance)
    if error.retry_after is not None:
        # Jitter on top, or all clients that got the same time would come back at once.
        seconds = max(seconds, error.retry_after + chance * policy.backoff_base)
    if seconds >= remaining:
        return GiveUp("the deadline would pass first")
    return Wait(seconds)


def http_date(value: str | None) -> float | None:
    """Read an HTTP date as seconds since the epoch; None for junk."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # "-0000" parses as a naive time; HTTP dates are always UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read a ``Retry-After`` header, in either of its forms, as seconds to wait; None without or for junk.

    A date is compared with the answer's own ``Date`` if it has one, so that our clock does not matter.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        moment = http_date(value)
        if moment is None:
            return None
        seconds = moment - (http_date(headers.get("date")) or now)
    return max(0.0, seconds) if math.isfinite(seconds) else None
