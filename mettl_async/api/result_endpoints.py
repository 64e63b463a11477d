"""The endpoints of results, as data: APIs 16 to 19 of api.md; and the parameters of a detail."""

from __future__ import annotations

from mettl_async.api.endpoint import Endpoint, expect
from mettl_async.codec import dumps
from mettl_async.config import ApiVersion
from mettl_async.core.request import Placement
from mettl_async.models import ResultDetail

LIST = Endpoint(
    operation="results.list",
    method="GET",
    path="/schedules/{access_key}/candidates",
    placement=Placement.QUERY,
    payload="candidates",
    repeatable=True,
)
GET = Endpoint(
    operation="results.get",
    method="GET",
    path="/schedules/{access_key}/candidates/{email}",
    placement=Placement.QUERY,
    payload="candidate",
    repeatable=True,
)
LIST_FOR_CANDIDATE = Endpoint(
    operation="results.list_for_candidate",
    method="GET",
    path="/candidates/{email}",
    placement=Placement.QUERY,
    payload="testInstances",  # [seen] for v1; the same for v2 and v3 is [assumed]
    repeatable=True,
    versions=tuple(ApiVersion),
)
DELETE = Endpoint(
    operation="results.delete",
    method="DELETE",
    path="/schedules/{access_key}/candidates/{email}",
    placement=Placement.QUERY,
    payload="",
    # A second deletion finds nothing: nobody takes a whole test between two attempts [assumed].
    repeatable=True,
)


def detail_params(detail: ResultDetail) -> dict[str, str]:
    """Write what results are to hold beyond marks as parameters."""
    expect("detail", detail, ResultDetail)
    flags = {
        "rs": detail.response_style,
        "qr": detail.essay_answers,
        "cr": detail.question_responses,
        "em": detail.evaluation,
    }
    params = {name: "true" for name, wanted in flags.items() if wanted}
    if detail.recommendation:
        params["ir"] = dumps({"recommendation": True})
    return params
