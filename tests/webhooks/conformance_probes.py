"""What every framework must do with a delivery, as data: ``python conformance_probes.py`` writes the page.

A probe asks and gives the statuses of the answers. What differs in one framework stands in `DIFFERENCES`, with
the reason; test_webhooks_conformance.py holds every cell.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from mettl_async.webhooks import TestFinished, TestStarted, UnknownEvent, sample_event

PAGE = Path(__file__).parents[2] / "docs" / "webhooks-conformance.md"
PATH = "/webhooks/mettl"
MAX_BODY = 64 * 1024


def basic(text):
    return "Basic " + b64encode(text.encode()).decode()


RIGHT = ("authorization", basic("acme:sesame-open-up"))
WRONG = ("authorization", basic("acme:sesame-open-us"))


def event(who, kind=TestStarted, **changes):
    whole = {**json.loads(sample_event(kind, access_key="k", email=who)), **changes}
    return json.dumps({name: one for name, one in whole.items() if one is not None}).encode()


def head(*headers, path=PATH, method="POST"):
    lines = [f"{method} {path} HTTP/1.1", "host: backend"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunks(body, size):
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]


CHUNKED = ("transfer-encoding", "chunked")
END = b"0\r\n\r\n"


@frozen(kw_only=True)
class Probe:
    """A probe: what is asked, and what must come.

    Attributes:
        ask: Asks a target for an email of its own, and gives the statuses that came; none: no answer.
        wanted: Those that must come.
        handled: How often the event must have been handled.
        socket: Whether it is about a connection, so that it needs one.
    """

    group: str
    name: str
    ask: Callable[[Any, str], list[int]]
    wanted: tuple[int, ...]
    handled: int = 0
    socket: bool = False


def method(name):
    return Probe(
        group="method",
        name=name,
        ask=lambda to, who: [to.ask(event(who), method=name)],
        wanted=(405,),
    )


def body(name, make, *wanted, group="body", handled=0):
    return Probe(
        group=group,
        name=name,
        ask=lambda to, who: [to.ask(make(who))],
        wanted=wanted,
        handled=handled,
    )


def credentials(name, *headers, status=401):
    return Probe(
        group="credentials",
        name=name,
        ask=lambda to, who: [to.ask(event(who), headers=headers)],
        wanted=(status,),
        handled=int(status == 200),
    )


def at(group, name, status, path=PATH, *headers, source="127.0.0.1", socket=True, by="POST"):
    return Probe(
        group=group,
        name=name,
        ask=lambda to, who: [
            to.ask(event(who), path=path, headers=(RIGHT, *headers), source=source, method=by)
        ],
        wanted=(status,),
        handled=int(status == 200),
        socket=socket,
    )


def wire(group, name, make, *wanted, handled=0, leave=False):
    return Probe(
        group=group,
        name=name,
        ask=lambda to, who: to.exchange(*make(who), leave=leave),
        wanted=wanted,
        handled=handled,
        socket=True,
    )


def length(number):
    return ("content-length", str(number))


def whole(who, *headers):
    return head(RIGHT, *headers, length(len(event(who)))) + event(who)


def padded(who, size):
    return event(who).ljust(size)


def left_and_again(to, who):
    to.exchange(whole(who), leave=True)
    return [to.ask(event(who))]


PROBES = [
    *map(method, ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]),
    credentials("none"),
    credentials("a wrong password", WRONG),
    credentials("another scheme", ("authorization", "Bearer " + RIGHT[1][6:])),
    credentials("bytes beyond ASCII", ("authorization", "Basic \xff\xfe")),
    credentials("two headers, one is right", WRONG, RIGHT),
    credentials("the scheme in capitals", ("AUTHORIZATION", "BASIC " + RIGHT[1][6:]), status=200),
    wire("credentials", "none, and no body comes", lambda _: [head(length(100))], 401),
    body("as large as allowed", lambda who: padded(who, MAX_BODY), 200, handled=1),
    body("one byte more", lambda who: padded(who, MAX_BODY + 1), 413),
    wire("body", "a gigabyte announced", lambda _: [head(RIGHT, length(10**9))], 413),
    wire(
        "body",
        "in chunks",
        lambda who: [head(RIGHT, CHUNKED), *chunks(event(who), 100), END],
        200,
        handled=1,
    ),
    wire(
        "body",
        "in chunks, too large",
        lambda who: [head(RIGHT, CHUNKED), *chunks(padded(who, MAX_BODY + 1), 9999), END],
        413,
    ),
    wire(
        "body",
        "in slow pieces",
        lambda who: [head(RIGHT, length(len(event(who)))), 0.1, event(who)[:9], 0.1, event(who)[9:]],
        200,
        handled=1,
    ),
    wire("body", "stops half-way", lambda who: [whole(who)[:-9]], 408),
    wire("body", "a length that is no number", lambda _: [head(RIGHT, length("1e3"))], 400),
    wire("body", "two lengths", lambda _: [head(RIGHT, length(5), length(6)) + b"{}{}{}"], 400),
    wire(
        "body",
        "after 100-continue",
        lambda who: [whole(who, ("expect", "100-continue"))],
        200,
        handled=1,
    ),
    body("empty", lambda _: b"", 400),
    body("no JSON", lambda _: b"<html>", 400),
    body("a form", lambda _: b"EVENT_TYPE=startAssessment", 400),
    body("cut off", lambda who: event(who)[:-5], 400),
    body("with a byte order mark", lambda who: b"\xef\xbb\xbf" + event(who), 200, handled=1),
    body("no type in it", lambda who: event(who, EVENT_TYPE=None), 400, group="event"),
    body("without an email", lambda who: event(who, email=None), 400, group="event"),
    body("of an unknown type", lambda who: event(who, UnknownEvent), 200, group="event"),
    body("without a handler", lambda who: event(who, TestFinished), 200, group="event"),
    Probe(
        group="once",
        name="twice",
        ask=lambda to, who: [to.ask(event(who)) for _ in range(2)],
        wanted=(200, 200),
        handled=1,
    ),
    Probe(
        group="once",
        name="four at a time",
        ask=lambda to, who: to.at_a_time(4, event(f"slow-{who}")),
        wanted=(200,) * 4,
        handled=1,
    ),
    Probe(
        group="once",
        name="the handler fails first",
        ask=lambda to, who: [to.ask(event(f"fails-{who}")) for _ in range(3)],
        wanted=(503, 200, 200),
        handled=1,
    ),
    wire("client", "leaves amid the body", lambda who: [whole(who)[:-9]], leave=True),
    Probe(
        group="client",
        name="leaves before the answer, comes again",
        ask=lambda to, who: left_and_again(to, f"slow-{who}"),
        wanted=(200,),
        handled=1,
        socket=True,
    ),
    Probe(
        group="client",
        name="two events on one connection",
        ask=lambda to, who: to.exchange(whole(who), "answer", whole(who)),
        wanted=(200, 200),
        handled=1,
        socket=True,
    ),
    at("path", "with a query", 200, f"{PATH}?a=b", socket=False),
    at("path", "with a last slash", 404, f"{PATH}/"),
    at("path", "another", 404, "/elsewhere"),
    at("path", "below a mount", 200, f"/mounted{PATH}"),
    at("path", "behind a root path", 200, f"/rooted{PATH}"),
    at("proxy", "x-forwarded-for of an allowed peer", 403, PATH, ("x-forwarded-for", "127.0.0.1"), source="127.0.0.2", socket=False),
    at("proxy", "x-forwarded-for of another peer", 200, PATH, ("x-forwarded-for", "127.0.0.2"), socket=False),
    at("proxy", "x-forwarded-host, -proto, -prefix", 200, PATH, ("x-forwarded-host", "ats.example"), ("x-forwarded-proto", "http"), ("x-forwarded-prefix", "/x"), socket=False),
]  # fmt: skip

FRAMEWORKS = (
    "FastAPI", "Starlette", "Litestar", "Django ASGI", "Django WSGI", "Flask", "Quart", "aiohttp",
    "Lambda URL", "API Gateway 2.0", "API Gateway 1.0",
)  # fmt: skip
SERVED_BY = (
    "uvicorn, uvicorn, uvicorn, uvicorn, wsgiref, waitress, Hypercorn, its own, none, none, none"
)


@frozen
class Difference:
    """What differs in a framework.

    Attributes:
        wanted: Statuses that come; None where the probe cannot be sent.
        why: The reason, as the page says it.
        handled: How often the event is handled.
    """

    wanted: tuple[int, ...] | None
    why: str
    handled: int = 0


_WHOLE = Difference(None, "The view is called when the server has read the whole body.")
_OWN_OPTIONS = "The framework answers OPTIONS itself."
_REDIRECTED = Difference(
    (307,), "Starlette redirects. Nobody says that Mettl follows: give it the path as it is."
)
_UNLIMITED = Difference(
    None, "A read of WSGI waits as long as the server lets it: set the server's timeout."
)
_NO_CHUNKS = "wsgiref reads no chunks, and shows an empty body; other servers of WSGI do."
_NO_SOCKET = Difference(None, "AWS gives whole requests: there is no connection to look at.")
_NO_ROOT = "aiohttp has no root path: mount the app (`add_subapp`)."
_FULL_ROOT = "Quart wants the path with its prefix, as ASGI says: the proxy must not strip it."
_BUFFERED = ("none, and no body comes", "a gigabyte announced", "stops half-way")
DIFFERENCES = {
    ("FastAPI", "without an email"): Difference(
        (200,), "The example has a handler of `UnknownEvent`, which gets it."
    ),
    ("FastAPI", "with a last slash"): _REDIRECTED,
    ("Starlette", "with a last slash"): _REDIRECTED,
    ("Litestar", "OPTIONS"): Difference((204,), _OWN_OPTIONS),
    ("Litestar", "with a last slash"): Difference((200,), "Litestar ignores a last slash.", 1),
    **{(name, probe): _WHOLE for name in ("Django ASGI", "Flask") for probe in _BUFFERED},
    ("Django WSGI", "stops half-way"): _UNLIMITED,
    ("Django WSGI", "two events on one connection"): Difference(
        (200,), "wsgiref closes the connection after each answer; other servers of WSGI do not.", 1
    ),
    ("Django WSGI", "in chunks"): Difference((400,), _NO_CHUNKS),
    ("Django WSGI", "in chunks, too large"): Difference((400,), _NO_CHUNKS),
    ("Flask", "OPTIONS"): Difference((200,), _OWN_OPTIONS),
    ("Quart", "OPTIONS"): Difference((200,), _OWN_OPTIONS),
    ("Quart", "behind a root path"): Difference((404,), _FULL_ROOT),
    ("aiohttp", "behind a root path"): Difference((404,), _NO_ROOT),
    **{
        (name, probe.name): _NO_SOCKET
        for name in FRAMEWORKS[-3:]
        for probe in PROBES
        if probe.socket
    },
}


def expected(framework, probe):
    """What a probe must give: statuses (None where it cannot be sent), and how often it is handled."""
    other = DIFFERENCES.get((framework, probe.name))
    return (other.wanted, other.handled) if other else (probe.wanted, probe.handled)


def render():
    """Write the page: the table, and a note for each exception."""
    notes = []
    rows = []
    for probe in PROBES:
        cells = []
        for name in FRAMEWORKS:
            statuses, _ = expected(name, probe)
            text = "-" if statuses is None else ", ".join(map(str, statuses)) or "no answer"
            other = DIFFERENCES.get((name, probe.name))
            if other:
                if other.why not in notes:
                    notes.append(other.why)
                text += f" [{notes.index(other.why) + 1}]"
            cells.append(text)
        rows.append([f"{probe.group}: {probe.name}", _times(probe), *cells])
    header = ["probe", "handled", *FRAMEWORKS]
    served = ["server", "", *SERVED_BY.split(", ")]
    lines = [header, ["---"] * len(header), served, *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    numbered = "\n".join(f"{place}. {note}" for place, note in enumerate(notes, 1))
    return f"{INTRODUCTION}\n{table}\n\n## Notes\n\n{numbered}\n"


def _times(probe):
    return {0: "never", 1: "once"}[probe.handled]


INTRODUCTION = f"""\
# Webhooks in each framework

Each example of `docs/examples/webhooks` on a real server (for AWS Lambda: its handler),
and {len(PROBES)} probes: what is sent, how often the event is handled, and the status of each answer. The tests
hold every cell; `python tests/webhooks/conformance_probes.py` writes this page.
"""

if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
