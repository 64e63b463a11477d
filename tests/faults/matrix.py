"""The fault matrix as data: what a caller gets of each fault, for each kind of call.

``python tests/faults/matrix.py`` prints it as the page shows it; test_matrix.py holds every cell, and
test_killed_calls.py the last two rows.
"""

from __future__ import annotations

import sys
from enum import StrEnum

from attrs import evolve, frozen

from mettl_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    CallError,
    ConnectError,
    ConnectionLostError,
    Failed,
    MettlDecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RegistrationLimitError,
    Rejected,
    ServerError,
    ServiceUnavailableError,
    TimestampError,
    TransportTimeoutError,
    Unknown,
)

MOST = 3
"""Requests of a call at most: what a single call has by default; here of a batch too."""

PEOPLE = 2
"""Candidates of a call."""

RETRY_AFTER = 7


class Operation(StrEnum):
    """One call of each kind."""

    READ = "schedules.get"
    REGISTER = "candidates.register"
    BULK = "candidates.register_many"
    CREATE = "schedules.create"


READ, REGISTER, BULK, CREATE = Operation

HEADINGS = {
    READ: "a read",
    REGISTER: "`candidates.register`",
    BULK: "`register_many`",
    CREATE: "`schedules.create`",
}


@frozen(kw_only=True)
class Cell:
    """What comes of a call.

    Attributes:
        error: What is raised if the fault lasts; in a bulk run the outcome's ``.error``. None if even a
            lasting fault does no harm.
        outcome: Of each candidate of a bulk run.
        code: Mettl's.
        sent: As the error has it.
        handled: Its ``.may_have_been_handled``.
        safe: Its ``.safe_to_repeat``.
        attempts: Of the call, or of each candidate.
        requests: That reached the server.
        served: Requests that the server did as it was asked.
        mended: What makes up for a fault that passes: ``retried``, ``signed again``, ``each alone``; empty
            if nothing does.
        again: Whether a bulk run sends them once more at its end.
        stops: Whether it sends nobody else.
    """

    error: type[CallError] | None
    outcome: type | None = None
    code: str | None = None
    sent: bool = True
    handled: bool = False
    safe: bool = True
    attempts: int = 1
    requests: int = 1
    served: int = 0
    mended: str = ""
    again: bool = False
    stops: bool = False


Cells = dict[Operation, Cell]


@frozen(kw_only=True)
class Fault:
    """One row of tests.

    Attributes:
        name: Of the tests, and on the page unless ``group`` says more.
        group: Faults of one group whose cells read alike share a row.
        script: What the sandbox does to one request after the other, again and again.
        by: What makes it where the sandbox's script does not.
        once: Requests that it spoils when it passes.
        cells: What comes of it.
    """

    name: str
    cells: Cells
    group: str = ""
    script: tuple[str, ...] = ()
    by: str = "script"
    once: int = 1


@frozen(kw_only=True)
class Story:
    """A row that is told in words; each has a test.

    Attributes:
        name: Of the fault.
        error: What is raised, if anything.
        words: What comes of it.
        tests: Where that is held, file and function.
    """

    name: str
    error: str
    words: dict[Operation, str]
    tests: tuple[tuple[str, str], ...]


def _single(cell: Cell, *, bulk: Cell, create: Cell | None = None) -> Cells:
    return {READ: cell, REGISTER: cell, BULK: bulk, CREATE: create or cell}


def _not_connected() -> Cells:
    cell = Cell(error=ConnectError, sent=False, attempts=MOST, requests=0, mended="retried")
    return _single(cell, bulk=evolve(cell, outcome=Failed))


def _lost(
    error: type[CallError],
    *,
    code: str | None = None,
    served: tuple[int, int, int] = (0, 0, 0),
) -> Cells:
    """The server may have handled it; ``served``: of a repeatable call, of a bulk run, of a Create."""
    call = Cell(
        error=error, code=code, handled=True, attempts=MOST, requests=MOST, served=served[0],
        mended="retried",
    )  # fmt: skip
    bulk = evolve(
        call, outcome=Unknown, attempts=2 * MOST, requests=2 * MOST, served=served[1], again=True
    )
    create = evolve(call, safe=False, attempts=1, requests=1, served=served[2], mended="")
    return _single(call, bulk=bulk, create=create)


_HANDLED = (MOST, 2 * MOST, 1)


