"""The envelope of answers, the error codes with their messages, JSON in and out."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import Response

# The message of each code, and its HTTP status with ``error_http_status``: that errors come with HTTP
# 200 is [seen], these are [assumed]. E504 is about the timestamp, so it is not a gateway's 504.
CODES: Final = {
    "E000": ("Some Error Occurred", 400),
    "E028": ("Candidate image could not be read", 400),  # [assumed]; the code is [seen]
    "E400": ("Request is not well-formed", 400),
    "E401": ("Authentication failed/Signature mismatch", 401),
    "E403": ("Access denied. The API key is not authorized for requested resource/action", 403),
    "E404": ("Requested resource not found", 404),
    "E405": ("HTTP method not allowed for this API request", 405),
    "E408": ("Request timed out", 408),
    "E422": ("Signature expired", 401),
    "E503": ("API service currently unavailable", 503),
    "E504": ("Invalid Timestamp", 400),
    "E509": ("Rate limit exceeded", 429),
    "E607": ("Candidate registration limit exceeded", 400),
}


class RefusalError(Exception):
    """The request is refused with one of Mettl's codes.

    The message names properties, never the values in them. ``details`` stand beside it in the answer's
    ``error``; the real server has none.
    """

    def __init__(self, code: str, message: str | None = None, **details: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = details


def bad_request(problem: str) -> RefusalError:
    """Make the E400 that names the property and its problem."""
    return RefusalError("E400", f"{CODES['E400'][0]}: {problem}")  # all of this is [assumed]


def responded(payload: dict[str, Any], status: int = 200) -> Response:
    """Make the response of a payload; its type is without a charset: [seen], by inference."""
    return Response(dumps(payload), status, media_type="application/json")


def failed(
    code: str,
    message: str | None = None,
    *,
    real: bool = False,
    details: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Make the response of a refused request; HTTP 200 unless ``real`` statuses are asked for."""
    text, status = CODES.get(code, CODES["E000"])
    error = {"code": code, "message": message or text, **details}
    return responded({"status": "ERROR", "error": error}, status if real else 200)


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
