"""Reading multipart/form-data: fields, which are signed, and files, which are not [doc]."""

from __future__ import annotations

from email.parser import BytesParser
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from mettl_async.sandbox.envelope import bad_request

if TYPE_CHECKING:
    from email.message import Message

FORM_DATA: Final = "multipart/form-data"


@frozen
class Parts:
    """The parts of a body; one with a file name is a file."""

    fields: dict[str, str] = field(factory=dict, repr=False)
    files: dict[str, bytes] = field(factory=dict, repr=False)


def read_parts(content_type: str, body: bytes) -> Parts:
    """Split a body into its parts.

    Raises:
        RefusalError: E400, for a body that is not well-formed and for a part given twice.
    """
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser().parsebytes(head + body)
    if message.defects or message.preamble or not message.is_multipart():
        raise bad_request("the multipart body is not well-formed")
    parts = Parts()
    for part in list(message.walk())[1:]:
        _add(parts, part)
    return parts


def _add(parts: Parts, part: Message) -> None:
    name = part.get_param("name", header="content-disposition")
    content = part.get_payload(decode=True)
    if part.defects or not isinstance(name, str) or not isinstance(content, bytes):
        raise bad_request("a part of the multipart body has no name")
    if name in parts.fields or name in parts.files:
        raise bad_request("a parameter is given twice")
    if part.get_param("filename", header="content-disposition") is not None:
        parts.files[name] = content
        return
    try:
        parts.fields[name] = content.decode()
    except UnicodeDecodeError:
        raise bad_request("a parameter is not UTF-8") from None
