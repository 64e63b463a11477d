"""Which schedules of an assessment to list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check, _extra
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models.proctoring import VisualProctoring, WebProctoring

if TYPE_CHECKING:
    from collections.abc import Mapping


def _further(value: Mapping[str, Any]) -> FrozenMap[Any]:
    return _extra.frozen("filter.extra", value, ("visualProctoring", "webProctoring"))


@frozen(kw_only=True)
class ScheduleFilter:
    """Which schedules of an assessment to list: those with these settings.

    Checked when built.

    Attributes:
        visual_proctoring: Mode and options.
        web_proctoring: Whether there is browsing tolerance, and how much.
        extra: Further properties by their wire names; the page is cut off before the rest.

    Raises:
        InvalidInputError: A rule is broken, or nothing is set.

    Source: api.md, API 10.
    """

    visual_proctoring: VisualProctoring | None = None
    web_proctoring: WebProctoring | None = None
    extra: FrozenMap[Any] = field(default=EMPTY, converter=_further)

    def __attrs_post_init__(self) -> None:
        _check.instance("filter.visual_proctoring", self.visual_proctoring, VisualProctoring)
        _check.instance("filter.web_proctoring", self.web_proctoring, WebProctoring)
        if self.visual_proctoring is None and self.web_proctoring is None and not self.extra:
            raise InvalidInputError("filter", "chooses nothing", "set a property, or leave it out")
