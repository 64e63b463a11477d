"""Which schedules of an assessment to list."""

from attrs import frozen

from mettl_async.models import _check
from mettl_async.models._extensible import Extensible
from mettl_async.models.proctoring import VisualProctoring, WebProctoring


@frozen(kw_only=True)
class ScheduleFilter(Extensible):
    """Which schedules of an assessment to list: those with these settings.

    Checked when built.

    Attributes:
        visual_proctoring: Mode and options.
        web_proctoring: Whether there is browsing tolerance, and how much.
        extra: Further properties by their wire names; the page is cut off before the rest.

    Raises:
        InvalidInputError: A rule is broken, or nothing is set.

    Vendor page: "Get All Schedules in Assessment".
    """

    field_prefix = "filter."

    visual_proctoring: VisualProctoring | None = None
    web_proctoring: WebProctoring | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.something("filter", self)
