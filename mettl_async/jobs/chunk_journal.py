"""The journal of one chunk: it writes only as long as its worker may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mettl_async.bulk.group_commit import GroupCommit
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.journal_table import storable
from mettl_async.jobs.errors import LeaseLostError
from mettl_async.jobs.statements import ChunkStatements

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.sql_backend import Backend, sa


@frozen
class ChunkLease:
    """The right of one worker to run one chunk; it ends when the chunk is handed out again.

    Attributes:
        job: Number of the job.
        chunk: Number of the chunk in it, from 0.
        attempt: How often it was handed out, this time included.
        owner: Id of the worker.
    """

    job: int
    chunk: int
    attempt: int
    owner: str

    def bound(self, **more: object) -> dict[str, Any]:
        """Give the parameters of `ChunkStatements`."""
        return {
            "the_job": self.job,
            "the_chunk": self.chunk,
            "mine": self.attempt,
            "me": self.owner,
            **more,
        }


async def hold(
    connection: AsyncConnection, statements: ChunkStatements, lease: ChunkLease
) -> sa.Row[Any]:
    """Hold a chunk until the transaction ends; return its ``first``, ``size`` and ``tries``.

    Raises:
        LeaseLostError: It was handed out again.
    """
    row = (await connection.execute(statements.fence, lease.bound())).one_or_none()
    if row is None:
        raise LeaseLostError("another worker has taken this chunk over; nothing more was written")
    return row


@frozen(eq=False)
class ChunkJournal:
    """A `Journal` of one run of one chunk; answers that wait at the same time are committed together.

    The people of a chunk are read without those who have a settled outcome, so that there is nothing to
    find.

    Attributes:
        backend: Where the tables are.
        lease: What allows to write.
        positions: Position in the job of each email, as `fold_email` folds it.
    """

    backend: Backend
    lease: ChunkLease
    positions: Mapping[str, int] = field(repr=False)
    _statements: ChunkStatements = field(init=False, repr=False)
    _commits: GroupCommit[dict[str, Any]] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_statements", ChunkStatements.of(self.backend.dialect))
        object.__setattr__(self, "_commits", GroupCommit(self._commit))

    async def open(self, schedule: str) -> None:
        """See `Journal`."""

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:  # noqa: ARG002 - see the class
        """See `Journal`."""
        return {}

    async def record(self, records: Sequence[JournalRecord]) -> None:
        """See `Journal`.

        Raises:
            LeaseLostError: The chunk was handed out again; nothing was written.
        """
        await self._commits.add([self._row(one) for one in records])

    async def close(self) -> None:
        """See `Journal`."""

    def _row(self, record: JournalRecord) -> dict[str, Any]:
        return {
            "job": self.lease.job,
            "position": self.positions[record.email],
            "status": record.status,
            "url": storable(record.url),
            "code": storable(record.code),
            "reason": storable(record.reason),
        }

    async def _commit(self, rows: list[dict[str, Any]]) -> None:
        async def work(connection: AsyncConnection) -> None:
            await hold(connection, self._statements, self.lease)
            await connection.execute(
                self._statements.record, sorted(rows, key=itemgetter("position"))
            )

        if rows:
            await self.backend.run(work)
