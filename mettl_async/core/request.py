"""The values that travel through the chain, and the one place where parameters are encoded."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, Self
from urllib.parse import quote

from attrs import define, field, frozen

from mettl_async.config import ApiVersion, RetryPolicy
from mettl_async.core.multipart import FilePart, encode_multipart
from mettl_async.errors import InvalidInputError

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_ESCAPES = tuple((bytes((byte,)), b"%%%02X" % byte) for byte in range(256))
_USUAL = b'",: {}[]@'
"""What most texts consist of besides letters: they are JSON with names and addresses."""
_USUAL_ESCAPES = tuple(_ESCAPES[byte] for byte in _USUAL)
_NOT_RARE = UNRESERVED + _USUAL
FORM_CONTENT_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"


class Placement(Enum):
    """Where parameters travel."""

    QUERY = "query"
    FORM = "form"


@define(eq=False)
class History:
    """What the attempts of one call have come to so far; shared by all copies of its request.

    Attributes:
        abandon: See `Response`; of the latest answer.
    """

    attempts: int = 0
    sent_at: float = 0.0
    sent: bool = False
    handled: bool = False
    times: list[datetime] = field(factory=list)
    abandon: Callable[[], Awaitable[None]] | None = None


@define(eq=False)
class RunContext:
    """What all requests of one bulk run share.

    Attributes:
        first_answer_timeout: Seconds that a call may take until the run has had its first answer, because
            the address may be wrong.
        answered: Whether any request was answered, by a success or not.
        retrying: Calls that wait for a retry now.
        retry_reason: Name of the error's class for which the latest of them waits; None without any.
    """

    first_answer_timeout: float
    answered: bool = False
    retrying: int = 0
    retry_reason: str | None = None

    @contextmanager
    def waiting_for_retry(self, error: Exception) -> Iterator[None]:
        """Count a call that waits for a retry while the block runs."""
        self.retrying += 1
        self.retry_reason = type(error).__name__
        try:
            yield
        finally:
            self.retrying -= 1
            self.retry_reason = self.retry_reason if self.retrying else None


class _Evolving:
    def evolve(self, **changes: Any) -> Self:
        """Copy with the named attributes changed.

        Raises:
            TypeError: A name is unknown.

        Example::

            async def say_who(request: Request, call_next: Next) -> Response:
                headers = {**request.headers, "x-service": "ats"}
                return await call_next(request.evolve(headers=headers))


            async with MettlClient(middleware=Middlewares(per_attempt=[say_who])) as client:
                await client.account.get()
        """
        # As attrs does it, without a call for each attribute: none has a converter or a validator.
        own = self.__dict__
        changed = {**own, **changes}
        if len(changed) > len(own):
            names = ", ".join(sorted(changes.keys() - own.keys()))
            raise TypeError(f"{type(self).__name__} has no attribute {names}")
        copy = object.__new__(type(self))
        object.__setattr__(copy, "__dict__", changed)
        return copy


# With slots a frozen value takes three times as long to make and to copy.
@frozen(kw_only=True, slots=False)
class Request(_Evolving):
    """What one call wants, before and after signing; parameters are decoded text.

    Middleware reads it and passes on a changed copy (`evolve`). Its repr shows neither the URL nor a
    parameter's value, for both can hold candidates' data.

    Attributes:
        operation: The client's name of the call, such as ``candidates.register``.
        method: HTTP method, upper case.
        url: Scheme, host and escaped path, without a query: exactly what is signed.
        template: The path with placeholders; this is what logs show.
        params: Decoded values by name. After signing they include ``ak``, ``ts`` and ``asgn``.
        headers: Further HTTP headers, such as a gateway's; not signed.
        placement: Whether they travel in the query or as a form body.
        files: Sent as a multipart body; not signed.
        version: Decides the hash of the signature.
        repeatable: Whether handling it twice does no harm.
        payload_key: Key that makes an answer a success even without ``status``; empty for none.
        partial_success: Whether ``status: ERROR`` with the payload is a partial result.
        personal_params: Names of parameters that hold candidates' data.
        personal_values: Further texts that are candidates' data, such as an email in the path.
        retry: Its attempts, pauses and deadline.
        run: The bulk run that it is part of: its retries don't count against the client's quota,
            for the run has bounds of its own, and its pace follows the server's.
        request_id: The client's own id of the call.
        attempt: 1 for the first request of the call.
        history: What its attempts have come to.
    """

    operation: str
    method: str
    url: str = field(repr=False)
    template: str
    params: Mapping[str, str] = field(factory=dict, repr=lambda params: f"<{', '.join(params)}>")
    headers: Mapping[str, str] = field(factory=dict, repr=lambda headers: f"<{', '.join(headers)}>")
    placement: Placement = Placement.QUERY
    files: tuple[FilePart, ...] = ()
    version: ApiVersion = ApiVersion.V2
    repeatable: bool = False
    payload_key: str = field(default="", repr=False)
    partial_success: bool = field(default=False, repr=False)
    personal_params: tuple[str, ...] = field(default=(), repr=False)
    personal_values: tuple[str, ...] = field(default=(), repr=False)
    retry: RetryPolicy = field(factory=RetryPolicy, repr=False)
    run: RunContext | None = field(default=None, repr=False)
    request_id: str = ""
    attempt: int = 1
    history: History = field(factory=History, repr=False, eq=False)

    @property
    def time_limit(self) -> float:
        """Seconds that the call may take, as far as is known now."""
        if self.run is None or self.run.answered:
            return self.retry.deadline
        return min(self.retry.deadline, self.run.first_answer_timeout)


@frozen(kw_only=True, slots=False)  # as above
class SignedRequest:
    """The exact bytes to send; made by `encode`, consumed by a transport.

    Attributes:
        method: HTTP method.
        url: Scheme, host and path, without the query.
        target: Path and query as they go into the request line.
        body: The form body, or empty.
        headers: Further headers, the content type of a body among them.
    """

    method: str
    url: str = field(repr=False)
    target: bytes = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)


@frozen(kw_only=True, slots=False)  # as above
class Response(_Evolving):
    """What came back; a 4xx or 5xx is a response too.

    Attributes:
        status_code: HTTP status.
        headers: Names in lower case; a repeated header is joined with ", ".
        content: The body, decompressed.
        attempts: How many requests the call has made so far.
        sent_at: When those of them that left were sent, by this machine's clock, in UTC.
        envelope: What was read of this body with this status; None if it was not read yet.
        abandon: Has the connection that it came on closed, where it may hold others' answers; None where
            that is not known, and in what callers get.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=lambda content: f"<{len(content)} bytes>")
    attempts: int = 1
    sent_at: tuple[datetime, ...] = field(default=(), repr=False, eq=False)
    envelope: Any = field(default=None, init=False, repr=False, eq=False)
    abandon: Callable[[], Awaitable[None]] | None = field(default=None, repr=False, eq=False)

    def evolve(self, **changes: Any) -> Self:
        """Copy with the named attributes changed; in a middleware of yours.

        Raises:
            TypeError: A name is unknown.

        Example::

            async def no_cookies(request: Request, call_next: Next) -> Response:
                response = await call_next(request)
                kept = {name: one for name, one in response.headers.items() if name != "set-cookie"}
                return response.evolve(headers=kept)


            async with MettlClient(middleware=Middlewares(per_attempt=[no_cookies])) as client:
                await client.account.get()
        """
        if "content" in changes or "status_code" in changes:
            changes = {"envelope": None, **changes}
        return super().evolve(**changes)


