"""Endpoints that users describe themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mettl_async.api.endpoint import Endpoint
from mettl_async.config import ApiVersion
from mettl_async.core.request import Placement
from mettl_async.errors import InvalidInputError

_METHOD = re.compile(r"[A-Z]{3,10}")
_PATH = re.compile(r"(/([A-Za-z0-9_~-]+|\{[a-z_]+\}))+")


def custom_endpoint(
    method: str, path: str, placement: Placement | str, *, repeatable: bool | None
) -> Endpoint:
    """Describe an endpoint.

    Raises:
        InvalidInputError: An argument is not of its form.
    """
    verb = method.upper() if isinstance(method, str) else ""
    if not _METHOD.fullmatch(verb):
        raise InvalidInputError("method", "is no HTTP method", "pass GET, POST or DELETE")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise InvalidInputError(
            "path",
            "is no path of names and placeholders",
            "write it below the version, as in '/schedules/{access_key}', and pass path_values=",
        )
    try:
        where = Placement(placement)
    except ValueError:
        raise InvalidInputError("placement", "is unknown", "pass 'query' or 'form'") from None
    return Endpoint(
        operation=f"request {verb} {path}",
        method=verb,
        path=path,
        placement=where,
        payload="status",
        repeatable=verb == "GET" if repeatable is None else repeatable,
        versions=tuple(ApiVersion),
    )


def checked_texts(field: str, values: Mapping[str, str] | None) -> dict[str, str]:
    """Refuse anything but text by name.

    Raises:
        InvalidInputError: Not a mapping of text to text.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InvalidInputError(field, f"is a {type(values).__name__}", "pass a mapping of text")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidInputError(
                f"{field}[{name!r}]", f"is a {type(value).__name__}", "pass it as text"
            )
    return dict(values)
