"""Where Mettl reports what happens to a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, fields, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check

if TYPE_CHECKING:
    from typing import Self


@frozen(kw_only=True)
class BasicAuth:
    """What Mettl sends with each webhook, so that the receiver can tell it from others.

    Attributes:
        username: Without a colon, which ends it in the header.
        password: Not shown in the repr.

    Raises:
        InvalidInputError: Blank, or a colon in the username.

    Source: api.md, section 7.
    """

    username: str
    password: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        _check.text("webhooks.basic_auth.username", self.username)
        _check.text("webhooks.basic_auth.password", self.password)
        if ":" in self.username:
            raise InvalidInputError(
                "webhooks.basic_auth.username", "has a colon", "choose a name without one"
            )


@frozen(kw_only=True)
class Webhooks:
    """URLs that Mettl posts to, and the credentials it sends along.

    URLs may hold a token of yours, so the repr shows none.

    Attributes:
        test_start_notification_url: A candidate started.
        test_finish_notification_url: A candidate finished.
        test_graded_notification_url: A result is there.
        test_resume_enabled_for_expired_test_url: A candidate may resume an expired test.
        basic_auth: Sent with each of them.

    Raises:
        InvalidInputError: Not an absolute http or https URL, or nothing set at all.

    Source: api.md, section 7.
    """

    test_start_notification_url: str | None = field(default=None, repr=False)
    test_finish_notification_url: str | None = field(default=None, repr=False)
    test_graded_notification_url: str | None = field(default=None, repr=False)
    test_resume_enabled_for_expired_test_url: str | None = field(default=None, repr=False)
    basic_auth: BasicAuth | None = None

    @classmethod
    def all_to(cls, url: str, *, basic_auth: BasicAuth | None = None) -> Self:
        """All four events to one URL: the receiver tells them apart.

        Raises:
            InvalidInputError: Not an absolute http or https URL.
        """
        return cls(
            test_start_notification_url=url,
            test_finish_notification_url=url,
            test_graded_notification_url=url,
            test_resume_enabled_for_expired_test_url=url,
            basic_auth=basic_auth,
        )

    def __attrs_post_init__(self) -> None:
        names = [attribute.name for attribute in fields(type(self))]
        if all(getattr(self, name) is None for name in names):
            raise InvalidInputError("webhooks", "has nothing set", "give a URL, or leave it out")
        _check.instance("webhooks.basic_auth", self.basic_auth, BasicAuth)
        for name in names[:-1]:
            if (url := getattr(self, name)) is not None:
                _check.url(f"webhooks.{name}", url)
