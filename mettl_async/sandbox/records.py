"""What a sandbox remembers, as rows of a database and back: what one would ask for is a column, the rest JSON.

An attribute that is added to one of the classes goes into the JSON by itself; one that a file does not
have yet gets its default.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from mettl_async.sandbox.blueprint import Section, Skill
from mettl_async.sandbox.deliveries import Attempt, Delivery
from mettl_async.sandbox.state import (
    Account,
    Assessment,
    Invited,
    RegistrationField,
    SandboxCandidate,
    SandboxCredentials,
    Schedule,
    same_person,
)

SCHEMA: Final = """
CREATE TABLE sandbox (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
    client_id INTEGER PRIMARY KEY, public_key TEXT NOT NULL UNIQUE, registrations INTEGER NOT NULL,
    data TEXT NOT NULL);
CREATE TABLE assessments (
    id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES accounts, name TEXT NOT NULL,
    created_at REAL NOT NULL, tests_taken INTEGER NOT NULL, data TEXT NOT NULL);
CREATE TABLE schedules (
    id INTEGER PRIMARY KEY, access_key TEXT NOT NULL UNIQUE,
    assessment_id INTEGER NOT NULL REFERENCES assessments, name TEXT NOT NULL,
    access_type TEXT NOT NULL, status TEXT NOT NULL, created_at REAL NOT NULL, data TEXT NOT NULL);
CREATE TABLE candidates (
    number INTEGER PRIMARY KEY, access_key TEXT NOT NULL REFERENCES schedules (access_key),
    person TEXT NOT NULL, email TEXT NOT NULL, ecc TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
    started_at REAL, finished_at REAL, finish_mode TEXT, instance_id INTEGER, data TEXT NOT NULL,
    UNIQUE (access_key, person));
CREATE TABLE deleted_candidates (
    access_key TEXT NOT NULL, person TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (access_key, person)) WITHOUT ROWID;
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY, event_type TEXT NOT NULL, url TEXT NOT NULL, access_key TEXT NOT NULL,
    email TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, due_at REAL NOT NULL,
    body BLOB NOT NULL, data TEXT NOT NULL);
"""

Row = dict[str, Any]


def to_json(value: Any) -> str:
    """Write a value as JSON in ASCII, so that text of any kind fits."""
    return json.dumps(_plain(value), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    kind: type[Any] = type(value)
    if attrs.has(kind):
        return {one.name: _plain(getattr(value, one.name)) for one in attrs.fields(kind)}
    return value


def _row(
    value: Any, columns: tuple[str, ...], without: tuple[str, ...] = (), more: Row | None = None
) -> Row:
    """Split a value into columns and JSON; ``without`` names what is said elsewhere."""
    row = {name: getattr(value, name) for name in columns} | (more or {})
    rest = {
        one.name: getattr(value, one.name)
        for one in attrs.fields(type(value))
        if one.name not in row and one.name not in without
    }
    return {name: _cell(cell) for name, cell in row.items()} | {"data": to_json(rest)}


def _cell(cell: Any) -> Any:
    """Let half a surrogate pair pass, which UTF-8 has no place for: as bytes instead of text."""
    if isinstance(cell, str):
        try:
            cell.encode()
        except UnicodeEncodeError:
            return cell.encode("utf-8", "surrogatepass")
    return cell


def _values(row: Row, *blobs: str) -> Row:
    """Join columns and JSON; bytes are text, but for ``blobs``."""
    values: Row = json.loads(row["data"])
    for name, cell in row.items():
        if name != "data":
            text = isinstance(cell, bytes) and name not in blobs
            values[name] = cell.decode("utf-8", "surrogatepass") if text else cell
    return values


def _make(kind: type[Any], values: Row) -> Any:
    """Make a value of what its class knows; a file of a later version may say more."""
    known = {one.name for one in attrs.fields(kind) if one.init}
    return kind(**{name: value for name, value in values.items() if name in known})


def account_row(account: Account) -> Row:
    """Write an account."""
    return _row(
        account,
        ("client_id", "registrations"),
        ("assessments", "changes"),
        {"public_key": account.credentials.public_key},
    )


def account_of(row: Row) -> Account:
    """Read an account."""
    values = _values(row)
    values["credentials"] = SandboxCredentials(**values["credentials"])
    values["added_pbts"] = set(values["added_pbts"])
    values["support_numbers"] = tuple(values["support_numbers"])
    for name in ("logo", "favicon", "cover"):
        if values.get(name) is not None:
            values[name] = base64.b64decode(values[name])
    account: Account = _make(Account, values)
    return account


def assessment_row(assessment: Assessment) -> Row:
    """Write an assessment."""
    return _row(
        assessment,
        ("id", "name", "created_at", "tests_taken"),
        ("account", "schedules", "changes"),
        {"client_id": assessment.account.client_id},
    )


def assessment_of(row: Row, account: Account) -> Assessment:
    """Read an assessment."""
    values = _values(row) | {"account": account}
    values["registration_fields"] = tuple(
        RegistrationField(**one | {"values": tuple(one["values"])})
        for one in values["registration_fields"]
    )
    values["sections"] = tuple(
        Section(**one | {"skills": tuple(Skill(**skill) for skill in one["skills"])})
        for one in values["sections"]
    )
    assessment: Assessment = _make(Assessment, values)
    return assessment


def schedule_row(schedule: Schedule) -> Row:
    """Write a schedule."""
    return _row(
        schedule,
        ("id", "access_key", "name", "access_type", "status", "created_at"),
        ("assessment", "candidates", "changes"),
        {"assessment_id": schedule.assessment.id},
    )


def schedule_of(row: Row, assessment: Assessment) -> Schedule:
    """Read a schedule."""
    values = _values(row) | {"assessment": assessment}
    values["invited"] = {key: Invited(**one) for key, one in values["invited"].items()}
    schedule: Schedule = _make(Schedule, values)
    return schedule


def candidate_row(candidate: SandboxCandidate) -> Row:
    """Write a candidate; rows keep the order of registration by a number of their own."""
    return _row(
        candidate,
        (
            *("access_key", "email", "ecc", "status"),
            *("started_at", "finished_at", "finish_mode", "instance_id"),
        ),
        ("changes",),
        {"person": same_person(candidate.email)},
    )


def candidate_of(row: Row) -> SandboxCandidate:
    """Read a candidate."""
    values = _values(row)
    candidate: SandboxCandidate = _make(SandboxCandidate, values)
    candidate.result = values.get("result")
    return candidate


def delivery_row(delivery: Delivery) -> Row:
    """Write a delivery."""
    return _row(
        delivery,
        (
            *("number", "event_type", "url", "access_key", "email"),
            *("state", "tries", "due_at", "body"),
        ),
    )


def delivery_of(row: Row) -> Delivery:
    """Read a delivery."""
    values = _values(row, "body")
    values["attempts"] = tuple(Attempt(**one) for one in values["attempts"])
    delivery: Delivery = _make(Delivery, values)
    return delivery
