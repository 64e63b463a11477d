"""Results as rows of a table, with registration fields and sections as columns."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mettl_async.cli.printing import Cell, number

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
    "performance_category": "test_status.performance_category",
    "pdf_report": "test_status.pdf_report",
    "html_report": "test_status.html_report",
}
"""Columns that are always there, and where their cells are in a result."""

# The parts of the table, from left to right.
EMAIL, REGISTRATION, RESULT, SECTIONS = range(4)

Key = tuple[int, str]
"""A part, and the name that the server gave."""
Row = dict[Key, "Cell"]

_FIXED: Final = ((EMAIL, "email"), *((RESULT, name) for name in _RESULT))


def cell_at(value: Any, path: str) -> Cell:
    """Read plain data at a dotted path, such as ``access.type``; None where a part of it is absent."""
    for name in path.split("."):
        value = None if value is None else value[name]
    cell: Cell = number(value) if isinstance(value, float) else value
    return cell


def flatten(result: dict[str, Any]) -> Row:
    """Make a row of a result as plain data; what is absent is None.

    The sections begin with the report's recommendations and response styles, where asked for.
    """
    status = result["test_status"] or {}
    marks = status.get("result") or {}
    return {
        (EMAIL, "email"): result["email"],
        **{(REGISTRATION, name): cell for name, cell in result["registration"].items()},
        **{(RESULT, name): cell_at(result, path) for name, path in _RESULT.items()},
        **{(SECTIONS, name): cell for name, cell in _words(status.get("analysis") or {})},
        **{(SECTIONS, name): cell for name, cell in _sections(marks.get("section_marks", ()))},
    }


def _words(analysis: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    for name, items, attribute in (
        ("recommendation", "recommendations", "value"),
        ("response_style", "response_styles", "title"),
    ):
        words = [one[attribute] for one in analysis.get(items, ()) if one[attribute]]
        if words:
            yield name, "; ".join(words)


def _sections(sections: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Cell]]:
    seen: set[str] = set()
    for place, section in enumerate(sections, 1):
        name = _free(section["section_name"] or f"section {place}", seen)
        seen.add(name)
        yield f"{name} marks", cell_at(section, "total_marks")
        yield f"{name} max", cell_at(section, "max_marks")


def _free(name: str, taken: Iterable[str]) -> str:
    """Make a name unique: a registration field may be called ``status``."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free


def headings(keys: Iterable[Key]) -> dict[Key, str]:
    """Name the columns of a table, from left to right; all names are different.

    Args:
        keys: Of all rows, in order of first appearance.
    """
    names = {key: key[1] for key in _FIXED}
    taken = set(names.values())
    for key in keys:
        if key not in names:
            names[key] = _free(key[1], taken)
            taken.add(names[key])
    return dict(sorted(names.items(), key=lambda one: one[0][0]))
