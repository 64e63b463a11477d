"""The answer to registering a candidate."""

from attrs import field, frozen

from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue


class RegistrationStatus(OpenStrEnum):
    """What the server says of a registration. All but the first are [seen], not documented."""

    TO_BE_TAKEN = "ToBeTaken"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    INVALID = "InValid"


_NOT_SAID = RegistrationStatus("")


@frozen(kw_only=True)
class Registration(ServerValue):
    """How the registration of one candidate went; the repr shows no personal data.

    Success of the call is no proof of a usable link: look at ``url``.

    Attributes:
        email: The candidate's address.
        status: An unknown, empty member when the server says none.
        message: The server's words, which hold the address; empty when it says none.
        url: The candidate's own link: who has it can take the test. None for one who has
            completed it or may not take it, and where the server's text is no usable link or stands
            beside two people: then ``extra["url"]`` has it.
    """

    email: str = field(repr=False)
    status: RegistrationStatus = _NOT_SAID
    message: str = field(default="", repr=False)
    url: str | None = field(default=None, repr=False)
