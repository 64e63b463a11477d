"""An engine in memory, which any number of workers of one process share: what `ChunkEngine` promises, fast."""

import asyncio
from concurrent.futures import Future

from attrs import define, field

from mettl_async.jobs.engine import VERSION, HandedOnError, Known


@define
class Row:
    account: str
    version: str
    state: str = "ENQUEUED"
    executor: str | None = None


@define(eq=False)
class Dispatch:
    """What the database of an engine holds."""

    rows: dict = field(factory=dict)
    engines: list = field(factory=list)

    def make_engine(self, **settings):
        settings.pop("url")
        return PretendedEngine(dispatch=self, **settings)

    def turn(self):
        """Give what waits to those who have room."""
        for ticket, row in list(self.rows.items()):
            for engine in self.engines:
                if row.state == "ENQUEUED" and engine.takes(row):
                    row.state, row.executor = "PENDING", engine.executor
                    engine.give(ticket, row)

    def lose_all(self):
        self.rows.clear()


@define(eq=False, kw_only=True)
class PretendedEngine:
    dispatch: Dispatch
    executor: str
    accounts: list
    at_once: int
    idle: float
    accept: object
    busy: float = 0.2
    version: str = VERSION
    active: int = 0

    async def launch(self):
        self.dispatch.engines.append(self)
        self.dispatch.turn()

    async def close(self):
        if self in self.dispatch.engines:
            self.dispatch.engines.remove(self)

    def takes(self, row):
        fits = row.account in self.accounts and row.version == self.version
        return fits and self.active < self.at_once

    def give(self, ticket, row):
        self.active += 1
        loop, ended = asyncio.get_running_loop(), Future()

        def over(future):
            self.active -= 1
            if isinstance(future.exception(), HandedOnError):
                return
            row.state = "SUCCESS"
            loop.call_soon(self.dispatch.turn)

        ended.add_done_callback(over)
        loop.call_soon(self.accept, ticket, ended)

    async def enqueue(self, account, tickets):
        for ticket in tickets:
            self.dispatch.rows.setdefault(ticket, Row(account, self.version))
        self.dispatch.turn()

    async def find(self, tickets):
        rows = {ticket: self.dispatch.rows.get(ticket) for ticket in tickets}
        return {
            ticket: Known(row.executor, row.version)
            for ticket, row in rows.items()
            if row is not None and row.state != "SUCCESS"
        }

    async def taken(self, executor=None):
        return {
            ticket: Known(row.executor, row.version)
            for ticket, row in self.dispatch.rows.items()
            if row.state == "PENDING" and executor in (None, row.executor)
        }

    async def forget(self, tickets):
        for ticket in tickets:
            self.dispatch.rows.pop(ticket, None)

    async def sweep(self):
        await self.forget(
            [one for one, row in self.dispatch.rows.items() if row.state == "SUCCESS"]
        )
