"""The answer to creating a schedule."""

from __future__ import annotations

from attrs import frozen

from mettl_async.models._server_value import ServerValue
from mettl_async.models.schedule import ScheduleStatus


@frozen(kw_only=True)
class CreatedSchedule(ServerValue):
    """A schedule that was just created.

    Only ``access_key`` is certain. ``access_url`` is the link to share.

    Source: api.md, API 13.
    """

    access_key: str
    id: int | None = None
    assessment_id: int | None = None
    name: str | None = None
    access_url: str | None = None
    status: ScheduleStatus | None = None
