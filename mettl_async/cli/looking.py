"""The look at a file before anything is sent: doubts are answered, rows are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mettl_async.cli import asking
from mettl_async.cli.progress import spinner
from mettl_async.cli.reading.checking import Checked, check_file
from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.talk import note

if TYPE_CHECKING:
    from mettl_async.cli.reading.checking import Fits
    from mettl_async.cli.reading.source import Source


def look(source: Source, fits: Fits | None, *, ask: bool) -> Checked:
    """Read and check a whole file; what it does not tell is asked, and it is read again with the answer.

    Args:
        source: The file.
        fits: See `check_file`.
        ask: Whether somebody is there to be asked.

    Raises:
        DoubtError: Nobody is.
        CommandError: See `check_file`.
    """
    while True:
        try:
            with spinner(f"checking {source.name}"):
                return check_file(source, fits)
        except DoubtError as doubt:
            if not ask:
                raise
            choice = asking.choose(doubt)
        source.reread(source.options.answered(choice.option, choice.value))
        note(f"reading it with {choice.flag}; pass that the next time, and nothing is asked")
