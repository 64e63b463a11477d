"""``mettl webhooks send``: fires sample events at a receiver, with the headers that Mettl sends.

Next to the transport the only module of the library that names httpx: what goes to a webhook is
neither signed nor asked of Mettl.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
from attrs import field, frozen

from mettl_async.cli.problems import MISSING, CommandError, tell
from mettl_async.cli.tables import print_text
from mettl_async.models import BasicAuth, TestFinished, TestGraded, TestResumeEnabled, TestStarted
from mettl_async.webhooks import ContextSigner, sample_event

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_KINDS: Final = {
    one.__name__: one for one in (TestStarted, TestFinished, TestGraded, TestResumeEnabled)
}
_TIMEOUT: Final = 30.0
_HINTS: Final = {
    307: "307: Mettl may not follow redirects; does the path need a slash at its end, or none?",
    401: "401: --user and --password-env, or (with require_context) --own-id and --context-env",
    404: "404: nothing is at this path",
    503: "503: its handler failed, or there is none; its log says where",
}
_FIRST_ATTEMPT: Final = 99_000_000


class Kind(StrEnum):
    """Which event to send, by the name of its class."""

    STARTED = "TestStarted"
    FINISHED = "TestFinished"
    GRADED = "TestGraded"
    RESUME_ENABLED = "TestResumeEnabled"


@frozen(kw_only=True)
class Job:
    """What to send, and where to."""

    kind: Kind
    to: str = field(repr=False)
    auth: BasicAuth | None
    access_key: str
    email: str = field(repr=False)
    count: int
    duplicate: bool
    context: tuple[str, ContextSigner] | None = field(repr=False)


def send(job: Job) -> int:
    """Send all of them, one after another, whatever is answered; gives the exit code.

    Raises:
        CommandError: The address cannot be one of a webhook.
    """
    check_url(job.to)
    headers = delivery_headers(job.auth)
    # A proxy would not find the way to this machine's loopback.
    trust_env = urlsplit(job.to).hostname not in _LOOPBACK
    good = sent = 0
    hints: set[str] = set()
    with httpx.Client(trust_env=trust_env, timeout=_TIMEOUT) as client:
        for body in bodies(job):
            sent += 1
            try:
                answer = client.post(job.to, content=body, headers=headers)
            except httpx.HTTPError as error:
                # Its words may repeat the address, which may hold a token.
                print_text(f"{job.kind}  no answer: {type(error).__name__}\n")
                continue
            good += answer.is_success
            print_text(f"{job.kind}  {answer.status_code} {answer.reason_phrase}".rstrip() + "\n")
            hints.add(_HINTS.get(answer.status_code, ""))
    if good < sent:
        tell(f"mettl: {sent - good:,} of {sent:,} were not accepted")
        for hint in sorted(hints - {""}):
            tell(f"       {hint}")
        return MISSING
    return 0


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
    # [assumed]: the page says "JSON POST", not which content type.
    headers = [(b"content-type", b"application/json")]
    if auth is not None:
        # [assumed]: UTF-8, where the page's samples are ASCII.
        user, password = auth.username.encode(), auth.password.encode()
        basic = b"Basic " + base64.b64encode(user + b":" + password)
        headers += [
            (b"authorization", basic),
            (b"php-auth-user", user),
            (b"php-auth-pw", password),
        ]
    return headers


def bodies(job: Job) -> Iterator[bytes]:
    """Make the bodies: each of a candidate of its own, and twice the same bytes for a duplicate."""
    for place in range(1, job.count + 1):
        email, context_data = numbered(job.email, place), None
        if job.context is not None:
            own_id, signer = job.context
            context_data = signer.sign(own_id, access_key=job.access_key, email=email)
        body = sample_event(
            _KINDS[job.kind],
            access_key=job.access_key,
            email=email,
            context_data=context_data,
            candidate_instance_id=_FIRST_ATTEMPT + place,
            at=datetime.now(UTC),
        )
        yield body
        if job.duplicate:
            yield body


def numbered(email: str, place: int) -> str:
    """Give the first candidate this address, and the others the same with ``+2``, ``+3``, ... in it."""
    name, at, domain = email.partition("@")
    return email if place == 1 else f"{name}+{place}{at}{domain}"
