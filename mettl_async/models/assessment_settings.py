"""A change of an assessment's settings."""

from typing import Annotated

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._user_value import AnyText, UserValue
from mettl_async.models._wire import wire


def _url_or_empty(path: str, value: object) -> None:
    if value != "":
        _check.url(path, value)


@frozen(kw_only=True)
class AssessmentSettings(UserValue):
    """What to change in an assessment's settings; what is None stays as it is.

    Checked when built.

    Attributes:
        instructions: HTML is allowed; empty text for none.
        allow_copy_paste: Whether candidates may copy and paste.
        exit_redirection_url: Where candidates go from the end; [assumed] empty text for nowhere, since
            blank is its default. It may hold a token of yours, so the repr has none.
        show_report_to_candidate: Whether they see their report. The server sends it, and takes it for
            a new assessment, by another name: ``show_report_to_candidate_on_exit``.
        on_screen_calculator: Whether they have a calculator.

    Raises:
        InvalidInputError: A rule is broken, or there is nothing to change.

    Vendor page: "Edit Assessment Settings".
    """

    instructions: AnyText | None = None
    allow_copy_paste: bool | None = None
    exit_redirection_url: Annotated[str, _url_or_empty] | None = field(
        default=None, repr=False, metadata=wire("exitRedirectionURL")
    )
    show_report_to_candidate: bool | None = None
    on_screen_calculator: bool | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.something("assessment_settings", self)
