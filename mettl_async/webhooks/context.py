"""A signed ``context_data``: it proves who wrote it, and for which candidate."""

import binascii
import hmac
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from mettl_async.errors import ContextDataError, InvalidInputError
from mettl_async.models import SignedContext, _check
from mettl_async.models._fold_email import fold_email

_MIN_SECRET = 16  # bytes
_VERSION = b"\x01"
_EXPIRY = 5  # bytes: seconds since 1970, 0 for never; until the year 36812
_MAC = 16  # bytes of an HMAC-SHA256, of which nobody guesses one in 2**128
_HEAD = len(_VERSION) + _EXPIRY + _MAC
_OVERHEAD = _HEAD + _MAC
_MAX_ID = 112  # bytes
_MAX_TEXT = 200  # characters, of the longest id; how many the field takes is not documented
_LAST_YEAR = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
# Each use of a secret has its own label, so that what is signed for one is nothing for another.
_BINDING = b"mettl-async context binding 1\0"
_SIGNING = b"mettl-async context 1\0"


class ContextSigner:
    """Sign and verify ``context_data``: an id of yours, bound to one candidate of one schedule.

    Text that passes `verify` was made by `sign` with one of the secrets, for this email (case does not
    matter) and this access key, and is not expired. Any changed character is detected.

    It protects against someone who knows the URL, and even the password, of a webhook and invents events, or
    uses the context of one candidate for another. It does not protect against a true delivery sent again
    (see `event_identity`), or with other marks in it: the candidate is signed, not the result. The text is
    not encrypted: anyone can read the id in it.

    Example::

        signer = ContextSigner(["sixteen random bytes, or more"])
        who = {"access_key": ACCESS_KEY, "email": "asha@example.org"}
        context_data = signer.sign("application-7", **who)
        signer.verify(context_data, **who).own_id  # "application-7"

    Args:
        secrets: At least one, each of 16 random bytes or more. The first signs, all verify: to rotate, put
            the new one first, and drop the old one when every test that was registered with it is over.

    Raises:
        InvalidInputError: No list, no secret, or one that is too short.

    Source: vendor page "Register Candidates in Schedule".
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Sequence[str | bytes]) -> None:
        if isinstance(secrets, (str, bytes)):
            raise InvalidInputError("secrets", "is a single secret", "give a list of secrets")
        if not isinstance(secrets, Iterable):
            raise InvalidInputError(
                "secrets", f"is {_check.shape(secrets)}", "give a list of secrets"
            )
        self._secrets = tuple(_secret(place, one) for place, one in enumerate(secrets))
        if not self._secrets:
            raise InvalidInputError("secrets", "is empty", "give at least one secret")

    def sign(
        self,
        own_id: str,
        *,
        access_key: str,
        email: str,
        expires_in: timedelta | None = None,
        now: float | None = None,
    ) -> str:
        """Make a ``context_data`` to register this candidate with.

        Args:
            own_id: Id in your system, at most 112 bytes of UTF-8.
            access_key: Key of the schedule that the candidate is registered in.
            email: Address of the candidate.
            expires_in: Time that it is valid, to the next whole second; None for ever. Results may come
                long after the registration.
            now: Seconds since 1970; None reads the clock.

        Returns:
            Text of at most 200 letters, digits, ``-`` and ``_``.

        Raises:
            InvalidInputError: A text is blank or too long, or ``expires_in`` is not a `timedelta` above 0.
        """
        _check.text("own_id", own_id)
        _check.text("access_key", access_key)
        _check.text("email", email)
        content = own_id.encode()
        if len(content) > _MAX_ID:
            raise InvalidInputError(
                "own_id",
                f"is {len(content)} bytes of UTF-8",
                f"give at most {_MAX_ID}: an id, and keep the rest in your database",
            )
        expiry = 0 if expires_in is None else _expiry(expires_in, _now(now))
        secret = self._secrets[0]
        head = _VERSION + expiry.to_bytes(_EXPIRY, "big") + _binding(secret, access_key, email)
        return _text(head + _mac(secret, head + content) + content)

    def verify(
        self, context_data: str | None, *, access_key: str, email: str, now: float | None = None
    ) -> SignedContext:
        """Give what a ``context_data`` says, if it was signed for this candidate.

        Args:
            context_data: Text of the event.
            access_key: Key of the event's schedule.
            email: Address of the event's candidate.
            now: Seconds since 1970; None reads the clock.

        Raises:
            ContextDataError: It is missing, malformed, forged, mismatched or expired: ``.reason``.
        """
        found = self._read(context_data, access_key, email, _now(now))
        # Raised where no frame holds a secret, an address or the text: error reporters show locals.
        del context_data, access_key, email
        if isinstance(found, str):
            raise ContextDataError(found)
        return found

    def _read(
        self, context_data: str | None, access_key: str, email: str, now: float
    ) -> SignedContext | str:
        """Give what a text says, or the reason why it says nothing."""
        content, reason = _content(context_data)
        secret = None if reason else self._signed_by(content)
        if secret is None:
            return reason or "forged"
        head, own_id = content[:_HEAD], content[_OVERHEAD:]
        binding = _binding(secret, access_key, email)
        if not hmac.compare_digest(binding, head[-_MAC:]):
            return "mismatched"
        expiry = int.from_bytes(head[len(_VERSION) : len(_VERSION) + _EXPIRY], "big")
        if expiry and now >= expiry:
            return "expired"
        return SignedContext(
            own_id=own_id.decode(),
            expires_at=datetime.fromtimestamp(expiry, UTC) if expiry else None,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._secrets)} secrets)"

    def _signed_by(self, content: bytes) -> bytes | None:
        head, mac, own_id = content[:_HEAD], content[_HEAD:_OVERHEAD], content[_OVERHEAD:]
        found = None
        for secret in self._secrets:
            if hmac.compare_digest(_mac(secret, head + own_id), mac):
                found = secret
        return found


def _secret(place: int, secret: str | bytes) -> bytes:
    path = f"secrets[{place}]"
    if isinstance(secret, str):
        _check.text(path, secret, blank=True)
        secret = secret.encode()
    if not isinstance(secret, bytes):
        raise InvalidInputError(path, f"is {_check.shape(secret)}", "give it as text or bytes")
    if len(secret) < _MIN_SECRET:
        raise InvalidInputError(
            path,
            f"is {len(secret)} bytes",
            f"give at least {_MIN_SECRET} random ones, such as of secrets.token_bytes(32)",
        )
    return secret


def _now(now: float | None) -> float:
    return datetime.now(UTC).timestamp() if now is None else now


def _expiry(expires_in: timedelta, now: float) -> int:
    if not isinstance(expires_in, timedelta):
        raise InvalidInputError(
            "expires_in", f"is {_check.shape(expires_in)}", "give a time such as timedelta(days=90)"
        )
    if expires_in <= timedelta(0):
        raise InvalidInputError("expires_in", "is not more than 0", "give a time to come, or None")
    expiry = math.ceil(now + expires_in.total_seconds())
    if not 0 < expiry < _LAST_YEAR:
        raise InvalidInputError("expires_in", "ends beyond the year 9998", "give None for no end")
    return expiry


def _binding(secret: bytes, access_key: str, email: str) -> bytes:
    # The length of the first keeps one pair from looking like another. An event may have half a
    # surrogate pair in it only if someone built it by hand; it must not raise.
    key = access_key.strip().encode("utf-8", "surrogatepass")
    folded = fold_email(email).encode("utf-8", "surrogatepass")
    message = _BINDING + len(key).to_bytes(4, "big") + key + folded
    return hmac.digest(secret, message, "sha256")[:_MAC]


def _mac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, _SIGNING + content, "sha256")[:_MAC]


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _content(text: str | None) -> tuple[bytes, str]:
    """Decode the text; the second value is the reason when it cannot be."""
    if text is None or not text.strip():
        return b"", "missing"
    text = text.strip()  # as of the email and the access key: someone may put it on lines
    if len(text) > _MAX_TEXT or not text.isascii():
        return b"", "malformed"
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b"", "malformed"
    # Several texts are the same bytes; only one of them is ours.
    if _text(content) != text or len(content) <= _OVERHEAD or content[:1] != _VERSION:
        return b"", "malformed"
    return content, ""
