"""The vendor's worked examples, stage by stage, and laws of the signature."""

import base64
import copy
import hashlib
import hmac
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.config import ApiVersion, Credentials
from mettl_async.core.auth import SignatureAuth
from mettl_async.core.request import Request, Response
from mettl_async.core.signing import signature, string_to_sign

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text("abcdefgmnrst_IL", min_size=1, max_size=8).filter(lambda name: name != "asgn")
PARAMS = st.dictionaries(NAMES, TEXT, max_size=6)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_vendors_examples_reproduce_stage_by_stage(vector):
    text = string_to_sign(vector["method"], vector["endpoint"], vector["params"])
    assert text == vector["string_to_sign"]
    signed = signature(vector["private_key"], text, ApiVersion(vector["version"]))
    assert signed == unquote(vector["asgn_percent_encoded"])


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        (ApiVersion.V1, hashlib.sha1),
        (ApiVersion.V2, hashlib.sha256),
        (ApiVersion.V3, hashlib.sha256),
    ],
)
def test_each_version_has_its_hash(version, digest):
    expected = base64.b64encode(hmac.new(b"key", "é\n+".encode(), digest).digest()).decode()
    assert signature("key", "é\n+", version) == expected


def test_the_method_is_upper_cased_and_nothing_separates_it_from_the_url():
    assert string_to_sign("get", "https://h/p", {}) == "GEThttps://h/p"


def test_values_follow_by_ascending_name_without_asgn():
    params = {"ts": "3", "asgn": "never", "ak": "1", "rd": "2"}
    assert string_to_sign("POST", "https://h", params) == "POSThttps://h\n1\n2\n3"


@given(PARAMS)
def test_the_order_of_parameters_does_not_matter(params):
    backwards = dict(reversed(params.items()))
    assert string_to_sign("POST", "u", params) == string_to_sign("POST", "u", backwards)


@given(PARAMS.filter(bool), st.data())
def test_every_value_matters(params, data):
    name = data.draw(st.sampled_from(sorted(params)))
    changed = {**params, name: params[name] + "x"}
    assert string_to_sign("POST", "u", params) != string_to_sign("POST", "u", changed)


@given(PARAMS, TEXT)
def test_asgn_never_matters(params, asgn):
    assert string_to_sign("POST", "u", params) == string_to_sign(
        "POST", "u", {**params, "asgn": asgn}
    )


async def test_an_auth_that_was_used_shows_no_key_and_can_be_copied():
    auth = SignatureAuth(Credentials(public_key="p", private_key="s3cret-key"))
    request = Request(operation="o", method="GET", url="https://h/v2/x", template="/x")
    asked = []

    async def answer(signed):
        asked.append(signed)
        return Response(status_code=200, headers={}, content=b"{}")

    await auth(request, answer)
    assert "s3cret" not in f"{auth!r}{vars(auth)}"
    await copy.deepcopy(auth)(request, answer)
    signatures = {
        signature("s3cret-key", string_to_sign("GET", one.url, one.params), ApiVersion.V2)
        for one in asked
    }
    assert signatures == {one.params["asgn"] for one in asked}


async def test_each_request_is_signed_with_the_keys_and_the_version_of_its_time():
    keys = [Credentials(public_key="p", private_key=key) for key in ("k0", "k1", "k1", "k0")]
    asked = []

    async def answer(signed):
        asked.append(signed)
        return Response(status_code=200, headers={}, content=b"{}")

    auth = SignatureAuth(iter(keys).__next__)
    for number in range(4):
        version = ApiVersion.V1 if number in {2, 3} else ApiVersion.V2
        request = Request(
            operation="o", method="GET", url="https://h/x", template="/x", version=version
        )
        await auth(request, answer)
    for one, key in zip(asked, keys, strict=True):
        text = string_to_sign("GET", one.url, one.params)
        assert one.params["asgn"] == signature(key.private_key, text, one.version)
