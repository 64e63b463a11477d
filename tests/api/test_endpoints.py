"""The table of endpoints: what a row promises of its method, and what a version may change."""

import inspect

import attrs
import pytest

from mettl_async import (
    ApiVersion,
    ClientOptions,
    Credentials,
    InvalidInputError,
    MettlClient,
    Response,
)
from mettl_async.api import endpoints
from mettl_async.api.endpoint import Argument, Endpoint, one
from mettl_async.api.placeholders import CHECKS, PERSONAL
from mettl_async.core.request import Placement
from mettl_async.models import NewSchedule, Schedule

ROWS = [row for row in vars(endpoints).values() if isinstance(row, Endpoint)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)
def test_a_row_is_a_method_with_the_row_s_arguments(row):
    resource, _, name = row.operation.partition(".")
    method = getattr(getattr(MettlClient, resource), name)
    taken = set(inspect.signature(method).parameters)
    # Two become parameters of their own by what the method does.
    own = (
        {"support_numbers", "detail"}
        if name in {"update_white_label", "list_for_candidate"}
        else set()
    )
    assert {*row.placeholders, *(argument.name for argument in row.arguments)} <= taken | own
    assert set(row.placeholders) <= set(CHECKS)


def test_what_holds_candidates_data_is_marked():
    personal = {row.operation: row.personal_params for row in ROWS if row.personal_params}
    assert personal == {
        "schedules.create": ("sc",),
        "schedules.edit": ("sc",),
        "candidates.register": ("rd",),
    }
    assert PERSONAL == ("email",)


def test_a_version_may_have_another_path_and_placement():
    row = Endpoint(
        operation="schedules.create",
        method="POST",
        path="/assessments/{assessment_id}/schedules",
        placement=Placement.FORM,
        arguments=(Argument("schedule", NewSchedule, "sc"),),
        returns=one(Schedule, "schedule"),
        repeatable=False,
        versions=tuple(ApiVersion),
        variants={
            ApiVersion.V3: {
                "path": "/v3-assessments/{assessment_id}/links",
                "placement": Placement.QUERY,
            }
        },
    )
    for version, path, placement in (
        ("v2", "/v2/assessments/7/schedules", Placement.FORM),
        ("v3", "/v3/v3-assessments/7/links", Placement.QUERY),
    ):
        mettl = MettlClient(
            attrs.make_class("Keys", ["public_key", "private_key"])("p", "s"), version=version
        )
        caller = mettl.schedules._caller
        assert caller.url(row, {"assessment_id": "7"}) == f"https://api.mettl.com{path}"
        assert caller.placement(row) is placement
        everywhere = mettl.with_options(options=ClientOptions(post_parameters="form"))
        assert everywhere.schedules._caller.placement(row) is Placement.FORM
    with pytest.raises(InvalidInputError, match="assessment_id"):
        row.bind({"assessment_id": 0, "schedule": None})
    with pytest.raises(InvalidInputError, match="NewSchedule"):
        row.bind({"assessment_id": 7, "schedule": None})


async def test_a_version_may_differ_in_anything_of_its_row():
    row = Endpoint(
        operation="schedules.get",
        path="/schedules/{access_key}",
        returns=one(Schedule, "schedule"),
        versions=tuple(ApiVersion),
        variants={
            ApiVersion.V3: {
                "method": "POST",
                "path": "/assessments/{assessment_id}/schedule",
                "returns": one(Schedule, "link"),
            }
        },
    )

    async def answering(request, _):
        assert (request.method, request.repeatable) == ("POST", False)
        assert request.url.endswith("/v3/assessments/7/schedule")
        return Response(status_code=200, headers={}, content=b'{"link":{"accessKey":"abc"}}')

    async with MettlClient(
        Credentials(public_key="p", private_key="s"), version="v3", middleware=[answering]
    ) as mettl:
        schedule = await mettl.schedules._caller.call(row, assessment_id=7)
    assert schedule.access_key == "abc"
