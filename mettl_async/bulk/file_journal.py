"""A journal in a file: a SQLite database, by the standard library."""

# ruff: noqa: S608 - only names from journal_table.py get into statements

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

from anyio import to_thread

from mettl_async.bulk.files import PRIVATE, belongs_to_another, sync_directory
from mettl_async.bulk.group_commit import GroupCommit
from mettl_async.bulk.journal_owner import forget_owner, note_owner, owner_words
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.journal_table import (
    COLUMNS,
    KEY,
    TABLE,
    VALUES,
    email_digest,
    from_row,
    to_row,
)
from mettl_async.bulk.outcomes import JournalError

_APPLICATION_ID: Final = 0x4D544C4A  # "MTLJ"
_VERSION: Final = 1
_NEW: Final = (0, 0, 0)
_ENDINGS: Final = ("-wal", "-shm", "-journal")

# So many pages (16 MB) are recovered in some 20 ms after a kill; more often costs time while recording.
_CHECKPOINT_PAGES: Final = 4_000
_CACHE_KIB: Final = 16_384

# New records go to the end of a table without a key, which a commit adds few pages to, and from there
# into the table with the key many at a time: to insert them in the order of random keys one commit
# after the other takes 1.6 times the CPU. So many are merged in some 50 ms.
_ADDED: Final = f"{TABLE}_added"
_MERGED_AT_ONCE: Final = 10_000

_TYPES: Final = {str: "TEXT", bool: "INTEGER"}
_NAMES: Final = ", ".join(COLUMNS)
_DECLARED: Final = ", ".join(f"{name} {_TYPES[kind]} NOT NULL" for name, kind in COLUMNS.items())
_CREATE: Final = (
    f"CREATE TABLE {TABLE} ({_DECLARED}, PRIMARY KEY ({KEY}))",
    f"CREATE TABLE {_ADDED} ({_DECLARED})",
)
_ADD: Final = f"INSERT INTO {_ADDED} ({_NAMES}) VALUES "
_ONE_ROW: Final = f"({', '.join('?' * len(COLUMNS))})"
# Each statement lets another thread run, which costs more than the row does; older versions of SQLite
# take 999 values at most.
_ROWS_IN_STATEMENT: Final = 999 // len(COLUMNS)
_UPSERT_ADDED: Final = (
    f"INSERT INTO {TABLE} ({_NAMES}) SELECT {_NAMES} FROM {_ADDED} WHERE true ORDER BY {KEY}, rowid"
    f" ON CONFLICT ({KEY}) DO UPDATE SET {', '.join(f'{one} = excluded.{one}' for one in VALUES)}"
    f" WHERE excluded.final OR NOT {TABLE}.final"
)
_COUNT: Final = (
    f"SELECT (SELECT count(*) FROM {TABLE}) + (SELECT count(DISTINCT {KEY}) FROM {_ADDED}"
    f" WHERE {KEY} NOT IN (SELECT {KEY} FROM {TABLE}))"
)

_ANSWERED: Final = (
    f"SELECT EXISTS (SELECT 1 FROM {TABLE} WHERE status <> 'failed')"
    f" OR EXISTS (SELECT 1 FROM {_ADDED} WHERE status <> 'failed')"
)

_T = TypeVar("_T")


