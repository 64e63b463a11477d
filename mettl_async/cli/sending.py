"""``mettl webhooks send``: send sample events to a receiver, with the headers that Mettl sends."""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from mettl_async.cli.printing import print_text
from mettl_async.cli.problems import MISSING, CommandError, print_stderr
from mettl_async.cli.wording import name_words
from mettl_async.models import BasicAuth, TestEvent
from mettl_async.webhooks import ContextSigner, sample_event

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_TIMEOUT: Final = 30.0
_HINTS: Final = {
    307: "307: Mettl may not follow redirects; does the path need a slash at its end, or none?",
    401: "401: --user and --password-env, or (with require_context) --own-id and --context-env",
    404: "404: nothing is at this path",
    503: "503: its handler failed, or there is none; its log says where",
}
_FIRST_ATTEMPT: Final = 99_000_000


def send(bodies: Iterable[bytes], *, to: str, auth: BasicAuth | None, name: str) -> int:
    """Send all of them, one after another, whatever is answered.

    Args:
        bodies: Bodies of the deliveries.
        to: URL of the receiver.
        auth: Credentials to send; None sends none.
        name: Name of the event, for the lines that are printed.

    Returns:
        The exit code.

    Raises:
        CommandError: The URL cannot be one of a webhook.
    """
    check_url(to)
    # A proxy would not find the way to this machine's loopback.
    trust_env = urlsplit(to).hostname not in _LOOPBACK
    accepted = sent = 0
    hints: set[str] = set()
    with httpx.Client(
        trust_env=trust_env, timeout=_TIMEOUT, headers=delivery_headers(auth)
    ) as client:
        for body in bodies:
            sent += 1
            try:
                response = client.post(to, content=body)
            except httpx.HTTPError as error:
                # Its words may repeat the address, which may hold a token.
                print_text(f"{name}  no answer: {name_words(type(error).__name__)}\n")
                continue
            accepted += response.is_success
            print_text(f"{name}  {response.status_code} {response.reason_phrase}".rstrip() + "\n")
            hints.add(_HINTS.get(response.status_code, ""))
    if accepted == sent:
        return 0
    print_stderr(f"mettl: {sent - accepted:,} of {sent:,} were not accepted")
    for hint in sorted(hints - {""}):
        print_stderr(f"       {hint}")
    return MISSING


def check_url(url: str) -> None:
    """Refuse what cannot be the address of a webhook.

    Raises:
        CommandError: Not http or https, no host, or a password in it.
    """
    try:
        parts = urlsplit(url)
        host, secret, _ = parts.hostname, parts.username or parts.password, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise CommandError("--to: is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise CommandError("--to: give a whole URL, such as http://127.0.0.1:8080/webhooks/mettl")
    if secret:
        raise CommandError("--to: has credentials in it; give --user and --password-env instead")


def delivery_headers(auth: BasicAuth | None) -> list[tuple[bytes, bytes]]:
    """Make the headers that Mettl sends: three with the credentials, if there are any [doc]."""
    # [assumed] the page says "JSON POST", not which content type
    headers = [(b"content-type", b"application/json")]
    if auth is not None:
        # [assumed] UTF-8, where the page's samples are ASCII
        user, password = auth.username.encode(), auth.password.encode()
        basic = b"Basic " + base64.b64encode(user + b":" + password)
        headers += [
            (b"authorization", basic),
            (b"php-auth-user", user),
            (b"php-auth-pw", password),
        ]
    return headers


def bodies(
    cls: type[TestEvent],
    *,
    access_key: str,
    email: str,
    count: int,
    duplicate: bool,
    context: tuple[str, ContextSigner] | None,
) -> Iterator[bytes]:
    """Make the bodies: each of another candidate, and twice the same bytes for a duplicate."""
    name, at, domain = email.partition("@")
    for place in range(1, count + 1):
        address = email if place == 1 else f"{name}+{place}{at}{domain}"
        context_data = None
        if context is not None:
            own_id, signer = context
            context_data = signer.sign(own_id, access_key=access_key, email=address)
        body = sample_event(
            cls,
            access_key=access_key,
            email=address,
            context_data=context_data,
            candidate_instance_id=_FIRST_ATTEMPT + place,
            at=datetime.now(UTC),
        )
        yield from (body,) * (1 + duplicate)
