"""A process that spends turns of a rate; says by the machine's clock when it spent each."""

import asyncio
import sys
import time

from mettl_async.jobs.database import backend_of, engine_for
from mettl_async.jobs.rate import DatabaseRate


class Clock:
    """Remembers what it said last: the instant at which a turn was spent, however busy the machine is."""

    last = 0.0

    def __call__(self):
        self.last = time.monotonic()
        return self.last


def say(*words):
    sys.stdout.write(f"{' '.join(map(str, words))}\n")
    sys.stdout.flush()


async def main(url, account, per_second, seconds):
    engine, clock, spent = engine_for(url), Clock(), []
    rate = DatabaseRate(backend_of(engine), account, float(per_second), now=clock)
    await rate.acquire()
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)

    async def work():
        while True:
            await rate.acquire()
            spent.append(clock.last)

    workers = [asyncio.create_task(work()) for _ in range(8)]
    await asyncio.sleep(float(seconds))
    for one in workers:
        one.cancel()
    await rate.aclose()
    await engine.dispose()
    say(*spent)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
