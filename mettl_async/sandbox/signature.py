"""The sandbox's own reading of parameters and check of signatures, from the raw request.

It shares nothing with the client on purpose: two programs that agree because they run the same
lines prove nothing. Source: the vendor's page "Authentication".
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from mettl_async.sandbox.envelope import RefusalError, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_AGE: Final = 24 * 3600.0  # [doc]
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)  # fractions are [seen]


def read_parameters(
    query: bytes, form: bytes, parts: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Decode the parameters of a raw query and a raw urlencoded body, and add those of ``parts``.

    Raises:
        RefusalError: E400, for bytes that are not UTF-8 and for a parameter given twice.
    """
    found: dict[str, str] = {}
    for pair in (*query.split(b"&"), *form.split(b"&")):
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        try:
            name = unquote_to_bytes(raw_name.replace(b"+", b" ")).decode()
            value = unquote_to_bytes(raw_value.replace(b"+", b" ")).decode()
        except UnicodeDecodeError:
            raise bad_request("a parameter is not UTF-8") from None
        if name in found:
            # [assumed]: the order of signing is not defined for it
            raise bad_request("a parameter is given twice")
        found[name] = value
    if not found.keys().isdisjoint(parts):
        raise bad_request("a parameter is given twice")
    return {**found, **parts} if parts else found


def expected_signature(
    private_key: str, method: str, url: str, parameters: Mapping[str, str], *, version: str
) -> bytes:
    """Sign as the vendor's pages say; ``url`` has no query and is still percent-encoded."""
    lines = [method + url]
    lines += [parameters[name] for name in sorted(parameters) if name != "asgn"]
    digest = "sha1" if version == "v1" else "sha256"
    return b64encode(hmac.digest(private_key.encode(), "\n".join(lines).encode(), digest))


def check_timestamp(parameters: Mapping[str, str], *, now: float, ahead: float) -> None:
    """Refuse a timestamp that is malformed, too old or too far ahead.

    Raises:
        RefusalError: E504. A missing one counts as malformed [assumed].
    """
    text = parameters.get("ts", "")
    if not _TIMESTAMP.fullmatch(text) or not now - MAX_AGE <= float(text) <= now + ahead:
        raise RefusalError("E504")


def check_signature(
    parameters: Mapping[str, str], private_key: str, method: str, url: str, *, version: str
) -> None:
    """Refuse a signature that is not the one of exactly this request.

    Raises:
        RefusalError: E401. A missing one counts as wrong [assumed].
    """
    expected = expected_signature(private_key, method, url, parameters, version=version)
    if not hmac.compare_digest(parameters.get("asgn", "").encode(), expected):
        raise RefusalError("E401")
