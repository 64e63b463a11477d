"""The candidates that all benchmarks register, and the same requests signed beforehand.

A batch is 20 candidates with 5 fields each, email and first name among them: 3 kB of JSON, 5 kB in a
URL. That is what a schedule with three registration fields of its own asks for.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from attrs import field, frozen

from mettl_async import ApiVersion, Candidate, Credentials
from mettl_async.core.request import FORM_CONTENT_TYPE, encode_params
from mettl_async.core.signing import signature, string_to_sign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH = 20  # what the API takes in one call
ACCESS_KEY = "benchmark1"
CREDENTIALS = Credentials(
    public_key="11111111-2222-3333-4444-555555555555",
    private_key="66666666-7777-8888-9999-000000000000",
)


def candidates(total: int) -> Iterator[Candidate]:
    """Different people, made one by one."""
    for number in range(total):
        yield Candidate(
            email=f"candidate.{number:07d}@example.org",
            first_name=f"Asha {number:07d}",
            fields={
                "Last Name": "Raghunathan",
                "College": "Institute of Technology, Madras",
                "Roll Number": f"CS/2026/{number:07d}",
            },
        )


@frozen
class Presigned:
    """What a bare client sends for one batch: nothing is left to do but sending."""

    url: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: dict[str, str] = field(factory=dict, repr=False)


def naive_rd(batch: Sequence[Candidate]) -> str:
    """Make the ``rd`` parameter as one writes it by hand."""
    details = [
        {"Email Address": one.email, "First Name": one.first_name, **one.fields} for one in batch
    ]
    return json.dumps({"registrationDetails": details}, ensure_ascii=False, separators=(",", ":"))


def quick_details(batch: Sequence[Candidate]) -> list[dict[str, str]]:
    """Encode the content of ``rd`` in the quickest way known."""
    return [
        one.fields.after({"Email Address": one.email, "First Name": one.first_name})
        for one in batch
    ]


def plain_request(base_url: str, batch: Sequence[Candidate], mode: str) -> Presigned:
    """Make and sign one request with the standard library, as one writes it first."""
    url = f"{base_url}/v2/schedules/{ACCESS_KEY}/candidates"
    params = {"rd": naive_rd(batch), "ak": CREDENTIALS.public_key, "ts": str(int(time.time()))}
    text = "POST" + url + "\n" + "\n".join(params[name] for name in sorted(params))
    made = hmac.new(CREDENTIALS.private_key.encode(), text.encode(), "sha256")
    params["asgn"] = b64encode(made.digest()).decode()
    encoded = urlencode(params, quote_via=quote, safe="")
    if mode == "query":
        return Presigned(f"{url}?{encoded}")
    return Presigned(url, encoded.encode(), {"Content-Type": FORM_CONTENT_TYPE})


def presign(base_url: str, batch: Sequence[Candidate], mode: str) -> Presigned:
    """Sign one batch, for the query or for a form body."""
    url = f"{base_url}/v2/schedules/{ACCESS_KEY}/candidates"
    params = {"rd": naive_rd(batch), "ak": CREDENTIALS.public_key, "ts": str(int(time.time()))}
    text = string_to_sign("POST", url, params)
    params["asgn"] = signature(CREDENTIALS.private_key, text, ApiVersion.V2)
    encoded = encode_params(params)
    if mode == "query":
        return Presigned(f"{url}?{encoded.decode('ascii')}")
    return Presigned(url, encoded, {"Content-Type": FORM_CONTENT_TYPE})
