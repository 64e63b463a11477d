"""Errors in the words of a user of the command: its options, not the library's names and types.

The library speaks to programmers. What it says is put into other words here, in one place.
"""

from __future__ import annotations

import re
from typing import Final

from mettl_async.errors import InvalidInputError, MettlError

BASE_URL_WORDS: Final = "--base-url or METTL_BASE_URL"

_FIELDS: Final = {
    "access_key": "access key",
    "email": "email",
    "secrets[0]": "--context-env",
    "own_id": "--own-id",
    "webhooks.basic_auth.username": "--user",
    "webhooks.basic_auth.password": "password",
    "time_limit_in_sec": "--time-limit-in-sec",
    "account": "--account",
    "id": "--id",
    "name": "NAME",
    "timezone": "--timezone",
    "cron": "--cron",
    "options.allow_missing_mandatory_registration_fields": (
        "--allow-missing-mandatory-registration-fields"
    ),
    "options.time_limit_in_sec": "--time-limit-in-sec",
    "options.show_custom_instructions": "--show-custom-instructions",
}
"""Names of values, and what the user has given them as."""

_OPERATIONS: Final = {
    "account.get": "reading the account",
    "assessments.list": "reading the assessments",
    "schedules.list": "reading the schedules",
    "schedules.list_in_assessment": "reading the schedules",
    "candidates.register": "registering",
    "results.list": "reading the results",
    "results.get": "reading the result",
    "results.download_report": "fetching the report",
}
_NAMES: Final = {
    "AuthenticationError": "wrong key",
    "BadRequestError": "refused",
    "ClientClosedError": "run ended",
    "ConnectError": "no connection",
    "InvalidInputError": "cannot be sent",
    "MettlDecodeError": "unreadable answer",
    "PermissionDeniedError": "not allowed",
    "RateLimitError": "too many requests",
    "RegistrationLimitError": "limit reached",
    "SSLError": "no certificates",
    "ServerError": "server failed",
    "ServiceUnavailableError": "server not available",
    "TimestampError": "wrong clock",
    "TransportTimeoutError": "too slow",
    "TransportError": "no answer",
}
_REPHRASED: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        # What a value is in Python.
        (
            r" \((?:str|bytes|int|float|list|tuple|dict|None|bool)\b(?: of (?:\d+ characters|length \d+))?\)",
            "",
        ),
        (r"\[Errno -?\d+\] ", ""),
        # What a programmer would do about it.
        (r", or pass Credentials\(.*?\)", ", or make a profile: mettl profile add NAME"),
        (r", or ClientOptions\(allow_insecure_http=True\) if you must", ""),
        (r", or use ClientOptions\(post_parameters='form'\)", ", or pass --post-parameters form"),
        (r", over max_url_bytes \((\d+)\)", r", over \1"),
        (r"use mettl\.with_options\(version='(v\d)'\)", r"pass --version \1"),
        (
            "Compare with `mettl sign`",
            (
                "check the two keys (mettl profile show, or METTL_PUBLIC_KEY and METTL_PRIVATE_KEY); "
                "for programmers, `mettl sign`"
            ),
        ),
        (r", such as of secrets\.token_bytes\(32\)", ""),
        # Jobs.
        (r"there is none with this id$", "there is none with this id; mettl jobs list shows them"),
        (r"or forget the (one that is there|job)", r"or delete the \1 with mettl jobs forget"),
        (r"the version is given separately", "it is given by --version"),
        # Names of arguments.
        (r"^credentials: ", ""),
        (r"\b(?:public|private)_key \((METTL_\w+)\)", r"\1"),
        (r"\bregion \(METTL_REGION\)", "--region or METTL_REGION"),
        (r"\bbase_url \(METTL_BASE_URL\)", BASE_URL_WORDS),
        (r"\bbase URL \(METTL_BASE_URL\)", "--base-url"),
        (r"^base_url\b", BASE_URL_WORDS),
    )
)
_EXCEPTION: Final = re.compile(r"\((\w+Error)\)")
_WORD: Final = re.compile(r"[A-Z][a-z0-9]*")


def words(error: Exception) -> str:
    """Say what an error says, for somebody who knows the command only."""
    text = str(error)
    if isinstance(error, InvalidInputError):
        field = _FIELDS.get(error.field, error.field.replace("_", " "))
        text = f"{field}: {error.problem}; {error.fix}"
    if isinstance(error, MettlError):
        operation, colon, rest = text.partition(": ")
        if colon and operation in _OPERATIONS:
            text = f"{_OPERATIONS[operation]}: {rest}"
        for pattern, better in _REPHRASED:
            text = pattern.sub(better, text)
        text = _EXCEPTION.sub(lambda found: f"({name_words(found[1])})", text)
    return text


def name_words(code: str) -> str:
    """Say what a code says: one of Mettl's as it is, the name of an exception in words."""
    if code in _NAMES:
        return _NAMES[code]
    if not re.fullmatch(r"([A-Z][a-z]+)+(Error|Timeout)", code):
        return code
    return " ".join(_WORD.findall(code.removesuffix("Error"))).lower()
