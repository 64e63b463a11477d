"""Engines in a process that was forked: the connections that its parent opened stay the parent's."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from attrs import define, field

from mettl_async.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry


@define(eq=False)
class Opened:
    """Who opened the connections of an engine, as far as they are opened from now on.

    No hook of ``os.register_at_fork``: uWSGI forks without calling them.
    """

    _process: int = field(factory=os.getpid, init=False)
    _by: weakref.WeakKeyDictionary[ConnectionPoolEntry, int] = field(
        factory=weakref.WeakKeyDictionary, init=False
    )

    @classmethod
    def of(cls, engine: AsyncEngine) -> Opened:
        """Give that of an engine: one for all who use it."""
        known = _KNOWN.get(engine.sync_engine)
        if known is None:
            known = _KNOWN[engine.sync_engine] = cls()
            sa.event.listen(engine.sync_engine, "connect", known.note)
            if engine.dialect.name != "sqlite":
                # As SQLAlchemy's documentation says for a child: dispose(close=False).
                sa.event.listen(engine.sync_engine, "engine_disposed", known.forget)
        return known

    def note(self, _: Any, entry: ConnectionPoolEntry) -> None:
        """Remember who opened a connection."""
        self._by[entry] = os.getpid()

    def forget(self, _: Any) -> None:
        """Forget all, as the engine has another pool now."""
        self._by.clear()

    def check(self) -> None:
        """Refuse connections that the parent of this process opened, before one is used.

        A driver would wait for ever for a thread or a loop that only the parent has. Nor can they be left
        alone: SQLite takes the parent's locks on the file for those of the child, so that what the child
        commits is lost when the parent closes [seen with 3.40.1]; and asyncpg, when it forgets one, ends
        what the parent's loop waits for [seen with 0.32].

        Raises:
            ConfigurationError: There are such connections.
        """
        process = os.getpid()
        if process == self._process:
            return
        entries = list(self._by.items())
        if any(by != process and entry.dbapi_connection is not None for entry, by in entries):
            raise ConfigurationError(
                "engine: had connections open when this process was forked, and they are the parent's; "
                "dispose of it before the fork, such as by run_sync(engine.dispose)"
            )
        self._process = process


_KNOWN: weakref.WeakKeyDictionary[sa.Engine, Opened] = weakref.WeakKeyDictionary()
