"""``mettl sign``: the string to sign and the signature of a request, to find the cause of E401."""

import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, quote

from mettl_async.cli.problems import CommandError
from mettl_async.config import ApiVersion, Credentials
from mettl_async.core.signing import signature, string_to_sign

_VERSION: Final = re.compile(r"/(v[123])(?=/|$)")
_URL: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_METHOD: Final = re.compile(r"[A-Za-z]+")


def sign(
    method: str,
    url: str,
    pairs: Sequence[str],
    *,
    version: ApiVersion | None,
    ts: int | None,
    now: float,
    keys: Credentials,
) -> str:
    """Sign one request as the client does.

    Args:
        method: HTTP method.
        url: As on the wire; a query is split off and decoded.
        pairs: More parameters as ``name=value``, decoded.
        version: Taken from the path when None.
        ts: Seconds since the epoch; ``now`` when nobody gives one.
        now: Seconds since the epoch.
        keys: Of the account.

    Returns:
        Lines for people, with invisible characters escaped: the text that was signed, the signature, and
        how it compares with the URL's ``asgn``.

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
    lines = [
        f"version          {version}, HMAC-{'SHA1' if version is ApiVersion.V1 else 'SHA256'}",
        f"string to sign   {json.dumps(text)}",
        f"signature        {made}",
        f"percent-encoded  {quote(made, safe='')}",
    ]
    if given is not None:
        others = {one: signature(keys.private_key, text, one) for one in ApiVersion}
        verdict = _compare(given, made, others, other_key=params["ak"] != keys.public_key)
        lines.append(f"asgn as given    {verdict}")
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
