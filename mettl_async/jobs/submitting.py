"""Handing people in: a stream of any length becomes rows, and chunks when all are there."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import fields, frozen

from mettl_async.bulk.outcomes import DUPLICATE_EMAIL
from mettl_async.bulk.reading import check_candidate, each
from mettl_async.codec import dumps
from mettl_async.errors import InvalidInputError
from mettl_async.jobs.errors import JobError
from mettl_async.jobs.job_statements import JobStatements
from mettl_async.jobs.leases import drop, take
from mettl_async.jobs.person import difference, digest_of, from_text, to_text
from mettl_async.jobs.spec import REGISTER, RegisterSpec
from mettl_async.jobs.values import Job, JobRow, JobState, job_row
from mettl_async.models import RegistrationOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.models import Candidate
    from mettl_async.sql_backend import Backend, sa

_log: Final = logging.getLogger("mettl_async.jobs")

GROUP: Final = 500
"""People that are held in memory, and written in one transaction."""
LEASE_SECONDS: Final = 30.0
"""How long another submitter of the same job waits for one that is silent."""
_ASK_AGAIN_SECONDS: Final = 0.25
_DUPLICATE: Final = "the same email came earlier in this job; not sent"


@frozen
class _Person:
    """One of the input, as it is written."""

    position: int
    candidate: Candidate
    text: str


@frozen
class Submission:
    """The right of one process to hand in the people of a job.

    Attributes:
        backend: Where.
        row: The job.
        holder: Name of this submission in the lease.
    """

    backend: Backend
    row: JobRow
    holder: str

    async def add(self, source: Iterable[Candidate] | AsyncIterable[Candidate]) -> None:
        """Read the people, compare the first ones with those who are in, and add the others.

        Raises:
            InvalidInputError: Somebody is no candidate, cannot be kept, or is another one than before; the
                message has the position and the field, never the value.
            JobError: The job was cancelled or forgotten meanwhile, or another process submits it.
            Exception: What the input raises. What was added before stays.
        """
        known = self.row.job.total
        total = 0
        async with aclosing(_groups(source, known)) as groups:
            async for group in groups:
                if total < known:
                    await self._compare(group)
                else:
                    await self._write(total, group)
                total += len(group)
        if total < known:
            raise InvalidInputError(
                "candidates",
                f"are {total}, and {known} were handed in before",
                "pass the same ones again, or forget the job",
            )
        await self._complete(total)

    async def _compare(self, group: list[_Person]) -> None:
        statements = JobStatements.of(self.backend.dialect)
        first = group[0].position
        bound = {"the_job": self.row.number, "start": first, "stop": first + len(group)}

        async def work(connection: AsyncConnection) -> dict[int, str]:
            await self._go_on(connection)
            rows = await connection.execute(statements.find_people, bound)
            return {row.position: row.person for row in rows}

        there = await self.backend.run(work)
        for one in group:
            text = there.get(one.position)
            if text is None:
                raise JobError("the job was forgotten by somebody else meanwhile")
            if text != one.text and from_text(text) != one.candidate:
                raise InvalidInputError(
                    f"candidates[{one.position}].{difference(text, one.text)}",
                    "differs from what was handed in before",
                    "pass the same candidates in the same order, or forget the job",
                )

    async def _write(self, total: int, group: list[_Person]) -> None:
        statements = JobStatements.of(self.backend.dialect)
        here: set[str] = set()
        rows: list[tuple[str, str | None, str]] = []
        for one in group:
            digest = digest_of(one.candidate.email)
            rows.append((str(one.position), None if digest in here else digest, one.text))
            here.add(digest)
        number, stop = self.row.number, total + len(group)
        batch = {"the_job": number, "batch": dumps(rows)}
        repeated = {
            "the_job": number, "start": total, "stop": stop, "code": DUPLICATE_EMAIL, "reason": _DUPLICATE
        }  # fmt: skip

        async def work(connection: AsyncConnection) -> None:
            await self._go_on(connection)
            grown = {"the_job": number, "seen": total, "new_total": stop}
            if await self._changes(connection, statements.grow, grown):
                await connection.execute(statements.add_people, batch)
                await connection.execute(statements.reject_repeated, repeated)

        await self.backend.run(work)

    async def _complete(self, total: int) -> None:
        statements = JobStatements.of(self.backend.dialect)
        number, size = self.row.number, self.row.job.chunk_size
        rows = [
            {"job": number, "chunk": chunk, "first": first, "size": min(size, total - first)}
            for chunk, first in enumerate(range(0, total, size))
        ]

        async def work(connection: AsyncConnection) -> None:
            await self._go_on(connection)
            bound = {"the_job": number, "seen": total, "new_total": total}
            if await self._changes(connection, statements.complete, bound) and rows:
                await connection.execute(statements.add_chunks, rows)

        await self.backend.run(work)

    async def _changes(
        self, connection: AsyncConnection, statement: sa.Executable, bound: dict[str, Any]
    ) -> bool:
        """Change the job; False if the same was committed already, by a try whose answer was lost."""
        if (await connection.execute(statement, bound)).rowcount == 1:
            return True
        find = JobStatements.of(self.backend.dialect).find
        row = (await connection.execute(find, {"the_id": self.row.job.id})).one_or_none()
        own = row is not None and row.number == self.row.number
        if own and row.state != JobState.CANCELLED and row.total == bound["new_total"]:
            return False
        raise JobError("the job was completed, cancelled or forgotten by somebody else meanwhile")

    async def _go_on(self, connection: AsyncConnection) -> None:
        if not await take(connection, lease_name(self.row.job), self.holder, LEASE_SECONDS):
            raise JobError(
                "another process submits this job: this one was silent for too long;"
                " submit it again to wait for the other"
            )


async def added(
    backend: Backend, job_id: str, account: str, spec: RegisterSpec, chunk_size: int
) -> JobRow:
    """Add a job, or return the one that has this id.

    Raises:
        InvalidInputError: That one is another; ``field`` names what differs.
    """
    statements = JobStatements.of(backend.dialect)
    new = {
        "new_id": job_id,
        "new_kind": REGISTER,
        "new_account": account,
        "new_spec": spec.to_text(),
        "new_chunk_size": chunk_size,
    }

    async def work(connection: AsyncConnection) -> JobRow:
        await connection.execute(statements.add, new)
        return job_row((await connection.execute(statements.find, {"the_id": job_id})).one())

    row = await backend.run(work)
    for name, is_same in (
        ("id", row.job.kind == REGISTER),
        ("account", row.job.account == account),
    ):
        if not is_same:
            raise _differs(name)
    there = RegisterSpec.from_text(row.spec)
    if there.access_key != spec.access_key:
        raise _differs("access_key")
    for one in fields(RegistrationOptions):
        if getattr(there.options, one.name) != getattr(spec.options, one.name):
            raise _differs(f"options.{one.name}")
    return row


@asynccontextmanager
async def submission(
    backend: Backend, row: JobRow, *, reread: Callable[[], Any]
) -> AsyncIterator[Submission | None]:
    """Wait until nobody else submits a job; None if it is complete then.

    Args:
        backend: Where.
        row: The job as it was.
        reread: Reads it again.
    """
    holder, name = uuid.uuid4().hex, lease_name(row.job)

    async def try_once(connection: AsyncConnection) -> bool:
        return await take(connection, name, holder, LEASE_SECONDS)

    async def leave(connection: AsyncConnection) -> None:
        await drop(connection, name, holder)

    try:
        told = False
        while not await backend.run(try_once):
            if not told:
                _log.info("job %s: waits for another submission, which may have died", row.job.id)
                told = True
            await anyio.sleep(_ASK_AGAIN_SECONDS)
        now: JobRow = await reread()
        waits = now.job.state is JobState.SUBMITTING
        yield Submission(backend, now, holder) if waits else None
    finally:
        with anyio.CancelScope(shield=True):
            await backend.run(leave)


def lease_name(job: Job) -> str:
    """Give the name of the lease of who submits a job."""
    return f"submit:{job.id}"


async def _groups(
    source: Iterable[Candidate] | AsyncIterable[Candidate], known: int
) -> AsyncGenerator[list[_Person]]:
    """Cut an input into groups; none has both people who are in and people who are not."""
    group: list[_Person] = []
    index = 0
    async with aclosing(each(source)) as people:
        async for candidate in people:
            check_candidate(index, candidate)
            group.append(_Person(index, candidate, to_text(index, candidate)))
            index += 1
            if len(group) == GROUP or index == known:
                yield group
                group = []
    if group:
        yield group


def _differs(name: str) -> InvalidInputError:
    return InvalidInputError(
        name,
        "differs from that of the job that has this id",
        "give the job another id, or forget the one that is there",
    )
