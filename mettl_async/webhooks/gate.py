"""What is refused before the body is read; and every answer that a receiver can give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

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
WRONG_CONTEXT = Answer(401, "context_data does not prove what it must", _CHALLENGE)
NOT_HANDLED = Answer(503, "the event could not be handled", _AGAIN)
BUSY = Answer(503, "the event is being handled", _AGAIN)


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
