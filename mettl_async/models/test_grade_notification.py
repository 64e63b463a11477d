"""Result mails to the staff."""

from typing import ClassVar

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._user_value import Email, UserValue


@frozen(kw_only=True)
class TestGradeNotification(UserValue):
    """Who gets a mail when a test was graded.

    Attributes:
        recipients: Addresses; at least one when enabled, none twice. Not shown in the repr.
        enabled: On by default here, since one builds it to have it.

    Raises:
        InvalidInputError: A rule is broken.

    Vendor page: "Create Schedule".
    """

    __test__: ClassVar[bool] = False  # its name makes pytest think it holds tests

    field_prefix = "test_grade_notification."

    enabled: bool = True
    recipients: tuple[Email, ...] = field(default=(), converter=_check.texts, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.distinct("test_grade_notification.recipients", self.recipients)
        if self.enabled:
            _check.not_empty(
                "test_grade_notification.recipients",
                self.recipients,
                "give an address, or enabled=False",
            )
