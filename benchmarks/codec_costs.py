"""From a batch of 20 candidates with 5 fields to bytes, step by step, against the plain way.

Run ``python benchmarks/codec_costs.py`` where mettl-async is installed; a few seconds. ``--quick`` for
less, ``--json FILE`` for all figures. No bounds: it shows where the time of a call goes.

Plain is what one writes first: dict literals and ``json.dumps``, ``hmac.new``, ``urlencode`` with
``quote``. Both make the same bytes (checked), in turns, one after the other in the same process; medians
of rounds. Ours in the first step also checks types and sums up the length that the batch will have in
a URL; orjson is used if it is installed.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from harness import arguments, environment, finish, print_table
from workload import ACCESS_KEY, BATCH, CREDENTIALS, candidates, naive_rd

from mettl_async import ApiVersion
from mettl_async.bulk.batches import entry, rd_length, rd_text
from mettl_async.core.request import encode_params
from mettl_async.core.signing import signature, string_to_sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

URL = f"https://api.mettl.com/v2/schedules/{ACCESS_KEY}/candidates"
PEOPLE = list(candidates(BATCH))
ROUNDS = 21
REPEATS = 200  # per round and step; 5 to 40 ms, well above the clock's grain


def our_json() -> str:
    entries = [entry(index, one) for index, one in enumerate(PEOPLE)]
    assert rd_length(entries)  # noqa: S101 - part of the work: may the URL grow that long?
    return rd_text(entries)


def plain_json() -> str:
    return naive_rd(PEOPLE)


RD = our_json()
PARAMS = {"rd": RD, "ak": CREDENTIALS.public_key, "ts": "1767225600"}


def our_text() -> str:
    return string_to_sign("POST", URL, PARAMS)


def plain_text() -> str:
    return "POST" + URL + "\n" + "\n".join(PARAMS[name] for name in sorted(PARAMS))


TEXT = our_text()


def our_signature() -> str:
    return signature(CREDENTIALS.private_key, TEXT, ApiVersion.V2)


def plain_signature() -> str:
    made = hmac.new(CREDENTIALS.private_key.encode(), TEXT.encode(), "sha256")
    return b64encode(made.digest()).decode()


SIGNED = {**PARAMS, "asgn": our_signature()}


def our_encoding() -> bytes:
    return encode_params(SIGNED)


def _plain_encoding(params: Mapping[str, str]) -> bytes:
    return urlencode(params, quote_via=quote, safe="").encode()


def plain_encoding() -> bytes:
    return _plain_encoding(SIGNED)


def our_whole() -> bytes:
    params = {**PARAMS, "rd": our_json()}
    text = string_to_sign("POST", URL, params)
    params["asgn"] = signature(CREDENTIALS.private_key, text, ApiVersion.V2)
    return encode_params(params)


def plain_whole() -> bytes:
    params = {**PARAMS, "rd": plain_json()}
    text = "POST" + URL + "\n" + "\n".join(params[name] for name in sorted(params))
    made = hmac.new(CREDENTIALS.private_key.encode(), text.encode(), "sha256")
    params["asgn"] = b64encode(made.digest()).decode()
    return _plain_encoding(params)


STEPS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "values to JSON": (our_json, plain_json),
    "string to sign": (our_text, plain_text),
    "HMAC-SHA256, base64": (our_signature, plain_signature),
    "percent-encoding": (our_encoding, plain_encoding),
    "whole": (our_whole, plain_whole),
}


def microseconds(step: Callable[[], object], repeats: int) -> float:
    """Time of one call of a step."""
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - began) * 1e6 / repeats


def main() -> None:
    given = arguments(__doc__)
    rounds, repeats = (3, 20) if given.quick else (ROUNDS, REPEATS)
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in STEPS}
    for name, (ours, plain) in STEPS.items():
        assert ours() == plain(), name  # noqa: S101 - only the same bytes are worth comparing
    for _ in range(rounds):
        for name, sides in STEPS.items():
            for side, into in zip(sides, taken[name], strict=True):
                into.append(microseconds(side, repeats))
    rows = [
        (name, median(ours), median(plain), median(a / b for a, b in zip(ours, plain, strict=True)))
        for name, (ours, plain) in taken.items()
    ]
    writer = "orjson" if environment()["orjson"] else "json"
    print_table(
        f"{BATCH} candidates with 5 fields, {len(RD.encode()):,} bytes of JSON"
        f" ({writer}), {len(our_encoding()):,} in a URL; medians of {rounds} rounds",
        ("step", "ours us", "plain us", "ratio"),
        rows,
    )
    columns = ("step", "ours_us", "plain_us", "ratio")
    finish(given, [], {"rows": [dict(zip(columns, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
