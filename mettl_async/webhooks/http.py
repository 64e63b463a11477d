"""HTTP without a framework: who may deliver, and what is answered. Pure; bodies are read in `body`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import evolve, frozen

from mettl_async.errors import InvalidInputError, RefusedDeliveryError
from mettl_async.webhooks.verification import AllowedNetworks, BasicAuthVerifier, address_of

HeaderValue: TypeAlias = str | bytes | Sequence[str] | None
HeaderPairs: TypeAlias = Iterable[tuple[str | bytes, HeaderValue]]
Headers: TypeAlias = Mapping[str, Any] | HeaderPairs
"""Headers as a framework gives them: a mapping, or pairs; names in any case, as text or bytes.

A value is text, bytes, a list of these (``multiValueHeaders`` of AWS), or None, which counts as absent.
"""

_MAX_LENGTH_DIGITS: Final = 18  # of a content-length
# Those of ASGI are bytes in lower case.
_PLACES: Final[dict[str | bytes, int]] = {
    b"authorization": 0, "authorization": 0, b"content-length": 1, "content-length": 1,
}  # fmt: skip
_NAME_LENGTHS: Final = set(map(len, _PLACES))


class HttpAnswer(NamedTuple):
    """An answer for any framework: ``status, headers, body = await receiver.respond(...)``.

    Attributes:
        status: HTTP status.
        headers: Headers by their names in lower case, without ``content-length``.
        body: Body; a constant text, or empty.
    """

    status: int
    headers: dict[str, str]
    body: bytes


@frozen
class HttpResponse:
    """A response of the receiver.

    Attributes:
        status_code: HTTP status.
        text: Body; a constant, so it holds nobody's data.
        header: One more header.
        problem: Line of the log, where it can be more precise than what a stranger is told.
    """

    status_code: int
    text: str = ""
    header: tuple[str, str] | None = None
    problem: str = ""

    def because(self, problem: str) -> "HttpResponse":
        """Give the same response with the problem that the log shows."""
        return evolve(self, problem=problem)

    def answer(self) -> HttpAnswer:
        """Give what is sent."""
        if not self.text:
            return HttpAnswer(self.status_code, {}, b"")
        headers = {"content-type": "text/plain"}
        if self.header is not None:
            headers[self.header[0]] = self.header[1]
        return HttpAnswer(self.status_code, headers, self.text.encode("ascii"))

    def error(self) -> RefusedDeliveryError:
        """Give the same as an error."""
        return RefusedDeliveryError(self.status_code, self.problem or self.text)

    def __str__(self) -> str:
        return f"{self.status_code}: {self.problem or self.text}"


_CHALLENGE: Final = ("www-authenticate", 'Basic realm="webhooks", charset="UTF-8"')
_RETRY: Final = ("retry-after", "30")  # seconds; [assumed] nobody says whether Mettl heeds it
OK: Final = HttpResponse(200)
NOT_A_POST: Final = HttpResponse(405, "only POST is served", ("allow", "POST"))
WRONG_NETWORK: Final = HttpResponse(403, "the peer is in no allowed network")
NOT_AN_ADDRESS: Final = WRONG_NETWORK.because(
    "the peer is known by something else than an IP address"
)
NO_PEER: Final = WRONG_NETWORK.because("the address of the peer is not known, and networks are set")
WRONG_CREDENTIALS: Final = HttpResponse(401, "no credentials, or wrong ones", _CHALLENGE)
NO_CREDENTIALS: Final = WRONG_CREDENTIALS.because("no authorization header came")
TWO_CREDENTIALS: Final = WRONG_CREDENTIALS.because("two different authorization headers came")
ANOTHER_SCHEME: Final = WRONG_CREDENTIALS.because("the authorization header is not of Basic auth")
WRONG_PASSWORD: Final = WRONG_CREDENTIALS.because("the user or the password is wrong")
BAD_LENGTH: Final = HttpResponse(400, "content-length is not a number")
TWO_LENGTHS: Final = BAD_LENGTH.because("two different content-length headers came")
TOO_LARGE: Final = HttpResponse(413, "the body is too large")
TOO_SLOW: Final = HttpResponse(408, "the body did not come in time")
NOT_WHOLE: Final = HttpResponse(400, "the body did not come whole")
NOT_AN_EVENT: Final = HttpResponse(400, "the body is not an event")
UNREADABLE: Final = HttpResponse(400, "the event lacks what its type must have")
WRONG_TIME: Final = HttpResponse(400, "the event is too old, or its time is wrong")
WRONG_CONTEXT: Final = HttpResponse(401, "context_data does not prove what it must", _CHALLENGE)
NOT_HANDLED: Final = HttpResponse(503, "the event could not be handled", _RETRY)
NO_HANDLER: Final = HttpResponse(503, "no handler is declared for such an event", _RETRY)
BUSY: Final = HttpResponse(503, "the event is being handled", _RETRY)


@frozen(kw_only=True)
class HeadRules:
    """What the head of a request must have before its body is read; see `WebhookReceiver`."""

    auth: BasicAuthVerifier | None
    networks: AllowedNetworks | None
    max_body: int

    def refusal(self, method: str, headers: Headers, peer: str | None) -> HttpResponse | None:
        """Give the response to a request that must be refused; None if its body may be read.

        Raises:
            InvalidInputError: An argument that no client can be blamed for: it is of another type.
        """
        if method != "POST":
            if not isinstance(method, str):
                raise InvalidInputError(
                    "method", f"is {type(method).__name__}", "give text: 'POST'"
                )
            return NOT_A_POST
        if self.networks is not None and not self.networks.allows(peer):
            return _wrong_peer(peer)
        authorization, lengths = _read(headers)
        if self.auth is not None:
            one = authorization[0] if len(authorization) == 1 else None
            if not self.auth.check(one):
                return _wrong_credentials(authorization)
        return self._wrong_length(lengths) if lengths else None

    def _wrong_length(self, lengths: list[bytes]) -> HttpResponse | None:
        if len(lengths) > 1:
            return TWO_LENGTHS
        if not lengths[0].isdigit():
            return BAD_LENGTH
        digits = lengths[0].lstrip(b"0")
        # Python's int() refuses thousands of digits with another error.
        if len(digits) > _MAX_LENGTH_DIGITS or int(digits or b"0") > self.max_body:
            return TOO_LARGE
        return None


def _wrong_peer(peer: object) -> HttpResponse:
    if peer is None or peer == "":
        return NO_PEER
    if not isinstance(peer, str):
        raise InvalidInputError(
            "peer",
            f"is {type(peer).__name__}",
            "give its address as text, such as request.client.host",
        )
    return WRONG_NETWORK if address_of(peer) else NOT_AN_ADDRESS


def _read(headers: Headers) -> tuple[list[bytes], list[bytes]]:
    """Give the different values of authorization and of content-length."""
    found: tuple[list[bytes], list[bytes]] = [], []
    try:
        for name, value in headers if isinstance(headers, list) else _pairs(headers):
            place = _PLACES.get(name)
            if place is None and len(name) in _NAME_LENGTHS:
                text = name if isinstance(name, str) else name.decode("latin-1")
                place = _PLACES.get(text.lower())
            if place is None:
                continue
            if type(value) is not bytes:  # as in ASGI
                _add(value, found[place])
            elif value not in found[place]:
                found[place].append(value)
    except InvalidInputError:
        raise
    except (AttributeError, TypeError, ValueError):  # no pairs, or no names
        problem = f"are {type(headers).__name__} without pairs of names and values"
    else:
        return found
    raise _not_headers(problem)


def _add(value: HeaderValue, values: list[bytes]) -> None:
    if isinstance(value, (list, tuple)):
        for one in value:
            _add(one, values)
    elif value is not None:
        if not isinstance(value, (str, bytes)):
            raise _not_headers(f"have a value that is {type(value).__name__}")
        content = value.encode("latin-1", "replace") if isinstance(value, str) else value
        if content not in values:
            values.append(content)


def _not_headers(problem: str) -> InvalidInputError:
    return InvalidInputError(
        "headers", problem, "give a mapping or pairs of names and values, both text or bytes"
    )


def _pairs(headers: Headers) -> HeaderPairs:
    # Not isinstance(Mapping): werkzeug's headers are none, and their items() are pairs as well.
    return headers.items() if hasattr(headers, "items") else headers


def _wrong_credentials(authorization: list[bytes]) -> HttpResponse:
    if not authorization:
        return NO_CREDENTIALS
    if len(authorization) > 1:
        return TWO_CREDENTIALS
    scheme = authorization[0].partition(b" ")[0]
    return WRONG_PASSWORD if scheme.lower() == b"basic" else ANOTHER_SCHEME
