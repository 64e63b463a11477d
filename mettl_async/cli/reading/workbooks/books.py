"""Workbooks of all formats, opened by what they are."""

import struct
import zlib
from collections.abc import Mapping
from typing import IO, Final
from zipfile import BadZipFile, ZipFile

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.workbooks import OLE
from mettl_async.cli.reading.workbooks.ods import OdsBook
from mettl_async.cli.reading.workbooks.sheet import Book, DamagedError
from mettl_async.cli.reading.workbooks.xls import open_xls
from mettl_async.cli.reading.workbooks.xlsx import XlsxBook

DAMAGED: Final = (DamagedError, BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What opening and reading raise if a file is no whole workbook."""

_SHEETS: Final = b"application/vnd.oasis.opendocument.spreadsheet"
_SAVE: Final = "open it in Excel or LibreOffice and save it as .xlsx"
_EXPORT: Final = "put the people into a sheet and save it as .xlsx"
# What else is a zip archive, by the part that tells.
_OTHERS: Final[Mapping[str, str]] = {
    "xl/workbook.bin": f"is a binary workbook of Excel's (.xlsb); {_SAVE}",
    "word/document.xml": f"is a Word document; {_EXPORT}",
    "ppt/presentation.xml": f"is a presentation; {_EXPORT}",
    "Index/Document.iwa": "is a document of Apple's; in Numbers, export it as Excel (.xlsx)",
}


def open_book(name: str, file: IO[bytes]) -> Book:
    """Open a workbook.

    Raises:
        CommandError: It is another kind of file, or is damaged.
    """
    try:
        file.seek(0)
        is_old = file.read(len(OLE)) == OLE
        file.seek(0)
        return open_xls(name, file) if is_old else _zipped(name, file)
    except (*DAMAGED, ValueError, KeyError, OverflowError, struct.error):  # broken heads of parts
        raise damaged(name) from None
    except RuntimeError:  # the module's for parts with a password
        raise CommandError(f"{name}: has a password; save it without one") from None


def damaged(name: str) -> CommandError:
    """Say that a file cannot be read; in our words, for a library's may quote cells."""
    return CommandError(f"{name}: is damaged, or not a workbook; open it and save it as .xlsx")


def _zipped(name: str, file: IO[bytes]) -> Book:
    parts = ZipFile(file)
    for part, nature in _OTHERS.items():
        if part in parts.NameToInfo:
            raise CommandError(f"{name}: {nature}")
    if "content.xml" in parts.NameToInfo:
        return _open_document(name, parts)
    if not any(one.startswith("xl/") or one == "[Content_Types].xml" for one in parts.NameToInfo):
        raise CommandError(f"{name}: is a zip archive; unpack it, and give the file in it")
    return XlsxBook(parts)


def _open_document(name: str, parts: ZipFile) -> Book:
    nature = parts.read("mimetype").strip() if "mimetype" in parts.NameToInfo else _SHEETS
    if not nature.startswith(_SHEETS):
        raise CommandError(f"{name}: is an OpenDocument file without sheets; {_EXPORT}")
    manifest = "META-INF/manifest.xml"
    if manifest in parts.NameToInfo and b":encryption-data" in parts.read(manifest):
        raise CommandError(f"{name}: has a password; save it without one")
    return OdsBook(parts)
