"""Schedules: the test links of an assessment."""

from __future__ import annotations

from urllib.parse import urlsplit

from attrs import evolve, frozen

from mettl_async.api.endpoint import (
    Caller,
    Endpoint,
    checked_access_key,
    checked_id,
    expect,
    page_reader,
)
from mettl_async.api.pager import MOST_PER_PAGE, AsyncPager, Page, checked_page_size
from mettl_async.codec import dumps, from_wire, to_wire
from mettl_async.core.request import Placement
from mettl_async.errors import CallError, InvalidInputError
from mettl_async.models import (
    CreatedSchedule,
    NewSchedule,
    Schedule,
    ScheduleEdit,
    ScheduleFilter,
    Webhooks,
)

NAME_IS_TAKEN = "E000"
"""[seen] "Please use unique title for Schedule"; the code is a catch-all, so it is looked for anyway."""

LOOKS_AFTER_A_LOST_CREATE = (0.0, 1.0, 3.0)
"""Seconds before each look for a schedule whose creation may still be under way [assumed]."""

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


LIST_IN_ASSESSMENT = Endpoint(
    operation="schedules.list_in_assessment",
    method="GET",
    path="/assessments/{assessment_id}/schedules",
    placement=Placement.QUERY,
    payload="schedules",
    repeatable=True,
)
LIST = Endpoint(
    operation="schedules.list",
    method="GET",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/schedules",
    placement=Placement.QUERY,
    payload="schedules",
    repeatable=True,
)
GET = Endpoint(
    operation="schedules.get",
    method="GET",
    path="/schedules/{access_key}",
    placement=Placement.QUERY,
    payload="schedule",
    repeatable=True,
)


