"""Ctrl-C: the first one ends a run in order, the second one exits at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mettl_async.cli.problems import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SHOW_CURSOR: Final = b"\x1b[?25h\r\n"


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
