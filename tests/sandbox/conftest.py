"""What the sandbox's tests share: signing written out once more, and a tiny client over httpx."""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import quote

import httpx
import pytest

from mettl_async.sandbox import Sandbox


def sign(private_key, method, url, params, digest=hashlib.sha256):
    text = method + url + "".join("\n" + params[k] for k in sorted(params))
    return base64.b64encode(hmac.new(private_key.encode(), text.encode(), digest).digest()).decode()


def encoded(params):
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in params.items())


class Caller:
    """Signs with the keys given and posts; a test may replace any parameter after signing."""

    def __init__(self, client, base_url, credentials, clock=time.time):
        self.client, self.base_url, self.keys, self.clock = client, base_url, credentials, clock

    def parameters(self, path, params=(), *, method="POST", ts=None):
        url = self.base_url + path
        signed = {"ak": self.keys.public_key, "ts": ts or str(int(self.clock())), **dict(params)}
        digest = hashlib.sha1 if path.startswith("/v1/") else hashlib.sha256
        signed["asgn"] = sign(self.keys.private_key, method, url, signed, digest)
        return signed

    async def send(self, path, params, *, form=True, method="POST"):
        url, text = self.base_url + path, encoded(params)
        if not form:
            return await self.client.request(method, f"{url}?{text}")
        headers = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
        return await self.client.request(method, url, content=text, headers=headers)

    async def response(self, path, params=(), *, form=True, ts=None):
        return await self.send(path, self.parameters(path, params, ts=ts), form=form)

    async def post(self, path, params=(), *, form=True, ts=None):
        return (await self.response(path, params, form=form, ts=ts)).json()

    async def read(self, path, params=(), *, method="GET", ts=None):
        """Send in the query, without a body, as reading endpoints want it."""
        signed = self.parameters(path, params, method=method, ts=ts)
        return await self.send(path, signed, form=False, method=method)

    async def get(self, path, params=()):
        return (await self.read(path, params)).json()

    async def delete(self, path):
        return (await self.read(path, method="DELETE")).json()

    async def upload(self, path, files, params=(), *, in_query=True):
        """Post multipart; the parameters go in the query or as parts, the files are not signed."""
        signed = self.parameters(path, params)
        url = self.base_url + path
        if in_query:
            return (await self.client.post(f"{url}?{encoded(signed)}", files=files)).json()
        return (await self.client.post(url, data=signed, files=files)).json()

    async def register(self, access_key, details, *, optional=None, form=True, **params):
        rd = {"registrationDetails": details}
        if optional is not None:
            rd["optionalParams"] = optional
        path = f"/v2/schedules/{access_key}/candidates"
        return await self.post(path, {"rd": json.dumps(rd), **params}, form=form)

    async def create(self, assessment_id, sc):
        return await self.post(f"/v2/assessments/{assessment_id}/schedules", {"sc": json.dumps(sc)})

    async def edit(self, access_key, sc):
        return await self.post(f"/v2/schedules/{access_key}/edit", {"sc": json.dumps(sc)})


def code(answer):
    return answer["error"]["code"] if "error" in answer else answer["status"]


@pytest.fixture
def start(request):
    """Where the sandbox's clock stands still: START of the module; None lets it run."""
    return getattr(request.module, "START", None)


@pytest.fixture
def sandbox(start):
    return Sandbox() if start is None else Sandbox(clock=lambda: start)


@pytest.fixture
async def caller(sandbox, start):
    clock = time.time if start is None else sandbox.clock.now
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        yield Caller(client, "https://api.mettl.com", sandbox.credentials, clock)


@pytest.fixture
async def server(sandbox):
    async with sandbox.serve() as server:
        yield server


@pytest.fixture
async def wire(server):
    async with httpx.AsyncClient() as client:
        yield Caller(client, server.base_url, server.credentials)


@pytest.fixture
async def browser(server):
    """What a browser without scripts does: it follows redirects and posts forms."""
    async with httpx.AsyncClient(base_url=server.base_url, follow_redirects=True) as client:
        yield client


@pytest.fixture
def db(tmp_path):
    return tmp_path / "sandbox.json"


@pytest.fixture(params=["socket", "in_process"])
async def either(request, sandbox):
    if request.param == "in_process":
        async with httpx.AsyncClient(transport=sandbox.transport()) as client:
            yield Caller(client, "https://api.mettl.com", sandbox.credentials)
    else:
        async with sandbox.serve() as server, httpx.AsyncClient() as client:
            yield Caller(client, server.base_url, server.credentials)


@pytest.fixture
def make_caller():
    return Caller


@pytest.fixture(name="code")
def _code():
    return code


@pytest.fixture(name="encoded")
def _encoded():
    return encoded


@pytest.fixture
def asha():
    return {"Email Address": "asha@example.com", "First Name": "Asha"}
