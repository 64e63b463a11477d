"""``mettl sign``: the string to sign, the signature, and whether a given one is right."""

import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from mettl_async.cli.sign import sign
from mettl_async.config import Credentials
from mettl_async.sandbox import Sandbox

ENV = {"METTL_PUBLIC_KEY": "public", "METTL_PRIVATE_KEY": "private-text"}
URL = "https://api.mettl.com/v2/schedules/abc/candidates"


def field(output, name):
    [line] = [line for line in output.splitlines() if line.startswith(name)]
    return line.removeprefix(name).strip()


def test_the_string_to_sign_is_escaped_in_one_line(mettl):
    rd = '{"Name": "é\n"}'
    done = mettl("sign", "post", URL, "-p", f"rd={rd}", "-p", "a==", "--ts", 1600000000, env=ENV)
    assert done.exit_code == 0, done.output
    text = field(done.stdout, "string to sign")
    assert json.loads(text) == f"POST{URL}\n=\npublic\n{rd}\n1600000000"
    assert text.isascii()
    made = field(done.stdout, "signature")
    assert field(done.stdout, "percent-encoded") == quote(made, safe="")
    assert "private-text" not in done.output
    assert "asgn" not in done.stdout


def test_what_it_signs_is_accepted_by_the_server(mettl):
    box = Sandbox()
    keys = box.credentials
    env = {"METTL_PUBLIC_KEY": keys.public_key, "METTL_PRIVATE_KEY": keys.private_key}
    rd = '{"registrationDetails": [{"Email Address": "a+b@x.org", "First Name": "आशा & #%"}]}'
    ts = int(box.clock.now())
    for version in ("v1", "v2"):
        url = f"https://api.mettl.com/{version}/schedules/{box.access_key}/candidates"
        done = mettl("sign", "POST", url, "-p", f"rd={rd}", "--ts", ts, env=env)
        query = f"ak={keys.public_key}&ts={ts}&rd={quote(rd, safe='')}"
        query += f"&asgn={field(done.stdout, 'percent-encoded')}"
        answer = send(box, f"{url}?{query}")
        assert answer["status"] == "SUCCESS"
        again = mettl("sign", "POST", f"{url}?{query}", env=env)
        assert field(again.stdout, "asgn as given") == "matches"


def send(box, url):
    import asyncio  # noqa: PLC0415 - the command under test runs its own loops beside

    async def post():
        async with httpx.AsyncClient(transport=box.transport()) as client:
            return (await client.post(url)).json()

    return asyncio.run(post())


def compared(asgn, *, version=None, ak="public"):
    keys = Credentials(public_key="public", private_key="private-text")
    url = f"{URL}?ts=1&ak={ak}&asgn={asgn}"
    return sign("POST", url, (), version=version, ts=None, now=0.0, keys=keys)


def verdict(asgn, **more):
    return field(compared(asgn, **more), "asgn as given")


def signature(asgn, **more):
    return field(compared(asgn, **more), "signature")


def test_a_given_signature_is_compared():
    made = signature("x")
    assert verdict(quote(made, safe="")) == "matches"
    assert verdict("x").startswith("differs: another private key")
    assert "not the public key" in verdict("x", ak="other")
    old = signature("x", version="v1")
    assert verdict(quote(old, safe="")) == "differs: it was made with the hash of v1"


def test_a_plus_that_was_not_encoded_is_found():
    keys = Credentials(public_key="public", private_key="private-text")
    for ts in range(100):
        made = sign("GET", f"{URL}?ts={ts}", (), version=None, ts=None, now=0.0, keys=keys)
        made = field(made, "signature")
        if "+" in made:
            break
    raw = f"{URL}?ts={ts}&asgn={made}"
    found = sign("GET", raw, (), version=None, ts=None, now=0.0, keys=keys)
    assert field(found, "asgn as given").startswith("matches but for a '+'")


def test_the_vendors_examples_come_out(mettl):
    vectors = json.loads((Path(__file__).parent.parent / "vectors" / "vectors.json").read_text())
    assert vectors
    for one in vectors:
        keys = {
            "METTL_PUBLIC_KEY": one["params"]["ak"],
            "METTL_PRIVATE_KEY": one["private_key"],
        }
        pairs = [
            part for name, value in one["params"].items() for part in ("-p", f"{name}={value}")
        ]
        done = mettl("sign", one["method"], one["endpoint"], *pairs, env=keys)
        assert done.exit_code == 0, done.output
        assert json.loads(field(done.stdout, "string to sign")) == one["string_to_sign"]
        assert field(done.stdout, "percent-encoded") == one["asgn_percent_encoded"]
        assert one["private_key"] not in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["GET", "https://api.mettl.com/account"], "pass --version"),
        (["GET", "https://api.mettl.com/v2/é"], "percent-encoded"),
        (["GET", "api.mettl.com/v2/x"], "https://"),
        (["GET", "https://api.mettl.com/v2/x#y"], "fragment"),
        (["GET", "https://api.mettl.com/v2/x?a=%ff"], "percent-encoded UTF-8"),
        (["GET", "https://api.mettl.com/v2/x?a=1", "-p", "a=1"], "given twice"),
        (["GET", "https://api.mettl.com/v2/x?ts=1", "--ts", "2"], "given twice"),
        (["GET", "https://api.mettl.com/v2/x", "-p", "a"], "name=value"),
        (["G T", "https://api.mettl.com/v2/x"], "METHOD"),
    ],
)
def test_what_cannot_be_signed_is_one_clear_line_and_2(mettl, arguments, words):
    done = mettl("sign", *arguments, env=ENV)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_keys_come_from_the_environment_only(mettl):
    done = mettl("sign", "GET", URL)
    assert done.exit_code == 2
    assert "METTL_PUBLIC_KEY is not set" in done.stderr
