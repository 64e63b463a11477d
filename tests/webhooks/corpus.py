"""The payloads of webhooks: the vendor's printed ones and those that were seen."""

import json
from pathlib import Path

PAYLOADS = Path(__file__).parents[1] / "data" / "webhooks"


def payload(name):
    return (PAYLOADS / f"{name}.json").read_bytes()


def wire(name="doc_finish", /, **changes):
    return {**json.loads(payload(name)), **changes}
