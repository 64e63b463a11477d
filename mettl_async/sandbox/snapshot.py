"""The state of a sandbox as one JSON file, written from time to time and at the end.

The file is replaced as a whole, so a reader sees an old snapshot or a new one. A process that is killed
loses what came after its last snapshot.
"""

import json
import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cattrs.preconf.json import make_converter

from mettl_async.sandbox.deliveries import Delivery
from mettl_async.sandbox.simulation import Simulation
from mettl_async.sandbox.state import Account

FORMAT: Final = "mettl-async sandbox"
VERSION: Final = 1

_converter = make_converter(detailed_validation=False, omit_if_default=True)


class SnapshotError(Exception):
    """The file of a sandbox cannot be used: it is in use, damaged, of another kind or version, or the disk is full."""


@frozen(kw_only=True)
class _Document:
    """The content of the file; what has its default is left out."""

    format: str
    version: int
    clock_ahead: float
    secret: bytes
    numbers: dict[str, int]
    accounts: list[Account]
    deliveries: list[Delivery]


class SnapshotFile:
    """The file of one sandbox, and the right to use it until `close`.

    Args:
        path: Of the file; made when it is not there. Beside it there is an empty ``-lock``.

    Raises:
        SnapshotError: The file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # One name for one file, whatever links lead to it.
        self._path = Path(path).resolve()
        self._written = b""
        self._lock = self._take_lock()

    def _error(self, problem: str | OSError) -> SnapshotError:
        if isinstance(problem, OSError):
            problem = problem.strerror or type(problem).__name__
        return SnapshotError(f"{self._path}: {problem}")

    def _take_lock(self) -> sqlite3.Connection:
        """Lock a file beside: SQLite's lock is the same on every system, and ends with the process."""
        name = f"{self._path}-lock"
        try:
            # Only a new one is opened: closing it would release what this process has locked of it.
            with suppress(FileExistsError):
                os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise self._error(error) from None
        lock = sqlite3.connect(name, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")  # no journal beside it
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            raise self._error("another sandbox uses it" if busy else str(error)) from None
        return lock

    def restore(self, simulation: Simulation) -> bool:
        """Fill a new simulation from the file; returns whether there was anything.

        Raises:
            SnapshotError: The file cannot be read, or is damaged, of another kind or version.
        """
        try:
            self._written = self._path.read_bytes()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._error(error) from None
        try:
            found: Any = json.loads(self._written)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise self._error("is not a snapshot of the sandbox")
        if found.get("version") != VERSION:
            raise self._error(
                f"has version {found.get('version')}, of another version of mettl-async; this one has "
                f"{VERSION}: use that version, or another file"
            )
        try:
            document = _converter.structure(found, _Document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._error(f"is damaged ({type(error).__name__})") from None
        state = simulation.state
        state.secret = document.secret
        state.numbers |= document.numbers
        state.restore(document.accounts)
        if not state.schedules:
            raise self._error("is damaged (accounts)")
        simulation.clock.ahead = document.clock_ahead
        simulation.deliveries.restore(document.deliveries)
        simulation.lifecycle.watch_all()
        return True

    def save(self, simulation: Simulation) -> None:
        """Replace the file, unless nothing changed.

        Raises:
            SnapshotError: It cannot be written; the old file is untouched.
        """
        state = simulation.state
        document = _Document(
            format=FORMAT,
            version=VERSION,
            clock_ahead=simulation.clock.ahead,
            secret=state.secret,
            numbers=state.numbers,
            accounts=list(state.accounts.values()),
            deliveries=list(simulation.deliveries),
        )
        # ASCII, so that half a surrogate pair fits, which came in JSON too.
        content = json.dumps(_converter.unstructure(document), separators=(",", ":")).encode()
        if content == self._written:
            return
        try:
            _replace(self._path, content)
        except OSError as error:
            raise self._error(error) from None
        self._written = content

    def close(self) -> None:
        """Let others use the file."""
        self._lock.close()


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole; mkstemp's mode keeps the candidates' data to the owner."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
