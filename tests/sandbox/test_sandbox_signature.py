import json
import time
from urllib.parse import unquote, unquote_to_bytes

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.sandbox import Sandbox, SandboxCredentials
from mettl_async.sandbox.signature import _unquoted, expected_signature, read_parameters

PBTS = {"pbts": "[1336]"}
ODD = "Zoë +&=#%\"\n 😀 a%2Bb/~'"

VECTORS = [
    (
        "https://api.mettl.com/v2/schedules/0x0x0x0x0x/candidates",
        {
            "ts": "1635976200",
            "ak": "ab12c345-6789-0123-456d-78e9f0123456",
            "rd": '{"registrationDetails":[{"First Name":"Name","Email Address":"name@email.com"}]}',
        },
        "t72%2BcLqiOZPD4qIKLuabKh2czEebF6ELG8kZt%2F4HPRQ%3D",
    ),
    (
        "https://api.mettl.com/v2/schedules/0x0x0x0x0x/candidates",
        {
            "ts": "1635976200",
            "ak": "ab12c345-6789-0123-456d-78e9f0123456",
            "rd": '{"registrationDetails":[{"First Name":"Name","Email Address":"name@email.com"}]}',
            "timeLimitInSec": "86400",
            "showCustomInstructions": "true",
            "allowMissingMandatoryRegistrationFields": "true",
        },
        "lWKjNsV4fiEbn0TtKKp38vFwwnzATfEqKHBZ%2FlCmNHc%3D",
    ),
    (
        "https://api.mettl.com/v2/pbts/add",
        {
            "ts": "1635976200",
            "ak": "ab12c345-6789-0123-456d-78e9f0123456",
            "pbts": "[1336,1255,1176]",
        },
        "Cbb5V47%2FzJB9VZ2NY3uQGbeIDXV1tblw2QGjZdHZGmA%3D",
    ),
]
PRIVATE = "zy98x765-4321-0987-654w-32v1u0987654"


@pytest.mark.parametrize(("url", "params", "asgn"), VECTORS)
def test_the_vendors_signatures_are_reproduced(url, params, asgn):
    made = expected_signature(PRIVATE, "POST", url, params, version="v2").decode()
    assert made == unquote(asgn)


async def test_the_vendors_request_is_accepted_as_printed(code):
    sandbox = Sandbox(clock=lambda: 1635976200.0)
    keys = SandboxCredentials(public_key=VECTORS[2][1]["ak"], private_key=PRIVATE)
    sandbox.add_account(keys)
    url, params, asgn = VECTORS[2]
    query = "&".join(f"{k}={v}" for k, v in params.items()) + f"&asgn={asgn}"
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        answer = (await client.post(f"{url}?{query}")).json()
    assert answer["status"] == "SUCCESS"
    assert [item["pbtId"] for item in answer["pbts"]] == [1336, 1255, 1176]


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_every_version_is_accepted_in_query_and_form(wire, server, version, form):
    path = f"/{version}/schedules/{server.access_key}/candidates"
    details = [{"Email Address": "o'brien+x@example.com", "First Name": ODD}]
    rd = json.dumps({"registrationDetails": details}, ensure_ascii=False)
    answer = await wire.post(path, {"rd": rd, "unknown": ODD}, form=form)
    assert answer["status"] == "SUCCESS"
    assert next(iter(server.sandbox.candidates)).candidate.fields["First Name"] == ODD


async def test_a_plus_is_a_space_on_the_wire(wire, server):
    params = wire.parameters(f"/v2/schedules/{server.access_key}/edit", {"sc": '{"name":"a b+c"}'})
    text = "&".join(f"{k}={v}" for k, v in params.items() if k not in ("sc", "asgn"))
    asgn = params["asgn"].replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    url = f"{wire.base_url}/v2/schedules/{server.access_key}/edit?{text}&asgn={asgn}"
    answer = await wire.client.post(url + '&sc=%7B"name":"a+b%2Bc"%7D')
    assert answer.json()["schedule"]["name"] == "a b+c"


async def test_the_path_is_signed_as_sent_still_encoded(caller, sandbox, code):
    sandbox.state.schedules["a b"] = sandbox.schedules[sandbox.access_key]
    rd = json.dumps({"registrationDetails": [{"Email Address": "a@b", "First Name": "A"}]})
    good = await caller.response("/v2/schedules/a%20b/candidates", {"rd": rd})
    assert code(good.json()) == "SUCCESS"
    signed_decoded = caller.parameters("/v2/schedules/a b/candidates", {"rd": rd})
    bad = await caller.send("/v2/schedules/a%20b/candidates", signed_decoded)
    assert code(bad.json()) == "E401"


async def test_a_trailing_slash_is_accepted_when_it_is_signed(caller):
    assert (await caller.post("/v2/pbts/add/", PBTS))["status"] == "SUCCESS"


@pytest.mark.parametrize("change", ["path", "value", "name", "more", "less", "asgn", "key"])
async def test_any_change_after_signing_is_e401(caller, sandbox, code, change):
    path = "/v2/pbts/add"
    params = caller.parameters(path, PBTS)
    if change == "path":
        path = "/v1/pbts/add"
    elif change == "value":
        params["pbts"] = "[1336 ]"
    elif change == "name":
        params["aa"] = params.pop("pbts")
    elif change == "more":
        params["limit"] = "5"
    elif change == "less":
        del params["pbts"]
    elif change == "asgn":
        params["asgn"] = "ä" + params["asgn"][1:]
    else:
        params["ak"] = sandbox.add_account().credentials.public_key
    answer = (await caller.send(path, params)).json()
    # A parameter renamed past "ts" or "ak" changes the order; "aa" sorts before both.
    assert code(answer) == "E401"
    assert answer["error"]["message"] == "Authentication failed/Signature mismatch"
    assert sandbox.stats.bad_signatures == 1


