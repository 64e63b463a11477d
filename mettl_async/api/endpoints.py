"""The API's table: one row for each endpoint, in the order of the vendor's pages."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from mettl_async.api.endpoint import NOTHING, Argument, Endpoint, items, one, pages
from mettl_async.config import ApiVersion
from mettl_async.core.request import Placement
from mettl_async.models import (
    AccountInfo,
    Assessment,
    AssessmentSettings,
    AssessmentSort,
    CandidateResult,
    CoverImage,
    CreatedAssessment,
    CreatedSchedule,
    Favicon,
    Logo,
    NewAssessment,
    NewSchedule,
    Pbt,
    PbtAddition,
    Registration,
    RegistrationOptions,
    ResultDetail,
    ResultSort,
    Schedule,
    ScheduleEdit,
    ScheduleFilter,
    SortOrder,
    TestInstance,
    WhiteLabel,
)
from mettl_async.models._fold_email import fold_email

_ORDER: Final = Argument("order", SortOrder, "sort_order")
_DETAIL: Final = Argument("detail", ResultDetail, None)


def _test_instance(test: TestInstance) -> Hashable:
    # Without an access key nothing tells two tests apart.
    if test.access_key is None:
        return None
    start = test.test_status.start_time if test.test_status else None
    return test.access_key, start


GET_ACCOUNT: Final = Endpoint(
    operation="account.get",
    path="/account",
    returns=one(AccountInfo, "accountInfo"),
)
UPDATE_LOGO: Final = Endpoint(
    operation="account.update_logo",
    method="POST",
    path="/account/upload-logo",
    # The newer page contradicts itself about the body; this is what was seen working [seen].
    placement=Placement.QUERY,
    arguments=(Argument("logo", Logo, "logo"),),
    returns=NOTHING,
    repeatable=True,
)
UPDATE_WHITE_LABEL: Final = Endpoint(
    operation="account.update_white_label",
    method="POST",
    path="/account/update-white-labeling",
    # The newer page says form body; with files the parameters are seen in the query [seen].
    placement=Placement.FORM,
    placement_with_files=Placement.QUERY,
    arguments=(
        Argument("white_label", WhiteLabel, "wl"),
        Argument("support_numbers", tuple, "sn", optional=True),
        Argument("favicon", Favicon, "fav", optional=True),
        Argument("cover", CoverImage, "cov", optional=True),
    ),
    returns=NOTHING,
    repeatable=True,
)

# The page is not stored; path and name of the list are [seen] and [assumed].
LIST_PBTS: Final = Endpoint(
    operation="pbts.list",
    path="/pbts",
    returns=pages(Pbt, "pbts", identity=lambda pbt: pbt.pbt_id, documented=()),
)
# The page prints /pbts; its own sample's signature only verifies for /pbts/add.
ADD_PBTS: Final = Endpoint(
    operation="pbts.add",
    method="POST",
    path="/pbts/add",
    placement=Placement.FORM,
    arguments=(Argument("pbt_ids", list, "pbts"),),
    returns=items(PbtAddition, "pbts"),
    partial_success=True,
    # A repeat adds nothing twice, but would answer "already added" for what the first one added.
    repeatable=False,
)

LIST_ASSESSMENTS: Final = Endpoint(
    operation="assessments.list",
    path="/assessments",
    arguments=(Argument("sort", AssessmentSort, "sort"), _ORDER),
    returns=pages(Assessment, "assessments", identity=lambda assessment: assessment.id),
)
GET_ASSESSMENT: Final = Endpoint(
    operation="assessments.get",
    path="/assessments/{assessment_id}",
    returns=one(Assessment, "assessment"),
)
CREATE_ASSESSMENT: Final = Endpoint(
    operation="assessments.create",
    method="POST",
    path="/assessments",
    placement=Placement.FORM,
    arguments=(Argument("assessment", NewAssessment, "assessments"),),
    returns=one(CreatedAssessment, "assessmentId", whole=True),
    # A repeat after a lost answer is refused, for names are unique, and the id stays unknown.
    repeatable=False,
)
EDIT_ASSESSMENT_SETTINGS: Final = Endpoint(
    operation="assessments.edit_settings",
    method="POST",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/assessments/{assessment_id}/settings/edit",
    arguments=(Argument("settings", AssessmentSettings, "as"),),
    returns=one(Assessment, "assessment"),
    repeatable=True,
)

LIST_SCHEDULES_IN_ASSESSMENT: Final = Endpoint(
    operation="schedules.list_in_assessment",
    path="/assessments/{assessment_id}/schedules",
    arguments=(Argument("filter", ScheduleFilter, "filter", optional=True),),
    # The page describes no paging.
    returns=pages(
        Schedule, "schedules", identity=lambda schedule: schedule.access_key, documented=()
    ),
)
LIST_SCHEDULES: Final = Endpoint(
    operation="schedules.list",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/schedules",
    returns=pages(Schedule, "schedules", identity=lambda schedule: schedule.access_key),
)
GET_SCHEDULE: Final = Endpoint(
    operation="schedules.get",
    path="/schedules/{access_key}",
    returns=one(Schedule, "schedule"),
)
CREATE_SCHEDULE: Final = Endpoint(
    operation="schedules.create",
    method="POST",
    path="/assessments/{assessment_id}/schedules",
    placement=Placement.FORM,
    arguments=(Argument("schedule", NewSchedule, "sc", personal=True),),
    returns=one(CreatedSchedule, "createdSchedule"),
    # A repeat after a lost answer is refused (names are unique), and the access key stays unknown.
    repeatable=False,
)
EDIT_SCHEDULE: Final = Endpoint(
    operation="schedules.edit",
    method="POST",
    path="/schedules/{access_key}/edit",
    arguments=(Argument("changes", ScheduleEdit, "sc", personal=True),),
    returns=one(Schedule, "schedule"),
    repeatable=True,
)

REGISTER_CANDIDATES: Final = Endpoint(
    operation="candidates.register",
    method="POST",
    path="/schedules/{access_key}/candidates",
    arguments=(
        Argument("candidates", str, "rd", personal=True),
        Argument("options", RegistrationOptions, None),
    ),
    returns=items(Registration, "registrationStatus"),
    # Registering someone again succeeds and gives the link again [seen].
    repeatable=True,
)

LIST_RESULTS: Final = Endpoint(
    operation="results.list",
    path="/schedules/{access_key}/candidates",
    arguments=(Argument("sort", ResultSort, "sort"), _ORDER, _DETAIL),
    returns=pages(CandidateResult, "candidates", identity=lambda result: fold_email(result.email)),
)
GET_RESULT: Final = Endpoint(
    operation="results.get",
    path="/schedules/{access_key}/candidates/{email}",
    arguments=(_DETAIL,),
    returns=one(CandidateResult, "candidate"),
)
LIST_RESULTS_OF_CANDIDATE: Final = Endpoint(
    operation="results.list_for_candidate",
    path="/candidates/{email}",
    arguments=(_DETAIL,),
    # [seen] for v1; the same name for v2 and v3 is [assumed]. Paging exists in v3 only [doc].
    returns=pages(
        TestInstance, "testInstances", identity=_test_instance, documented=(ApiVersion.V3,)
    ),
    versions=tuple(ApiVersion),
)
DELETE_RESULT: Final = Endpoint(
    operation="results.delete",
    method="DELETE",
    path="/schedules/{access_key}/candidates/{email}",
    returns=NOTHING,
    # A second deletion finds nothing: nobody takes a whole test between two attempts [assumed].
    repeatable=True,
)
