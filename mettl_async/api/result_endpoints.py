"""The endpoints of results, as data: APIs 16 to 19 of api.md."""

from __future__ import annotations

from mettl_async.api.endpoint import Endpoint
from mettl_async.config import ApiVersion
from mettl_async.core.request import Placement

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
