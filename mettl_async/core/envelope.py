"""From a response to a payload or a typed error, in one place.

Errors mostly come with HTTP 200 and ``status: ERROR`` [seen]; real statuses, pages of a gateway, cut and
empty bodies are distinguished here too. The content type is never trusted: what parses is taken.
"""

import re
from typing import Any

from attrs import field, frozen

from mettl_async.codec import loads
from mettl_async.core.redaction import personal_values, scrub
from mettl_async.core.request import Request, Response
from mettl_async.core.retry import retry_after
from mettl_async.error_codes import rule_for
from mettl_async.errors import CallError, CallFacts, MettlDecodeError

_SUCCESS, _REDIRECT, _CLIENT_ERROR = 200, 300, 400
_CODE = re.compile(r"[A-Z0-9_]{1,20}")


@frozen(slots=False)  # quicker to make
class Envelope:
    """A response, read.

    Attributes:
        payload: The whole JSON object of a success.
        error: The typed error otherwise; its facts are completed by the pipeline.
    """

    payload: dict[str, Any] = field(factory=dict, repr=False)
    error: CallError | None = None


def read(request: Request, response: Response, now: float) -> Envelope:
    """Read a response.

    Args:
        request: What was asked: its payload's key, and the values to blank in messages.
        response: What came.
        now: Seconds since the epoch, to understand a ``Retry-After`` date.
    """
    body: Any = None
    spoilt = ""
    try:
        body = loads(response.content)
    except ValueError:
        spoilt = _describe(response)
    if isinstance(body, dict) and response.status_code >= _SUCCESS:
        failure = _failure(body)
        if response.status_code < _REDIRECT and not failure and _is_success(request, body):
            return Envelope(payload=body)
        if failure or response.status_code < _REDIRECT:
            return Envelope(error=_api_error(request, response, failure, body, now))
    if response.status_code >= _REDIRECT:
        return Envelope(error=_status_error(response, now))
    problem = spoilt or f"the answer is JSON, but a {type(body).__name__} instead of an object"
    return Envelope(error=MettlDecodeError(problem, CallFacts(status_code=response.status_code)))


def _failure(body: dict[str, Any]) -> dict[str, Any] | None:
    error = body.get("error")
    if isinstance(error, dict):
        return error
    # Never seen, but a bare text under "error" must not pass for a success [assumed].
    return {"message": error} if isinstance(error, str) and error else None


def _is_success(request: Request, body: dict[str, Any]) -> bool:
    status = body.get("status")
    word = status.upper() if isinstance(status, str) else ""
    if word == "SUCCESS":
        return True
    # `status: ERROR` without `error` is a partial result of Add PBTs [doc], and of nothing else. Other
    # words, or none, do not spoil a payload that is there [assumed].
    has_payload = bool(request.payload_key) and request.payload_key in body
    return has_payload and (word != "ERROR" or request.partial_success)


def _api_error(
    request: Request,
    response: Response,
    failure: dict[str, Any] | None,
    body: dict[str, Any],
    now: float,
) -> CallError:
    if failure is None and not isinstance(body.get("status"), str):
        return MettlDecodeError(
            "the answer is a JSON object without status, error or any expected key",
            CallFacts(status_code=response.status_code),
        )
    code, message = (failure or {}).get("code"), (failure or {}).get("message")
    code = code.strip().upper() if isinstance(code, str) else None
    # Anything that is no code could be anything, a candidate's data included.
    code = code if code and _CODE.fullmatch(code) else None
    words = scrub(message, personal_values(request)) if isinstance(message, str) else None
    problem = " ".join(filter(None, [code, words])) or "status ERROR without a code or a message"
    return rule_for(code, response.status_code).error(
        problem,
        CallFacts(
            status_code=response.status_code,
            code=code,
            server_message=words,
            retry_after=retry_after(response.headers, now),
        ),
    )


def _status_error(response: Response, now: float) -> CallError:
    problem = f"HTTP {response.status_code}, {_describe(response)}"
    if response.status_code < _CLIENT_ERROR:
        problem += "; redirects are never followed, check base_url"
    rule = rule_for(None, response.status_code)
    if rule.too_long:
        problem += "; send less at once, or use ClientOptions(post_parameters='form')"
    facts = CallFacts(
        status_code=response.status_code, retry_after=retry_after(response.headers, now)
    )
    return rule.error(problem, facts)


def _describe(response: Response) -> str:
    """Describe the body's shape, never its text: a gateway's page may repeat the URL."""
    if not response.content:
        return "an empty body"
    head = response.content[:200].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")):
        return f"an HTML page of {len(response.content)} bytes instead of JSON"
    kind = (
        "cut, broken or far too large JSON"
        if head.startswith((b"{", b"["))
        else "a body that is not JSON"
    )
    return f"{kind} ({len(response.content)} bytes)"
