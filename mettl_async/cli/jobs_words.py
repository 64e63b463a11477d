"""Jobs in the words of the command: documents, lines, and the exit codes that they lead to; pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from mettl_async.cli.printing import plain
from mettl_async.cli.problems import MISSING, WRONG
from mettl_async.cli.progress import duration_text, rate_text

if TYPE_CHECKING:
    from mettl_async.jobs import Job, JobStatus

_BAD: Final = ("rejected", "failed", "unknown")
_COUNTS: Final = ("registered", *_BAD, "waiting", "chunks", "chunks_done", "chunks_in_work")
_SPEED_OVER: Final = 30.0  # seconds


def job_document(job: Job) -> dict[str, Any]:
    """Write a job as plain data."""
    written: dict[str, Any] = plain(job)
    return written


def document(status: JobStatus) -> dict[str, Any]:
    """Write all that is known of a job as plain data, for programs."""
    counts = {name: getattr(status, name) for name in _COUNTS}
    return {**job_document(status.job), **counts, "workers": status.workers}


def done(status: JobStatus) -> int:
    """Count who has an outcome."""
    return status.registered + without_link(status)


def without_link(status: JobStatus) -> int:
    """Count who has an outcome, and no link."""
    return sum(getattr(status, name) for name in _BAD)


def is_settled(status: JobStatus) -> bool:
    """Tell whether nothing further happens unless somebody does something about it."""
    return status.is_over or bool(status.job.problem and status.job.state == "paused")


def exit_code(status: JobStatus) -> int:
    """Give the exit code that a job leads to: 0 everybody registered, 1 some not, 2 not to its end."""
    if status.job.state != "done":
        return WRONG
    return MISSING if without_link(status) else 0


@define(eq=False)
class Speed:
    """How fast a job is, over the last half minute."""

    _seen: deque[tuple[float, int]] = field(factory=deque, init=False)

    def note(self, now: float, count: int) -> None:
        """Note how many are done at a time in seconds."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[0][0] > _SPEED_OVER:  # noqa: PLR2004 - a pair
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """People a second; None as long as nobody knows."""
        if not self._seen:
            return None
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if after > before and last > first else None


@frozen
class Look:
    """A job at one moment.

    Attributes:
        status: What is known of it.
        rate: People a second, if it is known.
    """

    status: JobStatus
    rate: float | None = None

    @property
    def rate_text(self) -> str:
        """The rate; empty if it is not known, or does not matter any more."""
        return "" if self.rate is None or is_settled(self.status) else rate_text(self.rate)

    @property
    def left_text(self) -> str:
        """The time until everybody has an outcome, likewise."""
        if self.rate is None or is_settled(self.status):
            return ""
        return duration_text((self.status.job.total - done(self.status)) / self.rate)

    def line(self) -> str:
        """Say it in a line, such as ``autumn: ready, 1,240/5,000, 412/s, 0:09 left, 3 rejected``."""
        status = self.status
        parts = [str(status.job.state), f"{done(status):,}/{status.job.total:,}"]
        parts += [self.rate_text] if self.rate_text else []
        parts += [f"{self.left_text} left"] if self.left_text else []
        counts = {name: getattr(status, name) for name in _BAD}
        parts += [f"{count:,} {name}" for name, count in counts.items() if count]
        return f"{status.job.id}: {', '.join(parts)}"


def remarks(looks: list[Look]) -> list[str]:
    """Say what an operator should do."""
    said = [
        f"{one.status.job.id}: {one.status.job.problem}; then: mettl jobs resume {one.status.job.id}"
        for one in looks
        if one.status.job.problem
    ]
    waiting = [one.status for one in looks if not is_settled(one.status)]
    if waiting and not waiting[0].workers:
        accounts = " ".join(f"--account {one}" for one in sorted({s.job.account for s in waiting}))
        said.append(f"no worker is alive; this starts one: mettl jobs worker {accounts}")
    return said


def workers_text(count: int) -> str:
    """Count workers in words."""
    if not count:
        return "no worker is alive"
    return "1 worker is alive" if count == 1 else f"{count:,} workers are alive"
