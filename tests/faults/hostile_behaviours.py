"""What the hostile server does, as data: the bytes, and what has to become of the call.

``own`` is the right body of the call at hand. All of it is what some server, proxy or attacker did once, or
what a parser of HTTP, gzip or JSON was broken by; none of it is what Mettl does [assumed].
"""

import gzip
import json
import zlib

from attrs import frozen
from hostile_server import CLOSE, END, HANG, RESET, Drip, Flood, Pause, answer, body_for

OTHER = answer(body_for("/v2/schedules/k/candidates/somebody@else.org"))
OK_HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP, DEFLATE = b"Content-Encoding: gzip", b"Content-Encoding: deflate"
MIB = 1 << 20

RIGHT = "right"
"""The call gives its own answer."""
DECODE = "MettlDecodeError"
LOST = "ConnectionLostError"
TIMEOUT = "TransportTimeoutError"
REFUSED = "ApiError"
BROKEN = (LOST, DECODE)
"""Libraries differ in which of the two it is: that the bytes are no answer is all that is certain."""


@frozen
class Behaviour:
    """One thing that a server does.

    Attributes:
        name: Of the test.
        script: Makes the steps from the right body.
        outcomes: What may become of the call.
        early: Whether it happens before the request was read.
        request_bytes: Length of what is sent.
        hangs: Whether only a time limit ends it.
        bomb: Whether it could fill the memory.
        slow: Whether it is left to the slow tests, for another row is much the same.
        unbounded: Kinds of clients for which only a time limit ends it, though the memory stays small.
        buffered: Whether a connection of an injected client holds a whole answer that nobody asked for: it
            is not to be seen from outside, so that the next call is refused as another's.
    """

    name: str
    script: object
    outcomes: tuple
    early: bool = False
    request_bytes: int = 10
    hangs: bool = False
    bomb: bool = False
    slow: bool = False
    unbounded: tuple = ()
    buffered: bool = False


def _row(name, script, *outcomes, **more):
    return Behaviour(name, script, outcomes, **more)


def _chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunked(own, end=b"0\r\n\r\n"):
    return CHUNKED + _chunk(own) + end


def _with(own, *headers):
    return b"\r\n".join((b"HTTP/1.1 200 OK", *headers)) + b"\r\n\r\n" + own


def _length(own, text):
    return _with(own, b"Content-Length: " + text)


def _status(own, status):
    return answer(own, status=status)


def _raw_deflate(data):
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


_BOMB = []  # made when it is first needed


def bomb(layers):
    """Compress 64 MiB of zeros, so many times over."""
    while len(_BOMB) < layers:
        _BOMB.append(gzip.compress(_BOMB[-1] if _BOMB else bytes(64 * MIB), 6))
    return _BOMB[layers - 1]


