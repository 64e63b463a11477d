"""The API's table: one row for each endpoint, in the order of the vendor's pages."""

from collections.abc import Hashable
from typing import Final

from mettl_async import models
from mettl_async.api.belonging import About, fold_name
from mettl_async.api.endpoint import NOTHING, Argument, Endpoint, items, one, pages
from mettl_async.config import ApiVersion
from mettl_async.core.request import Placement
from mettl_async.models._fold_email import fold_email

_ORDER: Final = Argument("order", models.SortOrder, "sort_order")
_DETAIL: Final = Argument("detail", models.ResultDetail, None)
# Whether the server takes a key in other letters is not known [assumed: it may].
_ABOUT_SCHEDULE: Final = About("access_key", "access_key", str.lower)
_ABOUT_ASSESSMENT: Final = About("id", "assessment_id")


def _test_instance(test: models.TestInstance) -> Hashable:
    # Without an access key nothing tells two tests apart.
    if test.access_key is None:
        return None
    start = test.test_status.start_time if test.test_status else None
    return test.access_key, start


GET_ACCOUNT: Final = Endpoint(
    operation="account.get",
    path="/account",
    returns=one(models.AccountInfo, "accountInfo"),
)
UPDATE_LOGO: Final = Endpoint(
    operation="account.update_logo",
    method="POST",
    path="/account/upload-logo",
    # The newer page has them in the body, of a type for no files; parts beside the file are [seen].
    placement=Placement.FORM,
    arguments=(Argument("logo", models.Logo, "logo"),),
    returns=NOTHING,
    repeatable=True,
)
UPDATE_WHITE_LABEL: Final = Endpoint(
    operation="account.update_white_label",
    method="POST",
    path="/account/update-white-labeling",
    # [doc]; with files they are parts beside them [seen].
    placement=Placement.FORM,
    arguments=(
        Argument("white_label", models.WhiteLabel, "wl"),
        Argument("support_numbers", tuple, "sn", optional=True),
        Argument("favicon", models.Favicon, "fav", optional=True),
        Argument("cover", models.CoverImage, "cov", optional=True),
    ),
    returns=NOTHING,
    repeatable=True,
)

# The page is not stored; path and name of the list are [seen] and [assumed].
LIST_PBTS: Final = Endpoint(
    operation="pbts.list",
    path="/pbts",
    returns=pages(models.Pbt, "pbts", identity=lambda pbt: pbt.pbt_id, documented=()),
)
# The page prints /pbts; its own sample's signature only verifies for /pbts/add.
ADD_PBTS: Final = Endpoint(
    operation="pbts.add",
    method="POST",
    path="/pbts/add",
    placement=Placement.FORM,  # [doc]
    arguments=(Argument("pbt_ids", list, "pbts"),),
    returns=items(models.PbtAddition, "pbts"),
    about=(About("pbt_id", "pbt_ids"),),
    partial_success=True,
    # A repeat adds nothing twice, but would answer "already added" for what the first one added.
    repeatable=False,
)

LIST_ASSESSMENTS: Final = Endpoint(
    operation="assessments.list",
    path="/assessments",
    arguments=(Argument("sort", models.AssessmentSort, "sort"), _ORDER),
    returns=pages(models.Assessment, "assessments", identity=lambda assessment: assessment.id),
)
GET_ASSESSMENT: Final = Endpoint(
    operation="assessments.get",
    path="/assessments/{assessment_id}",
    returns=one(models.Assessment, "assessment"),
    about=(_ABOUT_ASSESSMENT,),
)
CREATE_ASSESSMENT: Final = Endpoint(
    operation="assessments.create",
    method="POST",
    path="/assessments",
    placement=Placement.FORM,  # [doc]
    arguments=(Argument("assessment", models.NewAssessment, "assessments"),),
    returns=one(models.CreatedAssessment, "assessmentId", whole=True),
    # A repeat after a lost answer is refused, for names are unique, and the id stays unknown.
    repeatable=False,
)
EDIT_ASSESSMENT_SETTINGS: Final = Endpoint(
    operation="assessments.edit_settings",
    method="POST",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/assessments/{assessment_id}/settings/edit",
    placement=Placement.FORM,  # [seen]; no newer page is stored
    arguments=(Argument("settings", models.AssessmentSettings, "as"),),
    returns=one(models.Assessment, "assessment"),
    about=(_ABOUT_ASSESSMENT,),
    repeatable=True,
)

