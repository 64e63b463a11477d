"""``mettl webhooks replay``: list the dead letters of an inbox, or let them be handled again."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from mettl_async.cli.printing import print_json, print_table
from mettl_async.cli.problems import CommandError, print_outcome, print_stderr

try:
    from mettl_async.cli.databases import check_file, run_on_database
    from mettl_async.sql_engines import engine_of
    from mettl_async.webhooks.sql_inbox import SqlEventInbox
except ImportError as error:
    raise CommandError(str(error)) from None

T = TypeVar("T")
_COLUMNS = ("id", "event", "tries", "received", "given up", "problem")


def show(url: str, table: str, *, as_json: bool) -> int:
    """List the dead letters; gives the exit code."""
    letters = _with_inbox(url, table, lambda inbox: inbox.dead_letters())
    if as_json:
        print_json(
            [
                {
                    **attrs.asdict(one),
                    "received_at": _moment(one.received_at),
                    "dead_at": _moment(one.dead_at),
                }
                for one in letters
            ]
        )
        return 0
    rows = [
        (one.id, one.kind, one.tries, _moment(one.received_at), _moment(one.dead_at), one.problem)
        for one in letters
    ]
    print_table(_COLUMNS, rows)
    if letters:
        print_stderr(
            "mettl webhooks replay with numbers, or with --all, lets them be handled again"
        )
    return 0


def replay(url: str, table: str, ids: Sequence[int] | None) -> int:
    """Let dead letters be handled again: all, or these; gives the exit code."""
    asked = None if ids is None else list(dict.fromkeys(ids))
    count = _with_inbox(url, table, lambda inbox: inbox.replay(asked))
    print_outcome(f"{count} replayed; the workers of the inbox handle them")
    if asked is not None and count < len(asked):
        missing = len(asked) - count
        which = "is no dead letter" if missing == 1 else "are no dead letters"
        print_stderr(f"mettl: {missing:,} of these numbers {which}")
        return 1
    return 0


def _with_inbox(url: str, table: str, ask: Callable[[SqlEventInbox], Awaitable[T]]) -> T:
    engine = engine_of(url)
    check_file(engine.url)

    async def whole() -> T:
        try:
            return await ask(SqlEventInbox(engine, table=table))
        finally:
            await engine.dispose()

    return run_on_database(whole())


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
