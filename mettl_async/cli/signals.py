"""What asks a process to end: Ctrl-C, SIGTERM, and SIGHUP of a terminal that was closed."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

_SIGNALS: Final = tuple(
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # some are of one system only
    if hasattr(signal, name)
)
_ONE_REQUEST: Final = 0.1
"""Seconds: ``timeout``, shells and systemd ask twice at once, and mean one end."""
_SHOW_CURSOR: Final = b"\x1b[?25h\r\n"


class EndedBySignalError(KeyboardInterrupt):
    """Raised where a signal other than that of Ctrl-C comes."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


def exit_code(number: int) -> int:
    """Return the exit code that shells know for a process that a signal has ended: 130, 143, 129."""
    return 128 + number


def signal_of(error: KeyboardInterrupt) -> signal.Signals:
    """Tell which signal it was."""
    return error.number if isinstance(error, EndedBySignalError) else signal.SIGINT


@contextmanager
def raised_signals() -> Iterator[None]:
    """Raise `EndedBySignalError` where Python knows only Ctrl-C, so that what is open is closed."""

    def handle(number: int, _frame: FrameType | None) -> NoReturn:
        raise EndedBySignalError(signal.Signals(number))

    with _handled(handle, [one for one in _SIGNALS if one != signal.SIGINT]):
        yield


@contextmanager
def on_interrupt(
    first: Callable[[signal.Signals], None], told: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Call ``first`` on the first signal inside the block that asks for an end, and exit at once on the next.

    Args:
        first: Called with the signal.
        told: Whether the user knows that the next signal exits at once, so that it is meant.
    """
    asked: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not asked:
            asked.append(now)
            first(signal.Signals(number))
        elif told() or now - asked[0] > _ONE_REQUEST:
            # What is buffered may be half written, so nothing is flushed.
            with suppress(OSError, ValueError):
                if sys.stderr.isatty():
                    os.write(sys.stderr.fileno(), _SHOW_CURSOR)  # the bar hides it
            os._exit(exit_code(number))

    with _handled(handle, _SIGNALS):
        yield


@contextmanager
def _handled(
    handle: Callable[[int, FrameType | None], None],
    signals: tuple[signal.Signals, ...] | list[signal.Signals],
) -> Iterator[None]:
    """Handle signals in the main thread, but for those that are ignored, as those of ``nohup`` are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None for a handler that was not set by Python, and cannot be set again.
    now = {one: signal.getsignal(one) for one in signals}
    before = {one: old for one, old in now.items() if old not in (signal.SIG_IGN, None)}
    for one in before:
        signal.signal(one, handle)
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)
