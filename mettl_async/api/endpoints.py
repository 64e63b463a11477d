"""The API's table: one row for each endpoint, in the order of the vendor's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mettl_async.api.endpoint import Argument, Endpoint, Items, Nothing, One, Pages
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

if TYPE_CHECKING:
    from collections.abc import Hashable

_ORDER: Final = Argument("order", SortOrder, "sort_order")
_DETAIL: Final = Argument("detail", ResultDetail, None)


def _test_instance(one: TestInstance) -> Hashable:
    # Without an access key nothing tells two tests apart.
    if one.access_key is None:
        return None
    start = one.test_status.start_time if one.test_status else None
    return one.access_key, start


GET_ACCOUNT: Final = Endpoint(
    operation="account.get",
    method="GET",
    path="/account",
    returns=One(AccountInfo, "accountInfo"),
    repeatable=True,
)
UPDATE_LOGO: Final = Endpoint(
    operation="account.update_logo",
    method="POST",
    path="/account/upload-logo",
    # The newer page contradicts itself about the body; this is what was seen working [seen].
    placement=Placement.QUERY,
    arguments=(Argument("logo", Logo, "logo"),),
    returns=Nothing(),
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
    returns=Nothing(),
    repeatable=True,
)

# The page is not stored; path and name of the list are [seen] and [assumed].
LIST_PBTS: Final = Endpoint(
    operation="pbts.list",
    method="GET",
    path="/pbts",
    returns=Pages(Pbt, "pbts", identity=lambda one: one.pbt_id, documented=()),
    repeatable=True,
)
# The page prints /pbts; its own sample's signature only verifies for /pbts/add.
ADD_PBTS: Final = Endpoint(
    operation="pbts.add",
    method="POST",
    path="/pbts/add",
    placement=Placement.FORM,
    arguments=(Argument("pbt_ids", list, "pbts"),),
    returns=Items(PbtAddition, "pbts"),
    partial_success=True,
    # A repeat adds nothing twice, but would answer "already added" for what the first one added.
    repeatable=False,
)

LIST_ASSESSMENTS: Final = Endpoint(
    operation="assessments.list",
    method="GET",
    path="/assessments",
    arguments=(Argument("sort", AssessmentSort, "sort"), _ORDER),
    returns=Pages(Assessment, "assessments", identity=lambda one: one.id),
    repeatable=True,
)
GET_ASSESSMENT: Final = Endpoint(
    operation="assessments.get",
    method="GET",
    path="/assessments/{assessment_id}",
    returns=One(Assessment, "assessment"),
    repeatable=True,
)
CREATE_ASSESSMENT: Final = Endpoint(
    operation="assessments.create",
    method="POST",
    path="/assessments",
    placement=Placement.FORM,
    arguments=(Argument("assessment", NewAssessment, "assessments"),),
    returns=One(CreatedAssessment, "assessmentId", whole=True),
    # A repeat after a lost answer is refused, for names are unique, and the id stays unknown.
    repeatable=False,
)
EDIT_ASSESSMENT_SETTINGS: Final = Endpoint(
    operation="assessments.edit_settings",
    method="POST",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/assessments/{assessment_id}/settings/edit",
    arguments=(Argument("settings", AssessmentSettings, "as"),),
    returns=One(Assessment, "assessment"),
    repeatable=True,
)

LIST_SCHEDULES_IN_ASSESSMENT: Final = Endpoint(
    operation="schedules.list_in_assessment",
    method="GET",
    path="/assessments/{assessment_id}/schedules",
    arguments=(Argument("filter", ScheduleFilter, "filter", optional=True),),
    # The page describes no paging.
    returns=Pages(Schedule, "schedules", identity=lambda one: one.access_key, documented=()),
    repeatable=True,
)
LIST_SCHEDULES: Final = Endpoint(
    operation="schedules.list",
    method="GET",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/schedules",
    returns=Pages(Schedule, "schedules", identity=lambda one: one.access_key),
    repeatable=True,
)
GET_SCHEDULE: Final = Endpoint(
    operation="schedules.get",
    method="GET",
    path="/schedules/{access_key}",
    returns=One(Schedule, "schedule"),
    repeatable=True,
)
CREATE_SCHEDULE: Final = Endpoint(
    operation="schedules.create",
    method="POST",
    path="/assessments/{assessment_id}/schedules",
    placement=Placement.FORM,
    arguments=(Argument("schedule", NewSchedule, "sc", personal=True),),
    returns=One(CreatedSchedule, "createdSchedule"),
    # A repeat after a lost answer is refused (names are unique), and the access key stays unknown.
    repeatable=False,
)
EDIT_SCHEDULE: Final = Endpoint(
    operation="schedules.edit",
    method="POST",
    path="/schedules/{access_key}/edit",
    arguments=(Argument("changes", ScheduleEdit, "sc", personal=True),),
    returns=One(Schedule, "schedule"),
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
    returns=Items(Registration, "registrationStatus"),
    # Registering someone again succeeds and gives the link again [seen].
    repeatable=True,
)

LIST_RESULTS: Final = Endpoint(
    operation="results.list",
    method="GET",
    path="/schedules/{access_key}/candidates",
    arguments=(Argument("sort", ResultSort, "sort"), _ORDER, _DETAIL),
    returns=Pages(CandidateResult, "candidates", identity=lambda one: fold_email(one.email)),
    repeatable=True,
)
GET_RESULT: Final = Endpoint(
    operation="results.get",
    method="GET",
    path="/schedules/{access_key}/candidates/{email}",
    arguments=(_DETAIL,),
    returns=One(CandidateResult, "candidate"),
    repeatable=True,
)
LIST_RESULTS_OF_CANDIDATE: Final = Endpoint(
    operation="results.list_for_candidate",
    method="GET",
    path="/candidates/{email}",
    arguments=(_DETAIL,),
    # [seen] for v1; the same name for v2 and v3 is [assumed]. Paging exists in v3 only [doc].
    returns=Pages(
        TestInstance, "testInstances", identity=_test_instance, documented=(ApiVersion.V3,)
    ),
    repeatable=True,
    versions=tuple(ApiVersion),
)
DELETE_RESULT: Final = Endpoint(
    operation="results.delete",
    method="DELETE",
    path="/schedules/{access_key}/candidates/{email}",
    returns=Nothing(),
    # A second deletion finds nothing: nobody takes a whole test between two attempts [assumed].
    repeatable=True,
)
