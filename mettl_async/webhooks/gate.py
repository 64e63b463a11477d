"""What is refused before the body is read; and every answer that a receiver can give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import frozen

from mettl_async.errors import ConfigurationError
from mettl_async.models.webhooks import BasicAuth
from mettl_async.webhooks.asgi import Answer, read_head
from mettl_async.webhooks.basic_auth import BasicAuthVerifier
from mettl_async.webhooks.networks import AllowedNetworks

if TYPE_CHECKING:
    from mettl_async.webhooks.asgi import Scope

_MOST_DIGITS = 18  # of a content-length
_CHALLENGE = (b"www-authenticate", b'Basic realm="webhooks", charset="UTF-8"')
_AGAIN = (b"retry-after", b"30")  # [assumed] nobody says whether Mettl heeds it
NOT_A_POST = Answer(405, "only POST is served", (b"allow", b"POST"))
WRONG_NETWORK = Answer(403, "the peer is in no allowed network")
WRONG_CREDENTIALS = Answer(401, "no credentials, or wrong ones", _CHALLENGE)
BAD_LENGTH = Answer(400, "content-length is not a number")
TOO_LARGE = Answer(413, "the body is too large", closes=True)
TOO_SLOW = Answer(408, "the body did not come in time", closes=True)
NOT_AN_EVENT = Answer(400, "the body is not an event")
UNREADABLE = Answer(400, "the event lacks what its type must have")
WRONG_CONTEXT = Answer(401, "context_data does not prove what it must", _CHALLENGE)
NOT_HANDLED = Answer(503, "the event could not be handled", _AGAIN)
BUSY = Answer(503, "the event is being handled", _AGAIN)


def verifier(
    auth: BasicAuthVerifier | Iterable[BasicAuth] | BasicAuth | None,
) -> BasicAuthVerifier | None:
    """Who is believed; None for everybody.

    Raises:
        ConfigurationError: Something else than credentials.
        InvalidInputError: The same within a list, or an empty one.
    """
    if auth is None or isinstance(auth, BasicAuthVerifier):
        return auth
    if isinstance(auth, BasicAuth):
        return BasicAuthVerifier([auth])
    if not isinstance(auth, Iterable):
        raise ConfigurationError(
            f"auth: is a {type(auth).__name__}; give a BasicAuth, a list of them, or None for anyone"
        )
    return BasicAuthVerifier(list(auth))


def allowed(networks: AllowedNetworks | Iterable[str] | None) -> AllowedNetworks | None:
    """Where deliveries may come from; None for everywhere.

    Raises:
        ConfigurationError: Something else than networks.
        InvalidInputError: The same within a list.
    """
    if networks is None or isinstance(networks, AllowedNetworks):
        return networks
    if not isinstance(networks, Iterable):
        raise ConfigurationError(
            f"networks: is a {type(networks).__name__}; give a list such as ['203.0.113.0/24'], "
            "or None for all"
        )
    return AllowedNetworks(networks)


@frozen(kw_only=True)
class Gate:
    """The checks that need no more than the head of a request."""

    auth: BasicAuthVerifier | None
    networks: AllowedNetworks | None
    max_body: int

    def refusal(self, scope: Scope) -> Answer | None:
        """What is wrong with a request; None if it may come in."""
        if scope["method"] != "POST":
            return NOT_A_POST
        if self.networks is not None:
            peer = scope.get("client")
            if peer is None or not self.networks.allows(peer[0]):
                return WRONG_NETWORK
        authorization, length = read_head(scope)
        if self.auth is not None and not self.auth.check(authorization):
            return WRONG_CREDENTIALS
        if length is None:
            return None
        if not length.isdigit():
            return BAD_LENGTH
        digits = length.lstrip(b"0")
        # Python's int() refuses thousands of digits with another error.
        if len(digits) > _MOST_DIGITS or int(digits or b"0") > self.max_body:
            return TOO_LARGE
        return None
