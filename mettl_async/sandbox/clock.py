"""The sandbox's clock: the one it was given, put forward by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SandboxClock:
    """The time as the sandbox sees it.

    It runs as the clock that the sandbox was made with, and never goes back by `advance`.

    Args:
        source: Gives the time in Unix seconds.
        skew: Gives seconds to add: ``Faults.clock_skew``, which may change at any time.
        advanced: Called after each `advance`, to make what is due happen.
    """

    def __init__(
        self,
        source: Callable[[], float],
        *,
        skew: Callable[[], float],
        advanced: Callable[[], None],
    ) -> None:
        self._source = source
        self._skew = skew
        self._advanced = advanced
        self.ahead = 0.0

    def __repr__(self) -> str:
        return f"SandboxClock({self.ahead:g} seconds ahead)"

    def now(self) -> float:
        """Tell the time in Unix seconds, advances and clock skew included."""
        return self._source() + self.ahead + self._skew()

    def advance(self, seconds: float) -> None:
        """Put the clock forward, for good; nothing waits.

        What became due meanwhile happens before this returns, in the order of its due times and with
        those times: tests whose time ran out end, lost connections expire, results are graded. The
        webhooks of it are sent by ``sandbox.deliveries.settled()``, or by themselves while the sandbox
        is served. A client whose own clock stays behind is refused with E504 after a day of it.

        Raises:
            ValueError: ``seconds`` is negative or no number.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError("the clock can't go back")
        self.ahead += seconds
        self._advanced()