@frozen
class Schedules:
    """``mettl.schedules``."""

    _caller: Caller

    def list(self, *, page_size: int = 100) -> AsyncPager[Schedule]:
        """All schedules of the account, page by page.

        Args:
            page_size: Schedules per request, 1 to 100.

        Raises:
            InvalidInputError: ``page_size`` is out of bounds.

        Source: api.md, API 11.
        """

        async def fetch(offset: int, limit: int) -> Page[Schedule]:
            return await self._caller.call(
                LIST,
                {},
                {"limit": str(limit), "offset": str(offset)},
                page_reader(Schedule, LIST.payload, offset),
            )

        return AsyncPager(
            fetch,
            self._caller.lifecycle,
            page_size=checked_page_size(page_size),
            key=lambda one: one.access_key,
        )

    async def list_in_assessment(
        self,
        assessment_id: int,
        *,
        filter: ScheduleFilter | None = None,  # noqa: A002 - the API's name
    ) -> tuple[Schedule, ...]:
        """The schedules of an assessment.

        The page describes no paging; if the server says that more follow, they are asked for as in
        other lists [assumed].

        Args:
            assessment_id: Of the assessment.
            filter: Only those with such proctoring.

        Raises:
            InvalidInputError: Not an id, or not a `ScheduleFilter`.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 10.
        """
        path = {"assessment_id": checked_id(assessment_id, "assessment_id")}
        params: dict[str, str] = {}
        if filter is not None:
            expect("filter", filter, ScheduleFilter)
            params["filter"] = dumps(to_wire(filter))

        async def fetch(offset: int, limit: int) -> Page[Schedule]:
            window = {"limit": str(limit), "offset": str(offset)} if offset else {}
            page = await self._caller.call(
                LIST_IN_ASSESSMENT,
                path,
                {**params, **window},
                page_reader(Schedule, LIST_IN_ASSESSMENT.payload, offset),
            )
            return evolve(page, has_next=bool(page.has_next))

        pager = AsyncPager(
            fetch,
            self._caller.lifecycle,
            page_size=MOST_PER_PAGE,
            key=lambda one: one.access_key,
        )
        return tuple(await pager.collect())

    async def get(self, access_key: str) -> Schedule:
        """Tell about one schedule, with its assessment's details.

        Raises:
            InvalidInputError: Not an access key.
            NotFoundError: No such schedule in this account.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 12.
        """
        return await self._caller.call(
            GET,
            {"access_key": checked_access_key(access_key)},
            {},
            lambda answer: from_wire(Schedule, answer.payload.get(GET.payload), where="$.schedule"),
        )

    async def get_or_create(self, assessment_id: int, schedule: NewSchedule) -> CreatedSchedule:
        """The schedule of that name in the assessment, created if there is none.

        Names are unique in an assessment, so that a Create whose answer was lost is found again here, and
        of several callers at once each gets the same schedule. An existing one is returned as it is:
        its settings are not compared.

        Raises:
            InvalidInputError: Not an id, or not a `NewSchedule`.
            CallError: See `mettl_async.errors`.

        Source: api.md, APIs 10 and 13.
        """
        checked_id(assessment_id, "assessment_id")
        expect("schedule", schedule, NewSchedule)
        found = await self._find(assessment_id, schedule.name)
        if found is not None:
            return found
        try:
            return await self.create(assessment_id, schedule)
        except CallError as error:
            # A creation whose answer was lost may still be under way; one that was refused is not.
            lost = error.may_have_been_handled
            if not lost and error.code != NAME_IS_TAKEN:
                raise
            failure = error
        for pause in LOOKS_AFTER_A_LOST_CREATE if lost else (0.0,):
            await self._caller.effects.sleep(pause)
            try:
                found = await self._find(assessment_id, schedule.name, exactly=False)
            except CallError:
                break  # what went wrong first says more
            if found is not None:
                return found
        raise failure

    async def _find(
        self, assessment_id: int, name: str, *, exactly: bool = True
    ) -> CreatedSchedule | None:
        for one in await self.list_in_assessment(assessment_id):
            # Whether case and spaces make a name another one is not known [assumed: they may not].
            same = one.name is not None and one.name.strip().casefold() == name.strip().casefold()
            if one.name == name or (same and not exactly):
                return CreatedSchedule(
                    access_key=one.access_key,
                    id=one.id,
                    assessment_id=assessment_id,
                    name=one.name,
                    access_url=one.access_url,
                    status=one.status,
                )
        return None

    async def get_or_create_attempts(
        self, assessment_id: int, schedule: NewSchedule, *, attempts: int
    ) -> tuple[CreatedSchedule, ...]:
        """One schedule per allowed attempt, for a schedule lets a candidate take the test once.

        They are named ``{name} - attempt 1`` and so on. Missing ones are created.

        Args:
            assessment_id: Of the assessment.
            schedule: The settings of each.
            attempts: 1 to 20.

        Raises:
            InvalidInputError: An argument is out of bounds.
            CallError: See `mettl_async.errors`; those created so far are found next time.

        Source: integration flow, "ATS/LMS Back-End Flow".
        """
        expect("schedule", schedule, NewSchedule)
        if not isinstance(attempts, int) or isinstance(attempts, bool) or not 1 <= attempts <= 20:  # noqa: PLR2004 - see above
            raise InvalidInputError(
                "attempts", "is not a whole number from 1 to 20", "pass 1 to 20"
            )
        made = [
            await self.get_or_create(
                assessment_id, evolve(schedule, name=f"{schedule.name} - attempt {number}")
            )
            for number in range(1, attempts + 1)
        ]
        return tuple(made)

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
        expect("schedule", schedule, NewSchedule)
        return await self._caller.call(
            CREATE,
            {"assessment_id": key},
            {"sc": dumps(to_wire(self._with_default_webhooks(schedule)))},
            lambda answer: from_wire(
                CreatedSchedule,
                answer.payload.get("createdSchedule"),
                where="$.createdSchedule",
            ),
        )

    def _with_default_webhooks(self, schedule: NewSchedule) -> NewSchedule:
        defaults, own = self._caller.options.webhooks, schedule.webhooks
        if defaults is None:
            return schedule
        if own is None:
            return evolve(schedule, webhooks=defaults)
        auth = own.basic_auth
        # No password of ours for somebody else's host.
        if auth is None and _hosts(own) <= _hosts(defaults):
            auth = defaults.basic_auth
        urls = {**defaults.urls, **own.urls}
        return evolve(schedule, webhooks=Webhooks(urls=urls, basic_auth=auth))

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
        expect("changes", changes, ScheduleEdit)
        people = changes.access is not None and bool(changes.access.add or changes.access.remove)
        return await self._caller.call(
            EDIT,
            {"access_key": key},
            {"sc": dumps(to_wire(changes))},
            lambda answer: from_wire(Schedule, answer.payload.get("schedule"), where="$.schedule"),
            repeatable=not people,
        )


def _hosts(webhooks: Webhooks) -> set[str]:
    return {urlsplit(url).netloc.lower() for url in webhooks.urls.values()}
