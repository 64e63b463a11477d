"""Webhooks of a schedule: where Mettl posts events, and with which credentials."""

from collections.abc import Mapping
from typing import Final, Self

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._user_value import UserValue
from mettl_async.models.event import EVENTS, TestEvent

AUTH_PROPERTY: Final = "testNotificationBasicAuthHeader"
"""Property of the schedule that holds the credentials."""


@frozen(kw_only=True)
class BasicAuth(UserValue):
    """Credentials that Mettl sends with each webhook, so that the receiver can authenticate it.

    Attributes:
        username: Name without a colon, which would end it in the header.
        password: Secret, not shown in the repr.

    Raises:
        InvalidInputError: Blank, or a colon in the username.

    Source: vendor page "Create Schedule".
    """

    field_prefix = "webhooks.basic_auth."

    username: str
    password: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if ":" in self.username:
            raise InvalidInputError(
                "webhooks.basic_auth.username", "has a colon", "choose a name without one"
            )


def _frozen(urls: Mapping[type[TestEvent], str]) -> Mapping[type[TestEvent], str]:
    return FrozenMap(urls) if isinstance(urls, Mapping) else urls  # type: ignore[arg-type, return-value]  # its keys are classes here


@frozen(kw_only=True)
class Webhooks(UserValue):
    """URLs that Mettl posts events to, and the credentials that it sends along.

    URLs may hold a token of yours, so the repr shows none.

    Attributes:
        urls: Absolute http or https URLs by class of event, such as
            ``{TestGraded: "https://ats.example/graded"}``.
        basic_auth: Credentials sent with each event.

    Example::

        Webhooks.all_to(
            "https://ats.example.org/mettl",
            basic_auth=BasicAuth(username="mettl", password="a long random secret"),
        )

    Raises:
        InvalidInputError: Not an absolute http or https URL, not a class of events, or nothing set.

    Source: vendor pages "Create Schedule" and "Edit Schedule".
    """

    field_prefix = "webhooks."

    urls: Mapping[type[TestEvent], str] = field(default=EMPTY, converter=_frozen, repr=False)
    basic_auth: BasicAuth | None = None

    @classmethod
    def all_to(cls, url: str, *, basic_auth: BasicAuth | None = None) -> Self:
        """Send all events to one URL: the receiver tells them apart.

        Raises:
            InvalidInputError: Not an absolute http or https URL.
        """
        return cls(urls=dict.fromkeys(EVENTS, url), basic_auth=basic_auth)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.something("webhooks", self)
        for event, url in self.urls.items():
            if event not in EVENTS:
                raise InvalidInputError(
                    "webhooks.urls",
                    "has a key that is no class of events",
                    f"give {', '.join(one.__name__ for one in EVENTS)}",
                )
            _check.url(f"webhooks.urls[{event.__name__}]", url)
