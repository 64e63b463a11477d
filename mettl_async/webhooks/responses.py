"""Every HTTP response that a receiver gives."""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen
class HttpResponse:
    """A whole HTTP response.

    Attributes:
        status_code: HTTP status.
        text: Body, and line of the log; a constant, so it holds nobody's data.
        header: One more header.
        closes_connection: Whether the rest of a body is still coming, so that the connection is of no use.
    """

    status_code: int
    text: str = ""
    header: tuple[bytes, bytes] | None = None
    closes_connection: bool = False

    def __str__(self) -> str:
        return f"{self.status_code}: {self.text}"


_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="webhooks", charset="UTF-8"')
_RETRY: Final = (b"retry-after", b"30")  # seconds; [assumed] nobody says whether Mettl heeds it
OK: Final = HttpResponse(200)
NOT_A_POST: Final = HttpResponse(405, "only POST is served", (b"allow", b"POST"))
WRONG_NETWORK: Final = HttpResponse(403, "the peer is in no allowed network")
WRONG_CREDENTIALS: Final = HttpResponse(401, "no credentials, or wrong ones", _CHALLENGE)
BAD_LENGTH: Final = HttpResponse(400, "content-length is not a number")
TOO_LARGE: Final = HttpResponse(413, "the body is too large", closes_connection=True)
TOO_SLOW: Final = HttpResponse(408, "the body did not come in time", closes_connection=True)
NOT_AN_EVENT: Final = HttpResponse(400, "the body is not an event")
UNREADABLE: Final = HttpResponse(400, "the event lacks what its type must have")
WRONG_CONTEXT: Final = HttpResponse(401, "context_data does not prove what it must", _CHALLENGE)
NOT_HANDLED: Final = HttpResponse(503, "the event could not be handled", _RETRY)
BUSY: Final = HttpResponse(503, "the event is being handled", _RETRY)
