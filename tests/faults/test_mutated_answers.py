"""Answers whose framing is damaged at random: the right body, or an error of ours; and then the next one's own."""

import asyncio
import gzip

import pytest
from hostile_behaviours import CHUNKED, GZIP, OTHER, RIGHT
from hostile_server import CLOSE, HostileServer, Pause, answer
from hypothesis import given, settings
from hypothesis import strategies as st
from test_hostile_server import KINDS, called, client_of, good

TOKENS = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"0", b"-", b"9", b"HTTP/1.1 100 x\r\n\r\n", b"\r\n\r\n",
        b"Content-Length: 3\r\n", b"Content-Length: 999\r\n", b"Transfer-Encoding: chunked\r\n", b"\xff",
        b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Content-Encoding: gzip\r\n", b"X-A: b\r\n",
    ]
)  # fmt: skip
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["insert", "replace", "cut", "twice"]), TOKENS),
    min_size=0,
    max_size=3,
)
SURPLUS = st.sampled_from(
    [b"", b"", OTHER, OTHER * 2, OTHER[:40], b"\r\n", b"0\r\n\r\n", b"HTTP/1.1 100 x\r\n\r\n"]
)


def framed(form, own):
    """The parts of an answer: a head that may be damaged, a body, and an end that may be, too."""
    if form == "chunked":
        return CHUNKED + b"%x\r\n" % len(own), own, b"\r\n0\r\n\r\n"
    packed = gzip.compress(own) if form == "gzip" else own
    whole = answer(packed, GZIP) if form == "gzip" else answer(packed)
    return whole.removesuffix(packed), packed, b""


def damaged(data, edits):
    for place, edit, token in edits:
        at = int(place * len(data))
        rest = {"insert": at, "replace": at + len(token), "cut": at + 5, "twice": max(0, at - 20)}
        data = data[:at] + (b"" if edit in {"cut", "twice"} else token) + data[rest[edit] :]
    return data


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(
    form=st.sampled_from(["length", "chunked", "gzip"]),
    edits=EDITS,
    end_edits=EDITS,
    surplus=SURPLUS,
    packet=st.integers(1, 400),
)
def test_no_damage_gives_anybody_anothers_answer(kind, form, edits, end_edits, surplus, packet):
    def script(own):
        head, body, end = framed(form, own)
        data = damaged(head, edits) + body + damaged(end, end_edits) + surplus
        for start in range(0, len(data), packet):
            yield data[start : start + packet]
            yield Pause(0)
        # What waits for more is not kept waiting.
        yield from (Pause(0.03), CLOSE)

    async def run():
        async with HostileServer(script).serve() as server:
            async with client_of(kind, server, hangs=False) as mettl:
                await good(mettl, kind, 1)
                outcome = await called(mettl, "a")
                assert outcome & {RIGHT, "CallError"}
                for number in (2, 3):
                    await good(mettl, kind, number, buffered=True)
            await asyncio.wait_for(server.left(), 10)

    asyncio.run(run())
