"""When the next request may go: a fixed rate, and a limit that is found by running into it; pure.

Requests per second, not requests in flight, are what servers limit, so that is what is adapted.

Overload refuses less when one slows down, chance does not: that is the whole test. Answers are counted in
rounds of about a second. A round with more refusals than chance explains slows the next one down, to a
little below what the server accepted. If that helps, there is a limit, and the rate climbs back to it and
beyond, in steps that grow. If two such steps down do not help, refusals have nothing to do with the rate
(one sick node behind a balancer): the old rate is restored, and so many refusals are put up with for a
while. What it comes to: ``benchmarks/pace.py``.
"""

import math
from typing import Final, Self

from attrs import define, field

LATE: Final = 0.05
"""Seconds that a busy event loop may wake somebody late; what comes later than that is a lull."""

ROUND: Final = 1.0
"""Seconds of a round at least: servers count by the second, and a part of one may be all refusals."""

ENOUGH: Final = 30
"""Answers that a round with refusals has at least: with fewer, chance decides."""

FEW: Final = 10
"""Answers that are enough where none is a refusal."""

PATIENCE: Final = 5.0
"""Seconds after which a round is judged by what it has."""

FLOOD: Final = 16
"""Answers, more than half of them refusals, that end a round early: chance would hardly do that."""

PART: Final = 0.25
"""Seconds of a round at least that is ended early, for a rate to be measured."""

MOST_NOISE: Final = 2 / 3
"""Share of refusals that is never taken for chance: a server that refuses more is down."""

LEAST_NOISE: Final = 0.01
"""Share of refusals that is never taken for overload."""

DEVIATIONS: Final = 2.3
"""Standard deviations beyond the usual share that chance does not explain: one round in a hundred."""

BACKOFF: Final = 0.9
"""Share of the accepted rate that is left after too many refusals: below the limit, and not far."""

DEEPEST: Final = 0.25
"""Share of the rate that is left where nothing was accepted."""

UNMOVED: Final = 0.6
"""Of the drop that overload would explain, the share of refusals that shows that it was none."""

TRIALS: Final = 2
"""Steps down in a row that must not have helped: one may have met a limit that was falling too, or the
end of what the server takes in one go."""

LEARNING: Final = 0.4
"""Weight of a round of `ENOUGH` answers in the known share of chance."""

MEMORY: Final = 30.0
"""Seconds after which that share is forgotten, and so put to the test again."""

NEAR: Final = 0.98
"""Share of the last known limit up to which the rate doubles in each round."""

STEP: Final = 0.01
"""Growth by the first round beyond that."""

GROWTH: Final = 1.5
"""How much greater each further step is: slowly past a limit that is still there, and a tenfold one is
found in a quarter of a minute."""

LONGEST_STEP: Final = 0.5
"""Greatest step."""

HOLD: Final = 10.0
"""Seconds without a higher rate for each second of pause that the last refusal has cost everybody."""

LONG: Final = 6.0
"""Seconds of a pause that count for that at most: a limit that moves is found again."""

SLOW: Final = 2.0
"""Times the quickest round's time of answering that a slow one takes: a rate that makes answers slow is not
raised."""

SLOW_FLOOR: Final = 0.02
"""Seconds beyond that, for a few milliseconds are not slow."""

FORGETTING: Final = 1.02
"""Growth of the quickest time by each round, so that it is forgotten."""

USED: Final = 0.7
"""Share of the rate that must be made use of for it to grow."""

LEAST_RATE: Final = 0.5
"""Requests per second that are always tried, so that a recovery can be noticed."""

SPREAD: Final = 0.1
"""Share of a pause that chance adds, so that many processes do not come back together."""

_MOMENT: Final = 0.1  # seconds that a rate is measured over at least
_NEVER: Final = float("-inf")


