"""A candidate as text in the table of people, letter for letter; pure."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from datetime import timedelta
from typing import Any, Final

from mettl_async.codec import dumps
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate
from mettl_async.models._check import path_of
from mettl_async.models._fold_email import fold_email
from mettl_async.models._frozen_map import FrozenMap

_MINUTE: Final = timedelta(minutes=1)
_DIGEST_BYTES: Final = 16  # so that no two candidates ever share one


def to_text(index: int, candidate: Candidate) -> str:
    """Write a candidate: a list of its attributes, without those at the end that are not set.

    Args:
        index: Position in the input, for the message.
        candidate: Whom to write.

    Raises:
        InvalidInputError: A database cannot keep it: half of a surrogate pair is in it, which a candidate
            has only if someone went around its checks. The message names position and field.
    """
    extra_time = candidate.compensatory_time
    values: list[Any] = [
        candidate.email,
        candidate.first_name,
        dict(candidate.fields.items()) or None,
        candidate.context_data,
        None if extra_time is None else extra_time // _MINUTE,
    ]
    while values[-1] is None:
        values.pop()
    try:
        return dumps(values)
    except ValueError:
        pass
    # Not within the except block: that error would be its context.
    raise InvalidInputError(
        f"candidates[{index}].{_unfit_field(candidate)}",
        "cannot be written as UTF-8",
        "decode the source with its real encoding, without errors='surrogateescape'",
    )


def from_text(text: str) -> Candidate:
    """Make the candidate again."""
    # Not `loads`: its bounds are for what others send.
    email, first_name, *rest = json.loads(text)
    fields, context_data, minutes = [*rest, None, None, None][:3]
    return Candidate(
        email=email,
        first_name=first_name,
        fields=FrozenMap.taking(fields or {}),
        context_data=context_data,
        compensatory_time=minutes,
    )


def digest_of(email: str) -> str:
    """Hash an email; two spellings of one address have the same digest, see `fold_email`."""
    digest = hashlib.sha256(fold_email(email).encode("utf-8", "surrogatepass")).digest()
    return b64encode(digest[:_DIGEST_BYTES]).decode().rstrip("=")


def difference(text: str, other: str) -> str:
    """Name the first attribute in which two texts of candidates differ."""
    one, another = from_text(text), from_text(other)
    for name in ("email", "first_name", "context_data", "compensatory_time"):
        if getattr(one, name) != getattr(another, name):
            return name
    names = [*one.fields, *another.fields]
    return next(
        (
            path_of("fields", name)
            for name in names
            if one.fields.get(name) != another.fields.get(name)
        ),
        "fields",  # in another order
    )


def _unfit_field(candidate: Candidate) -> str:
    for name in ("email", "first_name", "context_data"):
        if not _is_writable(getattr(candidate, name)):
            return name
    for name, value in candidate.fields.items():
        if not _is_writable(name) or not _is_writable(value):
            return path_of("fields", name)
    return "compensatory_time"


def _is_writable(value: object) -> bool:
    try:
        dumps(value)
    except ValueError:
        return False
    return True