LIST_SCHEDULES_IN_ASSESSMENT: Final = Endpoint(
    operation="schedules.list_in_assessment",
    path="/assessments/{assessment_id}/schedules",
    arguments=(Argument("filter", models.ScheduleFilter, "filter", optional=True),),
    # The page describes no paging.
    returns=pages(
        models.Schedule, "schedules", identity=lambda schedule: schedule.access_key, documented=()
    ),
    about=(About("assessment_details.id", "assessment_id"),),
)
LIST_SCHEDULES: Final = Endpoint(
    operation="schedules.list",
    # The page's syntax line prints another endpoint's URL; this one is seen working [seen].
    path="/schedules",
    returns=pages(models.Schedule, "schedules", identity=lambda schedule: schedule.access_key),
)
GET_SCHEDULE: Final = Endpoint(
    operation="schedules.get",
    path="/schedules/{access_key}",
    returns=one(models.Schedule, "schedule"),
    about=(_ABOUT_SCHEDULE,),
)
CREATE_SCHEDULE: Final = Endpoint(
    operation="schedules.create",
    method="POST",
    path="/assessments/{assessment_id}/schedules",
    placement=Placement.FORM,  # [doc]
    arguments=(Argument("schedule", models.NewSchedule, "sc", personal=True),),
    returns=one(models.CreatedSchedule, "createdSchedule"),
    about=(
        About("assessment_id", "assessment_id"),
        About("name", "schedule.name", fold_name),
    ),
    # A repeat after a lost answer is refused (names are unique), and the access key stays unknown.
    repeatable=False,
)
EDIT_SCHEDULE: Final = Endpoint(
    operation="schedules.edit",
    method="POST",
    path="/schedules/{access_key}/edit",
    placement=Placement.FORM,  # [seen]; the older page has the query
    arguments=(Argument("changes", models.ScheduleEdit, "sc", personal=True),),
    returns=one(models.Schedule, "schedule"),
    about=(_ABOUT_SCHEDULE,),
    repeatable=True,
)

REGISTER_CANDIDATES: Final = Endpoint(
    operation="candidates.register",
    method="POST",
    path="/schedules/{access_key}/candidates",
    # [seen] of three clients; the page has the query, where access logs would keep the names.
    placement=Placement.FORM,
    arguments=(
        Argument("candidates", str, "rd", personal=True),
        Argument("options", models.RegistrationOptions, None),
    ),
    returns=items(models.Registration, "registrationStatus"),
    about=(About("email", "emails", fold_email),),
    # Registering someone again succeeds and gives the link again [seen].
    repeatable=True,
)

LIST_RESULTS: Final = Endpoint(
    operation="results.list",
    path="/schedules/{access_key}/candidates",
    arguments=(Argument("sort", models.ResultSort, "sort"), _ORDER, _DETAIL),
    returns=pages(
        models.CandidateResult, "candidates", identity=lambda result: fold_email(result.email)
    ),
)
GET_RESULT: Final = Endpoint(
    operation="results.get",
    path="/schedules/{access_key}/candidates/{email}",
    arguments=(_DETAIL,),
    returns=one(models.CandidateResult, "candidate"),
    about=(About("email", "email", fold_email),),
)
LIST_RESULTS_OF_CANDIDATE: Final = Endpoint(
    operation="results.list_for_candidate",
    path="/candidates/{email}",
    arguments=(_DETAIL,),
    # [seen] for v1; the same name for v2 and v3 is [assumed]. Paging exists in v3 only [doc].
    returns=pages(
        models.TestInstance, "testInstances", identity=_test_instance, documented=(ApiVersion.V3,)
    ),
    # No sample is known; the items of other answers about people have it, so these may [assumed].
    about=(About("extra.email", "email", fold_email),),
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
