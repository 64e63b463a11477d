"""Clock, pauses and chance: what a call takes from the outside world, so that tests can script it."""

import os
import random
import time
from collections.abc import Awaitable, Callable

import anyio
from attrs import frozen


@frozen(kw_only=True)
class Effects:
    """Functions that are not pure."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = lambda: os.urandom(6).hex()