class FileJournal:
    """A journal in a file of one schedule; give the same path again to go on.

    A run may end in any way at any moment, by SIGKILL, a full disk or a power cut: every outcome that
    it yielded is in the file, because it is committed (fsync) before. Batches that wait for the disk are
    committed together, in a thread, so a run is slower only where the disk is slower than Mettl.

    The file is a SQLite database, with a second one beside it while it is in use (``-wal``). It holds
    digests of emails, links, with which candidates can take the test, and the server's words. Only
    its owner can read it (mode 0600), and nothing deletes it but you. A small file beside it says which
    process uses it (``-owner``). A link is given as it was
    recorded: one that was made with a time limit may have expired.

    Two runs cannot use a file at once. Do not open it otherwise in a process that uses it: on POSIX
    systems that takes the lock away.

    Example::

        journal = FileJournal("autumn.journal")
        await mettl.candidates.register_many(ACCESS_KEY, people, journal=journal)
        # Again, such as after a crash: only those who have no final answer yet are sent.
        await mettl.candidates.register_many(ACCESS_KEY, people, journal=journal)

    Args:
        path: Of the file, which is made if it is not there; its directory is not.
        overwrite: Whether to begin anew: what the file holds is deleted when it is opened.

    Raises:
        JournalError: At the start of the run: the file holds final outcomes of another schedule, is no
            journal, is in use, belongs to another user, or cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self._path, self._overwrite = Path(path), overwrite
        self._schedule = ""
        self._in_use = False
        self._database: sqlite3.Connection | None = None
        # Of the threads: a cancelled task may leave one behind.
        self._one_at_a_time = threading.Lock()
        self._had_final = False
        self._added = 0

    def __repr__(self) -> str:
        return f"FileJournal({str(self._path)!r})"

    async def open(self, schedule: str) -> None:
        """See `Journal`; takes as long for many records as for few."""
        if self._in_use:
            raise JournalError(f"{self._path}: is in use by another run")
        self._in_use = True
        try:
            self._database, self._had_final = await to_thread.run_sync(self._connect, schedule)
        except BaseException:
            self._in_use = False
            raise
        self._schedule, self._commits = schedule, GroupCommit(self._commit)

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """See `Journal`."""
        # Of earlier runs all are merged, and a run that begins does not wait for its own commits.
        found = await self._in_thread(self._select(emails, TABLE)) if self._had_final else {}
        return {email: record for email, record in found.items() if record.final}

    async def read(self, emails: Sequence[str]) -> dict[str, JournalRecord]:
        """Return what is recorded by now of these folded emails, final or not."""
        # Not merged first, because that writes, and the disk may be full.
        return await self._in_thread(self._select(emails, TABLE, _ADDED))

    async def record(self, records: Sequence[JournalRecord]) -> None:
        """See `Journal`."""
        if self._database is None:
            raise self._not_open()
        await self._commits.add(records)

    async def count(self) -> int:
        """Return how many candidates are recorded by now."""
        return await self._in_thread(lambda database: int(database.execute(_COUNT).fetchone()[0]))

    async def has_answers(self) -> bool:
        """Tell whether anybody in it may be registered; who has failed is not, and can be sent again."""
        return await self._in_thread(
            lambda database: bool(database.execute(_ANSWERED).fetchone()[0])
        )

    async def close(self, *, delete: bool = False) -> None:
        """See `Journal`; with ``delete`` nothing is left of the file."""

        def close(database: sqlite3.Connection) -> None:
            if delete:
                with suppress(OSError, sqlite3.Error):  # Windows removes no open file
                    database.execute(
                        "PRAGMA journal_mode = DELETE"
                    )  # which removes the second file
                    self._path.resolve().unlink()
            else:
                with suppress(sqlite3.Error):  # on a full disk; the next run does it
                    self._merge(database)
            forget_owner(self._path)
            database.close()
            if delete:
                self._path.resolve().unlink(missing_ok=True)

        try:
            await self._in_thread(close)
        finally:
            self._database, self._in_use = None, False

    def _select(
        self, emails: Sequence[str], *tables: str
    ) -> Callable[[sqlite3.Connection], dict[str, JournalRecord]]:
        emails_by_digest = {email_digest(self._schedule, email): email for email in emails}
        where = f"WHERE {KEY} IN ({', '.join('?' * len(emails_by_digest))}) ORDER BY +rowid"

        def select(database: sqlite3.Connection) -> dict[str, JournalRecord]:
            found: dict[str, sqlite3.Row] = {}
            for table in tables:
                statement = f"SELECT {_NAMES} FROM {table} {where}"
                for row in database.execute(statement, list(emails_by_digest)):
                    if row["final"] or row[KEY] not in found or not found[row[KEY]]["final"]:
                        found[row[KEY]] = row
            return {
                (email := emails_by_digest[key]): from_row(email, row) for key, row in found.items()
            }

        return select

    async def _commit(self, records: list[JournalRecord]) -> None:
        rows = [to_row(self._schedule, one) for one in records]

        def add(database: sqlite3.Connection) -> None:
            with _transaction(database):
                for start in range(0, len(rows), _ROWS_IN_STATEMENT):
                    some = rows[start : start + _ROWS_IN_STATEMENT]
                    values = list(chain.from_iterable(some))
                    database.execute(_ADD + ", ".join([_ONE_ROW] * len(some)), values)
            self._added += len(rows)
            if self._added >= _MERGED_AT_ONCE:
                with suppress(sqlite3.Error):  # they are recorded already
                    self._merge(database)

        await self._in_thread(add)

    def _merge(self, database: sqlite3.Connection) -> None:
        if self._added:
            with _transaction(database):
                database.execute(_UPSERT_ADDED)
                database.execute(f"DELETE FROM {_ADDED}")
            self._added = 0

    async def _in_thread(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        database = self._database
        if database is None:
            raise self._not_open()

        def alone() -> _T:
            with self._one_at_a_time, _told(self._path):
                return work(database)

        return await to_thread.run_sync(alone)

    def _not_open(self) -> JournalError:
        return JournalError(f"{self._path}: is not open; pass the journal to a bulk run")

    def _connect(self, schedule: str) -> tuple[sqlite3.Connection, bool]:
        """Open the file; return with it whether some of its records may be final."""
        with _told(self._path):
            claimed = _claim(self._path)
            database = sqlite3.connect(
                self._path, timeout=0.1, isolation_level=None, check_same_thread=False
            )
            try:
                had_final = self._begin(database, schedule)
                _check_same(self._path, claimed)
            except BaseException:
                database.close()
                raise
            note_owner(self._path)
        return database, had_final

    def _begin(self, database: sqlite3.Connection, schedule: str) -> bool:
        database.row_factory = sqlite3.Row
        # Held until it is closed, and by the system's own locks, so that a killed run holds nothing.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("COMMIT")
        _check_kind(self._path, kind := _kind(database))
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if kind == _NEW:
            with _transaction(database):
                for statement in _CREATE:
                    database.execute(statement)
                database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {_VERSION}")
        self._added = 1  # perhaps, of a run that was killed
        self._merge(database)
        return self._take_over(database, schedule)

    def _take_over(self, database: sqlite3.Connection, schedule: str) -> bool:
        """Check whose records these are; return whether some may be final."""
        # All are of one schedule, so the first one tells.
        first = database.execute(f"SELECT schedule FROM {TABLE} LIMIT 1").fetchone()
        if first is None:
            return False
        if first["schedule"] == schedule and not self._overwrite:
            return True
        final = f"SELECT 1 FROM {TABLE} WHERE final LIMIT 1"
        if not self._overwrite and database.execute(final).fetchone() is not None:
            raise JournalError(
                f"{self._path}: is the journal of another schedule; use one for each"
            )
        # Of another schedule failures only, such as of a mistyped access key.
        database.execute(f"DELETE FROM {TABLE}")
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a file from a later one of the same name; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _check_same(path: Path, claimed: tuple[int, int] | None) -> None:
    if _identity(path) != claimed:  # the run that had it has deleted it at its end
        raise JournalError(f"{path}: is in use by another run")


def _claim(path: Path) -> tuple[int, int] | None:
    """Make the file, for its owner only, or check the one that is there; gives its `_identity`.

    Raises:
        JournalError: It is not a file, or another user's, or what lies beside it is not its own.
        OSError: It cannot be made.
    """
    # What SQLite reads and writes too; beside the file that a symbolic link names.
    home = path.resolve()
    beside = [
        one for end in _ENDINGS if os.path.lexists(one := home.with_name(f"{home.name}{end}"))
    ]
    for part in beside:
        if part.is_symlink() or belongs_to_another(part):
            raise JournalError(f"{part}: belongs to another user, or is a link; remove it")
    try:
        # Follows no link, so that nobody can have it made at another place.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))
    except FileExistsError:
        pass
    else:
        if beside:
            path.unlink()
            raise JournalError(f"{beside[0]}: is left of a journal that is gone; remove it")
        sync_directory(path)
        return _identity(path)
    # Looked at by its name only: to close a file takes the locks of this process away.
    if belongs_to_another(path):
        raise JournalError(f"{path}: belongs to another user")
    if not stat.S_ISREG(path.stat().st_mode):
        raise JournalError(f"{path}: is not a file, so it cannot be a journal")
    path.chmod(PRIVATE)
    return _identity(path)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _kind(database: sqlite3.Connection) -> tuple[int, int, int]:
    names = ("application_id", "user_version", "schema_version")
    application, version, schema = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in names
    )
    return application, version, schema


def _check_kind(path: Path, kind: tuple[int, int, int]) -> None:
    application, version, _ = kind
    if kind == _NEW:
        return
    if application != _APPLICATION_ID:
        raise JournalError(f"{path}: is not a journal of a bulk run")
    if version != _VERSION:
        raise JournalError(f"{path}: is a journal of another version of mettl-async")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system raises into words about the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {_words(path, error)}") from error
    except OSError as error:
        raise JournalError(
            f"{path}: cannot be opened: {error.strerror or type(error).__name__}"
        ) from error


def _words(path: Path, error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the rest says which kind
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"is in use by another run{owner_words(path)}"
        case sqlite3.SQLITE_NOTADB:
            return "is not a journal of a bulk run"
    # SQLite's words name no values.
    return f"cannot be read or written: {error}"
