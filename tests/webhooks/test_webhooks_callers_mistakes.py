"""What only the calling code can get wrong is told to it, and never answered as a fault of the client."""

import asyncio
import io
import re
from datetime import timedelta

import pytest
from asgi_calls import PASSWORD, USERNAME, basic

from mettl_async.errors import ConfigurationError, InvalidInputError
from mettl_async.webhooks import (
    BasicAuth,
    ContextSigner,
    MemorySeenEvents,
    TestGraded,
    WebhookReceiver,
    parse_event,
    sample_event,
)

GRADED = sample_event(TestGraded)
RIGHT = {"Authorization": basic().decode()}
RECEIVER = WebhookReceiver(
    auth=BasicAuth(username=USERNAME, password=PASSWORD), networks=["203.0.113.0/24"]
)
NO_REQUESTS = {
    "no headers": ("headers: are NoneType without pairs", "POST", None, GRADED),
    "triples": ("headers: are list without pairs", "POST", [("authorization", "x", 1)], GRADED),
    "names without values": ("headers: are list without pairs", "POST", ["authorization"], GRADED),
    "names of another type": ("headers: are dict without pairs", "POST", {5: "x"}, GRADED),
    "a number as a value": (
        "headers: have a value that is int; give a mapping or pairs of names and values, both text or bytes",
        "POST", {**RIGHT, "content-length": 5}, GRADED,
    ),
    "an object in a list": ("headers: have a value that is dict", "POST", {"authorization": [{}]}, GRADED),
    "a method of bytes": ("method: is bytes; give text: 'POST'", b"POST", RIGHT, GRADED),
    "a file of text": ("body: its read() gives str; give one of bytes", "POST", RIGHT, io.StringIO("{}")),
    "a socket and its port": (
        "peer: is tuple; give its address as text, such as request.client.host",
        "POST", RIGHT, GRADED, ("203.0.113.7", 443),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sync", [False, True], ids=["respond", "respond_sync"])
@pytest.mark.parametrize(
    ("told", "given"), [(one[0], one[1:]) for one in NO_REQUESTS.values()], ids=NO_REQUESTS
)
async def test_a_mistake_of_the_caller_never_looks_like_one_of_the_client(
    told, given, sync, caplog
):
    given = (*given, "203.0.113.7")[:4]
    with pytest.raises(InvalidInputError, match=f"^{re.escape(told)}"):
        if sync:
            await asyncio.to_thread(RECEIVER.respond_sync, *given)
        else:
            await RECEIVER.respond(*given)
    assert not caplog.records


async def test_a_body_of_other_things_than_bytes_is_the_callers_mistake_too():
    class Waiting:
        async def read(self, _):
            return GRADED

    async def texts():
        yield GRADED.decode()

    for body, told in (
        (
            Waiting(),
            "body: its read() gives coroutine; give bytes (await it), or an async iterable of bytes",
        ),
        (texts(), "body: gives str; give one of bytes"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            await RECEIVER.respond("POST", RIGHT, body, "203.0.113.7")
        assert str(caught.value) == told
    with pytest.raises(InvalidInputError, match="body: is str; give the bytes that came"):
        RECEIVER.verify_and_parse(RIGHT, GRADED.decode(), "203.0.113.7")
    assert RECEIVER.verify_and_parse(RIGHT, bytearray(GRADED), "203.0.113.7") == parse_event(GRADED)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"store": 5}, "store: is int; give one such as SqlEventInbox(engine)"),
        (
            {"store": MemorySeenEvents()},
            "store: is MemorySeenEvents; give one such as SqlEventInbox",
        ),
        (
            {"seen": MemorySeenEvents},
            "seen: is the class MemorySeenEvents; give a store such as MemorySeen",
        ),
        ({"context": "secret"}, "context: is str; give ContextSigner([secret])"),
        ({"clock": 5}, "clock: is int; give a function"),
        ({"on_error": "log"}, "on_error: is str; give a function"),
        ({"max_age": "5"}, "max_age: is str; give a number"),
        ({"max_body": None}, "max_body: is NoneType; give a number"),
        ({"read_timeout": timedelta(seconds=5)}, "read_timeout: is timedelta; give a number"),
    ],
)
def test_a_receiver_of_other_things_is_refused_when_it_is_built(given, told):
    with pytest.raises(ConfigurationError, match=f"^{re.escape(told)}"):
        WebhookReceiver(auth=None, **given)


def test_other_types_than_a_signer_takes_are_told():
    signer = ContextSigner(["sixteen random bytes, or more"])
    with pytest.raises(
        InvalidInputError, match="expires_in: is int; give a time such as timedelta"
    ):
        signer.sign("a-1", access_key="ab12", email="a@x.org", expires_in=60)
    with pytest.raises(InvalidInputError, match="secrets: is int; give a list of secrets"):
        ContextSigner(5)
    with pytest.raises(ConfigurationError, match="lease: is str; give a number"):
        MemorySeenEvents(lease="60")
