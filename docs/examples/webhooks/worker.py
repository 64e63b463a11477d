"""A worker of service.py in a process of its own, until Ctrl-C or SIGTERM: ``python worker.py``.

Run any number of them, on any machine that reaches the database. Then take ``inbox.working(...)`` out of the
lifespan of service.py, unless that is to handle events as well. The environment is that of service.py but for
METTL_ACCESS_KEY.
"""

import asyncio
import signal

from service import app, engine, inbox, receiver

from mettl_async import MettlClient


async def main() -> None:
    """Handle events until it is told to stop; those at work are ended before."""
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):  # on Windows: signal.signal(one, ...)
        loop.add_signal_handler(one, inbox.stop)
    async with MettlClient() as app.state.mettl:
        await inbox.run(receiver.handlers)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
