"""How much a command says: ``--quiet`` nothing but errors and what it was asked for, ``--verbose`` each call.

The library's log is for programs. A command shows it on stderr with ``--verbose`` only: what matters of it
is said in other words anyway.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mettl_async.cli.problems import CommandError, print_outcome, print_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGER: Final = logging.getLogger("mettl_async")
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and what was asked for.")
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Log each call on stderr, without keys and personal data."
    ),
]


class _ToStderr(logging.Handler):
    """Write to what stderr is at that moment: a progress bar takes its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print_stderr(self.format(record))


@contextmanager
def talking(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Say so much inside the block.

    Raises:
        CommandError: Both are wanted.
    """
    if quiet and verbose:
        raise CommandError("--quiet and --verbose are opposites; give one of them")
    handler = _ToStderr() if verbose else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = _LOGGER.level
    _LOGGER.addHandler(handler)
    if verbose:
        _LOGGER.setLevel(logging.DEBUG)
    token = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(token)
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)


def is_quiet() -> bool:
    """Tell whether nothing but errors is to be said."""
    return _quiet.get()


def note(text: str) -> None:
    """Write to stderr what is good to know."""
    if not is_quiet():
        print_stderr(text)


def say(text: str) -> None:
    """Write to stdout what was done."""
    if not is_quiet():
        print_outcome(text)
