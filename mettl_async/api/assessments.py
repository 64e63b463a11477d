"""Assessments: what candidates are tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from mettl_async.api.endpoint import Caller, Endpoint, checked_id, expect, page_reader
from mettl_async.api.pager import AsyncPager, checked_page_size
from mettl_async.codec import dumps, from_wire, to_wire
from mettl_async.core.request import Placement
from mettl_async.models import (
    Assessment,
    AssessmentSettings,
    AssessmentSort,
    CreatedAssessment,
    NewAssessment,
    SortOrder,
)

if TYPE_CHECKING:
    from mettl_async.api.pager import Page

LIST = Endpoint(
    operation="assessments.list",
    method="GET",
    path="/assessments",
    placement=Placement.QUERY,
    payload="assessments",
    repeatable=True,
)
GET = Endpoint(
    operation="assessments.get",
    method="GET",
    path="/assessments/{assessment_id}",
    placement=Placement.QUERY,
    payload="assessment",
    repeatable=True,
)
CREATE = Endpoint(
    operation="assessments.create",
    method="POST",
    path="/assessments",
    placement=Placement.FORM,
    payload="assessmentId",
    # A repeat after a lost answer is refused, for names are unique, and the id stays unknown.
    repeatable=False,
)
EDIT_SETTINGS = Endpoint(
    operation="assessments.edit_settings",
    method="POST",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/assessments/{assessment_id}/settings/edit",
    placement=Placement.QUERY,
    payload="assessment",
    repeatable=True,
)


@frozen
class Assessments:
    """``mettl.assessments``."""

    _caller: Caller

    def list(
        self,
        *,
        sort: AssessmentSort = AssessmentSort.CREATED_AT,
        order: SortOrder = SortOrder.DESC,
        page_size: int = 100,
    ) -> AsyncPager[Assessment]:
        """All assessments of the account, page by page.

        Args:
            sort: By creation, tests taken or name.
            order: Ascending or descending.
            page_size: Assessments per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Source: api.md, API 6.
        """
        expect("sort", sort, AssessmentSort)
        expect("order", order, SortOrder)
        params = {"sort": sort.value, "sort_order": order.value}

        async def fetch(offset: int, limit: int) -> Page[Assessment]:
            return await self._caller.call(
                LIST,
                {},
                {**params, "limit": str(limit), "offset": str(offset)},
                page_reader(Assessment, LIST.payload, offset),
            )

        return AsyncPager(
            fetch,
            self._caller.lifecycle,
            page_size=checked_page_size(page_size),
            key=lambda one: one.id,
        )

    async def get(self, assessment_id: int) -> Assessment:
        """Tell about one assessment, with its sections and registration fields.

        Raises:
            InvalidInputError: Not an id.
            NotFoundError: No such assessment in this account.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 7.
        """
        path = {"assessment_id": checked_id(assessment_id, "assessment_id")}
        return await self._caller.call(
            GET,
            path,
            {},
            lambda answer: from_wire(
                Assessment, answer.payload.get(GET.payload), where="$.assessment"
            ),
        )

    async def create(self, assessment: NewAssessment) -> CreatedAssessment:
        """Create an assessment of questions that are already in the account.

        It is not sent again once the server may have seen it.

        Raises:
            InvalidInputError: Not a `NewAssessment`.
            ApiError: ``code`` E000 for a name that is taken.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 8; the answer is [seen], and so is the form of sections.
        """
        expect("assessment", assessment, NewAssessment)
        return await self._caller.call(
            CREATE,
            {},
            {"assessments": dumps(to_wire(assessment))},
            lambda answer: from_wire(CreatedAssessment, answer.payload, where="$"),
        )

    async def edit_settings(self, assessment_id: int, settings: AssessmentSettings) -> Assessment:
        """Change some settings of an assessment; what is not given stays as it is.

        Returns:
            The assessment as it now is, without sections and registration fields.

        Raises:
            InvalidInputError: Not an id, or not `AssessmentSettings`.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 9.
        """
        path = {"assessment_id": checked_id(assessment_id, "assessment_id")}
        expect("settings", settings, AssessmentSettings)
        return await self._caller.call(
            EDIT_SETTINGS,
            path,
            {"as": dumps(to_wire(settings))},
            lambda answer: from_wire(
                Assessment, answer.payload.get(EDIT_SETTINGS.payload), where="$.assessment"
            ),
        )
