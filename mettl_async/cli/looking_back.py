"""A look at the journal and the links of an earlier run, before a new input takes their place."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import evolve

from mettl_async.bulk.file_journal import FileJournal
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.cli.earlier import Before
from mettl_async.cli.links import COLUMNS
from mettl_async.cli.outfile import is_stdout
from mettl_async.cli.problems import CommandError
from mettl_async.cli.progress import spinner
from mettl_async.cli.reading.columns import EMAIL, FIRST_NAME
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.rows import Cells, is_json_lines
from mettl_async.cli.reading.source import Source
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from pathlib import Path

    from mettl_async.cli.job import Job

_AT_ONCE: Final = 500
_ADDRESS: Final = re.compile(r"\s*[^@\s]+@[^@\s]+\s*")
_BEFORE: Final = "not sent again; it was "

_T = TypeVar("_T")
_Values = Mapping[str, str]


def look_back(job: Job, key: str) -> Before:
    """Compare the input with the journal and the links of an earlier run; without them there is nothing.

    Args:
        job: What was asked for; its rows were read.
        key: Access key of the schedule.

    Raises:
        JournalError: The journal cannot be used.
    """
    if not job.resume or not job.journal_path.exists():
        return Before()
    with spinner(f"comparing with {job.journal_path}"):
        return asyncio.run(_look_back(job, key))


async def _look_back(job: Job, key: str) -> Before:
    journal = FileJournal(job.journal_path)
    await journal.open(schedule_digest(key))
    try:
        here: dict[str, int] = {}
        found = 0
        for people in _pieces(_people_of(job)):
            here |= {email: hash(frozenset(values.items())) for email, values in people}
            found += len(await journal.read([email for email, _ in people]))
        earlier: list[Cells] = []
        others: dict[str, _Values] = {}
        now = {} if job.source is None else job.source.findings.sent
        for rows in _pieces(_links_of(job)):
            new = [
                (email, row, values, sent)
                for email, row, values, sent in rows
                if here.get(email) != hash(frozenset(values.items()))
            ]
            records = await journal.read([email for email, *_ in new]) if new else {}
            for email, row, values, sent in new:
                record = records.get(email)
                if email not in here and record is not None:
                    here[email] = 0  # a row that somebody has copied counts once
                    earlier.append(_under_names(row, sent, now))
                elif values and record is not None and record.final and here[email]:
                    others[email] = values
        elsewhere = await journal.count() - found - len(earlier)
    finally:
        await journal.close()
    differing = {
        email: _BEFORE + _changes(others[email], values)
        for email, values in (_people_of(job) if others else ())
        if email in others
    }
    return Before(earlier, differing, elsewhere)


def _pieces(rows: Iterator[_T]) -> Iterator[list[_T]]:
    while some := list(islice(rows, _AT_ONCE)):
        yield some


def _people_of(job: Job) -> Iterator[tuple[str, _Values]]:
    for row in job.cells():
        if isinstance(row, Cells):
            yield fold_email(row.known[EMAIL]), _values(row.known)


def _links_of(job: Job) -> Iterator[tuple[str, Cells, _Values, _Values]]:
    """Read the links file as an input, each row with its columns that are sent, and as what.

    What cannot be read of it is not known of, and nothing else.
    """
    if job.source is None or is_stdout(job.out) or not job.out.is_file():
        return
    given = job.source.options
    # A file of other columns than today's was perhaps read with other options.
    for options in (ReadOptions(mapping=given.mapping, drop=given.drop), ReadOptions(), None):
        known = options or ReadOptions(mapping=_likely(job.out))
        with suppress(CommandError), closing(Source(job.out, known)) as source:
            for row in source.cells():
                if isinstance(row, Cells) and EMAIL in row.known:
                    values = {} if options is None else _values(row.known)
                    if row.told and options is not None:
                        values = _values({**values, **_recorded(row.told)})
                    sent = source.findings.sent
                    if options is None:  # of which the address alone is sure
                        sent = {own: name for own, name in sent.items() if name == EMAIL}
                    yield fold_email(row.known[EMAIL]), row, values, sent
            return


def _likely(path: Path) -> dict[str, str]:
    """Find the column of addresses in a file of links, so that its people are known by the journal."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if is_json_lines(path):
                first = json.loads(file.readline())
            else:
                first = next(csv.DictReader(file), {})
    except (OSError, ValueError, csv.Error):
        return {}
    cells = {str(name): str(cell) for name, cell in dict(first).items() if name not in COLUMNS}
    email = next((name for name, cell in cells.items() if _ADDRESS.fullmatch(cell)), EMAIL)
    others = [name for name in cells if name not in (email, EMAIL)]
    name = FIRST_NAME if FIRST_NAME in others else next(iter(others), FIRST_NAME)
    pairs = ((email, EMAIL), (name, FIRST_NAME))
    return {own: sent for own, sent in pairs if own != sent}


def _values(known: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in known.items() if name != EMAIL and text.strip()}


def _under_names(row: Cells, was: _Values, now: _Values) -> Cells:
    """Name cells by the columns of the input that are sent as the same."""
    names = {sent: name for name, sent in now.items()}
    own = {names.get(was.get(name, ""), name): cell for name, cell in row.own.items()}
    return evolve(row, own=own)


def _changes(before: _Values, now: _Values) -> str:
    names = [name for name in (*now, *before) if before.get(name) != now.get(name)]
    return json.dumps({name: before.get(name, "") for name in names}, ensure_ascii=False)


def _recorded(told: str) -> _Values:
    """Read what an earlier run has said to be different, so that it stays known."""
    if not told.startswith(_BEFORE):
        return {}
    try:
        found = json.loads(told.removeprefix(_BEFORE))
    except ValueError:  # somebody has edited it
        return {}
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, dict) else {}
