"""A sandbox's memory on disk: a SQLite database that is written step by step and survives a kill.

What changed is written in one transaction before the answer that tells of it goes out, and nothing
else is. Commits are not waited for to reach the disk: a process that dies loses nothing that was
answered, a machine that loses power may lose the last moments, and neither spoils the file.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mettl_async.sandbox import records
from mettl_async.sandbox.changes import Changes
from mettl_async.sandbox.state import Account, Assessment, SandboxCandidate, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mettl_async.sandbox.clock import SandboxClock
    from mettl_async.sandbox.deliveries import Deliveries
    from mettl_async.sandbox.records import Row
    from mettl_async.sandbox.state import State

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = (
    0x4D45544C  # "METL", so that no database of another program is taken for one
)
_MAGIC: Final = b"SQLite format 3\x00"
_OWNER_ONLY: Final = 0o600  # candidates' data

# Table, key columns, and how a thing becomes a row. In the order of writing: owners first.
_TABLES: Final[dict[type[Any], tuple[str, str, Callable[[Any], Row]]]] = {
    Account: ("accounts", "client_id", records.account_row),
    Assessment: ("assessments", "id", records.assessment_row),
    Schedule: ("schedules", "id", records.schedule_row),
    SandboxCandidate: ("candidates", "access_key, person", records.candidate_row),
}

_log = logging.getLogger("mettl_async.sandbox")


class StorageError(Exception):
    """The file of a sandbox cannot be used: it is in use, damaged, of another kind or version, or the disk is full."""


class Storage:
    """One open file.

    Args:
        path: Of the database; made when it is not there. Beside it SQLite keeps ``-wal`` and ``-shm``,
            and there is an empty ``-lock``.

    Attributes:
        changes: Takes note of what is to be written.

    Raises:
        StorageError: The file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # One name for one file, whatever links lead to it.
        self._path = Path(path).resolve()
        self.changes = Changes(self._save_or_log)
        self._memory: tuple[State, Deliveries, SandboxClock] | None = None
        self._written: dict[str, str] = {}
        self._lock = self._take_lock()
        try:
            self._database = self._open()
        except BaseException:
            self._lock.close()
            raise

    def __repr__(self) -> str:
        return f"Storage({str(self._path)!r})"

    def _error(self, problem: str) -> StorageError:
        return StorageError(f"{self._path}: {problem}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # SQLite's words, such as "database or disk is full"; they name no values.
            raise self._error(str(error)) from None

    def _take_lock(self) -> sqlite3.Connection:
        """Make sure that nobody else has the file, until the process ends in any way.

        The database itself is not locked, so that it can be looked into while the sandbox runs.
        """
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
            with self._path.open("rb") as file:
                magic = file.read(len(_MAGIC))
        except OSError as error:
            raise self._error(error.strerror or type(error).__name__) from None
        if magic not in (b"", _MAGIC):
            raise self._error("is not a database of the sandbox")
        name = f"{self._path}-lock"
        try:
            # Only a new one is opened: closing it would give free what this process has locked of it.
            os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
        except FileExistsError:
            pass
        except OSError as error:
            raise self._error(error.strerror or type(error).__name__) from None
        with self._told():
            lock = sqlite3.connect(name, timeout=0, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            raise self._error("another sandbox uses it" if busy else str(error)) from None
        return lock

    def _open(self) -> sqlite3.Connection:
        with self._told():
            database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                database.row_factory = sqlite3.Row
                self._check(database)
            except BaseException:
                database.close()
                raise
        return database

    def _check(self, database: sqlite3.Connection) -> None:
        def number(name: str) -> int:
            found: int = database.execute(f"PRAGMA {name}").fetchone()[0]
            return found

        tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and number("application_id") != APPLICATION_ID:
            raise self._error("is not a database of the sandbox")
        version = number("user_version")
        if tables and version != SCHEMA_VERSION:
            whose = "a newer" if version > SCHEMA_VERSION else "an older"
            raise self._error(
                f"has schema {version}, of {whose} version of mettl-async; this one has "
                f"{SCHEMA_VERSION}: use that version, or another file"
            )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        if not tables:
            database.executescript(
                f"BEGIN; {records.SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def attach(self, state: State, deliveries: Deliveries, clock: SandboxClock) -> bool:
        """Fill a new state with what the file has, and write its changes from then on.

        Gives whether there was anything.

        Raises:
            StorageError: The file cannot be read, or is damaged.
        """
        self._memory = state, deliveries, clock
        state.changes = self.changes
        try:
            with self._told():
                found = self._load(state, deliveries, clock)
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(f"is damaged ({type(error).__name__})") from None
        deliveries.changes = self.changes
        self.changes.clear()  # what was read is written
        return found

    def _load(self, state: State, deliveries: Deliveries, clock: SandboxClock) -> bool:
        def rows(table: str, order: str) -> Iterator[Row]:
            return map(dict, self._database.execute(f"SELECT * FROM {table} ORDER BY {order}"))  # noqa: S608 - names of our own

        self._written = {row["name"]: row["value"] for row in rows("sandbox", "name")}
        if not self._written:
            return False
        state.restore(self._written["keys"], self._written["numbers"])
        clock.ahead = float(self._written["clock_ahead"])
        owners: dict[int, Account] = {}
        for row in rows("accounts", "client_id"):
            account = owners[row["client_id"]] = records.account_of(row)
            state.adopt(account)
        for row in rows("assessments", "id"):
            state.adopt(records.assessment_of(row, owners[row["client_id"]]))
        for row in rows("schedules", "id"):
            state.adopt(records.schedule_of(row, state.assessments[row["assessment_id"]]))
        for row in rows("candidates", "number"):
            state.adopt(records.candidate_of(row))
        for row in rows("deleted_candidates", "access_key"):
            state.deleted[row["access_key"], row["person"]] = row["times"]
        deliveries.restore(records.delivery_of(row) for row in rows("deliveries", "number"))
        return True

    def save(self) -> None:
        """Write what changed; nothing if nothing did.

        Raises:
            StorageError: It cannot be written; what changed stays noted.
        """
        if self._memory is None:
            return
        state, deliveries, clock = self._memory
        changes = self.changes
        small = {"clock_ahead": repr(clock.ahead), "numbers": state.numbers()}
        if any(isinstance(one, Account | Schedule) for one in changes.entities):
            small["keys"] = state.keys()  # long; an account counts its registrations too
        small = {name: text for name, text in small.items() if self._written.get(name) != text}
        if not (small or changes.entities or changes.deleted or changes.deliveries):
            return
        with self._told(), self._transaction() as database:
            database.executemany(
                "INSERT OR REPLACE INTO sandbox VALUES (?, ?)", list(small.items())
            )
            for key in changes.deleted:
                database.execute("DELETE FROM candidates WHERE access_key = ? AND person = ?", key)
                database.execute(
                    "INSERT OR REPLACE INTO deleted_candidates VALUES (?, ?, ?)",
                    (*key, state.deleted[key]),
                )
            for kind, (table, keys, row_of) in _TABLES.items():
                changed = [row_of(one) for one in changes.entities if type(one) is kind]
                _write(database, table, keys, changed)
            sent = [
                records.delivery_row(deliveries.numbered(one)) for one in sorted(changes.deliveries)
            ]
            _write(database, "deliveries", "number", sent)
        changes.clear()
        self._written |= small

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk rolls back by itself
                self._database.execute("ROLLBACK")
            raise

    def _save_or_log(self) -> None:
        try:
            self.save()
        except StorageError as error:
            _log.error("the sandbox's memory is not written: %s", error)

    def close(self) -> None:
        """Write what is left, and give the file free. A second time does nothing.

        Raises:
            StorageError: The rest cannot be written; the file is free all the same.
        """
        try:
            self.save()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give the file free without writing anything more."""
        self._memory = None
        self._database.close()
        self._lock.close()


def _write(database: sqlite3.Connection, table: str, keys: str, rows: list[Row]) -> None:
    """Add rows, or replace what is there under their keys."""
    if not rows:
        return
    names = list(rows[0])
    changed = ", ".join(
        f"{name} = excluded.{name}" for name in names if name not in keys.split(", ")
    )
    database.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{one}' for one in names)}) "  # noqa: S608 - names of our own
        f"ON CONFLICT ({keys}) DO UPDATE SET {changed}",
        rows,
    )


class Saving:
    """ASGI middleware: what a request changed is written before its answer goes out.

    If it can't be, the answer is an empty 500: what was not written must not be told.
    """

    def __init__(self, inner: ASGIApp, storage: Storage) -> None:
        self._inner = inner
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        refused = False

        async def saved(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                try:
                    self._storage.save()
                except StorageError as error:
                    _log.error("the sandbox's memory is not written: %s", error)
                    refused = True
                    await send({"type": "http.response.start", "status": 500, "headers": []})
                    await send({"type": "http.response.body", "body": b""})
            if not refused:
                await send(message)

        await self._inner(scope, receive, saved)
