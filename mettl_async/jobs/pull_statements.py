"""All that a chunk of a job that pulls reads and writes; each write only as long as its worker may."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mettl_async.bulk.journal_table import storable
from mettl_async.codec import dumps
from mettl_async.jobs.chunk_journal import ChunkLease, hold
from mettl_async.jobs.recurring import LISTING, add_schedules
from mettl_async.jobs.statements import ChunkStatements, now_of, tune
from mettl_async.jobs.tables import chunks, jobs, people, pulled, results
from mettl_async.sql_backend import INSERTS, sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.sql_backend import Backend


@frozen
class ResultRow:
    """A row of the table of results, and what stands for it in the table of what was pulled."""

    digest: str
    email: str = field(repr=False)
    result: str = field(repr=False)
    report: str


@frozen
class PullTables:
    """What one chunk does to the tables.

    Attributes:
        backend: Where.
        lease: What allows to write.
        task: Name of the task that pulls.
    """

    backend: Backend
    lease: ChunkLease
    task: str

    async def schedule(self) -> str | None:
        """Return what stands for the schedule, as JSON; None if all of it was pulled."""
        statements = ChunkStatements.of(self.backend.dialect)

        async def work(connection: AsyncConnection) -> str | None:
            await connection.execute(tune(self.backend.dialect))
            where = (await connection.execute(statements.bounds, self.lease.bound())).one_or_none()
            if where is None:
                return None
            bound = self.lease.bound(start=where.first, stop=where.first + where.size)
            row = (await connection.execute(statements.left, bound)).first()
            return None if row is None else str(row.person)

        return await self.backend.run(work)

    async def list_schedules(self, keys: Sequence[str]) -> None:
        """Put schedules in the place of `LISTING`: the first into this chunk, others into further ones.

        Raises:
            LeaseLostError: The chunk was handed out again; nothing was written.
        """
        texts = [dumps(key) for key in keys]
        number = self.lease.job
        here = (people.c.job == number) & (people.c.person == LISTING)
        total = sa.update(jobs).where(jobs.c.number == number).values(total=len(texts))
        chunk = (chunks.c.job == number) & (chunks.c.chunk == self.lease.chunk)

        async def work(connection: AsyncConnection) -> None:
            await self._hold(connection)
            if not texts:
                await connection.execute(sa.delete(people).where(here))
                await connection.execute(sa.update(chunks).where(chunk).values(size=0))
            else:
                first = sa.update(people).where(here).values(person=texts[0], digest=texts[0])
                if (await connection.execute(first)).rowcount != 1:
                    return  # committed before, and the answer was lost
                await add_schedules(connection, number, texts[1:], 1)
            await connection.execute(total)

        await self.backend.run(work)

    async def known(self, digests: Collection[str]) -> set[str]:
        """Return those of them that were pulled before."""
        row = pulled.c
        found = sa.select(row.digest).where(row.task == self.task, row.digest.in_(digests))

        async def work(connection: AsyncConnection) -> set[str]:
            await connection.execute(tune(self.backend.dialect))
            return set((await connection.execute(found)).scalars())

        return await self.backend.run(work) if digests else set()

    async def add_results(self, account: str, access_key: str, rows: Sequence[ResultRow]) -> None:
        """Write results into their table, and that they are there, in one transaction.

        Raises:
            LeaseLostError: The chunk was handed out again; nothing was written.
        """
        insert: Any = INSERTS[self.backend.dialect](results)
        changed = ("account", "result", "report", "updated_at")
        upsert = insert.values(updated_at=now_of(self.backend.dialect)).on_conflict_do_update(
            index_elements=["access_key", "email"],
            set_={name: insert.excluded[name] for name in changed},
        )
        values = [
            {
                "access_key": access_key,
                "email": storable(row.email),
                "account": account,
                "result": row.result,
                "report": row.report,
            }
            for row in sorted(rows, key=lambda row: row.email)
        ]

        async def work(connection: AsyncConnection) -> None:
            await self._hold(connection)
            await connection.execute(upsert, values)
            await self._remember(connection, [row.digest for row in rows])

        if rows:
            await self.backend.run(work)

    async def remember(
        self, digests: Sequence[str], before: Callable[[], object] | None = None
    ) -> None:
        """Write that something is stored, after doing a last thing in the same transaction.

        Raises:
            LeaseLostError: The chunk was handed out again; nothing was done.
            Exception: What the last thing raised; nothing was written.
        """

        async def work(connection: AsyncConnection) -> None:
            await self._hold(connection)
            if before is not None:
                before()
            await self._remember(connection, digests)

        if digests:
            await self.backend.run(work)

    async def settle(self) -> None:
        """Write that all of the schedule is pulled.

        Raises:
            LeaseLostError: The chunk was handed out again; nothing was written.
        """
        statements = ChunkStatements.of(self.backend.dialect)

        async def work(connection: AsyncConnection) -> None:
            row = await self._hold(connection)
            outcome = {
                "job": self.lease.job,
                "position": row.first,
                "status": "registered",
                "url": "",
                "code": "",
                "reason": "",
            }
            if row.size:
                await connection.execute(statements.record, [outcome])

        await self.backend.run(work)

    async def _hold(self, connection: AsyncConnection) -> sa.Row[Any]:
        return await hold(connection, ChunkStatements.of(self.backend.dialect), self.lease)

    async def _remember(self, connection: AsyncConnection, digests: Sequence[str]) -> None:
        insert: Any = INSERTS[self.backend.dialect](pulled)
        statement = insert.values(pulled_at=now_of(self.backend.dialect)).on_conflict_do_nothing()
        rows = [{"task": self.task, "digest": one} for one in sorted(set(digests))]
        await connection.execute(statement, rows)


def key_of(text: str) -> str:
    """Read what stands for a schedule."""
    key: str = json.loads(text)
    return key