def _not_retried(error: type[CallError]) -> Cells:
    call = Cell(error=error, handled=True, served=1)
    bulk = evolve(call, outcome=Unknown, attempts=2, requests=2, served=2, again=True)
    return _single(call, bulk=bulk, create=evolve(call, safe=False))


def _throttled(code: str | None = None) -> Cells:
    cell = Cell(
        error=RateLimitError, code=code, attempts=MOST, requests=MOST, mended="retried"
    )  # fmt: skip
    return _single(cell, bulk=evolve(cell, outcome=Failed))


def _refused(error: type[CallError], code: str) -> Cells:
    """For a reason that may be a candidate's."""
    cell = Cell(error=error, code=code)
    # Together, then each alone.
    bulk = evolve(cell, outcome=Rejected, attempts=2, requests=1 + PEOPLE, mended="each alone")
    return _single(cell, bulk=bulk)


def _refused_all(error: type[CallError], code: str) -> Cells:
    """For a reason that is nobody's alone."""
    cell = Cell(error=error, code=code)
    return _single(cell, bulk=evolve(cell, outcome=Failed, stops=True))


def _mistimed(code: str) -> Cells:
    cell = Cell(error=TimestampError, code=code, attempts=2, requests=2, mended="signed again")
    return _single(cell, bulk=evolve(cell, outcome=Failed, stops=True))


def _clock_off() -> Cells:
    cell = Cell(error=None, attempts=2, requests=2, served=1, mended="signed again")
    return _single(cell, bulk=cell)


_ERROR = "HTTP 200 with `ERROR`"
_REFUSALS = (
    ("E000", "E000", _refused(ApiError, "E000")),
    ("an unknown code", "E999", _refused(ApiError, "E999")),
    ("E028", "E028", _refused(BadRequestError, "E028")),
    ("E400", "E400", _refused(BadRequestError, "E400")),
    ("E401", "E401", _refused_all(AuthenticationError, "E401")),
    ("E403", "E403", _refused_all(PermissionDeniedError, "E403")),
    ("E404", "E404", _refused_all(NotFoundError, "E404")),
    ("E405", "E405", _refused_all(BadRequestError, "E405")),
    ("E607", "E607", _refused_all(RegistrationLimitError, "E607")),
    ("E422", "E422", _mistimed("E422")),
    ("E504", "E504", _mistimed("E504")),
    ("E509", "E509", _throttled("E509")),
    ("E503", "E503", _lost(ServiceUnavailableError, code="E503")),
    ("E408", "E408", _lost(ServerError, code="E408")),
)

FAULTS = (
    Fault(name="connection refused", by="refuse", cells=_not_connected()),
    Fault(name="no such host (DNS)", by="dns", cells=_not_connected()),
    Fault(
        name="before handling",
        group="connection reset",
        script=("reset_before",),
        cells=_lost(ConnectionLostError),
    ),
    Fault(
        name="after handling",
        group="connection reset",
        script=("reset_after",),
        cells=_lost(ConnectionLostError, served=_HANDLED),
    ),
    Fault(
        name="answer cut off",
        script=("truncate:closed",),
        cells=_lost(ConnectionLostError, served=_HANDLED),
    ),
    Fault(
        name="answer drips in, beyond the deadline",
        by="drip",
        cells=_not_retried(TransportTimeoutError),
    ),
    Fault(
        name="half of the JSON",
        script=("truncate:short",),
        cells=_lost(MettlDecodeError, served=_HANDLED),
    ),
    Fault(
        name="an empty answer",
        script=("empty",),
        cells=_lost(MettlDecodeError, served=_HANDLED),
    ),
    Fault(
        name="an HTML page with HTTP 200",
        script=("html",),
        cells=_lost(MettlDecodeError),
    ),
    Fault(name="an answer to another request", by="mix_up", cells=_not_retried(MettlDecodeError)),
    Fault(
        name="in seconds",
        group="HTTP 429 with `Retry-After`",
        script=("throttle:429",),
        cells=_throttled(),
    ),
    Fault(
        name="as a date",
        group="HTTP 429 with `Retry-After`",
        script=("throttle:429-date",),
        cells=_throttled(),
    ),
    Fault(name="503", group="HTTP", script=("throttle:503",), cells=_lost(ServiceUnavailableError)),
    Fault(name="500", group="HTTP", script=("server_error:500",), cells=_lost(ServerError)),
    Fault(name="502", group="HTTP", script=("server_error:502",), cells=_lost(ServerError)),
    Fault(
        name="504",
        group="HTTP",
        script=("server_error:504",),
        cells=_lost(ServerError, served=_HANDLED),
    ),
    Fault(
        name="a burst of them",
        group="HTTP",
        script=("server_error:500", "server_error:502", "server_error:504"),
        once=2,
        cells=_lost(ServerError, served=(1, 2, 0)),
    ),
    *(
        Fault(name=name, group=_ERROR, script=(code,), cells=cells)
        for name, code, cells in _REFUSALS
    ),
    Fault(
        name="wrong private key (E401)", by="key", cells=_refused_all(AuthenticationError, "E401")
    ),
    Fault(name="25 h behind", group="this machine's clock", by="behind", cells=_clock_off()),
    Fault(name="25 h ahead", group="this machine's clock", by="ahead", cells=_clock_off()),
)