@define(eq=False)
class _Round:
    """What came of the requests that were sent since ``began``."""

    began: float
    earlier: int = 0  # accepted within a second before
    last_sent: float = _NEVER
    answers: int = 0
    refused: int = 0
    took: float = 0.0  # all that were accepted, together

    def add(self, now: float, sent_at: float, *, refused: bool) -> None:
        if sent_at >= self.began:
            self.answers += 1
            self.refused += refused
            self.took += 0.0 if refused else now - sent_at
            self.last_sent = max(self.last_sent, sent_at)
        elif not refused:
            self.earlier += 1

    def is_over(self, now: float, *, paced: bool) -> bool:
        seconds = now - self.began
        # Without a pace a flood comes within no time, and what was accepted earlier tells the rate.
        if self.is_flood and (not paced or seconds >= PART):
            return True
        if seconds < ROUND or not self.answers:
            return False
        return self.answers >= (ENOUGH if self.refused else FEW) or seconds >= PATIENCE

    @property
    def is_flood(self) -> bool:
        return self.answers >= FLOOD and 2 * self.refused > self.answers

    @property
    def share(self) -> float:
        """Share of refusals."""
        return self.refused / self.answers

    @property
    def sent_rate(self) -> float:
        return self.answers / max(_MOMENT, self.last_sent - self.began)

    @property
    def accepted_rate(self) -> float:
        return self.sent_rate * (1 - self.share)

    def exceeds(self, noise: float) -> bool:
        """Tell whether there are more refusals than chance explains, which refuses a share of ``noise``."""
        if self.share > MOST_NOISE:
            return True
        noise = max(noise, LEAST_NOISE)
        deviation = math.sqrt(noise * (1 - noise) / self.answers)
        return self.share > noise + DEVIATIONS * deviation

    def is_as_bad_as(self, before: Self, noise: float) -> bool:
        """Tell whether sending less than in the round before has left the share of refusals as it was."""
        # What overload would leave of it: the server goes on to accept as many as it did.
        overload = max(noise, 1 - before.accepted_rate / self.sent_rate)
        unmoved = self.share > overload + UNMOVED * (before.share - overload)
        return unmoved and self.share <= MOST_NOISE


