"""What may appear in a log or an error: by allow-list, everything else stays out."""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

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


_Hidden = Literal["query", "link"]
_hidden: ContextVar[_Hidden | None] = ContextVar("mettl_hidden", default=None)


@contextmanager
def guarded(hidden: _Hidden = "query") -> Iterator[None]:
    """Have what HTTP libraries log meanwhile cleaned: it is about a request of ours.

    Args:
        hidden: What must not be seen of its URL: the query and emails, or, for a link that is a secret
            as a whole, everything behind the host.
    """
    token = _hidden.set(hidden)
    try:
        yield
    finally:
        _hidden.reset(token)


_QUERY = re.compile(r"\?[^\s'\"]*")
_AFTER_HOST = re.compile(r"(https?://[^/\s]+)[^\s'\"]*")
_BYTES = r"""(?:b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")"""
_HEADER = re.compile(rf"""\((b'[^']*'|b"[^"]*"), {_BYTES}\)""", re.DOTALL)
_REASON = re.compile(rf"(return_value=\(b'HTTP/[\d.]+', \d+, ){_BYTES}", re.DOTALL)
_PROXY_LOGIN = re.compile(r"\bauth=\(.*\)", re.DOTALL)
_FAILURE = re.compile(r"(\.failed exception=\w*).*", re.DOTALL)
"""Of an exception only its type: the text repeats a line of the answer that is no header, a cookie's too."""

_HARMLESS_HEADERS = {
    "cache-control", "connection", "content-encoding", "content-length", "content-type", "date",
    "keep-alive", "retry-after", "server", "transfer-encoding", "vary",
}  # fmt: skip
"""All others of an answer can hold a cookie, or repeat the signed URL."""

_TELL_REASON = {"httpx", "httpx2"}
"""Their records end in the reason phrase, which the server words as it likes."""


class RequestFilter(logging.Filter):
    """Blanks what is secret of our own requests in an HTTP library's log, and of nobody else's.

    httpx tells URLs and reason phrases (at INFO), httpcore the headers of answers, what is wrong with
    them, and a SOCKS proxy's password (at DEBUG).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message and arguments if it is ours; it is always let through."""
        hidden = _hidden.get()
        if hidden is not None:
            if isinstance(record.args, tuple) and record.args:
                if record.name in _TELL_REASON and isinstance(record.args[-1], str):
                    record.args = (*record.args[:-1], BLANK)
                record.args = tuple(self._clean(argument, hidden) for argument in record.args)
            else:
                record.msg = self._clean(record.msg, hidden)
        return True

    @staticmethod
    def _clean(value: Any, hidden: _Hidden) -> Any:
        if isinstance(value, (int, float)):
            return value
        text = _FAILURE.sub(r"\1(...)", _PROXY_LOGIN.sub(f"auth={BLANK}", str(value)))
        text = _REASON.sub(rf"\1b'{BLANK}'", text)
        text = _HEADER.sub(_without_secrets, text)
        if hidden == "link":
            text = _AFTER_HOST.sub(rf"\1/{BLANK}", text)
        return _EMAIL.sub(BLANK, _QUERY.sub(f"?{BLANK}", text))


def _without_secrets(header: re.Match[str]) -> str:
    name = header[1]
    if name[2:-1].lower() in _HARMLESS_HEADERS:
        return header[0]
    return f"({name}, b'{BLANK}')"


_FILTER = RequestFilter()


def guard_http_loggers() -> None:
    """Keep secrets of requests that are `guarded` out of what HTTP libraries log.

    Doing it again changes nothing, and records of other clients in the process stay as they are.
    """
    for name in (
        "httpx", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks",
        "httpx2", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy", "httpcore2.socks",
        "hpack.hpack", "hpack.table",
    ):  # fmt: skip
        logging.getLogger(name).addFilter(_FILTER)
