"""Kinds of files as data: how each is made, and what comes of it. ``kinds_page.py`` shows them as a page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from attrs import frozen

DATA = Path(__file__).parents[1] / "data"
HEADER = ("Email Address", "First Name", "Town")
ROWS = (("asha@example.org", "Asha", "Pune"), ("zoe@example.org", "Zo\u00eb", "M\u00fcnchen"))
TABLE = (HEADER, *ROWS)
TEXT = "".join(",".join(row) + "\n" for row in TABLE)


class Outcome(StrEnum):
    """What the command does at first."""

    READ = "read"
    ASKED = "asked"
    REFUSED = "refused"


@frozen(kw_only=True)
class Kind:
    """A kind of file.

    Attributes:
        name: What it is, in the words of the page.
        by: The program that wrote the test's file, or whose writing is copied.
        make: Writes it into the working directory, under the name ``file``.
        file: Its name.
        options: Passed from the beginning.
        outcome: What comes of it.
        answer: Options with which it is read after all; empty where the file itself must be mended.
        people: Who is sent, with all cells, in the end; empty where nobody is.
        fix: What to do, where there is no answer.
    """

    name: str
    by: str
    make: Callable[[str], object]
    file: str = "people.csv"
    options: tuple[str, ...] = ()
    outcome: Outcome = Outcome.READ
    answer: tuple[str, ...] = ()
    people: tuple[tuple[str, ...], ...] = ROWS
    fix: str = ""


def data(path: str) -> Callable[[str], object]:
    """Take a file of the tests' data."""
    return lambda name: shutil.copyfile(DATA / path, name)


def content(text: str | bytes, encoding: str = "utf-8") -> Callable[[str], object]:
    """Write a text, or bytes."""
    whole = text if isinstance(text, bytes) else text.encode(encoding)
    return lambda name: Path(name).write_bytes(whole)


def kept(name: str, by: str, path: str, file: str, **more: object) -> Kind:
    """Take a file of ``tests/data/kinds``, that the program has made."""
    return Kind(name=name, by=by, make=data(f"kinds/{path}"), file=file, **more)


def asked(name: str, by: str, make: Callable[[str], object], *answer: str, **more: object) -> Kind:
    """Make a kind that is asked for."""
    return Kind(name=name, by=by, make=make, outcome=Outcome.ASKED, answer=answer, **more)


def refused(name: str, by: str, make: Callable[[str], object], fix: str, **more: object) -> Kind:
    """Make a kind of which nobody is sent before it is mended."""
    return Kind(
        name=name, by=by, make=make, outcome=Outcome.REFUSED, fix=fix, **{"people": (), **more}
    )
