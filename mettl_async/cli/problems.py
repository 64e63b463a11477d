"""Errors of a command: one line on stderr for the user, never a traceback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from mettl_async.errors import MettlError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING, WRONG, INTERRUPTED = 1, 2, 130


class CommandError(Exception):
    """The command cannot do what was asked; the message is for the user, without personal data."""


class MissingColumnError(CommandError):
    """The header lacks a column that is needed, or that an option names."""


@contextmanager
def exit_on_error(interrupted: str = "nothing was sent") -> Iterator[None]:
    """Turn a user's errors into one line on stderr and exit code 2, or 1 for what is not ready yet."""
    try:
        yield
    except NotReadyError as error:
        print_stderr(f"mettl: {error}")
        raise typer.Exit(MISSING) from None
    except (CommandError, MettlError) as error:
        print_stderr(f"mettl: {error}")
        raise typer.Exit(WRONG) from None
    except KeyboardInterrupt:
        print_stderr(f"mettl: interrupted; {interrupted}")
        raise typer.Exit(INTERRUPTED) from None


def print_stderr(text: str) -> None:
    """Write a line to stderr."""
    typer.echo(text, err=True)


def os_reason(error: OSError) -> str:
    """Take the operating system's message, without the path that it repeats."""
    return error.strerror or type(error).__name__
