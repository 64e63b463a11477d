"""``mettl register FILE --sandbox``, end to end: a CSV file against an earlier version, and XLSX against CSV.

Run ``python benchmarks/register_files.py --old PYTHON``, where PYTHON is the interpreter of a virtual
environment in which the earlier version is installed with the extras ``cli`` and ``sandbox``; ten
minutes. ``--quick`` for seconds, ``--json FILE`` for all figures. It exits with 1 when CSV takes more than
0.7 of the earlier version's time, or XLSX more than 1.3 of CSV's.

Each run is a fresh process in an empty folder, as a user starts it: the command, its sandbox, the journal
and the file of links. The three follow each other in turns, and a ratio is taken within a turn. The
figures are medians of the turns. CPU is that of the user and of the system.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from attrs import frozen
from harness import Bound, finish, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 100_000
TURNS = 3
OLD, CSV, XLSX = "CSV, old", "CSV", "XLSX"
HEADER = ("Email Address", "First Name", "Last Name", "Roll Number", "College", "Phone")


@frozen
class Cost:
    """Seconds of one run."""

    wall: float
    cpu: float


def table(total: int) -> Iterator[tuple[str, ...]]:
    """Make the header and so many people, all texts."""
    yield HEADER
    for number in range(total):
        yield (
            f"candidate.{number:07d}@example.org",
            f"Asha {number}",
            "Raghunathan",
            f"CS/2026/{number:07d}",
            "National Institute",
            str(9_845_000_000 + number),
        )


def write_files(folder: Path, total: int) -> tuple[Path, Path]:
    """Write the same people as CSV and as XLSX."""
    import xlsxwriter  # noqa: PLC0415 - only here

    as_csv, as_xlsx = folder / "people.csv", folder / "people.xlsx"
    with as_csv.open("w", newline="") as file:
        csv.writer(file).writerows(table(total))
    with xlsxwriter.Workbook(as_xlsx) as book:
        sheet = book.add_worksheet("People")
        for place, row in enumerate(table(total)):
            for column, text in enumerate(row):
                sheet.write_string(place, column, text)
    return as_csv, as_xlsx


def cost_of(python: str, file: Path, *, is_old: bool) -> Cost:
    """Register a file with the interpreter's version, in a folder of its own."""
    # The earlier version must not find this one.
    path = "" if is_old else os.environ.get("PYTHONPATH", "")
    with tempfile.TemporaryDirectory() as folder:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(  # noqa: S603 - our own command
            [python, "-m", "mettl_async", "register", str(file), "--sandbox"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            cwd=folder,
        )
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--old", required=True, metavar="PYTHON", help="interpreter of the old one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, proves nothing")
    given = parser.parse_args()
    rows, turns = (200, 1) if given.quick else (ROWS, TURNS)
    found: dict[str, list[Cost]] = {OLD: [], CSV: [], XLSX: []}
    with tempfile.TemporaryDirectory() as folder:
        as_csv, as_xlsx = write_files(Path(folder), rows)
        runs = [
            (OLD, given.old, as_csv),
            (CSV, sys.executable, as_csv),
            (XLSX, sys.executable, as_xlsx),
        ]
        for turn in range(turns):
            for name, python, file in runs if turn % 2 else reversed(runs):
                found[name].append(cost_of(python, file, is_old=name == OLD))
    print_table(
        f"Seconds for {rows:,} rows, median of {turns}",
        ("what", "wall", "CPU"),
        [
            (name, median(one.wall for one in costs), median(one.cpu for one in costs))
            for name, costs in found.items()
        ],
    )
    bounds = [
        Bound(
            name=f"{what} / {other}, {unit}",
            value=median(
                getattr(one, unit) / getattr(two, unit)
                for one, two in zip(found[what], found[other], strict=True)
            ),
            limit=limit,
            at_most=True,
        )
        for what, other, limit in ((CSV, OLD, 0.7), (XLSX, CSV, 1.3))
        for unit in ("wall", "cpu")
    ]
    pairs = {name: [(one.wall, one.cpu) for one in costs] for name, costs in found.items()}
    finish(given, bounds, {"rows": rows, "seconds": pairs})


if __name__ == "__main__":
    main()
