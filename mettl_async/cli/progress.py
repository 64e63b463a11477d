"""Progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from signal import SIGINT, Signals
from typing import Final

from attrs import define, field, frozen
from rich import progress as bars
from rich.console import Console, RenderableType
from rich.text import Text

from mettl_async.bulk.journal_record import code_of
from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.bulk.progress import Progress
from mettl_async.bulk.stop_policy import stops_the_run
from mettl_async.cli.problems import print_stderr
from mettl_async.cli.talk import is_quiet
from mettl_async.cli.wording import name_words
from mettl_async.errors import CallError, InvalidInputError, MettlError
from mettl_async.models import RegistrationStatus

PLAIN_EVERY: Final = 2.0
REFRESH_EVERY: Final = 0.1
_LEAST_BAR, _MOST_BAR = 4, 40
_FIGURES: Final = 36
"""Columns of a terminal for what stands beside a bar: ``100,000/100,000 1,240/s 0:00:09``."""
_BAD: Final = ("rejected", "failed", "unknown")
_ENDS: Final = ("registered", *_BAD)
_MINUTE, _HOUR, _SLOW = 60, 3600, 10


@define(eq=False)
class Tally:
    """Counts of the outcomes so far.

    Attributes:
        codes: Reasons by kind of outcome, for all but registered candidates.
        unsent: Failed candidates that were never sent.
        already: Candidates whose answer was there before this run.
        uninvited: Those of them who may not take the test.
        trouble: The error that stopped the run, or else the first failure.
        stopped: Whether every further call would have failed the same way.
        ended_by: The signal that ended the run before its end.
        told: Whether the user was told what the next signal does.
    """

    total: int
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    registered: int = 0
    rejected: int = 0
    failed: int = 0
    unknown: int = 0
    unsent: int = 0
    already: int = 0
    uninvited: int = 0
    codes: dict[str, Counter[str]] = field(factory=lambda: {name: Counter() for name in _BAD})
    trouble: MettlError | None = None
    stopped: bool = False
    ended_by: Signals | None = None
    told: bool = False
    started: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.started = self.clock()

    @property
    def interrupted(self) -> bool:
        """Whether somebody ended the run before its end."""
        return self.ended_by is not None

    @property
    def done(self) -> int:
        """Candidates with an outcome."""
        return self.registered + self.rejected + self.failed + self.unknown

    @property
    def not_sent(self) -> int:
        """Candidates who were never sent, with or without an outcome."""
        return self.total - self.done + self.unsent

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return self.clock() - self.started

    @property
    def cut_short(self) -> bool:
        """Whether the run was stopped, or the server answered for no candidate."""
        now = self.registered + self.rejected - self.already
        return self.stopped or (isinstance(self.trouble, CallError) and not now)

    @property
    def rate(self) -> float | None:
        """Candidates per second in this run; None before the first."""
        now = self.done - self.already
        return now / self.seconds if now and self.seconds > 0 else None

    def count(self, outcome: Outcome) -> None:
        """Count one outcome."""
        match outcome:
            case Registered():
                self.registered += 1
                self.already += not outcome.attempts
            case Rejected():
                self.rejected += 1
                self.codes["rejected"][outcome.code] += 1
                self.already += not outcome.attempts
                self.uninvited += (
                    not outcome.attempts and outcome.code == RegistrationStatus.INVALID
                )
            case Failed():
                self.failed += 1
                self.unsent += not outcome.attempts
                self.codes["failed"][code_of(outcome.error)] += 1
                self._note(outcome.error, sent=outcome.attempts > 0)
            case Unknown():
                self.unknown += 1
                self.codes["unknown"][code_of(outcome.error)] += 1
                self._note(outcome.error, sent=True)

    def _note(self, error: MettlError, *, sent: bool) -> None:
        # One that does not fit into a URL is not sent either, but the run goes on.
        unsent = not sent and not isinstance(error, InvalidInputError)
        stops = unsent or (isinstance(error, CallError) and stops_the_run(error))
        if self.trouble is None or (stops and not self.stopped):
            self.trouble = error
        self.stopped = self.stopped or stops


def status(tally: Tally) -> str:
    """Format the figures in one line, such as ``1,240/5,000, 412/s, 0:09 left, 3 rejected``."""
    parts = [f"{tally.done:,}/{tally.total:,}"]
    if (rate := tally.rate) is not None:
        parts.append(rate_text(rate))
        if tally.done < tally.total and not tally.interrupted:
            parts.append(f"{duration_text((tally.total - tally.done) / rate)} left")
    if tally.already:
        parts.append(f"{tally.already:,} already there")
    bad = {name: getattr(tally, name) for name in _BAD}
    parts += [f"{count:,} {name}" for name, count in bad.items() if count]
    return ", ".join(parts)


def remarks(tally: Tally, progress: Progress | None) -> list[str]:
    """List remarks on an interrupt and on calls that wait for a retry."""
    said = []
    if tally.interrupted:
        again = "Ctrl-C again" if tally.ended_by == SIGINT else "the next signal"
        said.append(f"interrupted: calls in flight are finishing; {again} exits at once")
    if progress is not None and progress.retrying:
        calls = "1 call waits" if progress.retrying == 1 else f"{progress.retrying} calls wait"
        why = name_words(progress.retry_reason or "an error")
        said.append(f"retrying: {calls} ({why})")
    return said


def rate_text(rate: float) -> str:
    """Format a rate of candidates per second."""
    return f"{rate:.1f}/s" if rate < _SLOW else f"{rate:,.0f}/s"


def duration_text(seconds: float) -> str:
    """Format a time as ``0:09`` or ``1:00:09``."""
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes}:{rest:02}"
    return f"{minutes // _MINUTE}:{minutes % _MINUTE:02}:{rest:02}"


@define(eq=False)
class Lines:
    """Progress for logs and pipes: a line when something has changed, at most one in `PLAIN_EVERY` s."""

    tally: Tally
    write: Callable[[str], None] = print_stderr
    _next: float = field(init=False)
    _last: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.tally.started + PLAIN_EVERY

    def show(self, progress: Progress | None) -> None:
        """Write a line if one is due; an interrupt is acknowledged at once."""
        urgent = self.tally.interrupted and not self.tally.told
        if not urgent and self.tally.clock() < self._next:
            return
        self.tally.told = self.tally.interrupted
        self._next = self.tally.clock() + PLAIN_EVERY
        said = remarks(self.tally, progress)
        state = f"{self.tally.done} {said}"
        if state != self._last:
            self._last = state
            self.write("; ".join([status(self.tally), *said]))

    def end(self) -> None:
        """Write the last line."""
        self.write(status(self.tally))


class _Rate(bars.ProgressColumn):
    """Candidates per second, over the last half minute."""

    def render(self, task: bars.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else rate_text(speed), "progress.data.speed")


class _BarWithLines(bars.Progress):
    """A bar with lines under it, which wrap where the terminal is narrow."""

    lines: Sequence[str] = ()

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield from map(Text, self.lines)


class Bar:
    """Progress bar for a terminal."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally, self._already = tally, 0
        self._line = bars.BarColumn(complete_style="green", finished_style="green")
        self._bar = _BarWithLines(
            self._line,
            bars.TextColumn("{task.completed:,.0f}/{task.total:,.0f}", markup=False),
            _Rate(),
            bars.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            auto_refresh=False,
            redirect_stdout=False,  # which may have the links
        )
        self._task = self._bar.add_task("", total=tally.total)
        self._bar.start()

    def show(self, progress: Progress | None) -> None:
        """Draw the bar; the terminal may have another width than before."""
        self._draw(progress, remarks(self._tally, progress))
        self._tally.told = self._tally.interrupted

    def end(self) -> None:
        """Draw the last state, and show the cursor again."""
        self._draw(None, [])
        self._bar.stop()

    def _draw(self, progress: Progress | None, said: Sequence[str]) -> None:
        tally, counts = self._tally, progress or self._tally
        counted = {name: getattr(counts, name) for name in _ENDS}
        done = sum(counted.values())
        if (
            tally.already != self._already
        ):  # which took no time, so they tell nothing about the rest
            self._already = tally.already
            self._bar.reset(self._task, completed=done)
        self._line.bar_width = max(_LEAST_BAR, min(_MOST_BAR, self._bar.console.width - _FIGURES))
        parts = [f"{tally.already:,} already there"] if tally.already else []
        parts += [f"{count:,} {name}" for name, count in counted.items() if count and name in _BAD]
        self._bar.lines = [*filter(None, [", ".join(parts)]), *said]
        self._bar.update(self._task, completed=done, refresh=True)


def at_terminal() -> bool:
    """Tell whether stderr is a terminal that can move its cursor."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@frozen
class Silent:
    """No progress, for ``--quiet``."""

    tally: Tally

    def show(self, _progress: Progress | None) -> None:
        """Show nothing."""
        self.tally.told = self.tally.interrupted  # that the next signal ends at once is known

    def end(self) -> None:
        """Show nothing."""


def make_display(tally: Tally) -> Lines | Bar | Silent:
    """Make a bar, or lines where stderr cannot show one."""
    if is_quiet():
        return Silent(tally)
    return Bar(tally, Console(stderr=True)) if at_terminal() else Lines(tally)


@contextmanager
def spinner(what: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner on a terminal while the block runs; gives what changes the words beside it."""
    if is_quiet() or not at_terminal():
        yield lambda _: None
        return
    with Console(stderr=True).status(Text(what)) as status:
        yield lambda text: status.update(Text(text))
