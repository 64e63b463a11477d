"""How a command ends: errors as one line on stderr, exit codes, and Ctrl-C."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import typer

from mettl_async.display import multiline
from mettl_async.errors import MettlError, NotReadyError

MISSING, WRONG, INTERRUPTED = 1, 2, 130

_SHOW_CURSOR: Final = b"\x1b[?25h\r\n"


class CommandError(Exception):
    """The command cannot do what was asked; the message is for the user, without personal data."""


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
    """Write a line to stderr, or some; what could be a server's words cannot do more than be read."""
    typer.echo(multiline(text), err=True)


def os_reason(error: OSError) -> str:
    """Take the operating system's message, without the path that it repeats."""
    return error.strerror or type(error).__name__


@contextmanager
def on_interrupt(first: Callable[[], None]) -> Iterator[None]:
    """Call ``first`` on the first SIGINT inside the block, and exit at once on the second.

    A process that was started with SIGINT ignored (a shell's background job) goes on ignoring it.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield
        return
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR)  # the bar hides it; a buffered write may be under way
            os._exit(INTERRUPTED)
        asked = True
        first()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
