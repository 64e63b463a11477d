"""The envelope of answers, the error codes with their messages, JSON in and out."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.responses import Response

MESSAGES: Final = {
    "E000": "Some Error Occurred",
    "E028": "Candidate image could not be read",  # [assumed]; the code is [seen]
    "E400": "Request is not well-formed",
    "E401": "Authentication failed/Signature mismatch",
    "E403": "Access denied. The API key is not authorized for requested resource/action",
    "E404": "Requested resource not found",
    "E405": "HTTP method not allowed for this API request",
    "E408": "Request timed out",
    "E422": "Signature expired",
    "E503": "API service currently unavailable",
    "E504": "Invalid Timestamp",
    "E509": "Rate limit exceeded",
    "E607": "Candidate registration limit exceeded",
}

# Used only with error_http_status: that errors come with HTTP 200 is [seen], these are [assumed].
# E504 is about the timestamp of the request, so it is not a gateway's 504.
HTTP_STATUS: Final = {
    "E401": 401,
    "E403": 403,
    "E404": 404,
    "E405": 405,
    "E408": 408,
    "E422": 401,
    "E503": 503,
    "E509": 429,
}


class RefusalError(Exception):
    """The request is refused with one of Mettl's codes.

    The message names properties, never the values in them.
    """

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def bad_request(problem: str) -> RefusalError:
    """Make the E400 that names the property and its problem."""
    # That a bad property gives E400, and that its message names it, is [assumed].
    return RefusalError("E400", f"{MESSAGES['E400']}: {problem}")


def responded(payload: dict[str, Any], status: int = 200) -> Response:
    """Make the response of a payload; its type is without a charset: [seen], by inference."""
    return Response(dumps(payload), status, media_type="application/json")


def failed(code: str, status: int, message: str | None = None) -> Response:
    """Make the response of a refused request."""
    error = {"code": code, "message": message or MESSAGES.get(code, "Some Error Occurred")}
    return responded({"status": "ERROR", "error": error}, status)


def status_of(code: str, *, real: bool) -> int:
    """Return the HTTP status that goes with a code: 200 unless ``real`` statuses are asked for."""
    # HTTP 200 with an error inside is [seen], by inference from three clients.
    return HTTP_STATUS.get(code, 400) if real else 200


def dumps(value: Any) -> bytes:
    """Write JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def loads(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is no JSON, or has half of a surrogate pair, which can't be answered.
    """
    value = json.loads(text, parse_constant=int)  # refuses NaN and Infinity
    if "\\ud" in text.lower():
        dumps(value)
    return value
