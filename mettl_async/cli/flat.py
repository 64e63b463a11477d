"""Results as rows: one for each candidate, with registration fields and sections as columns.

The columns are known only when all candidates were seen, so rows are made first and put under
columns later.
"""

from __future__ import annotations

from enum import IntEnum
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from mettl_async.cli.printing import cell_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mettl_async.cli.printing import Cell
    from mettl_async.models import Analysis, CandidateResult, SectionMarks

_RESULT: Final = {
    "status": "test_status.status",
    "overall_status": "test_status.overall_status",
    "detailed_status": "test_status.detailed_status",
    "start_time": "test_status.start_time",
    "end_time": "test_status.end_time",
    "completion_mode": "test_status.completion_mode",
    "total_marks": "test_status.result.total_marks",
    "max_marks": "test_status.result.max_marks",
    "percentile": "test_status.result.percentile",
    "credibility": "test_status.result.candidate_credibility_index",
    "performance_category": "test_status.result.performance_category",
    "pdf_report": "test_status.pdf_report",
    "html_report": "test_status.html_report",
}
"""Columns that are always there, and where their cells are in a result."""

Cells = dict[str, "Cell"]


class Part(IntEnum):
    """A part of the table, from left to right."""

    EMAIL = 0
    REGISTRATION = 1
    RESULT = 2
    SECTIONS = 3


Row = dict[tuple[int, str], "Cell"]
"""Cells by part, and by the name that the server gave."""


def flatten(result: CandidateResult) -> Row:
    """Make a row of a result; what is absent is None.

    The sections begin with the report's recommendations and response styles, where asked for.
    """
    status = result.test_status
    marks = status.result if status else None
    parts: dict[Part, Cells] = {
        Part.EMAIL: {"email": result.email},
        Part.REGISTRATION: dict(result.registration),
        Part.RESULT: {name: cell_at(result, path) for name, path in _RESULT.items()},
        Part.SECTIONS: {
            **(_in_words(status.analysis) if status and status.analysis else {}),
            **dict(_sections(marks.section_marks if marks else ())),
        },
    }
    return {(part, name): cell for part, cells in parts.items() for name, cell in cells.items()}


def _in_words(analysis: Analysis) -> Cells:
    said = {
        "recommendation": [one.value for one in analysis.recommendations],
        "response_style": [one.title for one in analysis.response_styles],
    }
    return {name: "; ".join(filter(None, words)) for name, words in said.items() if any(words)}


def _sections(sections: tuple[SectionMarks, ...]) -> Iterator[tuple[str, Cell]]:
    seen: set[str] = set()
    for place, section in enumerate(sections, 1):
        name = _free(section.section_name or f"section {place}", seen)
        seen.add(name)
        yield f"{name} marks", cell_at(section, "total_marks")
        yield f"{name} max", cell_at(section, "max_marks")


def _free(name: str, taken: set[str]) -> str:
    """Make a name unique: a registration field may be called ``status``."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free


class Columns:
    """The columns of all rows so far, in order of first appearance within each part."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, str], str] = {(Part.EMAIL, "email"): "email"}
        self._names |= {(Part.RESULT, name): name for name in _RESULT}
        self._order = list(self._names)

    def note(self, row: Row) -> None:
        """Add the columns that appear first in this row."""
        new = [key for key in row if key not in self._names]
        for key in new:
            self._names[key] = _free(key[1], set(self._names.values()))
        if new:
            self._order = sorted(self._names, key=itemgetter(0))

    def header(self) -> list[str]:
        """List the names of the columns; all are different."""
        return [self._names[key] for key in self._order]

    def line(self, row: Row) -> list[Cell]:
        """List the cells of a row in the order of the columns."""
        return [row.get(key) for key in self._order]