SURPLUS = (
    _row("twice in one packet", lambda own: [answer(own) + OTHER], RIGHT, buffered=True),
    _row("a second answer later", lambda own: [answer(own), Pause(0.02), OTHER], RIGHT),
    _row("half a second answer", lambda own: [answer(own) + OTHER[:30]], RIGHT),
    _row("one byte more", lambda own: [answer(own) + b"H"], RIGHT),
    _row("a line break more", lambda own: [answer(own) + b"\r\n"], RIGHT),
    _row("an interim answer after", lambda own: [answer(own) + b"HTTP/1.1 100 Continue\r\n\r\n"], RIGHT),
    _row("a timeout while idle", lambda own: [answer(own), Pause(0.02), answer(b"{}", status=b"408 Request Timeout"), CLOSE], RIGHT),
    _row("twice after chunks", lambda own: [_chunked(own) + OTHER], RIGHT, buffered=True),
    _row("later after chunks", lambda own: [_chunked(own), Pause(0.02), OTHER], RIGHT),
    _row("twice after 100", lambda own: [b"HTTP/1.1 100 Continue\r\n\r\n" + answer(own) + OTHER], RIGHT, buffered=True),
    _row("twice after gzip", lambda own: [answer(gzip.compress(own), GZIP) + OTHER], RIGHT, buffered=True),
    _row("twice after close", lambda own: [answer(own, b"Connection: close") + OTHER], RIGHT, LOST),
    _row("after 304", lambda _: [b"HTTP/1.1 304 Not Modified\r\n\r\n" + OTHER], REFUSED, buffered=True),
    _row("after 204", lambda _: [b"HTTP/1.1 204 No Content\r\n\r\n" + OTHER], *BROKEN, buffered=True),
    _row("after 500", lambda _: [answer(b"{}", status=b"500 Oops") + OTHER], "ServerError", buffered=True),
    _row("many more", lambda own: [answer(own) + OTHER * 2000], RIGHT),
    _row("dripping more", lambda own: [answer(own), Drip(OTHER[:12])], RIGHT),
)  # fmt: skip
LENGTHS = (
    _row("length too short", lambda own: [_length(own, b"%d" % (len(own) - 5))], *BROKEN),
    _row("length too long, closed", lambda own: [_length(own, b"%d" % (len(own) + 5)), CLOSE], LOST),
    _row("length too long", lambda own: [_length(own, b"%d" % (len(own) + 5)), HANG], TIMEOUT, hangs=True),
    _row("length that swallows the next", lambda own: [_length(own + OTHER, b"%d" % (len(own) + 9))], *BROKEN),
    _row("length of nothing", lambda own: [_length(own, b"0")], *BROKEN),
    _row("length below zero", lambda own: [_length(own, b"-5"), CLOSE], *BROKEN),
    _row("two lengths", lambda own: [_with(own, b"Content-Length: 5", b"Content-Length: %d" % len(own)), CLOSE], *BROKEN),
    _row("length twice", lambda own: [_with(own, *[b"Content-Length: %d" % len(own)] * 2), CLOSE], RIGHT, *BROKEN),
    _row("length in words", lambda own: [_length(own, b"many"), CLOSE], *BROKEN),
    _row("length with a sign", lambda own: [_length(own, b"+%d" % len(own)), CLOSE], *BROKEN),
    _row("length in hex", lambda own: [_length(own, b"0x%x" % len(own)), CLOSE], *BROKEN),
    _row("length of 10**30", lambda own: [_length(own, b"1" + b"0" * 30), CLOSE], *BROKEN),
    _row("no length", lambda own: [_with(own), CLOSE], RIGHT),
    _row("no length, left open", lambda own: [_with(own), HANG], TIMEOUT, hangs=True, slow=True),
    _row("chunks and a length", lambda own: [_with(_chunk(own) + b"0\r\n\r\n", b"Content-Length: 3", b"Transfer-Encoding: chunked") + OTHER], RIGHT, *BROKEN, buffered=True),
    _row("two transfer encodings", lambda own: [_with(_chunk(own) + b"0\r\n\r\n", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"), CLOSE], RIGHT, *BROKEN),
    _row("unknown transfer encoding", lambda own: [_with(own, b"Transfer-Encoding: junk"), CLOSE], RIGHT, *BROKEN),
)  # fmt: skip
CHUNKS = (
    _row("chunk sizes in words", lambda own: [CHUNKED + b"many\r\n" + own, CLOSE], *BROKEN),
    _row("chunk sizes below zero", lambda own: [CHUNKED + b"-5\r\n" + own, CLOSE], *BROKEN),
    _row("chunk sizes of 2**80", lambda own: [CHUNKED + b"1" + b"0" * 20 + b"\r\n" + own, CLOSE], *BROKEN),
    _row("a chunk size without end", lambda _: [CHUNKED, Flood(b"0" * 65_536)], *BROKEN, bomb=True),
    _row("a chunk extension without end", lambda _: [CHUNKED + b"5;", Flood(b"a" * 65_536)], *BROKEN, bomb=True, slow=True),
    _row("a chunk longer than said", lambda own: [CHUNKED + b"3\r\n" + own + b"\r\n0\r\n\r\n", CLOSE], *BROKEN),
    _row("chunks without the last", lambda own: [CHUNKED + _chunk(own), CLOSE], LOST),
    _row("chunks that wait", lambda own: [CHUNKED + _chunk(own), HANG], TIMEOUT, hangs=True),
    _row("chunks of one byte", lambda own: [CHUNKED + b"".join(map(_chunk, map(bytes, zip(own)))) + b"0\r\n\r\n"], RIGHT),
    _row("chunks with extensions", lambda own: [CHUNKED + b"%x;a=b\r\n%s\r\n0;c\r\n\r\n" % (len(own), own)], RIGHT),
    _row("trailers", lambda own: [_chunked(own, b"0\r\nX-Sum: 7\r\n\r\n")], RIGHT),
    _row("a length in the trailers", lambda own: [_chunked(own, b"0\r\nContent-Length: 1\r\n\r\n")], RIGHT, *BROKEN),
    _row("trailers without end", lambda own: [_chunked(own, b"0\r\n"), Flood(b"X-More: yes\r\n" * 1000)], RIGHT, *BROKEN, bomb=True, slow=True),
    _row("no chunks at all", lambda _: [CHUNKED + b"0\r\n\r\n"], DECODE),
    _row("chunks without end", lambda _: [CHUNKED, Flood(_chunk(b" " * 65_536))], DECODE, bomb=True),
)  # fmt: skip
PACE = (
    _row("byte by byte", lambda own: [Drip(answer(own))], RIGHT),
    _row("chunks byte by byte", lambda own: [Drip(_chunked(own))], RIGHT),
    _row("byte by byte for ever", lambda _: [OK_HEAD, Drip(b"X-Slow: " + b"a" * 9999, 0.05)], TIMEOUT, hangs=True),
    _row("a body byte by byte for ever", lambda own: [_length(b"{", b"9999"), Drip(b" " * 9998, 0.05)], TIMEOUT, hangs=True, slow=True),
    _row("never an answer", lambda _: [HANG], TIMEOUT, hangs=True),
    _row("half a status line", lambda _: [b"HTTP/1.", HANG], TIMEOUT, hangs=True, slow=True),
    _row("headers and nothing more", lambda _: [_length(b"", b"9"), HANG], TIMEOUT, hangs=True, slow=True),
    _row("an interim answer and nothing more", lambda _: [b"HTTP/1.1 100 Continue\r\n\r\n", HANG], TIMEOUT, hangs=True),
    _row("interim answers for ever, slowly", lambda _: [Drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 99, 0.05)], TIMEOUT, hangs=True, slow=True),
    _row("an answer before the request was read", lambda own: [answer(own)], RIGHT, LOST, TIMEOUT, early=True, request_bytes=16 * MIB, hangs=True),
    _row("a refusal before the request was read", lambda _: [answer(b"", b"Connection: close", status=b"413 Too Large"), CLOSE], "BadRequestError", LOST, early=True, request_bytes=4 * MIB),
    _row("a request that is never read", lambda _: [HANG], TIMEOUT, early=True, request_bytes=16 * MIB, hangs=True),
)  # fmt: skip
ENDS = (
    _row("closed before an answer", lambda _: [CLOSE], LOST),
    _row("closed in the status line", lambda _: [b"HTTP/1.1 20", CLOSE], *BROKEN),
    _row("closed in the headers", lambda _: [OK_HEAD + b"Content-", CLOSE], *BROKEN),
    _row("closed after the headers", lambda _: [_length(b"", b"9"), CLOSE], LOST),
    _row("closed in the body", lambda own: [_length(own[:9], b"%d" % len(own)), CLOSE], LOST),
    _row("reset before an answer", lambda _: [RESET], LOST),
    _row("reset in the body", lambda own: [_length(own[:9], b"%d" % len(own)), Pause(0.02), RESET], LOST),
    _row("reset after the answer", lambda own: [answer(own), Pause(0.02), RESET], RIGHT),
    _row("closed after the answer", lambda own: [answer(own), CLOSE], RIGHT),
    _row("closed while idle", lambda own: [answer(own), Pause(0.02), CLOSE], RIGHT),
    _row("half closed after the answer", lambda own: [answer(own), END, HANG], RIGHT),
    _row("half closed before an answer", lambda _: [END, HANG], LOST),
    _row("half closed in the body", lambda own: [_length(own[:9], b"%d" % len(own)), END, HANG], LOST),
    _row("closed later than it says", lambda own: [answer(own, b"Connection: close"), HANG], RIGHT),
)  # fmt: skip
HEADERS = (
    _row("headers without end", lambda _: [OK_HEAD, Flood(b"X-More: yes\r\n" * 1000)], *BROKEN, bomb=True),
    _row("one header without end", lambda _: [OK_HEAD + b"X-More: ", Flood(b"a" * 65_536)], *BROKEN, bomb=True, slow=True),
    _row("a status line without end", lambda _: [b"HTTP/1.1 200 ", Flood(b"a" * 65_536)], *BROKEN, bomb=True, slow=True),
    _row("10,000 headers", lambda own: [answer(own, *[b"X-More: %d" % n for n in range(10_000)])], RIGHT, *BROKEN),
    _row("a header of 1 MB", lambda own: [answer(own, b"X-Long: " + b"a" * 10**6)], *BROKEN),
    _row("a header in Latin-1", lambda own: [answer(own, b"X-Name: Zo\xeb")], RIGHT),
    _row("a header in UTF-8", lambda own: [answer(own, "X-Name: Zoë 😀".encode())], RIGHT),
    _row("a header in Latin-1 beside gzip", lambda own: [answer(gzip.compress(own), GZIP, b"X-Name: Zo\xeb")], RIGHT),
    _row("a header with NUL", lambda own: [answer(own, b"X-Null: a\0b"), CLOSE], RIGHT, *BROKEN),
    _row("a header's name with a space", lambda own: [answer(own, b"X Space : b"), CLOSE], RIGHT, *BROKEN),
    _row("a header without a colon", lambda own: [answer(own, b"nothing"), CLOSE], RIGHT, *BROKEN),
    _row("a folded header", lambda own: [answer(own, b"X-Fold: a\r\n b")], RIGHT, *BROKEN),
    _row("bare line feeds", lambda own: [answer(own).replace(b"\r\n", b"\n"), CLOSE], RIGHT, *BROKEN),
    _row("a few interim answers", lambda own: [b"".join(b"HTTP/1.1 %d x\r\n\r\n" % n for n in (100, 102, 103)) + answer(own)], RIGHT),
    _row("interim answers without end", lambda _: [Flood(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)], *BROKEN, bomb=True, unbounded=("injected httpx", "injected httpx2"), slow=True),
    _row("an upgrade that nobody asked for", lambda _: [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", CLOSE], *BROKEN),
)  # fmt: skip
STATUS = (
    _row("HTTP/0.9", lambda own: [own, CLOSE], *BROKEN),
    _row("HTTP/1.0", lambda own: [answer(own).replace(b"/1.1", b"/1.0"), CLOSE], RIGHT),
    _row("HTTP/2's preface", lambda _: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", CLOSE], *BROKEN),
    _row("HTTP/2 settings", lambda _: [b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d", CLOSE], *BROKEN),
    _row("HTTP/9.9", lambda own: [answer(own).replace(b"/1.1", b"/9.9"), CLOSE], RIGHT, *BROKEN),
    _row("another protocol", lambda _: [b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE], *BROKEN),
    _row("TLS", lambda _: [b"\x15\x03\x01\0\x02\x02\x46", CLOSE], *BROKEN),
    _row("a page", lambda _: [b"<html>\r\n\r\n", CLOSE], *BROKEN),
    _row("no status", lambda own: [b"HTTP/1.1 OK\r\n\r\n" + own, CLOSE], *BROKEN),
    _row("status 099", lambda own: [_status(own, b"099 x"), CLOSE], *BROKEN),
    _row("status 600", lambda own: [_status(own, b"600 x"), CLOSE], "ServerError", *BROKEN),
    _row("status 999", lambda own: [_status(own, b"999 x"), CLOSE], "ServerError", *BROKEN),
    _row("status 99999", lambda own: [_status(own, b"99999 x"), CLOSE], *BROKEN),
    _row("status -1", lambda own: [_status(own, b"-1 x"), CLOSE], *BROKEN),
    _row("a redirect", lambda own: [answer(own, b"Location: http://127.0.0.1:1/", status=b"302 Found")], REFUSED),
    _row("a redirect to nowhere", lambda own: [answer(b"", b"Location: \xff://", status=b"307 x")], REFUSED),
    _row("204 with a body", lambda own: [answer(own, status=b"204 No Content")], *BROKEN),
    _row("205 with a body", lambda own: [answer(own, status=b"205 Reset")], RIGHT, DECODE),
    _row("304 with a body", lambda own: [answer(own, status=b"304 Not Modified")], REFUSED, *BROKEN),
)  # fmt: skip
COMPRESSED = (
    _row("a gzip bomb", lambda _: [answer(bomb(1), GZIP)], DECODE, bomb=True),
    _row("a gzip bomb in gzip", lambda _: [answer(bomb(2), b"Content-Encoding: gzip, gzip")], DECODE, bomb=True),
    _row("a gzip bomb in chunks", lambda _: [CHUNKED.replace(b"\r\n\r\n", b"\r\n" + GZIP + b"\r\n\r\n") + _chunk(bomb(1)) + b"0\r\n\r\n"], DECODE, bomb=True, slow=True),
    _row("gzip a hundred times", lambda own: [answer(own, b"Content-Encoding: " + b", ".join([b"gzip"] * 100))], *BROKEN),
    _row("gzip twice", lambda own: [answer(gzip.compress(gzip.compress(own)), b"Content-Encoding: gzip, gzip")], RIGHT),
    _row("gzip in two members", lambda own: [answer(gzip.compress(own[:9]) + gzip.compress(own[9:]), GZIP)], RIGHT, DECODE),
    _row("gzip and junk", lambda own: [answer(gzip.compress(own) + b"junk", GZIP)], RIGHT, DECODE),
    _row("gzip that is cut off", lambda own: [answer(gzip.compress(own)[:-12], GZIP)], DECODE),
    _row("gzip with a wrong sum", lambda own: [answer(gzip.compress(own)[:-8] + b"12345678", GZIP)], DECODE),
    _row("gzip of nothing", lambda _: [answer(b"", GZIP)], DECODE),
    _row("gzip that is none", lambda own: [answer(own, GZIP)], DECODE),
    _row("deflate", lambda own: [answer(zlib.compress(own), DEFLATE)], RIGHT),
    _row("raw deflate", lambda own: [answer(_raw_deflate(own), DEFLATE)], RIGHT),
    _row("deflate that is none", lambda _: [answer(b"\xff\xfe junk", DEFLATE)], DECODE),
    _row("an unknown encoding", lambda own: [answer(own, b"Content-Encoding: utf-8")], RIGHT),
)  # fmt: skip
JSON = (
    _row("nothing", lambda _: [answer(b"")], DECODE),
    _row("a length and nothing", lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], DECODE),
    _row("no JSON", lambda _: [answer(b"surely not")], DECODE),
    _row("cut JSON", lambda own: [answer(own[:-3])], DECODE),
    _row("JSON and more", lambda own: [answer(own + own)], DECODE),
    _row("deep JSON", lambda _: [answer(b'{"status":"SUCCESS","a":' + b"[" * 200_000)], DECODE),
    _row("deep JSON that ends", lambda _: [answer(b'{"status":"SUCCESS","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")], DECODE),
    _row("deep objects", lambda _: [answer(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)], DECODE),
    _row("a byte order mark", lambda own: [answer(b"\xef\xbb\xbf" + own)], RIGHT),
    _row("UTF-16", lambda own: [answer(own.decode().encode("utf-16"))], RIGHT, DECODE),
    _row("Latin-1", lambda _: [answer(b'{"status":"SUCCESS","for":"Zo\xeb"}')], DECODE),
    _row("NaN", lambda own: [answer(own[:-1] + b', "a": NaN}')], RIGHT, DECODE),
    _row("a number of 100,000 digits", lambda own: [answer(own[:-1] + b', "a": ' + b"9" * 100_000 + b"}")], RIGHT, DECODE),
    _row("1e999", lambda own: [answer(own[:-1] + b', "a": 1e999}')], RIGHT, DECODE),
    _row("half a surrogate pair", lambda own: [answer(own[:-1] + rb', "a": "\ud800"}')], RIGHT, DECODE),
    _row("a name twice", lambda own: [answer(b'{"for": 1, ' + own[1:])], RIGHT),
    _row("a list", lambda own: [answer(b"[" + own + b"]")], DECODE),
    _row("null", lambda _: [answer(b"null")], DECODE),
    _row("an object of nothing", lambda _: [answer(b"{}")], DECODE),
    _row("a status that is a list", lambda _: [answer(json.dumps({"status": ["SUCCESS"], "for": 1}).encode())], DECODE),
    _row("a status that nobody knows", lambda own: [answer(own.replace(b"SUCCESS", b"DONE"))], REFUSED),
    _row("a body of 100 MB", lambda _: [_length(b"", b"%d" % (100 * MIB)), Flood(b" " * MIB, 100)], DECODE, bomb=True),
    _row("a body without end", lambda _: [_with(b""), Flood(b" " * MIB)], DECODE, bomb=True, slow=True),
)  # fmt: skip
ALL = SURPLUS + LENGTHS + CHUNKS + PACE + ENDS + HEADERS + STATUS + COMPRESSED + JSON