@define(eq=False)
class Pacer:
    """One for all requests of a client; times are seconds of a monotonic clock.

    Attributes:
        fixed: Requests per second that are never exceeded; None for any number.
        adaptive: Whether refusals lower the rate. Pauses that the server asks for are kept either way.
        max_pause: Seconds of such a pause at most.
        found: The rate that is kept because of refusals; None as long as there is no reason for one.
        noise: Share of refusals that is known to have nothing to do with the rate.
    """

    fixed: float | None = None
    adaptive: bool = True
    max_pause: float = math.inf
    found: float | None = field(default=None, init=False)
    noise: float = field(default=0.0, init=False)
    _noise_until: float = field(default=_NEVER, init=False)
    _limit: float = field(default=math.inf, init=False)  # where the rate was last too high
    _step: float = field(default=STEP, init=False)
    _round: _Round | None = field(default=None, init=False)
    _before: _Round | None = field(default=None, init=False)  # the last step down
    _hold_until: float = field(default=_NEVER, init=False)
    _in_vain: int = field(default=0, init=False)  # steps down in a row that have not helped
    _unexpected: int = field(default=0, init=False)  # pauses in a row below the limit
    _undisturbed: float | None = field(default=None, init=False)  # the rate before them
    _next: float = field(default=_NEVER, init=False)
    _paused_until: float = field(default=_NEVER, init=False)
    _second: float = field(default=_NEVER, init=False)  # when the last one that is counted began
    _accepted: int = field(default=0, init=False)  # in it, and in the one before
    _accepted_before: int = field(default=0, init=False)
    _quickest: float = field(default=math.inf, init=False)  # seconds of an answer, in a round

    @property
    def rate(self) -> float | None:
        """Requests per second now; None for any number."""
        if self.fixed is None or self.found is None:
            return self.found if self.fixed is None else self.fixed
        return min(self.fixed, self.found)

    @property
    def idle(self) -> bool:
        """Whether no request has to wait, so that `take` need not be called."""
        return self.fixed is None and self.found is None and self._paused_until == _NEVER

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
            self._paused_until = _NEVER
        else:
            # Waking up a little late does not lower the rate; a lull is lost, for a burst after it would
            # be a burst to the server too.
            spacing = 1 / rate
            late = now - self._next
            self._next = (self._next if late < min(spacing, LATE) else now) + spacing
        return 0.0

    def succeeded(self, now: float, took: float) -> None:
        """Learn from an answer that was no refusal, ``took`` seconds after its request was sent."""
        if not self.adaptive:
            return
        if now - self._second > ROUND:
            self._second, self._accepted_before, self._accepted = now, self._accepted, 0
        self._accepted += 1
        if self._round is not None:
            self._count(self._round, now, now - took, refused=False)

    def throttled(
        self, now: float, sent_at: float, retry_after: float | None, chance: float
    ) -> None:
        """Learn from a refusal because of too many requests.

        Args:
            now: When the refusal came.
            sent_at: When its request was sent.
            retry_after: Seconds that the server asks all callers to wait. Beyond `max_pause` only the call
                at hand waits, or fails: the others ask again.
            chance: From 0 to 1.
        """
        pause = 0.0
        if retry_after:
            pause = min(retry_after, self.max_pause) * (1 + SPREAD * chance)
            self._paused_until = max(self._paused_until, now + pause)
        if not self.adaptive:
            return
        if self._round is None:
            # What a server took in one go before its first refusal says nothing about its rate.
            self._round = _Round(now if pause < ROUND else sent_at)
            if now - self._second <= 2 * ROUND:
                self._round.earlier = max(self._accepted, self._accepted_before)
        if pause < ROUND:
            self._count(self._round, now, sent_at, refused=True)
        elif sent_at >= self._round.began:
            self._round.add(now, sent_at, refused=True)
            self._hold_until = now + HOLD * min(pause, LONG)
            self._judge_at_once(self._round, now)
            self._round, self._before = _Round(now + pause), None

    def _judge_at_once(self, this: _Round, now: float) -> None:
        """Draw the conclusion of one refusal: counting more would cost everybody a pause for each."""
        below = self.found is not None and self.found <= NEAR * self._limit
        self._in_vain, self._unexpected = 0, self._unexpected + 1 if below else 0
        if self._unexpected == TRIALS:
            self.found, self._unexpected = self._undisturbed, 0
        else:
            self._slow_down(this, now)

    def _count(self, this: _Round, now: float, sent_at: float, *, refused: bool) -> None:
        this.add(now, sent_at, refused=refused)
        if this.is_over(now, paced=self.found is not None):
            # Where there is neither a rate nor a refusal, counting stops.
            going_on = self.found is not None or this.refused
            self._round = _Round(now) if going_on else None
            self._judge(this, now)

    def _judge(self, this: _Round, now: float) -> None:
        """Draw the conclusion of a round that is over."""
        before, self._before = self._before, None
        if now > self._noise_until:
            self.noise = 0.0
        if before is not None and this.sent_rate < before.sent_rate:
            helped = not this.is_as_bad_as(before, self.noise)
            self._in_vain = 0 if helped else self._in_vain + 1
            if self._in_vain == TRIALS:
                answers = this.answers + before.answers
                self._learn((this.refused + before.refused) / answers, now)
                self.found, self._in_vain = self._undisturbed, 0
                return
        too_many = this.exceeds(self.noise)
        below = self.found is not None and this.sent_rate <= self._limit
        if below and this.share <= MOST_NOISE:
            # Below the limit all that is refused is refused by chance.
            weight = LEARNING * min(1, this.answers / ENOUGH)
            self._learn(self.noise + weight * (this.share - self.noise), now)
        if too_many:
            self._slow_down(this, now)
            return
        self._in_vain = 0
        if self.found is not None:
            self._grow(self.found, this, now)

    def _learn(self, noise: float, now: float) -> None:
        self.noise, self._noise_until = min(noise, MOST_NOISE), now + MEMORY

    def _slow_down(self, this: _Round, now: float) -> None:
        if not self._in_vain and not self._unexpected:
            self._undisturbed = self.found
        accepted, self._before = this.accepted_rate, this
        if self.found is None:
            # A server that counts by the second accepts nothing until the second is over.
            self._round = _Round(now + ROUND)
        if self.found is None and (this.is_flood or now - this.began < ROUND):
            # That is no rate of it, and what other servers take in one go is more than their rate.
            earlier = this.earlier / ROUND
            if 2 * accepted < earlier:
                accepted = earlier
            else:
                accepted = max(accepted, (accepted + earlier) / 2)
        if accepted:
            # Chance refuses its share of what is sent, however much the server would take.
            self._limit = accepted / (1 - self.noise)
            slower = BACKOFF * min(self._limit, self.found or math.inf)
        else:
            slower = DEEPEST * (self.found or this.sent_rate)
        self.found = max(LEAST_RATE, slower)
        self._step = STEP
        self._next = max(self._next, now)

    def _grow(self, found: float, this: _Round, now: float) -> None:
        took = this.took / (this.answers - this.refused)
        self._quickest = min(took, FORGETTING * self._quickest)
        most = math.inf if self.fixed is None else self.fixed
        unused = this.sent_rate < USED * min(found, most)
        if unused or found >= most or took > SLOW * self._quickest + SLOW_FLOOR:
            return
        if found < NEAR * self._limit:
            self.found = min(2 * found, NEAR * self._limit)
        elif now >= self._hold_until:
            self.found = found * (1 + self._step)
            self._step = min(GROWTH * self._step, LONGEST_STEP)
