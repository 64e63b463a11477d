"""What may appear in a log or an error: by allow-list, everything else stays out."""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mettl_async.core.request import Request

BLANK = "<redacted>"
LOGGED_FIELDS = (
    "operation", "method", "template", "attempt", "request_id", "status", "seconds", "failure", "wait",
    "code", "read", "calls", "registered", "rejected", "failed", "unknown", "in_flight", "rate",
)  # fmt: skip
"""Everything that a log record of this library carries beside its message."""

# Bounded repeats: a server's words of any length must not keep a regular expression busy.
_PART = r"[^\s'\"<>()\[\],;:=&?/@]"
_EMAIL = re.compile(rf"{_PART}{{1,64}}(?:@|%40){_PART}{{1,255}}")
_KEY_OR_SIGNATURE = re.compile(r"[A-Za-z0-9+/%_-]{24,}={0,2}")
_SIGNED_QUERY = re.compile(r"\?\S*\b(?:ak|asgn|rd|sc|key|url)=\S*")
_MAX_READ, _MAX_MESSAGE = 2_000, 500


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)


def personal_values(request: Request) -> set[str]:
    """Collect every text that the request sent as candidates' data; it costs a parse, so ask only on failure."""
    found: set[str] = set(request.personal_values)
    for name in request.personal_params:
        text = request.params.get(name, "")
        try:
            found.update(_leaves(json.loads(text)))
        except ValueError:
            found.add(text)
    return found


def scrub(message: str, personal: Iterable[str] = ()) -> str:
    """Blank every personal value as a whole word, emails and what looks like a key or a signature.

    The first 2,000 characters are read, 500 are kept.
    """
    message = message[:_MAX_READ]
    lowered = message.lower() if message.isascii() else None
    for value in sorted(filter(str.strip, personal), key=len, reverse=True):
        # A batch has a hundred values, and a throttled run fails often: look before compiling.
        if lowered is not None and value.isascii() and value.lower() not in lowered:
            continue
        message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", BLANK, message, flags=re.IGNORECASE)
    message = _KEY_OR_SIGNATURE.sub(BLANK, _EMAIL.sub(BLANK, message))
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}..."


def log_fields(request: Request, **more: Any) -> dict[str, Any]:
    """Make the ``extra`` of a log record: only names in `LOGGED_FIELDS`, only values without data."""
    return run_fields(
        request.operation,
        method=request.method,
        template=request.template,
        attempt=request.attempt,
        request_id=request.request_id,
        **more,
    )


def run_fields(operation: str, **more: Any) -> dict[str, Any]:
    """Make the ``extra`` of a record that is about no single request."""
    fields = {"operation": operation, **more}
    return {f"mettl_{name}": value for name, value in fields.items() if name in LOGGED_FIELDS}


_hide_urls: ContextVar[bool] = ContextVar("mettl_hide_urls", default=False)
_AFTER_HOST = re.compile(r"(https?://[^/\s]+)\S*")


@contextmanager
def hidden_urls() -> Iterator[None]:
    """Hide everything behind the host while a link is fetched that is a secret as a whole."""
    token = _hide_urls.set(True)
    try:
        yield
    finally:
        _hide_urls.reset(token)


_LOCATION = re.compile(r"(\(b'[Ll]ocation', b)'[^']*'")


class UrlFilter(logging.Filter):
    """Blanks what is secret of URLs in an HTTP library's log.

    That is the query and emails of one that is signed or a link to a report (httpx, at INFO), and the
    address of a redirect (httpcore, at DEBUG).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message and arguments; it is always let through."""
        if isinstance(record.msg, str) and "ocation'" in record.msg:
            record.msg = _LOCATION.sub(rf"\1'{BLANK}'", record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(self._clean(argument) for argument in record.args)
        return True

    @staticmethod
    def _clean(argument: Any) -> Any:
        if isinstance(argument, (int, float)):
            return argument
        text = str(argument)
        if _hide_urls.get():
            return _AFTER_HOST.sub(rf"\1/{BLANK}", text)
        if not _SIGNED_QUERY.search(text):
            return argument
        return _EMAIL.sub(BLANK, _SIGNED_QUERY.sub(f"?{BLANK}", text))


_FILTER = UrlFilter()


def guard_http_loggers() -> None:
    """Keep signed URLs out of what httpx and httpx2 log; doing it again changes nothing."""
    for name in (
        "httpx", "httpcore.http11", "httpcore.http2",
        "httpx2", "httpcore2.http11", "httpcore2.http2",
    ):  # fmt: skip
        logging.getLogger(name).addFilter(_FILTER)
