"""Reading multipart/form-data: fields, which are signed, and files, which are not [doc].

Pure: a content type and a body in, parts or a refusal out.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from mettl_async.sandbox.envelope import bad_request

FORM_DATA: Final = b"multipart/form-data"
_BOUNDARY: Final = re.compile(rb'boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
_NAME: Final = re.compile(rb';\s*name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILENAME: Final = re.compile(rb";\s*filename\*?=", re.IGNORECASE)


@frozen
class Parts:
    """What a body consists of; a part with a file name is a file."""

    fields: dict[str, str] = field(factory=dict, repr=False)
    files: dict[str, bytes] = field(factory=dict, repr=False)


def read_parts(content_type: bytes, body: bytes) -> Parts:
    """Split a body into its parts.

    Raises:
        RefusalError: E400, for a body that is not well-formed and for a part given twice.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise bad_request("the multipart body has no boundary")
    delimiter = b"\r\n--" + (found[1] or found[2])
    preamble, *pieces = (b"\r\n" + body).split(delimiter)
    if preamble or not pieces or not pieces[-1].startswith(b"--"):
        raise bad_request("the multipart body is not well-formed")
    parts = Parts()
    for piece in pieces[:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        disposition = _disposition(head)
        name = _NAME.search(disposition)
        if not blank or name is None:
            raise bad_request("a part of the multipart body has no name")
        _add(parts, name[1], content, is_file=_FILENAME.search(disposition) is not None)
    return parts


def _disposition(head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            return value
    return b""


def _add(parts: Parts, raw_name: bytes, content: bytes, *, is_file: bool) -> None:
    try:
        name = raw_name.decode()
        text = "" if is_file else content.decode()
    except UnicodeDecodeError:
        raise bad_request("a parameter is not UTF-8") from None
    if name in parts.fields or name in parts.files:
        raise bad_request("a parameter is given twice")
    if is_file:
        parts.files[name] = content
    else:
        parts.fields[name] = text
