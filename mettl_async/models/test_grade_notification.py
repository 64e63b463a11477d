"""Result mails to the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check

if TYPE_CHECKING:
    from collections.abc import Iterable


def _recipients(value: Iterable[str]) -> tuple[str, ...]:
    return _check.emails("test_grade_notification.recipients", value)


@frozen(kw_only=True)
class TestGradeNotification:
    """Who gets a mail when a test was graded.

    Attributes:
        recipients: Addresses; at least one when enabled, none twice. Not shown in the repr.
        enabled: On by default here, since one builds it to have it.

    Raises:
        InvalidInputError: A rule is broken.

    Vendor page: "Create Schedule".
    """

    __test__: ClassVar[bool] = False  # its name makes pytest think it holds tests

    enabled: bool = True
    recipients: tuple[str, ...] = field(default=(), converter=_recipients, repr=False)

    def __attrs_post_init__(self) -> None:
        _check.flag("test_grade_notification.enabled", self.enabled, optional=False)
        if self.enabled and not self.recipients:
            raise InvalidInputError(
                "test_grade_notification.recipients",
                "is empty",
                "give an address, or enabled=False",
            )