_CALLS, _RUNS = "tests/faults/test_killed_calls.py", "tests/faults/test_killed_runs.py"

STORIES = (
    Story(
        name="process killed before the answer",
        error="none",
        words={
            READ: "nothing to lose",
            REGISTER: "call again: the same link",
            BULK: "run again with the journal (`--resume`): nobody lost or doubled",
            CREATE: "`get_or_create` finds it",
        },
        tests=(
            (_CALLS, "test_after_a_kill_the_same_call_finishes_the_work"),
            (
                _RUNS,
                "test_killed_at_random_instants_and_resumed_nobody_is_lost_doubled_or_sent_in_vain",
            ),
            ("tests/cli/test_cli_resume.py", ""),
        ),
    ),
    Story(
        name="disk full",
        error="`RunInterruptedError`",
        words={
            READ: "no disk needed",
            REGISTER: "no disk needed",
            BULK: "the links in `.report`; run again with the journal",
            CREATE: "no disk needed",
        },
        tests=(
            (_CALLS, "test_where_no_file_can_be_written_single_calls_work"),
            (_CALLS, "test_a_journal_on_a_full_disk_gives_the_links_and_lets_the_run_go_on"),
            (_RUNS, "test_a_full_disk_ends_the_run_and_room_lets_it_go_on"),
        ),
    ),
)

LEGEND = """\
A cell says what you get of a fault that lasts. A fault that passes costs nothing where the cell says *retried*,
*signed again*, *each alone* or *at the end*. The error is raised; in a bulk run it is the outcome's `.error`, and a
`Rejected` has its `.code`.

- *Safe*: it may have been handled, and repeating is harmless (`.safe_to_repeat`).
- *May be done*: it may have been handled, and repeating is not harmless. So it was not sent again; `get_or_create`
  finds out.
- *Nothing done*: the server refused.

Each cell is a test over a socket, with both transports: `tests/faults/test_matrix.py` and
`tests/faults/test_killed_calls.py`.
"""


def in_words(fault: Fault, operation: Operation) -> str:
    """One cell, short."""
    cell = fault.cells[operation]
    mended = [cell.mended, "again at the end" if cell.again else ""]
    return "; ".join(filter(None, [", ".join(filter(None, mended)), _fate(cell)]))


def _fate(cell: Cell) -> str:
    if cell.error is None:
        return "works"
    if cell.outcome is not None:
        return f"`{cell.outcome.__name__}`{', the run stops' if cell.stops else ''}"
    if not cell.sent:
        return "not sent"
    if not cell.handled:
        return "nothing done"
    return "safe" if cell.safe else "may be done"


def _error(fault: Fault) -> str:
    # One name for the whole row; a test holds that it is the same everywhere.
    error = fault.cells[READ].error
    return f"`{error.__name__}`" if error else "none"


def render() -> str:
    """The whole table as Markdown, with its legend."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for fault in FAULTS:
        cells = (in_words(fault, operation) for operation in Operation)
        rows.setdefault((fault.group, _error(fault), *cells), []).append(fault.name)
    headings = ("fault", "error", *(HEADINGS[operation] for operation in Operation))
    lines = [_line(*headings), "|---" * len(headings) + "|"]
    for (group, *cells), names in rows.items():
        lines.append(_line(f"{group} {', '.join(names)}".strip(), *cells))
    lines += [
        _line(story.name, story.error, *(story.words[operation] for operation in Operation))
        for story in STORIES
    ]
    return "\n".join([LEGEND, "", *lines])


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(render())
