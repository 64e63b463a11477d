"""The sandbox's clock: the given one plus advances, and how Mettl writes times."""

from collections.abc import Callable
from email.utils import formatdate
from typing import Final

_IST_SECONDS: Final = 5.5 * 3600


class SandboxClock:
    """The time as the sandbox sees it: the source, advances and clock skew added up.

    Args:
        source: Returns the time in Unix seconds.
        skew: Returns seconds to add: ``Faults.clock_skew``, which may change at any time.
        settle: Called after each `advance`, to make what is due happen.
    """

    def __init__(
        self, source: Callable[[], float], *, skew: Callable[[], float], settle: Callable[[], None]
    ) -> None:
        self._source = source
        self._skew = skew
        self._settle = settle
        self.ahead = 0.0

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._source() + self.ahead + self._skew()

    def advance(self, seconds: float) -> None:
        """Advance the clock for good, without waiting.

        What became due meanwhile happens before this returns, in the order of its due times and with
        those times: tests whose time ran out end, lost connections expire, results are graded. Their
        webhooks are sent by ``sandbox.deliveries.settled()``, or in the background while the sandbox
        is served. A client whose own clock is a day behind is refused with E504.

        Raises:
            ValueError: ``seconds`` is negative or not a finite number.

        Example::

            server.sandbox.clock.advance(3600)
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError("the clock can't go back")
        self.ahead += seconds
        self._settle()


def gmt(seconds: float, zone: str = "GMT") -> str:
    """Format a time in GMT; some properties call it UTC [seen]."""
    return formatdate(seconds, usegmt=True)[:-3] + zone


def ist(seconds: float) -> str:
    """Format a time in the account's zone, which is India's here."""
    return gmt(seconds + _IST_SECONDS, "IST")
