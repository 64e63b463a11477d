"""Schedules: the test links of an assessment."""

from urllib.parse import urlsplit

from attrs import evolve

from mettl_async.api import endpoints
from mettl_async.api.belonging import fold_name
from mettl_async.api.caller import Resource
from mettl_async.api.pager import AsyncPager
from mettl_async.api.placeholders import check_assessment_id
from mettl_async.errors import CallError
from mettl_async.models import (
    CreatedSchedule,
    NewSchedule,
    Schedule,
    ScheduleEdit,
    ScheduleFilter,
    Webhooks,
    _check,
)

NAME_IS_TAKEN = "E000"
"""[seen] "Please use unique title for Schedule"; the code is a catch-all, so it is looked for anyway."""

LOOKUP_PAUSES_AFTER_A_LOST_CREATE = (0.0, 1.0, 3.0)
"""Seconds before each lookup of a schedule whose creation may still be under way [assumed]."""


class Schedules(Resource):
    """``mettl.schedules``."""

    def list(self, *, page_size: int = 100) -> AsyncPager[Schedule]:
        """List all schedules of the account, page by page.

        Args:
            page_size: Schedules per request, 1 to 100.

        Raises:
            InvalidInputError: ``page_size`` is out of bounds.

        Example::

            newest = await mettl.schedules.list().collect(limit=10)
            print([schedule.name for schedule in newest])

        Vendor page: "Get All Schedules in Account".
        """
        return self._caller.pages(endpoints.LIST_SCHEDULES, page_size=page_size)

    def list_in_assessment(
        self,
        assessment_id: int,
        *,
        filter: ScheduleFilter | None = None,  # noqa: A002 - the API's name
    ) -> AsyncPager[Schedule]:
        """List the schedules of an assessment.

        The page describes no paging; if the server says that more follow, they are asked for as in
        other lists [assumed].

        Args:
            assessment_id: Of the assessment.
            filter: Only those with such proctoring.

        Raises:
            InvalidInputError: Not an id, or not a `ScheduleFilter`.

        Example::

            async for schedule in mettl.schedules.list_in_assessment(ASSESSMENT_ID):
                print(schedule.access_key, schedule.name)

        Vendor page: "Get All Schedules in Assessment".
        """
        return self._caller.pages(
            endpoints.LIST_SCHEDULES_IN_ASSESSMENT, assessment_id=assessment_id, filter=filter
        )

    async def get(self, access_key: str) -> Schedule:
        """Get one schedule, with its assessment's details.

        Args:
            access_key: Of the schedule.

        Raises:
            InvalidInputError: Not an access key.
            NotFoundError: No such schedule in this account.
            CallError: See `mettl_async.errors`.

        Example::

            schedule = await mettl.schedules.get(ACCESS_KEY)
            print(schedule.name, schedule.status)

        Vendor page: "Get Schedule".
        """
        return await self._caller.call(endpoints.GET_SCHEDULE, access_key=access_key)

    async def get_or_create(self, assessment_id: int, schedule: NewSchedule) -> CreatedSchedule:
        """Find the schedule of that name in the assessment, or create it if there is none.

        Names are unique in an assessment, so that a Create whose answer was lost is found again here, and
        of several callers at once each gets the same schedule. An existing one is returned as it is:
        its settings are not compared.

        Args:
            assessment_id: Of the assessment, above 0.
            schedule: What to create.

        Raises:
            InvalidInputError: Not an id, or not a `NewSchedule`.
            CallError: See `mettl_async.errors`.

        Example::

            drive = NewSchedule(name="Spring", source_app="acme-ats", access=Access.open_for_all())
            schedule = await mettl.schedules.get_or_create(ASSESSMENT_ID, drive)
            print(schedule.access_key)

        Vendor pages: "Get All Schedules in Assessment", "Create Schedule".
        """
        check_assessment_id(assessment_id)
        _check.instance("schedule", schedule, NewSchedule)
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
        for pause in LOOKUP_PAUSES_AFTER_A_LOST_CREATE if lost else (0.0,):
            await self._caller.shared.effects.sleep(pause)
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
        async for one in self.list_in_assessment(assessment_id):
            # Whether case and spaces make a name another one is not known [assumed: they may not].
            same = one.name is not None and fold_name(one.name) == fold_name(name)
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
        """Find or create one schedule per allowed attempt: a schedule lets a candidate take the test once.

        They are named ``{name} - attempt 1`` and so on. Missing ones are created.

        Args:
            assessment_id: Of the assessment.
            schedule: The settings of each.
            attempts: 1 to 20.

        Raises:
            InvalidInputError: An argument is out of bounds.
            CallError: See `mettl_async.errors`; those created so far are found next time.

        Example::

            drive = NewSchedule(name="Summer", source_app="acme-ats", access=Access.open_for_all())
            first, second = await mettl.schedules.get_or_create_attempts(
                ASSESSMENT_ID, drive, attempts=2
            )

        Vendor page: "ATS/LMS Back-End Flow".
        """
        _check.instance("schedule", schedule, NewSchedule)
        _check.count("attempts", attempts, least=1, most=20)
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

        Example::

            drive = NewSchedule(name="Autumn", source_app="acme-ats", access=Access.open_for_all())
            created = await mettl.schedules.create(ASSESSMENT_ID, drive)
            print(created.access_key, created.access_url)

        Vendor page: "Create Schedule".
        """
        _check.instance("schedule", schedule, NewSchedule)
        return await self._caller.call(
            endpoints.CREATE_SCHEDULE,
            assessment_id=assessment_id,
            schedule=self._with_default_webhooks(schedule),
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

        Example::

            changes = ScheduleEdit(name="Autumn drive")
            schedule = await mettl.schedules.edit(ACCESS_KEY, changes)

        Vendor page: "Edit Schedule".
        """
        _check.instance("changes", changes, ScheduleEdit)
        people = changes.access is not None and bool(changes.access.add or changes.access.remove)
        return await self._caller.call(
            endpoints.EDIT_SCHEDULE, access_key=access_key, changes=changes, repeatable=not people
        )


def _hosts(webhooks: Webhooks) -> set[str]:
    return {urlsplit(url).netloc.lower() for url in webhooks.urls.values()}
