"""How a test is watched over."""

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._user_value import UserValue
from mettl_async.models._wire import wire


class VisualProctoringMode(OpenStrEnum):
    """Whether the camera is used."""

    OFF = "OFF"
    PHOTO = "PHOTO"
    # [seen] one client sends it; the pages name only the other two.
    VIDEO = "VIDEO"


class Protection(OpenStrEnum):
    """Whether a one-time password sent by email is asked for before the test."""

    OTP_ON_EMAIL = "OtpOnEmail"
    NOT_ENABLED = "NotEnabled"


@frozen(kw_only=True)
class WebProctoring(UserValue):
    """Browsing tolerance: how often a candidate may leave the test window.

    Attributes:
        enabled: On by default here, since one builds it to have it.
        count: How often, 0 or more; the server's default when None.
        show_remaining_counts: Whether the candidate sees how often is left.

    Raises:
        InvalidInputError: A wrong type or a negative count.

    Vendor page: "Create Schedule".
    """

    field_prefix = "web_proctoring."

    enabled: bool = True
    count: int | None = None
    show_remaining_counts: bool | None = None


@frozen(kw_only=True)
class VisualProctoring(UserValue):
    """Advanced visual proctoring.

    Attributes:
        mode: On or off.
        candidate_screen_capture: Whether pictures of the screen are taken at intervals.
        candidate_authorization: Whether a person lets each candidate in.

    Raises:
        InvalidInputError: A wrong type, or an option switched on with the mode off.

    Vendor page: "Create Schedule".
    """

    field_prefix = "visual_proctoring."

    mode: VisualProctoringMode
    candidate_screen_capture: bool | None = field(
        default=None, metadata=wire("options.candidateScreenCapture")
    )
    candidate_authorization: bool | None = field(
        default=None, metadata=wire("options.candidateAuthorization")
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for name in ("candidate_screen_capture", "candidate_authorization"):
            if getattr(self, name) and self.mode is VisualProctoringMode.OFF:
                raise InvalidInputError(
                    f"visual_proctoring.{name}",
                    "needs visual proctoring to be on",
                    "use VisualProctoringMode.PHOTO, or leave it out",
                )
