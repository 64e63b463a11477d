"""Form data with files, for the two uploads of the account's pictures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from attrs import Attribute, field, frozen

from mettl_async.errors import InvalidInputError


def _header_word(_: object, attribute: Attribute[str], value: object) -> None:
    if (
        not isinstance(value, str)
        or not value
        or not value.isprintable()
        or set(value) & set('"\\')
    ):
        raise InvalidInputError(
            f"file.{attribute.name}", "is not printable text without quotes", "rename it"
        )


@frozen(kw_only=True)
class FilePart:
    """One file of a multipart body; it takes no part in the signature [doc].

    Attributes:
        name: Of the form field.
        filename: As the server is to see it; printable, without quotes.
        content: The bytes.
        content_type: Such as ``image/png``.
    """

    name: str = field(validator=_header_word)
    filename: str = field(validator=_header_word)
    content: bytes = field(repr=lambda content: f"<{len(content)} bytes>")
    content_type: str = field(validator=_header_word)


def encode_multipart(params: Mapping[str, str], files: Iterable[FilePart]) -> tuple[str, bytes]:
    """Make the content type and the body of a multipart request.

    The boundary comes from what it must not occur in, so that the same parts give the same bytes.
    """
    parts = [
        (f'Content-Disposition: form-data; name="{name}"', value.encode())
        for name, value in params.items()
    ]
    parts += [
        (
            (
                f'Content-Disposition: form-data; name="{one.name}"; filename="{one.filename}"\r\n'
                f"Content-Type: {one.content_type}"
            ),
            one.content,
        )
        for one in files
    ]
    digest = sha256()
    for head, content in parts:
        digest.update(head.encode() + b"\0" + content + b"\0")
    boundary = f"mettl-{digest.hexdigest()[:40]}"
    body = b"".join(
        f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()
