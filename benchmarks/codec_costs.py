"""From a batch of 20 candidates with 5 fields to bytes, step by step, against two other ways.

Run ``python benchmarks/codec_costs.py`` where mettl-async is installed; a few seconds. ``--quick`` for
less, ``--json FILE`` for all figures.

Plain is what one writes first: dict literals and ``json.dumps``, ``hmac.new``, ``urlencode`` with
``quote``. Best is the quickest way known for each step, written here anew for this one batch: dict
literals and orjson, two kept states of SHA-256, and percent-encoding by replacing each distinct byte that
is left without the unreserved ones. All make the same bytes (checked), in turns, one after the other in
the same process; CPU time, medians of rounds. In the whole ours escapes the batch as soon as it is
written, to know how long its URL will be; orjson is used if it is installed, by both.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64encode
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from harness import Bound, arguments, environment, finish, print_table
from workload import ACCESS_KEY, BATCH, CREDENTIALS, candidates, naive_rd, quick_details

from mettl_async import ApiVersion
from mettl_async.bulk.batch import rd_text
from mettl_async.codec import candidate_details, dumps
from mettl_async.core.request import UNRESERVED, encode_params
from mettl_async.core.signing import signature, string_to_sign

try:
    import orjson
except ImportError:  # an optional extra
    orjson = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

URL = f"https://api.mettl.com/v2/schedules/{ACCESS_KEY}/candidates"
PEOPLE = list(candidates(BATCH))
ROUNDS = 21
REPEATS = 200  # per round and step; 1 to 40 ms, well above the clock's grain
AT_MOST = 1.5  # of the best way, from values to bytes


def our_json() -> str:
    return dumps({"registrationDetails": candidate_details(PEOPLE)})


def plain_json() -> str:
    return naive_rd(PEOPLE)


def best_json() -> str:
    whole = {"registrationDetails": quick_details(PEOPLE)}
    if orjson is not None:
        return orjson.dumps(whole).decode()
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


RD = our_json()
PARAMS = {"rd": RD, "ak": CREDENTIALS.public_key, "ts": "1767225600"}


def our_text() -> str:
    return string_to_sign("POST", URL, PARAMS)


def plain_text() -> str:
    return "POST" + URL + "\n" + "\n".join(PARAMS[name] for name in sorted(PARAMS))


def best_text() -> str:
    return f"POST{URL}\n{PARAMS['ak']}\n{PARAMS['rd']}\n{PARAMS['ts']}"


TEXT = our_text()


def our_signature() -> str:
    return signature(CREDENTIALS.private_key, TEXT, ApiVersion.V2)


def plain_signature() -> str:
    made = hmac.new(CREDENTIALS.private_key.encode(), TEXT.encode(), "sha256")
    return b64encode(made.digest()).decode()


_KEY = CREDENTIALS.private_key.encode().ljust(64, b"\0")
_INNER = hashlib.sha256(bytes([byte ^ 0x36 for byte in _KEY]))
_OUTER = hashlib.sha256(bytes([byte ^ 0x5C for byte in _KEY]))


def _best_signature(text: str) -> str:
    inner, outer = _INNER.copy(), _OUTER.copy()
    inner.update(text.encode())
    outer.update(inner.digest())
    return b64encode(outer.digest()).decode("ascii")


def best_signature() -> str:
    return _best_signature(TEXT)


SIGNED = {**PARAMS, "asgn": our_signature()}


def our_encoding() -> bytes:
    return encode_params(SIGNED)


def _plain_encoding(params: Mapping[str, str]) -> bytes:
    return urlencode(params, quote_via=quote, safe="").encode()


def plain_encoding() -> bytes:
    return _plain_encoding(SIGNED)


def _best_escape(text: str) -> bytes:
    raw = text.encode()
    reserved = set(raw.translate(None, UNRESERVED))
    if ord("%") in reserved:
        raw = raw.replace(b"%", b"%25")
        reserved.discard(ord("%"))
    for byte in reserved:
        raw = raw.replace(bytes((byte,)), b"%%%02X" % byte)
    return raw


def _best_encoding(rd: str, asgn: str) -> bytes:
    return b"rd=%b&ak=%b&ts=%b&asgn=%b" % (
        _best_escape(rd),
        PARAMS["ak"].encode(),
        PARAMS["ts"].encode(),
        _best_escape(asgn),
    )


def best_encoding() -> bytes:
    return _best_encoding(SIGNED["rd"], SIGNED["asgn"])


def our_whole() -> bytes:
    params = {**PARAMS, "rd": rd_text(PEOPLE)}
    text = string_to_sign("POST", URL, params)
    params["asgn"] = signature(CREDENTIALS.private_key, text, ApiVersion.V2)
    return encode_params(params)


def plain_whole() -> bytes:
    params = {**PARAMS, "rd": plain_json()}
    text = "POST" + URL + "\n" + "\n".join(params[name] for name in sorted(params))
    made = hmac.new(CREDENTIALS.private_key.encode(), text.encode(), "sha256")
    params["asgn"] = b64encode(made.digest()).decode()
    return _plain_encoding(params)


def best_whole() -> bytes:
    rd = best_json()
    text = f"POST{URL}\n{PARAMS['ak']}\n{rd}\n{PARAMS['ts']}"
    return _best_encoding(rd, _best_signature(text))


Step = Callable[[], object]

STEPS: dict[str, tuple[Step, Step, Step]] = {
    "values to JSON": (our_json, plain_json, best_json),
    "string to sign": (our_text, plain_text, best_text),
    "HMAC-SHA256, base64": (our_signature, plain_signature, best_signature),
    "percent-encoding": (our_encoding, plain_encoding, best_encoding),
    "whole": (our_whole, plain_whole, best_whole),
}


def microseconds(step: Step, repeats: int) -> float:
    """CPU time of one call of a step."""
    began = time.process_time()
    for _ in range(repeats):
        step()
    return (time.process_time() - began) * 1e6 / repeats


def ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """Our time over another's, round by round."""
    return median(a / b for a, b in zip(ours, others, strict=True))


def main() -> None:
    given = arguments(__doc__)
    rounds, repeats = (3, 20) if given.quick else (ROUNDS, REPEATS)
    taken: dict[str, tuple[list[float], list[float], list[float]]] = {
        name: ([], [], []) for name in STEPS
    }
    for name, (ours, plain, best) in STEPS.items():
        assert ours() == plain() == best(), name  # noqa: S101 - else they are not worth comparing
    for _ in range(rounds):
        for name, sides in STEPS.items():
            for side, into in zip(sides, taken[name], strict=True):
                into.append(microseconds(side, repeats))
    rows = [
        (name, median(ours), median(plain), median(best), ratio(ours, plain), ratio(ours, best))
        for name, (ours, plain, best) in taken.items()
    ]
    writer = "orjson" if environment()["orjson"] else "json"
    print_table(
        f"{BATCH} candidates with 5 fields, {len(RD.encode()):,} bytes of JSON"
        f" ({writer}), {len(our_encoding()):,} in a URL; medians of {rounds} rounds",
        ("step", "ours us", "plain us", "best us", "ours / plain", "ours / best"),
        rows,
    )
    bound = Bound(
        name="CPU from values to bytes, ours / best",
        value=ratio(taken["whole"][0], taken["whole"][2]),
        limit=AT_MOST,
        at_most=True,
    )
    columns = ("step", "ours_us", "plain_us", "best_us", "of_plain", "of_best")
    finish(given, [bound], {"rows": [dict(zip(columns, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
