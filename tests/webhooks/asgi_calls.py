"""Calls of an ASGI app by hand, where an HTTP client would put right what a test wants wrong."""

from base64 import b64encode

import anyio
from attrs import field, frozen

USERNAME, PASSWORD = "acme", "sesame-open-up"


def basic(text=f"{USERNAME}:{PASSWORD}"):
    return b"Basic " + b64encode(text.encode() if isinstance(text, str) else text)


@frozen
class Answer:
    status: int
    headers: dict[bytes, bytes] = field(repr=False)
    body: bytes


def http_scope(*, method="POST", headers=None, client=("203.0.113.7", 4711), **more):
    headers = [(b"authorization", basic())] if headers is None else headers
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "https", "path": "/hooks", "raw_path": b"/hooks", "query_string": b"",
        "root_path": "", "headers": headers, "client": client, "server": ("backend", 443), **more,
    }  # fmt: skip


def parts(*bodies):
    """The messages of a body that comes in pieces."""
    *first, last = bodies
    return [
        *({"type": "http.request", "body": body, "more_body": True} for body in first),
        {"type": "http.request", "body": last, "more_body": False},
    ]


async def call(app, body=b"", *, messages=None, after=None, **scope):
    """Call an app; gives its answer, or None if it said nothing.

    When the messages are used up, ``after`` is awaited and then the client is gone.
    """
    waiting = iter(parts(body) if messages is None else messages)
    sent = []

    async def receive():
        for message in waiting:
            return message
        await (after or anyio.sleep_forever)()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    await app(http_scope(**scope), receive, send)
    if not sent:
        return None
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert all(message["type"] == "http.response.body" for message in rest)
    assert not rest[-1].get("more_body")
    whole = b"".join(message.get("body", b"") for message in rest)
    headers = dict(start["headers"])
    assert len(headers) == len(start["headers"])
    assert headers[b"content-length"] == b"%d" % len(whole)
    return Answer(start["status"], headers, whole)
