"""Schedules: the test links of an assessment."""

from __future__ import annotations

from attrs import frozen

from mettl_async.api.endpoint import Caller, Endpoint, checked_access_key, checked_id
from mettl_async.codec import dumps, from_wire, to_wire
from mettl_async.core.request import Placement
from mettl_async.errors import InvalidInputError
from mettl_async.models import CreatedSchedule, NewSchedule, Schedule, ScheduleEdit

CREATE = Endpoint(
    operation="schedules.create",
    method="POST",
    path="/assessments/{assessment_id}/schedules",
    placement=Placement.FORM,
    payload="createdSchedule",
    # A repeat after a lost answer is refused (names are unique), and the access key stays unknown.
    repeatable=False,
    personal_params=("sc",),
)
EDIT = Endpoint(
    operation="schedules.edit",
    method="POST",
    path="/schedules/{access_key}/edit",
    placement=Placement.QUERY,
    payload="schedule",
    repeatable=True,
    personal_params=("sc",),
)


@frozen
class Schedules:
    """``mettl.schedules``."""

    _caller: Caller

    async def create(self, assessment_id: int, schedule: NewSchedule) -> CreatedSchedule:
        """Create a schedule (test link) in an assessment.

        It is not sent again once the server may have seen it: a lost answer raises with
        ``.may_have_been_handled``, and the schedule then exists under its unique name.

        Args:
            assessment_id: Of the assessment, above 0.
            schedule: What to create; its name must be new in the assessment.

        Returns:
            The new schedule with its ``access_key``.

        Raises:
            InvalidInputError: A value breaks a rule, or the parameters do not fit into a URL.
            ApiError: ``code`` E000 for a name that is taken.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 13.
        """
        key = checked_id(assessment_id, "assessment_id")
        _expect("schedule", schedule, NewSchedule)
        return await self._caller.call(
            CREATE,
            {"assessment_id": key},
            {"sc": dumps(to_wire(schedule))},
            lambda answer: from_wire(
                CreatedSchedule,
                answer.payload.get("createdSchedule"),
                where="$.createdSchedule",
            ),
        )

    async def edit(self, access_key: str, changes: ScheduleEdit) -> Schedule:
        """Change some settings of a schedule, or its invited candidates.

        Settings may be sent again after a lost answer; an edit that adds or removes candidates is not,
        for the mails would go out twice.

        Args:
            access_key: Of the schedule.
            changes: Only what is to change.

        Returns:
            The schedule as it now is.

        Raises:
            InvalidInputError: A value breaks a rule, or the parameters do not fit into a URL.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 14.
        """
        key = checked_access_key(access_key)
        _expect("changes", changes, ScheduleEdit)
        people = changes.access is not None and bool(changes.access.add or changes.access.remove)
        return await self._caller.call(
            EDIT,
            {"access_key": key},
            {"sc": dumps(to_wire(changes))},
            lambda answer: from_wire(Schedule, answer.payload.get("schedule"), where="$.schedule"),
            repeatable=not people,
        )


def _expect(field: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise InvalidInputError(
            field, f"is a {type(value).__name__}", f"pass a {kind.__name__}(...)"
        )
