"""Standard streams that are closed, full, or read by nobody: what is said there ends no command."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Final, TextIO

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare() -> None:
    """Give the process streams that it can use whatever it was started with.

    One that was closed leads nowhere: else the next file that is opened gets its number, and with it
    what is printed. What stderr cannot take is lost, and nothing fails for it.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _lead_nowhere(number)
            stream = _Nowhere(open(number, f"{mode}b", closefd=False), "utf-8")  # noqa: SIM115 - it stays open
            for attribute in (name, f"__{name}__"):
                setattr(sys, attribute, stream)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files, in any locale
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr = _Unfailing(
            sys.stderr.buffer, sys.stderr.encoding, "backslashreplace", line_buffering=True
        )


def is_closed(stream: TextIO) -> bool:
    """Tell whether the process was started without this stream, so that it leads nowhere."""
    return isinstance(stream, _Nowhere)


def forget(stream: TextIO) -> None:
    """Discard what is still buffered in a stream that has failed, or Python fails again when it ends."""
    with suppress(OSError, ValueError):  # a stream that has no number
        _lead_nowhere(stream.fileno())


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        try:
            os.dup2(nowhere, number)
        finally:
            os.close(nowhere)


class _Nowhere(TextIOWrapper):
    """A stream that the process was started without."""


class _Unfailing(TextIOWrapper):
    """A stream that nobody needs: where it cannot be written, it leads nowhere from then on."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            forget(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            forget(self)
