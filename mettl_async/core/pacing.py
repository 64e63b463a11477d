"""When the next request may go: a fixed rate, and a limit that is found by running into it; pure.

Requests per second, not requests in flight, are what servers limit, so that is what is adapted.
Additive increase, multiplicative decrease, with a memory of where the limit was: half the rate after
a refusal, quickly back to nearly where it was, then slowly beyond.
"""

from collections import deque
from typing import Final

from attrs import define, field

BACKOFF: Final = 0.5
"""Share of the rate that is left after a refusal."""

NEAR: Final = 0.9
"""Share of the last known limit up to which the rate recovers quickly."""

RECOVERY: Final = 0.35
"""Growth per second below that: half the rate is back to nine tenths in two seconds."""

PROBING: Final = 0.02
"""Share of the last known limit that is added per second near it: a refusal in some five seconds."""

DISCOVERY: Final = 0.2
"""Growth per second once the last known limit has been passed without a refusal."""

LEAST_RATE: Final = 0.5
"""Requests per second that are always tried, so that a recovery can be noticed."""

PAUSE: Final = 0.25
"""Seconds without any request after a refusal that does not say how long to wait."""

SPORADIC: Final = 10
"""Successes since the last refusal that make one an accident: a broken server behind a balancer refuses
a share of the requests at any rate, and slowing down would not help."""

SPREAD: Final = 0.1
"""Share of a pause that chance adds, so that many processes do not come back together."""

_WINDOW: Final = 1.0
_SLOW: Final = 2.0
_SLOW_FLOOR: Final = 0.02
_QUICKLY: Final = 0.2  # weights of the two averages of how long answers take
_SLOWLY: Final = 0.02


@define(eq=False)
class Pacer:
    """One for all requests of a client; times are seconds of a monotonic clock.

    Attributes:
        fixed: Requests per second that are never exceeded; None for any number.
        adaptive: Whether refusals lower the rate. Pauses that the server asks for are kept either way.
        found: The limit that was found; None until the first refusal.
    """

    fixed: float | None = None
    adaptive: bool = True
    found: float | None = field(default=None, init=False)
    _ceiling: float = field(default=0.0, init=False)
    _pause: float = field(default=PAUSE, init=False)
    _counted: bool = field(default=False, init=False)
    _since_refusal: int = field(default=0, init=False)
    _next: float = field(default=float("-inf"), init=False)
    _paused_until: float = field(default=float("-inf"), init=False)
    _cut_at: float = field(default=float("-inf"), init=False)
    _grown_at: float = field(default=float("-inf"), init=False)
    _successes: deque[float] = field(factory=deque, init=False, repr=False)
    _usual: float | None = field(default=None, init=False, repr=False)
    _lately: float = field(default=0.0, init=False, repr=False)

    @property
    def rate(self) -> float | None:
        """Requests per second now; None for any number."""
        if self.fixed is None or self.found is None:
            return self.found if self.fixed is None else self.fixed
        return min(self.fixed, self.found)

    @property
    def idle(self) -> bool:
        """Whether no request has to wait, so that `take` need not be called."""
        return self.fixed is None and self.found is None and self._paused_until == float("-inf")

    def take(self, now: float) -> float:
        """Take the right to send one request, or tell how many seconds later to ask again.

        Returns:
            0 when it was taken.
        """
        wait = max(self._next, self._paused_until) - now
        if wait > 0:
            return wait
        rate = self.rate
        if rate is None:
            self._paused_until = float("-inf")
        else:
            # Waking up a little late does not lower the rate; a lull is lost, for a burst after it would
            # be a burst to the server too.
            spacing = 1 / rate
            self._next = (self._next if now - self._next < spacing else now) + spacing
        return 0.0

    def succeeded(self, now: float, took: float) -> None:
        """Learn from an answer that was no refusal, ``took`` seconds after its request was sent."""
        if not self.adaptive:
            return
        self._since_refusal += 1
        self._successes.append(now)
        self._forget(now)
        usual = took if self._usual is None else self._usual
        self._usual = usual + _SLOWLY * (took - usual)
        self._lately += _QUICKLY * (took - self._lately) if self._lately else took
        if self.found is None:
            return
        if self._counted and now - took < self._cut_at:
            # It was on its way when the first refusal came: the count of what was accepted was too low.
            self._ceiling += 1 / _WINDOW
            self.found += BACKOFF / _WINDOW
        self._grow(now)

    def throttled(
        self, now: float, sent_at: float, retry_after: float | None, chance: float
    ) -> None:
        """Learn from a refusal because of too many requests.

        Args:
            now: When the refusal came.
            sent_at: When its request was sent: refusals of requests from before the last decrease tell
                nothing new.
            retry_after: Seconds that the server asks all callers to wait; 0 says that none has to, so that
                nothing changes.
            chance: From 0 to 1.
        """
        if retry_after == 0 or (retry_after is None and not self.adaptive):
            return
        sporadic = self._since_refusal >= SPORADIC
        self._since_refusal = 0
        if sporadic and retry_after is None:
            return
        again = now < self._cut_at + _WINDOW
        if sent_at >= self._cut_at:
            self._pause = min(2 * self._pause, _WINDOW) if again else PAUSE
        pause = (self._pause if retry_after is None else retry_after) * (1 + SPREAD * chance)
        self._paused_until = max(self._paused_until, now + pause)
        # A server that counts by the second refuses everything until the second is over, so that a
        # refusal soon after a decrease does not mean that the new rate is too high.
        if not self.adaptive or sent_at < self._cut_at or again:
            return
        self._cut_at = self._grown_at = now
        self._forget(now)
        accepted = len(self._successes) / _WINDOW
        self._counted = self.found is None
        reached = accepted if self.found is None else self.found
        self._ceiling = max(reached, LEAST_RATE)
        self.found = max(reached * BACKOFF, LEAST_RATE)
        self._next = max(self._next, now)

    def _grow(self, now: float) -> None:
        elapsed = min(max(0.0, now - self._grown_at), _WINDOW)
        self._grown_at = max(self._grown_at, now)
        found = self.found
        # A rate that is not made use of, or that makes answers slow, is not raised.
        unused = len(self._successes) < BACKOFF * (found or 0.0) * _WINDOW
        if found is None or unused or self._is_slow():
            return
        if found < NEAR * self._ceiling:
            self.found = found * (1 + RECOVERY * elapsed)
        elif found < (2 - NEAR) * self._ceiling:
            self.found = found + PROBING * self._ceiling * elapsed
        else:
            self.found = found * (1 + DISCOVERY * elapsed)

    def _is_slow(self) -> bool:
        return self._usual is not None and self._lately > _SLOW * self._usual + _SLOW_FLOOR

    def _forget(self, now: float) -> None:
        while self._successes and self._successes[0] < now - _WINDOW:
            self._successes.popleft()
