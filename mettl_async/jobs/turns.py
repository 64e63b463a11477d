"""Which turns of a shared rate a process holds, when it spends them, and when it asks for more; pure.

The database hands out turns, each a moment of its clock, ``1 / per_second`` apart: that is the whole law. A
process reserves a few of them in one go and spends each at its time. What is too late is lost, for a turn
that is made up for is a burst to the server.

Two things move a turn against the others: how late it is spent (`LATE`), and how little the process knows
of the database's clock (`VAGUE`). Together they stay below a fifth of a second, so that no second has more
than 1.2 times the rate.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from attrs import define, field, frozen

BLOCK: Final = 0.25
"""Seconds of turns that are reserved in one go at most: all that a process wastes that dies or falls idle."""

LATE: Final = 0.1
"""Seconds after its time that a turn may be spent."""

VAGUE: Final = 0.1
"""Seconds of doubt about the database's clock that are too many, as long as few answers have come."""

AHEAD: Final = BLOCK / 2
"""Seconds before the last turn that more are asked for, beyond what an answer takes."""

FRESH: Final = 0.5
"""Seconds after which a process asks again whether there is a pause, before it spends a turn."""

LONGEST_PAUSE: Final = 3600.0
"""Seconds; a longer one that stands in the database comes of a clock that was set back."""

LONGEST_MARGIN: Final = 1.0
"""Seconds of `Turns.margin` at most: a process that was frozen must not push everybody's turns away."""

_DRIFT: Final = 0.001  # seconds in each second that two clocks may part, while one is slewed
_QUEUE: Final = 1000.0  # blocks reserved ahead at most: of so many processes, one each
_FEW: Final = 3
_NEVER: Final = -math.inf


@frozen
class Answer:
    """What the database said, by its clock."""

    start: float  # of the first turn
    paused_until: float
    now: float


@frozen
class Step:
    """What to do now.

    Attributes:
        wait: Seconds until the next step, unless an answer comes earlier; 0 when a turn was spent; None
            when there is nothing but an answer to wait for.
        turns: How many to ask for, beside that; 0 for none.
        look: Whether to ask if there is a pause, beside that.
    """

    wait: float | None = None
    turns: int = 0
    look: bool = False


def horizon(per_second: float) -> float:
    """Return the seconds that the next free turn may be away; beyond that a clock was set back."""
    return _QUEUE * max(BLOCK, 1 / per_second)


@define(eq=False)
class OtherClock:
    """How far our monotonic clock is ahead of the database's, learned from each answer."""

    _least: float = field(default=_NEVER, init=False)
    _most: float = field(default=math.inf, init=False)
    _as_of: float = field(default=_NEVER, init=False)
    _answers: int = field(default=0, init=False)

    @property
    def vague(self) -> bool:
        """Whether another answer may tell much more; a database that is far away stays vague."""
        return self._answers < _FEW and self._most - self._least > VAGUE

    def learn(self, sent: float, got: float, shown: float) -> None:
        """Learn that it was ``shown`` there at some moment between ``sent`` and ``got``."""
        drift = _DRIFT * (got - self._as_of)
        least, most = self._least - drift, self._most + drift
        self._as_of, self._least, self._most = got, sent - shown, got - shown
        self._answers += 1
        if least <= self._most and most >= self._least:
            self._least, self._most = max(least, self._least), min(most, self._most)
        else:  # both cannot be true, so one of the clocks was set
            self._answers = 1

    def here(self, moment: float) -> float:
        """Return when that is by our clock: never early."""
        return moment + self._most


@define(eq=False)
class Turns:
    """The turns that one process holds; all times are seconds of its monotonic clock.

    Attributes:
        per_second: The rate of all processes together.
        margin: Seconds that the last answer came later than the quickest would have: the next block begins
            so much later than the database's now, or it would be too late already.
    """

    per_second: float
    margin: float = field(default=0.0, init=False)
    _clock: OtherClock = field(factory=OtherClock, init=False)
    _held: deque[float] = field(factory=deque, init=False)
    _last: float = field(default=_NEVER, init=False)  # turn of the last block
    _size: int = field(default=0, init=False)  # of that block
    _paused_until: float = field(default=_NEVER, init=False)
    _asked_until: float = field(default=_NEVER, init=False)  # by the server, of this process
    _told_until: float = field(default=_NEVER, init=False)  # the database
    _known_at: float = field(default=_NEVER, init=False)  # what is known of pauses
    _took: float = field(default=0.0, init=False)

    def step(self, now: float, waiting: int) -> Step:
        """Spend a turn if its time has come, or tell what to wait and to ask for.

        Args:
            now: Time.
            waiting: How many wait for a turn, the one that asks included.
        """
        held = self._held
        while held and held[0] < max(now - LATE, self._paused_until):
            held.popleft()
        wanted = self._wanted(now, waiting)
        if not held:
            return Step(turns=wanted)
        lead = AHEAD + self._took
        old = max(held[0], now) - self._known_at > FRESH + 2 * self._took
        if old or self._clock.vague:
            early = held[0] - lead - now
            return Step(wait=early) if early > 0 else Step(look=True)
        wait = max(0.0, held[0] - now)
        if not wait:
            held.popleft()
            waiting -= 1
        few = len(held) < wanted and (not held or held[-1] - now < lead)
        return Step(wait=wait, turns=wanted if waiting and few else 0)

    def answered(
        self, asked: float, sent: float, got: float, answer: Answer, *, turns: int, pause: float
    ) -> None:
        """Learn from an answer.

        Args:
            asked: When it was decided what to ask; a connection may have been waited for since.
            sent: When the statement was sent.
            got: When the answer was there.
            answer: What it said.
            turns: How many were reserved.
            pause: Seconds of pause that were told.
        """
        self._clock.learn(sent, got, answer.now)
        self._took, self._known_at = got - asked, sent
        self._told_until = max(self._told_until, asked + pause)
        self._paused_until = max(self._paused_until, self._clock.here(answer.paused_until))
        if turns:
            self.margin = min(got - self._clock.here(answer.now), LONGEST_MARGIN)
            start = self._clock.here(answer.start)
            self._held.extend(start + each / self.per_second for each in range(turns))
            self._last, self._size = self._held[-1], turns

    def pause(self, now: float, seconds: float) -> None:
        """Keep a pause that the server asked this process for."""
        self._asked_until = max(self._asked_until, now + min(seconds, LONGEST_PAUSE))
        self._paused_until = max(self._paused_until, self._asked_until)

    def untold(self, now: float) -> float:
        """Return the seconds of pause that the database must still be told of; 0 for none."""
        return max(0.0, self._asked_until - now) if self._asked_until > self._told_until else 0.0

    def _wanted(self, now: float, waiting: int) -> int:
        # Where the demand lasts, as many come while a block is spent as did while the last one was.
        lasting = self._size if now <= self._last + LATE else 0
        return min(waiting + lasting, math.ceil(self.per_second * BLOCK))
