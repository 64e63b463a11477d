"""``mettl sign``: the string to sign and the signature of a request, to find the cause of E401."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from attrs import field, frozen

from mettl_async.cli.problems import CommandError
from mettl_async.config import ApiVersion, Credentials
from mettl_async.core.signing import signature, string_to_sign

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSION: Final = re.compile(r"/(v[123])(?=/|$)")
_URL: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_METHOD: Final = re.compile(r"[A-Za-z]+")


@frozen(kw_only=True)
class Signed:
    """A signature, the text that was signed, and how it compares with the URL's ``asgn``."""

    version: ApiVersion
    text: str = field(repr=False)
    signature: str = field(repr=False)
    verdict: str | None


def sign(
    method: str,
    url: str,
    pairs: Sequence[str],
    *,
    version: ApiVersion | None,
    ts: int | None,
    now: float,
    keys: Credentials,
) -> Signed:
    """Sign one request as the client does.

    Args:
        method: HTTP method.
        url: As on the wire; a query is split off and decoded.
        pairs: More parameters as ``name=value``, decoded.
        version: Taken from the path when None.
        ts: Seconds since the epoch; ``now`` when nobody gives one.
        now: Seconds since the epoch.
        keys: Of the account.

    Raises:
        CommandError: The request is not one that could be signed.
    """
    if not _METHOD.fullmatch(method):
        raise CommandError("METHOD: give GET or POST")
    bare, _, query = url.partition("?")
    if not _URL.fullmatch(bare) or "#" in url:
        raise CommandError(
            "URL: give it as it goes over the wire: https://, percent-encoded, without a fragment"
        )
    version = version or _version_in(bare)
    params = _parameters(query, pairs, ts)
    given = params.pop("asgn", None)
    params.setdefault("ak", keys.public_key)
    params.setdefault("ts", str(int(now)))
    text = string_to_sign(method, bare, params)
    made = signature(keys.private_key, text, version)
    verdict = None
    if given is not None:
        others = {one: signature(keys.private_key, text, one) for one in ApiVersion}
        verdict = _compare(given, made, others, other_key=params["ak"] != keys.public_key)
    return Signed(version=version, text=text, signature=made, verdict=verdict)


def render(signed: Signed) -> str:
    """Format for people: one line each, with invisible characters escaped."""
    digest = "HMAC-SHA1" if signed.version is ApiVersion.V1 else "HMAC-SHA256"
    lines = [
        f"version          {signed.version}, {digest}",
        f"string to sign   {json.dumps(signed.text)}",
        f"signature        {signed.signature}",
        f"percent-encoded  {quote(signed.signature, safe='')}",
    ]
    if signed.verdict is not None:
        lines.append(f"asgn as given    {signed.verdict}")
    return "\n".join(lines)


def _version_in(url: str) -> ApiVersion:
    found = _VERSION.search(url.partition("://")[2])
    if found is None:
        raise CommandError("URL: no /v1/, /v2/ or /v3/ in its path; pass --version")
    return ApiVersion(found[1])


def _parameters(query: str, pairs: Sequence[str], ts: int | None) -> dict[str, str]:
    try:
        found = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError:
        raise CommandError("URL: its query is not percent-encoded UTF-8") from None
    for place, pair in enumerate(pairs, 1):
        name, separator, value = pair.partition("=")
        if not name or not separator:
            raise CommandError(f"-p number {place}: write it as name=value")
        found.append((name, value))
    if ts is not None:
        found.append(("ts", str(ts)))
    params: dict[str, str] = {}
    for name, value in found:
        if name in params:
            raise CommandError(f"parameter {name!r} is given twice; it can be signed only once")
        params[name] = value
    return params


def _compare(given: str, made: str, others: dict[ApiVersion, str], *, other_key: bool) -> str:
    if given == made:
        return "matches"
    if given.replace(" ", "+") == made:
        return "matches but for a '+' that was not percent-encoded: the server reads it as a space"
    same = [one for one, signature in others.items() if signature == given.replace(" ", "+")]
    if same:
        return f"differs: it was made with the hash of {same[0]}"
    if other_key:
        return "differs; its ak is not the public key in the environment"
    return "differs: another private key, or not the string above was signed"
