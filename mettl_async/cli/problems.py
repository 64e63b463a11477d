"""How a command ends: errors as one line on stderr, and exit codes."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mettl_async.cli.signals import exit_code, raised_signals, signal_of
from mettl_async.cli.streams import forget
from mettl_async.cli.wording import words
from mettl_async.display import multiline
from mettl_async.errors import MettlError, NotReadyError

MISSING, WRONG = 1, 2


class CommandError(Exception):
    """The command cannot do what was asked; the message is for the user, without personal data."""


@contextmanager
def exit_on_error(interrupted: str = "nothing was sent") -> Iterator[None]:
    """Turn a user's errors into one line on stderr and exit code 2, or 1 for what is not ready yet."""
    try:
        with raised_signals():
            yield
    except NotReadyError as error:
        print_stderr(f"mettl: {words(error)}")
        raise typer.Exit(MISSING) from None
    except (CommandError, MettlError) as error:
        print_stderr(f"mettl: {words(error)}")
        raise typer.Exit(WRONG) from None
    except KeyboardInterrupt as error:
        number = signal_of(error)
        how = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
        print_stderr(f"mettl: {how}; {interrupted}")
        raise typer.Exit(exit_code(number)) from None


def print_stderr(text: str) -> None:
    """Write a line to stderr, or some; what could be a server's words cannot do more than be read."""
    # Not by typer, which looks for the stream under the one that keeps a bar below what is written.
    sys.stderr.write(multiline(text) + "\n")
    sys.stderr.flush()


def print_outcome(text: str) -> None:
    """Write to stdout what a command has done, which is not undone where it cannot be written: that is told."""
    try:
        typer.echo(multiline(text))
    except BrokenPipeError:  # by whoever has read enough
        forget(sys.stdout)
    except OSError as error:
        forget(sys.stdout)
        print_stderr(f"mettl: stdout cannot be written: {os_reason(error)}")


def os_reason(error: OSError) -> str:
    """Take the operating system's message, without the path that it repeats."""
    return error.strerror or type(error).__name__


def cannot_listen(address: str, error: OSError, option: str = "--port") -> CommandError:
    """Say that a server cannot begin, and with an address in use what to pass."""
    taken = error.errno == errno.EADDRINUSE
    hint = f"; pass another {option}, or stop what listens there" if taken else ""
    return CommandError(f"cannot listen on {address}: {os_reason(error)}{hint}")
