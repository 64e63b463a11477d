"""Whether a delivery carries the credentials that the schedule was given."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING

from mettl_async.errors import InvalidInputError
from mettl_async.models import BasicAuth

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 8 * 1024  # bytes; servers rarely take a longer line either
_SCHEME = b"basic"


class BasicAuthVerifier:
    """Checks the ``authorization`` header against one or several credentials.

    The time it takes depends on the length of what came, never on how much of it is right, nor on which of
    the credentials it is: digests are compared, all of them, in constant time. During a rotation give the
    new and the old; drop the old when all schedules were edited.

    It protects against those who know the URL but not the password. It is no protection against who
    reads the traffic: use https.

    Credentials beyond ASCII count in UTF-8 and, where they can be written in it, in Latin-1 [assumed].

    Args:
        accepted: At least one; the same values as in ``Webhooks(basic_auth=...)``.

    Raises:
        InvalidInputError: None given, or something else than `BasicAuth`.

    Source: api.md, section 7.
    """

    __slots__ = ("_digests",)

    def __init__(self, accepted: Sequence[BasicAuth]) -> None:
        digests = []
        for one in accepted:
            if not isinstance(one, BasicAuth):
                raise InvalidInputError(
                    "accepted", f"has a {type(one).__name__}", "give a list of BasicAuth values"
                )
            digests += [_digest(b64encode(form)) for form in _forms(one)]
        if not digests:
            raise InvalidInputError("accepted", "is empty", "give the credentials of the schedules")
        self._digests = tuple(digests)

    def check(self, authorization: str | bytes | None) -> bool:
        """Tell whether the header is right; whatever is no such header is not.

        Args:
            authorization: Value of the header, as text or as the bytes of ASGI; None when there is none.
        """
        presented = _digest(_token(authorization))
        right = False
        for digest in self._digests:
            # No `or`, no return: all are compared.
            right |= hmac.compare_digest(digest, presented)
        return right

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _forms(one: BasicAuth) -> set[bytes]:
    text = f"{one.username}:{one.password}"
    forms = {text.encode()}
    with suppress(UnicodeEncodeError):
        forms.add(text.encode("latin-1"))
    return forms


def _token(header: str | bytes | None) -> bytes:
    """The credentials, still in base64; of what is no such header, nothing, which is never right."""
    if isinstance(header, str):
        try:
            header = header.encode("latin-1")
        except UnicodeEncodeError:
            return b""
    if not header or len(header) > _LONGEST:
        return b""
    scheme, _, token = header.partition(b" ")
    return token.strip(b" ") if scheme.lower() == _SCHEME else b""


def _digest(content: bytes) -> bytes:
    # The token itself is compared: nothing of a stranger's is decoded.
    return hashlib.sha256(content).digest()
