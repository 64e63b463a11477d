"""What every page has of HTTP: reading a form, security headers, redirects after a post."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from attrs import field, frozen

from mettl_async.sandbox.injection import place_of
from mettl_async.sandbox.pages import guard
from mettl_async.sandbox.pages.html import Html, tag
from mettl_async.sandbox.pages.layout import CANDIDATES, page
from mettl_async.sandbox.pages.style import STYLE_HASH

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from mettl_async.sandbox.sandbox import Sandbox  # noqa: TC004 - a circle, and never evaluated

MOST_FORM: Final = 16 * 1024
_MOST_FIELDS: Final = 50

_log = logging.getLogger("mettl_async.sandbox")


@frozen(kw_only=True)
class Visit:
    """What a browser asks for: ``path`` has the variables of the path; all values are decoded."""

    sandbox: Sandbox = field(repr=False)
    path: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(factory=dict, repr=False)
    base_url: str


@frozen(kw_only=True)
class Reply:
    """A page, or the address of one to go to; ``form_target`` is where a form may lead in the end."""

    status: int = 200
    body: Html = field(default=Html(""), repr=False)
    location: str | None = field(default=None, repr=False)
    form_target: str | None = field(default=None, repr=False)


Handler: TypeAlias = Callable[[Visit], Reply]


def see_other(location: str) -> Reply:
    """Send the browser on with a GET, so that reloading repeats nothing."""
    return Reply(status=303, location=location)


def problem(status: int, title: str, text: str) -> Reply:
    """Make a page that says what is wrong, for candidates and strangers."""
    return Reply(status=status, body=page(CANDIDATES, title, tag("p", None, text)))


def web_origin(url: str) -> str | None:
    """Give the origin of an http or https URL as a CSP names it; None for anything else.

    A CSP has no way to write an IPv6 address: then its scheme stands for it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    if not all(letter.isalnum() or letter in "-." for letter in host) or not host.isascii():
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


class PageEndpoint:
    """One address: an ASGI app that answers GET, and POST where there is something to do."""

    def __init__(
        self, sandbox: Sandbox, get: Handler, post: Handler | None = None, *, local: bool = False
    ) -> None:
        self._sandbox = sandbox
        self._get = get
        self._post = post
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the browser went away
            if len(body) <= MOST_FORM:
                body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            reply = self._reply(scope, body)
        except Exception as error:  # noqa: BLE001 - a bug here must not print candidate data
            _log.error("unhandled %s in a page of the sandbox", place_of(error))
            reply = problem(500, "Something went wrong", "This is a fault of the sandbox.")
        await _send(reply, scope, send, self._sandbox.clock.now())

    def _reply(self, scope: Scope, body: bytes) -> Reply:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        bound = (scope.get("server") or (None,))[0]
        if self._local and not guard.host_is_here(headers.get("host", ""), bound):
            text = "The admin's pages have no login, so they answer only to this machine's own names, such as localhost, and to the address that the sandbox listens on."
            return problem(403, "Not under this name", text)
        posted = scope["method"] == "POST"
        if posted and guard.is_cross_site(headers):
            return problem(403, "Not from another site", "The form was sent by another site.")
        if not posted and scope["method"] not in ("GET", "HEAD"):
            return problem(405, "Not possible", "A page can be opened, and its buttons pressed.")
        if posted and self._post is None:
            return problem(405, "Not possible", "Nothing can be sent to this page.")
        if len(body) > MOST_FORM:
            return problem(413, "Too much", "No form of these pages is as large as this.")
        try:
            visit = Visit(
                sandbox=self._sandbox,
                path={k: unquote(v) for k, v in scope["path_params"].items()},
                query=_pairs(scope["query_string"]),
                form=_pairs(body) if posted else {},
                base_url=f"{scope['scheme']}://{headers.get('host', '')}",
            )
        except ValueError:
            return problem(400, "Not understood", "The address or the form is not readable.")
        return self._post(visit) if posted and self._post is not None else self._get(visit)


def _pairs(text: bytes) -> dict[str, str]:
    return dict(
        parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    )


async def _send(reply: Reply, scope: Scope, send: Send, now: float) -> None:
    # What came in JSON may have half a surrogate pair, which UTF-8 has no place for.
    body = reply.body.encode(errors="replace")
    headers = [
        (b"date", formatdate(now, usegmt=True).encode()),
        (b"content-type", b"text/html;charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", _policy(reply).encode()),
        # Links are secrets of candidates. "no-referrer" would also take the Origin from our own forms.
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ]
    if reply.location is not None:
        headers.append((b"location", _for_header(reply.location)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _policy(reply: Reply) -> str:
    # A browser holds the form to this also where the answer redirects it.
    target = "" if reply.form_target is None else f" {reply.form_target}"
    return (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'{target}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def _for_header(location: str) -> bytes:
    # Whoever set the address may have put in anything; a header is one line of ASCII.
    return quote(location, safe="!#$%&'()*+,/:;=?@[]~", errors="replace").encode("ascii")
