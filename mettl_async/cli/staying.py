"""The sandbox of a trial run stays up on a terminal, so that a link can be opened."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from collections.abc import Callable
from typing import Final

from mettl_async.cli.asking import can_ask
from mettl_async.cli.job import Job
from mettl_async.cli.problems import print_stderr
from mettl_async.cli.talk import is_quiet

_LOOK_EVERY: Final = 0.1  # seconds


def can_stay(job: Job) -> bool:
    """Tell whether somebody is there to open a link, and to press Enter after that."""
    asked_not_to = job.yes or job.as_json or is_quiet()
    # On Windows it cannot be seen whether Enter was pressed without waiting for it.
    return (
        job.sandbox and not asked_not_to and os.name != "nt" and can_ask() and sys.stdout.isatty()
    )


async def stay(ended: Callable[[], bool]) -> None:
    """Wait for Enter, or for a signal."""
    print_stderr("\nThe sandbox stays up, so that links can be opened. Press Enter to end it.")
    while not ended():
        if select.select([sys.stdin], [], [], 0)[0]:
            sys.stdin.readline()
            return
        await asyncio.sleep(_LOOK_EVERY)