async def test_another_host_or_scheme_is_e401(wire, code):
    params = wire.parameters("/v2/pbts/add", PBTS)
    wire.base_url = wire.base_url.replace("127.0.0.1", "localhost")
    assert code((await wire.send("/v2/pbts/add", params)).json()) == "E401"


async def test_a_version_signs_with_its_own_hash(caller, code):
    params = caller.parameters("/v2/pbts/add", PBTS)
    v1 = caller.parameters("/v1/pbts/add", PBTS)
    assert (
        code((await caller.send("/v2/pbts/add", {**params, "asgn": v1["asgn"]})).json()) == "E401"
    )


@pytest.mark.parametrize("offset", [0, -86_390, 86_390])
async def test_a_timestamp_within_a_day_is_accepted(caller, offset):
    ts = str(int(time.time()) + offset)
    assert (await caller.post("/v2/pbts/add", PBTS, ts=ts))["status"] == "SUCCESS"


async def test_a_timestamp_may_have_fractions(caller):
    ts = f"{time.time():.2f}"
    assert (await caller.post("/v2/pbts/add", PBTS, ts=ts))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "ts", ["-86500", "+86500", "soon", "1e9", "-1", "1635976200000", " 5", "nan", "٣"]
)
async def test_a_bad_timestamp_is_e504_before_anything_else(caller, sandbox, code, ts):
    if ts[1:] == "86500":
        ts = str(int(time.time()) + int(ts))
    params = caller.parameters("/v2/pbts/add", PBTS, ts=ts)
    answer = (await caller.send("/v2/pbts/add", {**params, "ak": "nobody", "asgn": "x"})).json()
    assert code(answer) == "E504"
    assert sandbox.stats.outcomes["E504"] == 1


async def test_the_tolerance_ahead_can_be_changed(caller, sandbox, code):
    sandbox.timestamp_ahead = 0.0
    ts = str(int(time.time()) + 60)
    assert code(await caller.post("/v2/pbts/add", PBTS, ts=ts)) == "E504"


async def test_an_unknown_key_is_e403_before_a_bad_signature(caller, sandbox, code):
    params = caller.parameters("/v2/pbts/add", PBTS)
    answer = (await caller.send("/v2/pbts/add", {**params, "ak": "nobody", "asgn": "x"})).json()
    assert code(answer) == "E403"
    assert sandbox.stats.outcomes["E403"] == 1


@pytest.mark.parametrize(
    ("missing", "expected"), [("ts", "E504"), ("ak", "E403"), ("asgn", "E401")]
)
async def test_a_missing_part_counts_as_a_wrong_one(caller, code, missing, expected):
    params = caller.parameters("/v2/pbts/add", PBTS)
    del params[missing]
    assert code((await caller.send("/v2/pbts/add", params)).json()) == expected


@pytest.mark.parametrize(
    ("query", "body"),
    [("&pbts=%5B1%5D&pbts=%5B1%5D", ""), ("&pbts=%5B1%5D", "pbts=%5B1%5D"), ("&pbts=%FF", "")],
)
async def test_a_parameter_given_twice_or_not_utf8_is_e400(caller, code, encoded, query, body):
    params = caller.parameters("/v2/pbts/add", {"pbts": "[1]"})
    del params["pbts"]
    url = f"{caller.base_url}/v2/pbts/add?{encoded(params)}{query}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert code((await caller.client.post(url, content=body, headers=headers)).json()) == "E400"


async def test_parameters_may_be_split_between_query_and_form(caller, sandbox, encoded):
    params = caller.parameters("/v2/pbts/add", PBTS)
    body = encoded({"pbts": params.pop("pbts")})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    url = f"{caller.base_url}/v2/pbts/add?{encoded(params)}"
    answer = await caller.client.post(url, content=body, headers=headers)
    assert answer.json()["status"] == "SUCCESS"
    assert sandbox.stats.calls[-1].sent_in == "both"


async def test_a_json_body_is_e400(caller, code):
    answer = await caller.client.post(f"{caller.base_url}/v2/pbts/add", json={"pbts": [1]})
    assert code(answer.json()) == "E400"


def test_empty_pairs_and_values_are_read():
    assert read_parameters(b"a=&&b&c=1=2").fields == {"a": "", "b": "", "c": "1=2"}


def test_the_keys_are_not_in_reprs(sandbox):
    private = sandbox.credentials.private_key
    shown = repr(sandbox) + repr(sandbox.credentials) + repr(sandbox.state.accounts)
    assert private not in shown


@given(
    st.lists(
        st.sampled_from(
            [b"%", b"=", b"41", b"%E0", b"%e0", b"%3d", b"a", b"\n", b"\r", b" ", b"_", b"."]
        )
    ).map(b"".join)
)
def test_escapes_are_decoded_as_the_standard_library_does(text):
    assert _unquoted(text) == unquote_to_bytes(text)
