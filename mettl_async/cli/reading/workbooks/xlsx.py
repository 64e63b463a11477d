"""XLSX, of Excel and all that write it; Strict Open XML too. Read as a stream by the standard library.

One pass over a sheet gives what libraries for data keep to themselves and what decides here: number
formats, formulas without a value, hidden rows.
"""

from collections.abc import Mapping, Sequence
from posixpath import dirname, join, normpath
from typing import IO, Final
from zipfile import ZipFile

from attrs import define, field

from mettl_async.cli.reading.workbooks.sheet import DamagedError, SheetContent, SheetName
from mettl_async.cli.reading.workbooks.xlsx_sheet import (
    TRUE,
    SheetContext,
    sheet_content,
    unescaped,
)
from mettl_async.cli.reading.workbooks.xlsx_styles import restyling, styles_of
from mettl_async.cli.reading.workbooks.xlsx_texts import shared_strings
from mettl_async.cli.reading.workbooks.xml_stream import elements

_MOST_BYTES: Final = 4 << 30  # of one part, unpacked; Excel opens none that is near


@define(eq=False)
class XlsxBook:
    """A workbook in an open zip archive.

    Raises:
        DamagedError: Its parts are not there, or not XML.
    """

    _parts: ZipFile
    sheets: list[SheetName] = field(factory=list, init=False)
    _home: str = field(default="", init=False)
    _paths: list[str] = field(factory=list, init=False)
    _context: SheetContext | None = field(default=None, init=False)
    _since_1904: bool = field(default=False, init=False)
    _versioned: bool = field(default=False, init=False)
    _recomputed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        root = self._related("", "/officeDocument")
        self._home = next(iter(root.values()), "xl/workbook.xml")
        paths = self._related(self._home, "/worksheet")
        for kind, given in elements(self._open(self._home)):
            if kind == "workbookPr":
                self._since_1904 = given.get("date1904") in TRUE
            elif kind == "fileVersion":
                self._versioned = True
            elif kind == "calcPr":
                self._recomputed = given.get("fullCalcOnLoad") in TRUE
            elif kind == "sheet" and given.get("id") in paths:
                visible = given.get("state", "visible") == "visible"
                self.sheets.append(SheetName(unescaped(given.get("name", "")), visible))
                self._paths.append(paths[given["id"]])

    def read(self, place: int) -> SheetContent:
        """See `Book`."""
        if self._context is None:
            self._context = self._read_context()
        return sheet_content(self._open(self._paths[place]), self._context)

    def close(self) -> None:
        """See `Book`."""
        self._context = None
        self._parts.close()

    def _read_context(self) -> SheetContext:
        strings: Sequence[str] = ()
        for path in self._related(self._home, "/sharedStrings").values():
            strings = shared_strings(self._open(path), unescaped)
        found = list(self._related(self._home, "/styles").values())[:1]
        stream = self._open(found[0]) if found else None
        styles = styles_of(stream, since_1904=self._since_1904)
        rules = restyling(self._open(found[0])) if found else frozenset[int]()
        return SheetContext(strings, styles, self._versioned, self._recomputed, rules)

    def _related(self, part: str, kind: str) -> Mapping[str, str]:
        """Find the parts that a part names, of one kind, by their ids."""
        home = dirname(part)
        path = join(home, "_rels", f"{part.rpartition('/')[2]}.rels")
        if path not in self._parts.NameToInfo:
            return {}
        return {
            given.get("Id", ""): normpath(join("/", home, given.get("Target", "")))[1:]
            for name, given in elements(self._open(path))
            if name == "Relationship" and given.get("Type", "").endswith(kind)
        }

    def _open(self, path: str) -> IO[bytes]:
        info = self._parts.NameToInfo.get(path)
        if info is None:  # programs differ in capital letters, and some write back slashes
            wanted = path.lower()
            for name, one in self._parts.NameToInfo.items():
                if name.lower().replace("\\", "/") == wanted:
                    info = one
        if info is None or info.file_size > _MOST_BYTES:
            raise DamagedError
        return self._parts.open(info)
