"""A change of an assessment's settings."""

from __future__ import annotations

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._wire import wire


@frozen(kw_only=True)
class AssessmentSettings:
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

    instructions: str | None = None
    allow_copy_paste: bool | None = None
    exit_redirection_url: str | None = field(
        default=None, repr=False, metadata=wire("exitRedirectionURL")
    )
    show_report_to_candidate: bool | None = None
    on_screen_calculator: bool | None = None

    def __attrs_post_init__(self) -> None:
        _check.something("assessment_settings", self)
        if self.instructions is not None:
            _check.text("instructions", self.instructions, blank=True)
        if self.exit_redirection_url is not None and self.exit_redirection_url != "":
            _check.url("exit_redirection_url", self.exit_redirection_url)
        for name in ("allow_copy_paste", "show_report_to_candidate", "on_screen_calculator"):
            _check.flag(name, getattr(self, name))
