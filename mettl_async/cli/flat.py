"""Results as rows: one for each candidate, with registration fields and sections as columns.

The columns are known only when all candidates were seen, so rows are made first and put under
columns later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from mettl_async.cli.printing import cell_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mettl_async.cli.printing import Cell
    from mettl_async.models import Analysis, CandidateResult, SectionMarks

FIRST: Final = "email"
# Columns that are always there, and where their cells are in a result.
_FIXED: Final = {
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
FIXED: Final = tuple(_FIXED)

Cells = dict[str, "Cell"]


@frozen
class FlatResult:
    """One candidate's row in three parts, each by the names that the server gave.

    ``sections`` begins with the report's recommendations and response styles, where asked for.
    """

    fixed: Cells = field(repr=False)
    registration: Cells = field(repr=False)
    sections: Cells = field(repr=False)


def flatten(result: CandidateResult) -> FlatResult:
    """Make a row of a result; what is absent is None."""
    status = result.test_status
    marks = status.result if status else None
    return FlatResult(
        {name: cell_at(result, path) for name, path in {FIRST: "email", **_FIXED}.items()},
        dict(result.registration),
        {
            **(_in_words(status.analysis) if status and status.analysis else {}),
            **dict(_sections(marks.section_marks if marks else ())),
        },
    )


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


@define
class Columns:
    """The columns of all rows so far, in order of first appearance within each part."""

    _registration: dict[str, str] = field(factory=dict)
    _sections: dict[str, str] = field(factory=dict)

    def note(self, row: FlatResult) -> None:
        """Add the columns that appear first in this row."""
        for known, cells in (
            (self._registration, row.registration),
            (self._sections, row.sections),
        ):
            for name in cells:
                if name not in known:
                    known[name] = _free(name, set(self.header()))

    def header(self) -> list[str]:
        """List the names of the columns; all are different."""
        return [FIRST, *self._registration.values(), *FIXED, *self._sections.values()]

    def line(self, row: FlatResult) -> list[Cell]:
        """List the cells of a row in the order of the columns."""
        return [
            row.fixed[FIRST],
            *(row.registration.get(name) for name in self._registration),
            *(row.fixed[name] for name in FIXED),
            *(row.sections.get(name) for name in self._sections),
        ]
