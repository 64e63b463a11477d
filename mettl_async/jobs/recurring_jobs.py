"""The part of `Jobs` that pulls results, once or again and again."""

from __future__ import annotations

import re
import secrets
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from mettl_async.errors import InvalidInputError
from mettl_async.jobs import recurring
from mettl_async.jobs.pull_spec import PullSpec
from mettl_async.jobs.recurring import JobSchedule
from mettl_async.jobs.timetable import Timetable
from mettl_async.models import _check

if TYPE_CHECKING:
    from mettl_async.jobs.values import Job
    from mettl_async.sql_backend import Backend

_NAME: Final = re.compile(r"[!-.0-~]{1,100}")  # no slash: it parts the ids of chunks


class RecurringJobs(ABC):
    """See `Jobs`."""

    @abstractmethod
    def _opened(self) -> Backend:
        """Give the database, unless the jobs are not open."""

    async def every(
        self, cron: str, what: PullSpec, *, name: str, account: str, timezone: str = "UTC"
    ) -> JobSchedule:
        """Pull again and again: add a schedule, or change the one that has this name.

        Whichever worker leads makes a job of each time that is due, with the id ``NAME@TIME``, such as
        ``nightly@2027-03-01T20:30:00Z``. There is one at a time: as long as the one before is not over
        (it runs or is paused), a time is left out, with a line in the log. Times that passed while there was
        no worker make one job together. Of the jobs that are over the last 30 are kept.

        Calling it again with the same values, such as at each start of a service, changes nothing.

        Args:
            cron: Minute, hour, day, month, day of the week, such as ``"0 2 * * *"``. A time that clocks
                skip in spring comes when they have skipped it. One that comes twice in autumn is due the
                first time, unless the hour begins with ``*``.
            what: What `pull_results` gives.
            name: 1 to 70 characters of ASCII, but spaces, slashes and ``@``. What it pulled it remembers
                under this name.
            account: Name of the account: workers that bring a client for it do the jobs.
            timezone: Whose clocks are meant, such as ``Asia/Kolkata``.

        Raises:
            InvalidInputError: An argument is out of bounds, or makes no sense.

        Example::

            nightly = pull_results(reports=FolderStore("reports"))
            async with Jobs("sqlite:///jobs.db") as jobs:
                await jobs.every(
                    "0 2 * * *", nightly, name="nightly", account="acme", timezone="Asia/Kolkata"
                )
        """
        backend = self._opened()
        _check.instance("what", what, PullSpec)
        check_name("account", account)
        return await recurring.every(backend, Timetable(cron, timezone), name, account, what)

    async def schedules(self) -> tuple[JobSchedule, ...]:
        """Return all schedules, by name.

        Example::

            async with Jobs("sqlite:///jobs.db") as jobs:
                for one in await jobs.schedules():
                    print(one.name, one.next_at)
        """
        return await recurring.listed(self._opened())

    async def remove_schedule(self, name: str) -> bool:
        """Delete a schedule, and what it remembers to have pulled; jobs and results stay.

        Returns:
            Whether there was one.

        Example::

            async with Jobs("sqlite:///jobs.db") as jobs:
                await jobs.remove_schedule("nightly")
        """
        return await recurring.removed(self._opened(), name)

    async def pull(self, what: PullSpec, *, account: str, id: str | None = None) -> Job:  # noqa: A002 - as elsewhere
        """Pull once; the same id again is the same job.

        Its ``total`` is the number of schedules; `status` counts those of which all is stored as
        ``registered``.

        Args:
            what: What `pull_results` gives.
            account: Name of the account: workers that bring a client for it do the job.
            id: Name of the job, 1 to 100 characters of ASCII without spaces and slashes; None for a random
                one.

        Raises:
            InvalidInputError: An argument is out of bounds, or the id is that of another job.

        Example::

            async with Jobs("sqlite:///jobs.db") as jobs:
                job = await jobs.pull(pull_results(ACCESS_KEY, files="results"), account="acme")
        """
        backend = self._opened()
        _check.instance("what", what, PullSpec)
        check_name("account", account)
        name = secrets.token_hex(8) if id is None else id
        check_name("id", name)
        return await recurring.added_pull(backend, name, account, what)


def check_name(path: str, value: object) -> None:
    """Check the name of a job or an account.

    Raises:
        InvalidInputError: It is none.
    """
    _check.text(path, value)
    if not _NAME.fullmatch(str(value)):
        raise InvalidInputError(
            path,
            f"is no name ({_check.shape(value)})",
            "give 1 to 100 characters of ASCII without spaces and slashes",
        )
