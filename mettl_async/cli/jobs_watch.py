"""``mettl jobs watch``: a table that lives, lines for logs, or JSON for programs."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mettl_async.cli.databases import database_problem
from mettl_async.cli.jobs_database import with_jobs
from mettl_async.cli.jobs_words import (
    Look,
    Speed,
    document,
    done,
    exit_code,
    is_settled,
    remarks,
    without_link,
    workers_text,
)
from mettl_async.cli.printing import at_terminal, json_document, print_text
from mettl_async.cli.progress import PLAIN_EVERY
from mettl_async.cli.rendering import print_lean
from mettl_async.cli.talk import note
from mettl_async.display import one_line
from mettl_async.jobs import JobState

if TYPE_CHECKING:
    from mettl_async.jobs import Jobs, JobStatus

_EVERY: Final = 1.0  # seconds
_MOST_JOBS: Final = 20
_WIDE: Final = 72  # columns of a terminal
_OPEN: Final = (JobState.SUBMITTING, JobState.READY, JobState.PAUSED)


class Board(Protocol):
    """Where jobs are shown."""

    def show(self, looks: list[Look]) -> None:
        """Show how they are now."""

    def end(self, looks: list[Look]) -> None:
        """Show how they are in the end."""


def watch(db: str | None, ids: Sequence[str], *, as_json: bool) -> int:
    """Show how far jobs are until nothing further happens; gives the exit code."""
    return with_jobs(db, lambda jobs: follow(jobs, ids, make_board(as_json=as_json)))


async def follow(
    jobs: Jobs,
    ids: Sequence[str],
    board: Board,
    *,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    every: float = _EVERY,
) -> int:
    """Show jobs on a board until they are settled, or it is stopped.

    Args:
        jobs: Where they are.
        ids: Of the jobs; without any, those that are not over.
        board: Where they are shown.
        stopped: Whether to end before.
        clock: Seconds, monotonic.
        every: Seconds between two looks.

    Returns:
        The worst exit code of the jobs.

    Raises:
        JobError: One of them is not there.
    """
    if not ids:
        ids = [one.id for one in await jobs.list(states=_OPEN, most=_MOST_JOBS)]
        if not ids:
            note("all jobs are over")
            return 0
    speeds = {one: Speed() for one in dict.fromkeys(ids)}
    looks: list[Look] = []
    away = False
    try:
        while True:
            try:
                found = [await jobs.status(one) for one in speeds]
            except Exception as error:
                problem = database_problem(error)
                if problem is None or not looks:
                    raise
                if not away:
                    note(f"mettl: {problem}; trying again")
                away = True
            else:
                away = False
                looks = [_look(one, speeds[one.job.id], clock()) for one in found]
                if stopped() or all(is_settled(one) for one in found):
                    break
                board.show(looks)
            await asyncio.sleep(every)
    finally:
        board.end(looks)
    return max(exit_code(one.status) for one in looks)


def _look(status: JobStatus, speed: Speed, now: float) -> Look:
    speed.note(now, done(status))
    return Look(status, speed.rate)


def make_board(*, as_json: bool = False, trial: bool = False) -> Board:
    """Make what fits stdout; a trial has a worker of its own, of which nothing is said."""
    if as_json:
        return Documents()
    if at_terminal():
        return LiveTable(Console(highlight=False), trial=trial)
    return Lines(trial=trial)


@define(eq=False)
class Documents:
    """A document in a line for each job that has changed, for programs."""

    _last: dict[str, str] = field(factory=dict, init=False)

    def show(self, looks: list[Look]) -> None:
        """See `Board`."""
        for one in looks:
            text = json_document(document(one.status))
            if self._last.get(one.status.job.id) != text:
                self._last[one.status.job.id] = text
                print_text(text + "\n")

    def end(self, looks: list[Look]) -> None:
        """See `Board`."""
        self.show(looks)


@define(eq=False)
class Lines:
    """A line for each job that has changed, at most one in `PLAIN_EVERY` seconds."""

    trial: bool = False
    clock: Callable[[], float] = time.monotonic
    _last: dict[str, str] = field(factory=dict, init=False)
    _said: list[str] = field(factory=list, init=False)
    _next: float | None = field(default=None, init=False)

    def show(self, looks: list[Look]) -> None:
        """See `Board`."""
        now = self.clock()
        if self._next is None or now >= self._next:
            self._next = now + PLAIN_EVERY
            self.end(looks)

    def end(self, looks: list[Look]) -> None:
        """See `Board`."""
        for one in looks:
            status = one.status
            state = f"{status.job.state} {done(status)} {without_link(status)}"
            if self._last.get(status.job.id) != state:
                self._last[status.job.id] = state
                print_text(one_line(one.line()) + "\n")
        said = [] if self.trial else remarks(looks)
        for words in said:
            if words not in self._said:
                note(f"mettl: {words}")
        self._said = said


@define(eq=False)
class LiveTable:
    """A table on a terminal that is drawn anew in its place, and stays in the end."""

    console: Console
    trial: bool = False
    _live: Live | None = field(default=None, init=False)

    def show(self, looks: list[Look]) -> None:
        """See `Board`."""
        drawn = Group(*self._drawn(looks))
        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(drawn, refresh=True)

    def end(self, looks: list[Look]) -> None:
        """See `Board`."""
        if self._live is not None:
            self._live.stop()
        if looks:
            print_lean(*self._drawn(looks), err=False)
            sys.stdout.flush()

    def _drawn(self, looks: list[Look]) -> list[RenderableType]:
        said = [] if self.trial else remarks(looks)
        if not self.trial and (workers := looks[0].status.workers):
            said.insert(0, workers_text(workers))
        table = table_of(looks, wide=self.console.width >= _WIDE)
        return [table, Text(), *(Text(one_line(words)) for words in said)] if said else [table]


def table_of(looks: list[Look], *, wide: bool) -> Table:
    """Make the table of jobs; a narrow one says the state only where it is not the usual one."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("Job", "State") if wide else ("Job",):
        table.add_column(name, overflow="fold")
    registers = all(one.status.job.kind == "register" for one in looks)
    for name in ("Done", "Total", "No link" if registers else "Failed", "Rate", "Left"):
        if wide or name != "Rate":
            table.add_column(name, justify="right", overflow="fold")
    for one in looks:
        status = one.status
        state = str(status.job.state)
        name = status.job.id if state == JobState.READY else f"{status.job.id} ({state})"
        counts = (done(status), status.job.total, without_link(status))
        figures = [*(f"{count:,}" for count in counts), one.left_text]
        if wide:
            figures.insert(-1, one.rate_text)
        cells = [status.job.id, state, *figures] if wide else [name, *figures]
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    return table
