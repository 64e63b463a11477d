"""Rows of XLSX workbooks, streamed; needs the extra ``xlsx``."""

import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, datetime, time, timedelta
from itertools import zip_longest
from typing import IO, Any, Final
from zipfile import BadZipFile, ZipFile

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import Layout, columns_of, did_you_mean
from mettl_async.cli.reading.rows import BadRow, CellError, Cells, number_text, table_row

_CHUNK: Final = 1 << 20
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_LONGEST_SIGN: Final = 64
_LEADING_ZEROS: Final = re.compile("0{2,}")
# How openpyxl says that a file is damaged: its parts, their XML (SyntaxError), their numbers.
_DAMAGED: Final = (
    BadZipFile, zlib.error, EOFError, KeyError, IndexError, AttributeError, TypeError, ValueError,
    SyntaxError, NotImplementedError,
)  # fmt: skip


def sheet_rows(layout: Layout, file: IO[bytes], sheet: str | None) -> Iterator[Cells | BadRow]:
    """Read row by row the named sheet, or the first one that is not hidden; empty rows are skipped.

    Cells are what is stored, as text: whole numbers without ``.0`` and with the leading zeros of their
    format, dates and times by ISO 8601, formulas by the value that the last program to save them found.

    Raises:
        CommandError: The extra is missing, the workbook is damaged, or has no such sheet or header.
    """
    header: list[str] = []
    names: list[str | None] | None = None
    for line, cells, formulas in _numbered(layout, file, sheet):
        try:
            texts = _texts(cells, formulas, names)
        except CellError as error:
            yield BadRow(line, str(error))
            continue
        if not texts:
            continue
        if names is None:
            try:
                header, names = texts, columns_of(layout, line, texts)
            except CommandError as error:
                raise CommandError(f"{error}; {_which(layout, file, sheet)}") from None
        elif len(texts) > len(names):
            yield BadRow(line, f"has a cell in column {len(texts)}, which has no name")
        elif row := table_row(line, header, names, texts):
            yield row
    if names is None:
        raise CommandError(
            f"{layout.name}: is empty; the first row must name the columns; "
            f"{_which(layout, file, sheet)}"
        )


def _which(layout: Layout, file: IO[bytes], sheet: str | None) -> str:
    """Say which sheet was read, and what others there are."""
    with _workbook(file, values=True) as book:
        read = _chosen(layout, book, sheet).title
        others = [repr(one.title) for one in book.worksheets if one.title != read]
    if not others:
        return f"{read!r} is the only sheet"
    return f"sheet {read!r} was read; for {' or '.join(others)} pass --sheet"


def _numbered(
    layout: Layout, file: IO[bytes], sheet: str | None
) -> Iterator[tuple[int, Sequence[Any], Sequence[Any]]]:
    """Yield the rows with their numbers, and with formulas where the workbook has any."""
    try:
        with ExitStack() as stack:
            kinds = (True, False) if _has_formulas(file) else (True,)  # values, formulas
            sheets = []
            for values in kinds:
                book = stack.enter_context(_workbook(file, values=values))
                sheets.append(_chosen(layout, book, sheet))
                sheets[-1].reset_dimensions()  # what some programs write there is too small
            rows = zip_longest(*(one.iter_rows() for one in sheets), fillvalue=())
            for line, (cells, *formulas) in enumerate(rows, 1):
                yield line, cells, formulas[0] if formulas else ()
    except _DAMAGED:  # whose words may quote cells
        raise CommandError(
            f"{layout.name}: is damaged, or not a workbook; open it and save it as .xlsx"
        ) from None


@contextmanager
def _workbook(file: IO[bytes], *, values: bool) -> Iterator[Any]:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - needs the extra
    except ImportError:
        raise CommandError('XLSX needs one more package: pip install "mettl-async[xlsx]"') from None
    warnings.filterwarnings("ignore", module="openpyxl")  # which may quote cells
    book = load_workbook(file, read_only=True, data_only=values, keep_links=False)
    with closing(book):
        yield book


def _chosen(layout: Layout, book: Any, sheet: str | None) -> Any:
    there = [one for one in book.worksheets if sheet is not None or one.sheet_state == "visible"]
    titles = [one.title for one in there]
    if sheet is not None and sheet not in titles:
        hint = did_you_mean(sheet, titles) or f"; it has {', '.join(map(repr, titles))}"
        raise CommandError(f"{layout.name}: has no sheet {sheet!r}{hint}")
    if not there:
        raise CommandError(f"{layout.name}: has no sheet that is not hidden; pass --sheet")
    return there[titles.index(sheet) if sheet is not None else 0]


def _has_formulas(file: IO[bytes]) -> bool:
    file.seek(0)
    with ZipFile(file) as parts:
        for name in parts.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                with parts.open(name) as part:
                    before = b""
                    while chunk := part.read(_CHUNK):
                        if _FORMULA.search(before + chunk):
                            return True
                        before = chunk[-_LONGEST_SIGN:]
    return False


def _texts(
    cells: Sequence[Any], formulas: Sequence[Any], names: list[str | None] | None
) -> list[str]:
    result = []
    for place, cell in enumerate(cells):
        known = names is not None and place < len(names)
        called = names[place] if names is not None and known else f"column {place + 1}"
        if called is None:  # is not sent, whatever is in it
            result.append(_text(cell))
            continue
        if cell.data_type == "e":
            raise CellError(f"{called}: holds an error such as #N/A; mend its formula")
        if cell.value is None and place < len(formulas) and formulas[place].data_type == "f":
            raise CellError(
                f"{called}: holds a formula without its value; open the file in Excel and save it"
            )
        result.append(_text(cell))
    while result and not result[-1].strip():
        result.pop()
    return result


def _text(cell: Any) -> str:
    match cell.value:
        case None:
            return ""
        case str() as text:
            return text
        case bool() as yes:
            return "TRUE" if yes else "FALSE"
        case int() | float() as number:
            text, shown_as = number_text(number), cell.number_format
            padded = text.isdecimal() and _LEADING_ZEROS.fullmatch(shown_as)
            return text.zfill(len(shown_as)) if padded else text
        case datetime() as moment:
            # A date is a moment at midnight [doc of the format].
            whole = moment.time() == time()
            return moment.date().isoformat() if whole else moment.isoformat(timespec="seconds")
        case date() as day:
            return day.isoformat()
        case time() as hour:
            return hour.isoformat(timespec="seconds")
        case timedelta() as long:
            minutes, seconds = divmod(round(long.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(cell.value)
