"""A request that was checked, as the endpoints see it, and what many of them ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from mettl_async.sandbox import rules
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.life import Pace
from mettl_async.sandbox.paging import Page
from mettl_async.sandbox.state import (
    Account,
    Assessment,
    SandboxCandidate,
    Schedule,
    State,
    same_person,
)
from mettl_async.sandbox.stats import Stats

Payload = dict[str, Any]


@frozen(kw_only=True)
class Asked:
    """A request whose signature was found right.

    ``base_url`` is scheme and host as requested, ``raw_path`` the path as requested, still encoded;
    ``path`` has the decoded values of its variables.
    """

    state: State = field(repr=False)
    stats: Stats = field(repr=False)
    pace: Pace = field(repr=False)
    account: Account = field(repr=False)
    version: str
    base_url: str
    raw_path: str = field(repr=False)
    path: Mapping[str, str] = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    now: float

    def assessment(self) -> Assessment:
        """Find the assessment that the path names, in this account."""
        number = self.path["assessment_id"]
        # [assumed]: what belongs to another account is not found, too
        found = self.account.assessments.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise RefusalError("E404")
        return found

    def schedule(self) -> Schedule:
        """Find the schedule that the path names, in this account."""
        found = self.state.schedules.get(self.path["access_key"])
        if found is None or found.assessment.account is not self.account:
            raise RefusalError("E404")
        return found

    def candidate(self, schedule: Schedule) -> SandboxCandidate:
        """Find the candidate that the path names; someone never registered is an error [seen]."""
        found = schedule.candidates.get(same_person(self.path["email"]))
        if found is None:
            raise RefusalError("E404")  # the code is [assumed]
        return found

    def flag(self, name: str) -> bool:
        """Read an optional ``true`` or ``false``; false unless given."""
        return rules.read_flag(self.parameters, name)

    def page(self) -> Page:
        """Read ``limit`` and ``offset``."""
        return Page.read(self.parameters)

    def order(self, *sorts: str) -> tuple[str, bool]:
        """Read ``sort``, by default the first of these, and whether ``sort_order`` is descending."""
        sort = self.parameters.get("sort", sorts[0])
        order = self.parameters.get("sort_order", "desc")
        # [assumed]: an unknown word is refused, in either
        if sort not in sorts:
            raise bad_request(f"sort must be {' or '.join(sorts)}")
        if order not in ("asc", "desc"):
            raise bad_request("sort_order must be asc or desc")
        return sort, order == "desc"

    def paging(self, page: Page, total: int) -> Payload:
        """Make the ``paging`` of an answer, with URLs that this account's key signed."""
        return page.describe(
            total,
            url=self.base_url + self.raw_path,
            parameters=self.parameters,
            private_key=self.account.credentials.private_key,
            version=self.version,
            now=self.now,
        )