def percent_encode(text: str) -> bytes:
    """Escape everything but RFC 3986's unreserved characters; a space becomes ``%20``.

    Three quarters of a naive request's encoding time goes into this step, so it replaces each
    distinct byte once instead of walking the text, and looks for distinct ones only among the few
    that are left without the usual ones.
    """
    raw = text.encode()
    if raw.isalnum():
        return raw
    rare = raw.translate(None, _NOT_RARE)
    if b"%" in rare:  # first, or the escapes made below would be escaped again
        raw = raw.replace(b"%", b"%25")
    for plain, escape in _USUAL_ESCAPES:
        raw = raw.replace(plain, escape)
    for byte in set(rare.replace(b"%", b"")):
        plain, escape = _ESCAPES[byte]
        raw = raw.replace(plain, escape)
    return raw


def encoded_length(text: str) -> int:
    """Return the length of ``percent_encode(text)`` without making it."""
    raw = text.encode()
    return len(raw) + 2 * len(raw.translate(None, UNRESERVED))


def path_segment(text: str) -> str:
    """Escape a value for one path segment, once; ``@`` and ``+`` stay as they are.

    The server signs the path as sent, and clients leave both raw [seen].

    Raises:
        InvalidInputError: Empty, or one that URLs swallow (``.`` and ``..``).
    """
    if text.isalnum() and text.isascii():
        return text
    if text in {"", ".", ".."}:
        raise InvalidInputError("path", "has an empty or a dot segment", "pass an id, key or email")
    return quote(text, safe="@+")


def encode_params(params: Mapping[str, str]) -> bytes:
    """Join parameters as ``name=value&...``, each escaped exactly once."""
    return b"&".join(
        [percent_encode(name) + b"=" + percent_encode(value) for name, value in params.items()]
    )


def encode(request: Request) -> SignedRequest:
    """Turn a signed request into the bytes of its request line and body."""
    target, body, content_type = request.url[request.url.index("/", 8) :].encode("ascii"), b"", ""
    in_form = request.placement is Placement.FORM
    if not in_form:
        target += b"?" + encode_params(request.params)
    if request.files:
        content_type, body = encode_multipart(request.params if in_form else {}, request.files)
    elif in_form:
        content_type, body = FORM_CONTENT_TYPE, encode_params(request.params)
    return SignedRequest(
        method=request.method,
        url=request.url,
        target=target,
        body=body,
        headers={**request.headers, "Content-Type": content_type}
        if content_type
        else request.headers,
    )
