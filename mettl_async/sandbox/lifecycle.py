"""Tests that move on with the time, and the webhooks of each step."""

import heapq
from collections.abc import Callable

from mettl_async.sandbox import events, grading, lifecycle_rules
from mettl_async.sandbox.deliveries import Deliveries
from mettl_async.sandbox.state import SandboxCandidate, State


class Lifecycle:
    """Moves tests on with the time; `SandboxPerson` does so by hand."""

    def __init__(
        self,
        state: State,
        deliveries: Deliveries,
        *,
        pace: Callable[[], lifecycle_rules.Pace],
        now: Callable[[], float],
    ) -> None:
        self._state = state
        self._deliveries = deliveries
        self._pace = pace
        self.now, self.lock = now, deliveries.lock
        # Those with something ahead of them, by ecc: they run, or wait to be graded.
        self._watched: dict[str, SandboxCandidate] = {}

    def watch_all(self) -> None:
        """Find all that have something ahead of them; needed after the state was restored."""
        self._watched = {
            one.ecc: one
            for one in self._state.all_candidates()
            if one.status in ("InProgress", "Completed", "AccessRevoked")  # the last may come back
        }
        self.settle()

    def settle(self) -> None:
        """Make everything happen that is due, in the order of its due times and with those times."""
        if self._watched:
            with self.lock:
                self._settle()

    def _settle(self) -> None:
        now = self.now()
        line = [entry for one in tuple(self._watched.values()) if (entry := self._next(one, now))]
        heapq.heapify(line)
        while line:
            at, ecc, what = heapq.heappop(line)
            candidate = self._watched[ecc]
            if what == lifecycle_rules.GRADED:
                candidate.graded_told = True
                self.notify(events.GRADED, candidate, at)
            else:
                self.end(candidate, what, at)
            entry = self._next(candidate, now)
            if entry:
                heapq.heappush(line, entry)

    def _next(self, candidate: SandboxCandidate, now: float) -> tuple[float, str, str] | None:
        """Return what is due by now; a candidate with nothing ahead is not watched any more."""
        if self._state.owners.get(candidate.ecc) is not candidate:  # deleted
            del self._watched[candidate.ecc]
            return None
        entry = lifecycle_rules.due(candidate, self._pace().grade_delay)
        if entry is None:
            if candidate.status == "Completed":
                del self._watched[candidate.ecc]
            return None
        at, what = entry
        return (at, candidate.ecc, what) if at <= now else None

    def prepare(self, candidate: SandboxCandidate) -> float:
        """Make happen what is due before a step by hand, so that nothing comes out of order.

        Returns:
            The time.

        Raises:
            ValueError: The registration was deleted; there may be a new one in its place.
        """
        self.settle()
        if self._state.owners.get(candidate.ecc) is not candidate:
            raise ValueError("the registration was deleted")
        return self.now()

    def watch(self, candidate: SandboxCandidate) -> None:
        """Make happen what the time brings to a candidate from now on."""
        self._watched[candidate.ecc] = candidate
        self.settle()

    def end(self, candidate: SandboxCandidate, mode: str, at: float) -> None:
        """End the test; one that was never started is taken to have been, some time ago.

        A candidate who is blocked at the authorisation [doc] never began; that results then have no
        time of a start is [assumed].

        Raises:
            ValueError: No such mode, or the test is finished or revoked.
        """
        if mode not in lifecycle_rules.ENDINGS:
            raise ValueError(
                f"{mode!r} is not a finish mode; known are {', '.join(lifecycle_rules.ENDINGS)}"
            )
        if candidate.status not in ("ToBeTaken", "InProgress"):
            raise ValueError(f"a test that is {candidate.status} can't be finished")
        first = candidate.started_at is None
        if not first or mode not in lifecycle_rules.NEVER_GRADED:
            if candidate.session_at is None or candidate.resumable:
                candidate.session_at = at - min(
                    grading.usual_seconds(candidate), lifecycle_rules.seconds_left(candidate, at)
                )
            if first:
                candidate.started_at = candidate.session_at
        if candidate.disconnected_at is None:
            lifecycle_rules.stop_watch(candidate, at)
        candidate.disconnected_at = None
        candidate.graded_told = False
        candidate.status = "Completed"  # [assumed] for all modes; completionMode tells them apart
        candidate.finish_mode = mode
        candidate.finished_at = at
        candidate.resumable = False
        if first and candidate.started_at is not None:
            self.begun(candidate, candidate.started_at)
        self._number_attempt(candidate)  # also of one that never began [assumed]
        self.notify(events.FINISHED, candidate, at)

    def begun(self, candidate: SandboxCandidate, at: float) -> None:
        """Notify of a first start."""
        self._number_attempt(candidate)
        self.notify(events.STARTED, candidate, at)

    def _number_attempt(self, candidate: SandboxCandidate) -> None:
        if candidate.instance_id is None:
            candidate.instance_id = self._state.next_number("instance")

    def notify(self, event_type: str, candidate: SandboxCandidate, at: float) -> None:
        """Queue the event of something that happened ``at`` this time."""
        event = events.event_of(event_type, candidate, at=at, pace=self._pace())
        if event is not None:
            self._deliveries.add(at=at, **event)
