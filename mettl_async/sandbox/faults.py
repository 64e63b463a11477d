"""Which faults to inject, as data that may change while the sandbox runs.

What each does to a request is in ``injection.py``. Which faults the real server has is not known;
these are the ones that every network has, plus Mettl's own words for throttling.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from random import Random
from typing import Final

from attrs import define, field, frozen
from attrs.validators import and_, ge, le

# Each kind with its variants, taken in turn.
VARIANTS: Final[dict[str, tuple[str, ...]]] = {
    "reset_before": ("",),
    "reset_after": ("",),
    "throttle": ("E509", "429", "429-date", "503"),
    "server_error": ("500", "502", "504", "E408"),
    "html": ("",),
    "truncate": ("short", "closed"),
    "empty": ("",),
}
_CODE: Final = re.compile(r"E[0-9]{3}", re.ASCII)


@frozen
class Fault:
    """One fault for one request: a kind of `VARIANTS`, or ``code`` with an error code as variant."""

    kind: str
    variant: str = ""

    @property
    def label(self) -> str:
        """The kind; for a forced error code, the code."""
        return self.variant if self.kind == "code" else self.kind


def _parse(entry: str | None) -> Fault | None:
    if entry is None:
        return None
    if _CODE.fullmatch(entry):
        return Fault("code", entry)
    kind, _, variant = entry.partition(":")
    if kind not in VARIANTS or (variant and variant not in VARIANTS[kind]):
        known = ", ".join(VARIANTS)
        raise ValueError(f"{entry!r} is not a fault; known are {known}, kind:variant and codes")
    return Fault(kind, variant)


def _probability() -> float:
    return field(default=0.0, validator=and_(ge(0.0), le(1.0)))


@define(kw_only=True, eq=False)
class Faults:
    """Faults of a sandbox; every field may be changed while it runs.

    Each request draws at most one failing fault, from the sandbox's seeded randomness: the same seed
    and the same order of requests give the same faults. Probabilities whose sum is over 1 are scaled
    down together.

    Example::

        faults = Faults.each(0.02)
        faults.script(["throttle:429-date", None, "E607", "reset_after"])  # the next four requests
        sandbox = Sandbox(faults=faults)

    Attributes:
        latency: Seconds to wait before each request is looked at.
        jitter: Up to so many random seconds more.
        reset_before: Probability of a connection reset before handling.
        reset_after: Probability of handling, then a connection reset without an answer.
        throttle: Probability of being throttled instead of handled. In turn: E509 in the envelope,
            HTTP 429 with ``Retry-After`` in seconds, 429 with an HTTP date, 503 without either.
        server_error: Probability of, in turn: HTTP 500 and 502 with HTML, not handled; 504 with HTML,
            handled; HTTP 500 with E408 in the envelope, not handled.
        html: Probability of HTTP 200 with an HTML page, not handled.
        truncate: Probability of handling, then half of the answer. In turn: a ``Content-Length`` that
            fits the half (``short``), and the connection closed in the middle (``closed``).
        empty: Probability of handling, then HTTP 200 with an empty body.
        retry_after: Seconds that throttling asks to wait.
        clock_skew: Seconds added to the sandbox's clock, for timestamps and the ``Date`` header.
    """

    latency: float = field(default=0.0, validator=ge(0.0))
    jitter: float = field(default=0.0, validator=ge(0.0))
    reset_before: float = _probability()
    reset_after: float = _probability()
    throttle: float = _probability()
    server_error: float = _probability()
    html: float = _probability()
    truncate: float = _probability()
    empty: float = _probability()
    retry_after: int = field(default=1, validator=ge(0))
    clock_skew: float = 0.0
    _script: deque[Fault | None] = field(factory=deque, init=False, repr=False)
    _turns: Counter[str] = field(factory=Counter, init=False, repr=False)

    @classmethod
    def each(cls, probability: float) -> Faults:
        """Make faults with this probability for every failing kind."""
        faults = cls()
        for kind in VARIANTS:
            setattr(faults, kind, probability)
        return faults

    def script(self, entries: Iterable[str | None]) -> None:
        """Say what happens to the next requests, one entry each; random faults follow after.

        An entry is a kind (``"throttle"``), a kind with its variant (``"throttle:429-date"``), an
        error code to refuse with (``"E607"``) or None for no fault. More calls add to the end.

        Raises:
            ValueError: An entry is none of these; nothing was added.
        """
        self._script.extend([_parse(entry) for entry in entries])

    @property
    def scripted(self) -> int:
        """How many of the next requests were spoken for by `script`."""
        return len(self._script)

    def draw(self, random: Random) -> Fault | None:
        """Take the fault of the next request."""
        if self._script:
            drawn = self._script.popleft()
            if drawn is None or drawn.variant:
                return drawn
            return self._in_turn(drawn.kind)
        chances = [(kind, getattr(self, kind)) for kind in VARIANTS]
        total = sum(chance for _, chance in chances)
        if not total:
            return None
        point = random.random() * max(1.0, total)
        for kind, chance in chances:
            point -= chance
            if point < 0:
                return self._in_turn(kind)
        return None

    def wait(self, random: Random) -> float:
        """Take the seconds that the next request waits."""
        return self.latency + (random.random() * self.jitter if self.jitter else 0.0)

    def _in_turn(self, kind: str) -> Fault:
        variants = VARIANTS[kind]
        turn = self._turns[kind]
        self._turns[kind] += 1
        return Fault(kind, variants[turn % len(variants)])
