"""XLS, of Excel up to 2003; by xlrd, of the extra ``xlsx``, which knows formats and hidden rows."""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import IO, Any, Final

from attrs import define, evolve, field

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.workbooks.cell import ERROR, Broken, Cell
from mettl_async.cli.reading.workbooks.number_format import NumberFormat, number_format
from mettl_async.cli.reading.workbooks.sheet import (
    Area,
    DamagedError,
    SheetContent,
    SheetName,
    SheetRow,
)
from mettl_async.cli.reading.workbooks.xls_rules import RULE_RECORDS, Record, restyled_in

_EMPTY, _TEXT, _NUMBER, _DATE, _BOOLEAN, _ERROR = range(6)
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_LOCKED: Final = "has a password; save it without one"
_BEGIN, _BOUND_SHEET, _FORMULA, _END = 0x09, 0x85, 0x06, 0x0A
_NO_TYPE: Final = 0xFFFF
_ZERO: Final = b"\0" * 8
_NO_RESULT: Final = b"\3\0\0\0\0\0\xff\xff"
# LibreOffice writes 0 for some that it has not computed.
_PLACEHOLDER: Final = Broken(
    "holds a formula whose 0 may stand for a value that was never computed; save the file as .xlsx"
)
# Excel writes the same for an empty text; xlwt, which computes nothing, for every formula.
_BLANK: Final = Broken(
    "holds a formula whose value may never have been computed; save the file as .xlsx"
)


@define(eq=False)
class XlsBook:
    """A workbook in memory: these have 65,536 rows at most."""

    _book: Any
    _not_computed: Sequence[Mapping[tuple[int, int], Broken]]
    _restyled: Sequence[Sequence[Area]]
    sheets: list[SheetName] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        for sheet in self._book.sheets():
            self.sheets.append(SheetName(sheet.name, sheet.visibility == 0))

    def read(self, place: int) -> SheetContent:
        """See `Book`."""
        sheet = self._book.sheet_by_index(place)
        merged = [
            Area(top + 1, left, bottom, right - 1)
            for top, bottom, left, right in sheet.merged_cells
        ]
        hidden = [
            range(column, column + 1)
            for column, info in sheet.colinfo_map.items()
            if info.hidden or info.width == 0
        ]
        rows = self._rows(sheet, self._not_computed[place])
        return SheetContent(rows, merged, hidden, [*self._restyled[place]])

    def close(self) -> None:
        """See `Book`."""
        self._book.release_resources()

    def _rows(
        self, sheet: Any, not_computed: Mapping[tuple[int, int], Broken]
    ) -> Iterator[SheetRow]:
        formats: dict[int, NumberFormat] = {}
        since_1904 = self._book.datemode == 1
        for row in range(sheet.nrows):
            cells: list[Cell] = []
            for place, cell in enumerate(sheet.row(row)):
                if (broken := not_computed.get((row, place))) is not None:
                    cells.append(broken)
                    continue
                found = formats.get(cell.xf_index)
                if found is None:
                    found = formats[cell.xf_index] = self._format(cell.xf_index)
                cells.append(_cell(cell, found, since_1904=since_1904))
            info = sheet.rowinfo_map.get(row)
            hidden = info is not None and bool(info.hidden or info.height == 0)
            yield SheetRow(row + 1, hidden, cells)

    def _format(self, style: int | None) -> NumberFormat:
        if style is None:
            return number_format("General")
        try:
            key = self._book.xf_list[style].format_key
            return number_format(self._book.format_map[key].format_str)
        except LookupError:
            raise DamagedError from None


def _cell(cell: Any, format_: NumberFormat, *, since_1904: bool) -> Cell:
    if cell.ctype == _TEXT:
        text = str(cell.value)
        return text if format_.leaves_text or not text else format_.show_text(text)
    if cell.ctype in (_NUMBER, _DATE):
        if not isfinite(cell.value):
            raise DamagedError
        return format_.show(float(cell.value), since_1904=since_1904)
    if cell.ctype == _BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    return evolve(ERROR, text="#N/A") if cell.ctype == _ERROR else ""


def open_xls(name: str, file: IO[bytes]) -> XlsBook:
    """Open a workbook.

    Raises:
        CommandError: The extra is missing, or the file has a password.
        DamagedError: It is damaged.
    """
    content = file.read()
    if _ENCRYPTED in content:
        raise CommandError(f"{name}: {_LOCKED}")
    try:
        import xlrd  # noqa: PLC0415 - needs the extra
        from xlrd.compdoc import CompDoc  # noqa: PLC0415 - same
    except ImportError:
        raise CommandError(
            f'{name}: is an old Excel file (.xls); save it as .xlsx, or pip install "mettl-async[xlsx]"'
        ) from None
    log = io.StringIO()
    try:
        parts = CompDoc(content, logfile=log)
        for part in ("Workbook", "Book"):
            found, start, length = parts.locate_named_stream(part)
            if found is not None:
                stream = bytes(found[start : start + length])
                sheets = _sheets_in(stream)
                if any(kind in RULE_RECORDS for sheet in sheets for kind, _ in sheet):
                    content = _without_rules(
                        stream
                    )  # whose newer ones the library takes for damage
                book = xlrd.open_workbook(file_contents=content, formatting_info=True, logfile=log)
                restyled = [restyled_in(one) for one in sheets]
                return XlsBook(book, _not_computed_in(sheets), restyled)
    except Exception as error:  # noqa: BLE001 - the library lets many leave it for damaged files
        if "encrypted" in str(error).lower():
            raise CommandError(f"{name}: {_LOCKED}") from None
        raise DamagedError from None
    raise DamagedError


def _sheets_in(stream: bytes) -> list[list[Record]]:
    """Collect the records of each sheet that the library does not tell of: formulas, and rules."""
    sheets = []
    for kind, content in _records(stream, 0):
        if kind == _BOUND_SHEET and content[5] == 0:  # not a chart or macros
            (start,) = struct.unpack_from("<I", content)
            found = _records(stream, start)
            sheets.append([one for one in found if one[0] == _FORMULA or one[0] in RULE_RECORDS])
    return sheets


def _not_computed_in(sheets: Sequence[Sequence[Record]]) -> list[dict[tuple[int, int], Broken]]:
    """Find, for each sheet, the formulas without a sure value.

    A result that is empty is sure where another formula of the workbook has a value.
    """
    formulas: list[dict[tuple[int, int], bytes]] = [
        {struct.unpack_from("<HH", cell): cell[6:14] for kind, cell in sheet if kind == _FORMULA}
        for sheet in sheets
    ]
    unsure = {_ZERO: _PLACEHOLDER}
    if all(value in (_ZERO, _NO_RESULT) for sheet in formulas for value in sheet.values()):
        unsure[_NO_RESULT] = _BLANK
    return [
        {place: unsure[value] for place, value in sheet.items() if value in unsure}
        for sheet in formulas
    ]


def _without_rules(stream: bytes) -> bytes:
    """Have the records of rules be of a type that no program reads."""
    made, place = bytearray(stream), 0
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, place)
        if kind in RULE_RECORDS:
            struct.pack_into("<H", made, place, _NO_TYPE)
        place += 4 + length
    return bytes(made)


def _records(stream: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    depth = 0
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, place)
        depth += (kind & 0xFF == _BEGIN) - (kind == _END)
        yield kind, stream[place + 4 : place + 4 + length]
        if not depth:
            return
        place += 4 + length
