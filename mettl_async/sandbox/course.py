"""The course of every test: the steps of `life`, with the webhooks that hear of them.

The only place where a test changes its state, but for a registration that is made again, revoked or
deleted by an endpoint.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from mettl_async.sandbox import events, grading, life

if TYPE_CHECKING:
    from collections.abc import Callable

    from mettl_async.sandbox.deliveries import Deliveries
    from mettl_async.sandbox.state import Assessment, SandboxCandidate, State


class Course:
    """Moves tests on: by hand, and with the time.

    Each step by hand first makes happen what is due, so that nothing comes out of order.
    """

    def __init__(
        self,
        state: State,
        deliveries: Deliveries,
        *,
        pace: Callable[[], life.Pace],
        now: Callable[[], float],
    ) -> None:
        self._state = state
        self._deliveries = deliveries
        self._pace = pace
        self._now = now
        # Those with something ahead of them, by ecc: they run, or wait to be graded.
        self._watched: dict[str, SandboxCandidate] = {}

    def watch_all(self) -> None:
        """Find out anew who has something ahead; needed when the state was filled from outside."""
        self._watched = {
            one.ecc: one
            for one in self._state.all_candidates()
            if one.status in ("InProgress", "Completed", "AccessRevoked")  # the last may come back
        }
        self.settle()

    def settle(self) -> None:
        """Make everything happen that is due, in the order of its due times and with those times."""
        if not self._watched:
            return
        now = self._now()
        line = [entry for one in tuple(self._watched.values()) if (entry := self._next(one, now))]
        heapq.heapify(line)
        while line:
            at, ecc, what = heapq.heappop(line)
            candidate = self._watched[ecc]
            if what == life.GRADED:
                candidate.graded_told = True
                self._tell(events.GRADED, candidate, at)
            else:
                self._end(candidate, what, at)
            entry = self._next(candidate, now)
            if entry:
                heapq.heappush(line, entry)

    def _next(self, candidate: SandboxCandidate, now: float) -> tuple[float, str, str] | None:
        """Tell what is due for someone by now; forgets whoever has nothing ahead."""
        ecc = candidate.ecc
        if self._state.owners.get(ecc) is not candidate:  # deleted
            del self._watched[ecc]
            return None
        entry = life.due(candidate, self._allowed(candidate), self._pace().grade_delay)
        if entry is None:
            if candidate.status == "Completed":
                del self._watched[ecc]
            return None
        at, what = entry
        return (at, ecc, what) if at <= now else None

    def _ready(self, candidate: SandboxCandidate) -> None:
        """Make happen what is due before a step by hand.

        Raises:
            ValueError: The registration was deleted; there may be a new one in its place.
        """
        self.settle()
        if self._state.owners.get(candidate.ecc) is not candidate:
            raise ValueError("the registration was deleted")

    def start(self, candidate: SandboxCandidate) -> None:
        """Start, or go on after a resume; see `life.start`."""
        self._ready(candidate)
        now, first = self._now(), candidate.started_at is None
        life.start(candidate, now)
        # [assumed]: going on with a resumed test is no start that the webhook hears of
        if first:
            self._begun(candidate, now)
        self._watched[candidate.ecc] = candidate

    def finish(self, candidate: SandboxCandidate, mode: str) -> None:
        """End the test now; see `life.finish`."""
        self._ready(candidate)
        self._end(candidate, mode, self._now())
        self._watched[candidate.ecc] = candidate
        self.settle()

    def disconnect(self, candidate: SandboxCandidate) -> None:
        """Lose the connection; see `life.disconnect`."""
        self._ready(candidate)
        life.disconnect(candidate, self._now())

    def reconnect(self, candidate: SandboxCandidate) -> None:
        """Come back; see `life.reconnect`."""
        self._ready(candidate)
        life.reconnect(candidate, self._now())

    def resume(self, candidate: SandboxCandidate) -> None:
        """Allow an expired test to go on; see `life.resume`."""
        self._ready(candidate)
        life.resume(candidate)
        self._tell(events.RESUMED, candidate, self._now())

    def _end(self, candidate: SandboxCandidate, mode: str, at: float) -> None:
        first = candidate.started_at is None
        allowed = self._allowed(candidate)
        usual = min(
            grading.usual_seconds(self._assessment(candidate), candidate.email),
            life.seconds_left(candidate, allowed, at),
        )
        life.finish(candidate, mode, at, usual)
        if first and candidate.started_at is not None:
            self._begun(candidate, candidate.started_at)
        self._state.number_attempt(candidate)  # also of one that never began [assumed]
        self._tell(events.FINISHED, candidate, at)

    def _begun(self, candidate: SandboxCandidate, at: float) -> None:
        self._assessment(candidate).tests_taken += 1
        self._state.number_attempt(candidate)
        self._tell(events.STARTED, candidate, at)

    def _tell(self, event_type: str, candidate: SandboxCandidate, at: float) -> None:
        schedule = self._state.schedules[candidate.access_key]
        told = events.notification(event_type, schedule, candidate, at=at, pace=self._pace())
        if told is not None:
            self._deliveries.add(told, schedule.access_key, candidate.email, at=at)

    def _assessment(self, candidate: SandboxCandidate) -> Assessment:
        return self._state.schedules[candidate.access_key].assessment

    def _allowed(self, candidate: SandboxCandidate) -> float:
        return life.allowed_seconds(self._assessment(candidate), candidate)
