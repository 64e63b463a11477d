"""Whether a candidate has a usable link."""

import re
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from attrs import evolve, field, frozen

from mettl_async.models._fold_email import fold_email
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.models.registration import Registration, RegistrationStatus

LINK_BYTES: Final = 2_048
"""A link is shorter than this; those seen have some 100 [assumed]."""

_LINK: Final = re.compile(
    r"http(s?)://([^\s/?#@\\]*@)?([^\s/?#@:\[\]\\]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?#][^ ]*)?",
    re.IGNORECASE,
)
_USUAL_LINK: Final = re.compile(r"https://[A-Za-z0-9.-]+/[!-~]*")  # three times as quick


class NoLinkReason(StrEnum):
    """Why there is no link."""

    COMPLETED = "completed"
    NOT_INVITED = "not invited"
    IN_PROGRESS = "in progress"
    NO_USABLE_LINK = "no usable link"
    OTHER = "other"


@frozen(kw_only=True)
class ReadyLink:
    """The candidate may start or resume.

    Attributes:
        url: One-time link: whoever has it can take the test.
        status: ``ToBeTaken``, or ``InProgress`` for one who resumes.
    """

    url: str = field(repr=False)
    status: RegistrationStatus


@frozen(kw_only=True)
class NoLink:
    """There is no link.

    Attributes:
        reason: ``Completed`` and ``InValid`` [seen] are distinguished; there is no usable link where the
            status says that the test may be taken; anything else is other.
        status: The server's status, None when it did not mention the candidate.
        message: The server's words; may name the candidate.
    """

    reason: NoLinkReason
    status: RegistrationStatus | None = None
    message: str = field(default="", repr=False)


_MAY_TAKE_IT: Final = {
    RegistrationStatus.TO_BE_TAKEN,
    RegistrationStatus.IN_PROGRESS,
    RegistrationStatus(""),  # not said
}


def ensured(registration: Registration | None) -> ReadyLink | NoLink:
    """Tell whether a registration gave a usable link; its ``url`` is one or None.

    Example::

        for one in await mettl.candidates.register(ACCESS_KEY, people[:20]):
            link = ensured(one)
            print(link.url or link.reason)
    """
    if registration is None:
        return NoLink(reason=NoLinkReason.OTHER)
    reason = {
        RegistrationStatus.COMPLETED: NoLinkReason.COMPLETED,
        RegistrationStatus.INVALID: NoLinkReason.NOT_INVITED,
    }.get(registration.status, NoLinkReason.OTHER)
    if reason is NoLinkReason.OTHER:
        if registration.url:
            return ReadyLink(url=registration.url, status=registration.status)
        if registration.status in _MAY_TAKE_IT:
            reason = NoLinkReason.NO_USABLE_LINK
    return NoLink(reason=reason, status=registration.status, message=registration.message)


def is_link(text: str, *, plain_http: bool) -> bool:
    """Tell whether a text is a link that a candidate can follow; pure.

    It is https, has a host, no blanks, no control or invisible characters, and less than 2,048 bytes.

    Args:
        text: From the server.
        plain_http: Whether http is one too.
    """
    if _USUAL_LINK.fullmatch(text):
        return len(text) < LINK_BYTES
    match = _LINK.fullmatch(text)
    return (
        match is not None
        and (plain_http or bool(match[1]))
        and text.isprintable()
        and len(text.encode()) < LINK_BYTES
    )


def with_usable_links(
    registrations: Sequence[Registration], *, plain_http: bool
) -> tuple[Registration, ...]:
    """Take away from the items of one answer what is no link, or is the link of two people; pure.

    Args:
        registrations: All items of the answer.
        plain_http: See `is_link`.

    Returns:
        The items; where ``url`` was taken away it is None, and ``extra["url"]`` has the text.
    """
    urls = [one.url for one in registrations if one.url is not None]
    if len(set(urls)) == len(urls) and all(is_link(url, plain_http=plain_http) for url in urls):
        return tuple(registrations)
    owners: dict[str, set[str]] = defaultdict(set)
    for one in registrations:
        if one.url is not None:
            owners[one.url].add(fold_email(one.email))
    usable = {
        url: len(people) == 1 and is_link(url, plain_http=plain_http)
        for url, people in owners.items()
    }
    return tuple(
        [
            one
            if one.url is None or usable[one.url]
            else evolve(one, url=None, extra=FrozenMap({**one.extra, "url": one.url}))
            for one in registrations
        ]
    )
