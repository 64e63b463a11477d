"""The table of a journal, which `FileJournal` and `SqlJournal` share: its columns, and its rows; pure."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from mettl_async.bulk.journal_record import JournalRecord

TABLE: Final = "mettl_journal"
KEY: Final = "email_digest"
"""The primary key. It alone, for an index of long keys makes recording twice as slow."""
VALUES: Final[Mapping[str, type[str | bool]]] = {
    "status": str,
    "url": str,
    "code": str,
    "reason": str,
    "final": bool,
}
"""What is recorded of a candidate. A row that is ``final`` is never replaced by one that is not."""
COLUMNS: Final[Mapping[str, type[str | bool]]] = {KEY: str, "schedule": str, **VALUES}
"""Names and types of all columns; none may be NULL."""
Row = tuple[str, str, str, str, str, str, bool]
"""The values of `COLUMNS`, in that order."""
DIGEST_LENGTH: Final = 32
"""Hex digits of a digest: 128 bits, so that no two candidates ever share one."""


def schedule_digest(access_key: str) -> str:
    """Hash an access key, so that a journal knows its schedule without telling the key."""
    return _digest(f"mettl-async journal {access_key}")


def email_digest(schedule: str, email: str) -> str:
    """Hash a folded email, together with the digest of the schedule."""
    return _digest(f"{schedule} {email}")


def to_row(schedule: str, record: JournalRecord) -> Row:
    """Make the row of a record, in the order of `COLUMNS`."""
    return (
        email_digest(schedule, record.email),
        schedule,
        record.status,
        storable(record.url),
        storable(record.code),
        storable(record.reason),
        record.final,
    )


def from_row(email: str, row: Any) -> JournalRecord:
    """Make the record of a row, which any database gives by names of columns, for this folded email."""
    values: dict[str, Any] = {name: kind(row[name]) for name, kind in VALUES.items()}
    return JournalRecord(email=email, **values)


def _digest(text: str) -> str:
    found = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return found[:DIGEST_LENGTH]


def storable(text: str) -> str:
    """Leave out of a server's words what a database does not store."""
    # PostgreSQL stores no NUL, and neither database half of a surrogate pair.
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "")
