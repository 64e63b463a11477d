"""Endpoints that users describe themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mettl_async.api.endpoint import Endpoint
from mettl_async.config import ApiVersion
from mettl_async.core.multipart import FilePart
from mettl_async.core.request import Placement
from mettl_async.core.signing import SIGNATURE_PARAMETERS
from mettl_async.errors import InvalidInputError

_METHOD = re.compile(r"[A-Z]{3,10}")
_PATH = re.compile(r"(/([A-Za-z0-9_~-]+|\{[a-z_]+\}))+")


def custom_endpoint(
    method: str,
    path: str,
    placement: Placement | str,
    params: Mapping[str, str],
    *,
    repeatable: bool | None,
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
    if where is Placement.FORM and verb == "GET":
        raise InvalidInputError(
            "placement", "is a form, for a GET", "GET parameters go in the query"
        )
    if repeatable is not None and not isinstance(repeatable, bool):
        raise InvalidInputError("repeatable", "is no bool", "pass True, False or None")
    return Endpoint(
        operation=f"request {verb} {path}",
        method=verb,
        path=path,
        placement=where,
        payload="",
        personal_params=tuple(params),  # who knows what they hold
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
            raise InvalidInputError(field, f"has a {type(value).__name__}", "pass text by name")
        if not name.isidentifier() or name in SIGNATURE_PARAMETERS:
            raise InvalidInputError(field, "has a name that is reserved or no name", "leave it out")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidInputError(
                f"{field}.{name}", "is no text", "remove lone surrogates"
            ) from None
    return dict(values)


def checked_placeholders(path: str, values: Mapping[str, str]) -> None:
    """Refuse values that do not fit the placeholders.

    Raises:
        InvalidInputError: One is missing, or one too many.
    """
    wanted = set(re.findall(r"{(\w+)}", path))
    if wanted != set(values):
        odd = ", ".join(sorted(wanted ^ set(values)))
        raise InvalidInputError("path_values", f"does not fit the path ({odd})", "give each once")


def checked_files(files: Iterable[FilePart]) -> tuple[FilePart, ...]:
    """Refuse anything but files.

    Raises:
        InvalidInputError: Not a list of `FilePart`.
    """
    if isinstance(files, Iterable) and not isinstance(files, (str, bytes)):
        parts = tuple(files)
        if all(isinstance(one, FilePart) for one in parts):
            return parts
    raise InvalidInputError("files", "is no list of FilePart", "pass FilePart(...) objects")
