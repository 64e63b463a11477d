"""Whether a candidate has a usable link."""

from enum import StrEnum

from attrs import field, frozen

from mettl_async.models.registration import Registration, RegistrationStatus


class NoLinkReason(StrEnum):
    """Why there is no link."""

    COMPLETED = "completed"
    NOT_INVITED = "not invited"
    IN_PROGRESS = "in progress"
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
        reason: ``Completed`` and ``InValid`` [seen] are distinguished; anything else is other.
        status: The server's status, None when it did not mention the candidate.
        message: The server's words; may name the candidate.
    """

    reason: NoLinkReason
    status: RegistrationStatus | None = None
    message: str = field(default="", repr=False)


def ensured(registration: Registration | None) -> ReadyLink | NoLink:
    """Tell whether a registration gave a usable link."""
    if registration is None:
        return NoLink(reason=NoLinkReason.OTHER)
    reason = {
        RegistrationStatus.COMPLETED: NoLinkReason.COMPLETED,
        RegistrationStatus.INVALID: NoLinkReason.NOT_INVITED,
    }.get(registration.status, NoLinkReason.OTHER)
    if registration.url and reason is NoLinkReason.OTHER:
        return ReadyLink(url=registration.url, status=registration.status)
    return NoLink(reason=reason, status=registration.status, message=registration.message)
