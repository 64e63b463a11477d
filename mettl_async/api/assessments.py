"""Assessments: what candidates are tested with."""

from mettl_async.api import endpoints
from mettl_async.api.caller import Resource
from mettl_async.api.pager import AsyncPager
from mettl_async.models import (
    Assessment,
    AssessmentSettings,
    AssessmentSort,
    CreatedAssessment,
    NewAssessment,
    SortOrder,
)


class Assessments(Resource):
    """``mettl.assessments``."""

    def list(
        self,
        *,
        sort: AssessmentSort = AssessmentSort.CREATED_AT,
        order: SortOrder = SortOrder.DESC,
        page_size: int = 100,
    ) -> AsyncPager[Assessment]:
        """List all assessments of the account, page by page.

        Args:
            sort: By creation, tests taken or name.
            order: Ascending or descending.
            page_size: Assessments per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Example::

            async for assessment in mettl.assessments.list():
                print(assessment.id, assessment.name)

        Vendor page: "Get All Assessments".
        """
        return self._caller.pages(
            endpoints.LIST_ASSESSMENTS, sort=sort, order=order, page_size=page_size
        )

    async def get(self, assessment_id: int) -> Assessment:
        """Get one assessment, with its sections and registration fields.

        Args:
            assessment_id: Its id, above 0.

        Raises:
            InvalidInputError: Not an id.
            NotFoundError: No such assessment in this account.
            CallError: See `mettl_async.errors`.

        Example::

            assessment = await mettl.assessments.get(ASSESSMENT_ID)
            print(assessment.name, assessment.duration)

        Vendor page: "Get Assessment".
        """
        return await self._caller.call(endpoints.GET_ASSESSMENT, assessment_id=assessment_id)

    async def create(self, assessment: NewAssessment) -> CreatedAssessment:
        """Create an assessment of questions that are already in the account.

        It is not sent again once the server may have seen it.

        Args:
            assessment: What to create.

        Raises:
            InvalidInputError: Not a `NewAssessment`.
            ApiError: ``code`` E000 for a name that is taken.
            CallError: See `mettl_async.errors`.

        Example::

            python = NewSkill(name="Python", level=Level.EASY, question_count=10)
            basics = NewSection(name="Basics", skills=[python])
            exam = NewAssessment(name="Python 1", duration=60, sections=[basics])
            created = await mettl.assessments.create(exam)
            print(created)

        Vendor page: "Create Assessment"; the answer is [seen], and so is the form of sections.
        """
        return await self._caller.call(endpoints.CREATE_ASSESSMENT, assessment=assessment)

    async def edit_settings(self, assessment_id: int, settings: AssessmentSettings) -> Assessment:
        """Change some settings of an assessment; what is not given stays as it is.

        Args:
            assessment_id: Its id, above 0.
            settings: Only what is to change.

        Returns:
            The assessment as it now is, without sections and registration fields.

        Raises:
            InvalidInputError: Not an id, or not `AssessmentSettings`.
            CallError: See `mettl_async.errors`.

        Example::

            settings = AssessmentSettings(exit_redirection_url="https://ats.example/thanks")
            await mettl.assessments.edit_settings(ASSESSMENT_ID, settings)

        Vendor page: "Edit Assessment Settings".
        """
        return await self._caller.call(
            endpoints.EDIT_ASSESSMENT_SETTINGS, assessment_id=assessment_id, settings=settings
        )
