"""What the leader does: one worker, elected by a lease, hands out the chunks to all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from attrs import define, field

from mettl_async.jobs import leases
from mettl_async.jobs.reconciling import Undone, hand_out, open_chunks, to_hand_out
from mettl_async.jobs.statements import close_jobs
from mettl_async.jobs.work import Pace, logger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.jobs.engine import ChunkEngine, Ticket
    from mettl_async.sql_backend import Backend

_LEAST_WINDOW: Final = 100  # chunks of an account that are handed out ahead
_AHEAD: Final = 4  # times what all workers run at once
_ENQUEUED_AT_ONCE: Final = 20  # in between it says that it is still there

Step = Callable[[], Awaitable[object]]


@define(eq=False, kw_only=True)
class Leader:
    """Hand out chunks, as long as this worker leads; else see whether nobody does.

    Two may lead for a moment, when one was frozen: the attempt of a chunk decides who has handed it out.

    Attributes:
        backend: Of the tables.
        engine: What takes the chunks to the workers.
        worker: Id of this worker.
        accounts: For which it has clients.
        at_once: Chunks of an account that a worker runs at once.
        pace: See `Pace`.
        clock: Seconds, monotonic.
        further: What else the leader does at each tick, such as to begin recurring jobs.
    """

    backend: Backend
    engine: ChunkEngine
    worker: str
    accounts: Collection[str]
    at_once: int
    pace: Pace
    clock: Callable[[], float]
    further: Sequence[Step] = ()
    leads: bool = field(default=False, init=False)
    _renewed_at: float = field(default=0.0, init=False)
    _swept_at: float = field(default=0.0, init=False)
    _workers: int = field(default=1, init=False)
    _warned: set[str] = field(factory=set, init=False)

    async def tick(self) -> None:
        """Lead once, if this worker leads."""
        if not await self._has_lease():
            return
        undone = await self.backend.run(lambda connection: open_chunks(connection, self._window))
        if undone:
            await self._hand_out(undone)
        for step in self.further:
            await step()
        if self.clock() - self._swept_at >= self.pace.sweep:
            await self._sweep()
            self._swept_at = self.clock()

    async def resign(self) -> None:
        """Let another worker lead at once."""
        if self.leads:
            self.leads = False
            await self.backend.run(
                lambda connection: leases.drop(connection, leases.LEADER, self.worker)
            )

    @property
    def _window(self) -> int:
        return max(_LEAST_WINDOW, _AHEAD * self.at_once * self._workers)

    async def _has_lease(self) -> bool:
        now = self.clock()
        if self.leads and now - self._renewed_at < self.pace.lease / 3:
            return True

        led, self.leads = self.leads, False  # whatever is raised

        async def take(connection: AsyncConnection) -> bool:
            name = leases.LEADER
            # Most of the time another one has it: to see that takes no lock.
            if not led and not await leases.is_free(connection, name):
                return False
            return await leases.take(connection, name, self.worker, self.pace.lease)

        self.leads = await self.backend.run(take)
        if self.leads:
            self._renewed_at = now
            if not led:
                logger.info("worker %s leads", self.worker)
        return self.leads

    async def _hand_out(self, undone: Sequence[Undone]) -> None:
        known = await self.engine.find(one.ticket for one in undone)

        async def write(
            connection: AsyncConnection,
        ) -> tuple[list[Undone], dict[str, list[Ticket]]]:
            # Read after what the engine knows: whoever took a ticket had a lease before that.
            alive = await leases.alive(connection, leases.WORKER)
            self._workers = max(1, len(alive))
            lost = to_hand_out(undone, known, alive, self.engine.version)
            return lost, await hand_out(connection, lost)

        lost, tickets = await self.backend.run(write)
        await self.engine.forget(one.ticket for one in lost if one.ticket in known)
        for account, found in tickets.items():
            self._warn_once(account)
            for start in range(0, len(found), _ENQUEUED_AT_ONCE):
                await self.engine.enqueue(account, found[start : start + _ENQUEUED_AT_ONCE])
                if not await self._has_lease():
                    return  # its successor hands out the rest anew

    def _warn_once(self, account: str) -> None:
        if account not in self.accounts and account not in self._warned:
            self._warned.add(account)
            logger.warning(
                "there is work for the account %s; this worker has no client of it, and another must",
                account,
            )

    async def _sweep(self) -> None:
        """Delete what nobody needs, and end jobs whose last worker died before it could."""
        await self.backend.change(close_jobs(self.backend.dialect), {})
        taken = await self.engine.taken()
        alive = await self.backend.run(lambda connection: leases.alive(connection, leases.WORKER))
        await self.engine.forget(
            ticket for ticket, known in taken.items() if known.executor not in alive
        )
        await self.engine.sweep()
        await self.backend.run(leases.forget_ended)
