"""What a file is by its first bytes, whatever its name says. Pure functions."""

import codecs
import re
from typing import Final

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import UTF_8, Format
from mettl_async.cli.reading.encoding import marked_encoding
from mettl_async.cli.reading.rows import CSV_SUFFIXES, JSON_SUFFIXES
from mettl_async.cli.reading.workbooks import OLE

_ZIP: Final = b"PK\x03\x04"
_NAME_OF_PART: Final = 30  # where an archive names its first part
_OPEN_DOCUMENT: Final = (b"mimetype", b"META-INF/manifest.xml", b"content.xml")
_BY_ENDING: Final = {
    **dict.fromkeys((*CSV_SUFFIXES, ".tsv", ".tab"), "csv"),
    **dict.fromkeys(JSON_SUFFIXES, "jsonl"),
    **dict.fromkeys((".xlsx", ".xlsm"), "xlsx"),
}
_EXPORT: Final = "export the table as CSV UTF-8 or XLSX"
_OPEN: Final = "open it in a spreadsheet, and save it as XLSX or CSV UTF-8"
# Beginnings of files that hold no rows: what they are, and what to do.
_BINARY: Final = (
    (b"\x1f\x8b", "is compressed (gzip)", "unpack it first, as with gunzip"),
    (b"BZh", "is compressed (bzip2)", "unpack it first, as with bunzip2"),
    (b"\xfd7zXZ\0", "is compressed (xz)", "unpack it first, as with unxz"),
    (b"\x28\xb5\x2f\xfd", "is compressed (zstd)", "unpack it first, as with unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "is an archive (7z)", "unpack it, and give the file in it"),
    (b"Rar!\x1a\x07", "is an archive (rar)", "unpack it, and give the file in it"),
    (b"PK\x05\x06", "is an empty zip archive", "give the file that was meant to be in it"),
    (b"%PDF-", "is a PDF", _EXPORT),
    (b"{\\rtf", "is a text document (RTF)", _EXPORT),
    (b"\x89PNG", "is a picture", _EXPORT),
    (b"\xff\xd8\xff", "is a picture", _EXPORT),
    (b"GIF8", "is a picture", _EXPORT),
    (b"SQLite format 3\0", "is a database (SQLite)", _EXPORT),
    (b"\0\1\0\0Standard ", "is a database (Access)", _EXPORT),
    *((mark, "is a Lotus 1-2-3 workbook", _OPEN)
      for mark in (b"\0\0\2\0", b"\0\0\x1a\0")),
    (b"PAR1", "is a Parquet file", _EXPORT),
    (b"ARROW1\0\0", "is an Arrow file", _EXPORT),
    (b"\0\5\x16\x07", "is macOS's own file beside the one that you mean (._NAME)", "give that one"),
    (b"version https://git-lfs", "is a pointer of Git LFS", "fetch the file, as with git lfs pull"),
    *((mark, "is a very old Excel file", _OPEN)
      for mark in (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00")),
)  # fmt: skip
# The same for texts, without blanks and a mark before them.
_TEXTS: Final = (
    (r"<\?xml[^>]*>\s*(<[?!][^>]*>\s*)*<(\w+:)?Workbook\b", "is a workbook of Excel 2003 (XML)", _OPEN),
    (r"(<\?xml[^>]*>\s*)?<office:document\b", "is a flat OpenDocument file", _OPEN),
    (r"<\?xml", "is XML", _EXPORT),
    (r"<(!doctype|!--|html|head|body|meta|table|style|div|center|script)\b",
     "is a web page (HTML), whatever its name says", _OPEN),
    (r"MIME-Version:", "is a web page (MHTML)", _OPEN),
    (r"ID;P", "is a SYLK file", _OPEN),
    (r"TABLE\r?\n0,1\r?\n", "is a DIF file", _OPEN),
    (r"BEGIN:VCARD", "holds contacts (vCard)", _EXPORT),
    (r"BEGIN:VCALENDAR", "is a calendar", _EXPORT),
    (r"\[InternetShortcut\]", "is a link to a page, not the file", "download the file"),
)  # fmt: skip
# Kind, date (the month and the day are bounded), number of rows, lengths, and two bytes that are zero.
_DBASE: Final = re.compile(rb"[\x03\x30\x31\x83\x8b\xf5][\s\S][\1-\x0c][\1-\x1f][\s\S]{8}\0\0")
_TEXT_NATURES: Final = tuple(
    (re.compile(start, re.IGNORECASE if start[0] in "<M" else 0), nature, fix)
    for start, nature, fix in _TEXTS
)
_CALLED: Final = {Format.CSV: "CSV", Format.JSONL: "JSON Lines"}


def format_of(name: str, ending: str, head: bytes, asked: Format | None) -> Format:
    """Detect the format: what was asked for, else by the ending of the name, else by the content.

    A workbook is known by its first bytes whatever it is called.

    Raises:
        CommandError: The bytes contradict what was asked for or the name, or hold no rows at all.
    """
    if name.rpartition("/")[2].startswith("~$"):
        raise CommandError(f"{name}: is Excel's mark of an open file; give the file without ~$")
    workbook = _workbook_of(head)
    if workbook is not None:
        if asked not in {None, workbook}:
            raise CommandError(f"{name}: looks like {workbook.upper()}; leave out --format {asked}")
        return workbook
    check_nature(name, head)
    found = asked or (Format(_BY_ENDING[ending]) if ending in _BY_ENDING else None)
    real = _by_content(head)
    if found is not None and found.is_workbook:
        raise CommandError(
            f"{name}: is text, not {found.upper()}; give it its real ending, or pass --format {real}"
        )
    if asked is None and Format.JSONL in {found or real, real} and found not in {None, real}:
        raise CommandError(
            f"{name}: looks like {_CALLED[real]}, not like {_CALLED[found or real]}; "
            "give it its real ending, or pass --format"
        )
    return found or real


def _workbook_of(head: bytes) -> Format | None:
    if head.startswith(OLE):
        return Format.XLS
    if head.startswith(_ZIP):
        return Format.ODS if head.startswith(_OPEN_DOCUMENT, _NAME_OF_PART) else Format.XLSX
    return None


def check_nature(name: str, head: bytes) -> None:
    """Refuse what can be no list of people, by what it is.

    Raises:
        CommandError: Says what it is and what to do.
    """
    for mark, nature, fix in _BINARY:
        if head.startswith(mark):
            raise CommandError(f"{name}: {nature}; {fix}")
    if _DBASE.match(head):
        raise CommandError(f"{name}: is a dBase file; {_OPEN}")
    text = _beginning(head)
    if not text:
        raise CommandError(f"{name}: is empty; the first line must name the columns")
    for start, nature, fix in _TEXT_NATURES:
        if start.match(text):
            raise CommandError(f"{name}: {nature}; {fix}")
    if text.startswith("["):
        # In one line, it would be a JSON value that is no object.
        raise CommandError(
            f"{name}: is a JSON array; write one object on each line (JSON Lines), as with jq -c '.[]'"
        )
    if text.startswith("{") and not _is_whole(text.partition("\n")[0], cut=len(head)):
        raise CommandError(
            f"{name}: is JSON over several lines; write one object on each line (JSON Lines), "
            "as with jq -c"
        )


def _beginning(head: bytes) -> str:
    encoding = marked_encoding(head) or UTF_8
    return codecs.decode(head, encoding, "ignore").lstrip("\ufeff \t\r\n\v\f")


def _is_whole(line: str, *, cut: int) -> bool:
    """Tell whether a line may be a whole JSON value; what else is wrong with it is told by row."""
    return len(line) >= cut or line.rstrip()[-1:] not in set("{[,:")


def _by_content(head: bytes) -> Format:
    return Format.JSONL if _beginning(head)[:1] in {"{", "["} else Format.CSV
