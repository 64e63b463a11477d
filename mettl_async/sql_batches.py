"""Statements about many rows at once: what many tasks ask for at the same time costs one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from attrs import define, field

from mettl_async.sql_backend import Backend, sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_MOST: Final = 200  # items of one transaction: others wait for its locks
A = TypeVar("A")
R = TypeVar("R")


@define(eq=False)
class Batches(Generic[A, R]):
    """Do what many tasks ask for in one transaction after the other.

    What is asked for while a transaction is under way goes into the next one together. When one with
    several items fails, each is tried alone, so that nobody fails for another.

    Attributes:
        backend: Where.
        work: Does all, and gives what came of each, in the same order.
        key: Two items with the same key never are in one transaction; they keep their order.
    """

    backend: Backend
    work: Callable[[AsyncConnection, Sequence[A]], Awaitable[Sequence[R]]]
    key: Callable[[A], object]
    _waiting: list[tuple[A, asyncio.Future[R]]] = field(factory=list, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def add(self, item: A) -> R:
        """Wait until an item's transaction is committed; `Backend.uncut` says what a cancellation does.

        Raises:
            Exception: What the work raised.
        """
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:
            self._task, self._waiting = None, []  # they ended with their loop
        ended: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, ended))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await self.backend.uncut(ended)

    async def _run(self) -> None:
        while self._waiting:
            batch = self._take()
            try:
                alone = len(batch) == 1
                if not await self._try(batch, alone=alone) and not alone:
                    for one in batch:
                        await self._try([one], alone=True)
            finally:  # a task that ends early leaves nobody waiting
                for _, ended in batch:
                    if not ended.done():
                        ended.cancel()

    async def _try(self, batch: Sequence[tuple[A, asyncio.Future[R]]], *, alone: bool) -> bool:
        items = [item for item, _ in batch]
        try:
            results = await self.backend.run(lambda connection: self.work(connection, items))
        except Exception as error:  # noqa: BLE001 - raised by whoever asked
            if alone:
                batch[0][1].set_exception(error)
            return False
        for (_, ended), result in zip(batch, results, strict=True):
            ended.set_result(result)
        return True

    def _take(self) -> list[tuple[A, asyncio.Future[R]]]:
        taken: dict[object, tuple[A, asyncio.Future[R]]] = {}
        left = []
        for one in self._waiting:
            key = self.key(one[0])
            if key in taken or len(taken) == _MOST:
                left.append(one)
            else:
                taken[key] = one
        self._waiting = left
        return list(taken.values())


def rows_of_json(dialect: str, name: str, width: int) -> tuple[Any, list[sa.ColumnElement[Any]]]:
    """Give a parameter as rows to select from, and their columns: it is a JSON text of lists of text.

    One statement for any number of rows, which databases and SQLAlchemy need to read once only.
    """
    text = sa.bindparam(name, type_=sa.Text)
    if dialect == "sqlite":
        rows = sa.func.json_each(text).table_valued("value")
        return rows, [sa.func.json_extract(rows.c.value, f"$[{i}]") for i in range(width)]
    rows = sa.func.json_array_elements(sa.cast(text, sa.JSON)).table_valued("value")
    value = rows.c.value
    return rows, [value.op("->>")(sa.literal_column(str(i))) for i in range(width)]
