"""The options of a bulk run, checked when they are given."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from mettl_async.bulk.batch import MAX_BATCH
from mettl_async.bulk.journal import Journal
from mettl_async.bulk.outcomes import Rejected
from mettl_async.bulk.progress import OnProgress
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate

if TYPE_CHECKING:
    from attrs import Attribute

CandidateFallback = Callable[[Candidate, Rejected], Candidate | Awaitable[Candidate | None] | None]
"""Gives the candidate to send instead of a rejected one, or None to leave it rejected."""

DEFAULT_CONCURRENCY: Final = 8


def _check_batch_size(_: object, __: Attribute[int], value: object) -> None:
    if not _is_whole(value, MAX_BATCH):
        raise InvalidInputError(
            "batch_size",
            f"must be a whole number from 1 to {MAX_BATCH}",
            f"Mettl takes {MAX_BATCH} candidates in one call at most",
        )


def _check_journal(_: object, __: Attribute[Any], value: object) -> None:
    if value is None or (isinstance(value, Journal) and not isinstance(value, type)):
        return
    what = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
    raise InvalidInputError(
        "journal",
        f"is {what}",
        'pass FileJournal("registrations.journal"), or what has the methods of Journal',
    )


def _check_hook(_: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not callable(value):
        raise InvalidInputError(attribute.name, f"is a {type(value).__name__}", "pass a function")


def _check_is_sync(_: object, attribute: Attribute[Any], value: object) -> None:
    if inspect.iscoroutinefunction(value):
        raise InvalidInputError(attribute.name, "is async", "pass a plain function, which is quick")


@frozen(kw_only=True)
class RunOptions:
    """How a bulk run goes about its work.

    Attributes:
        concurrency: Calls in flight at once; see `checked_concurrency`.
        batch_size: Candidates per call, 1 to 20.
        journal: Where outcomes are recorded before they are reported; None for nowhere.
        candidate_fallback: Asked once about each candidate that the server rejected.
        on_progress: Called with a `Progress` now and then.

    Raises:
        InvalidInputError: One of them is out of bounds or of another kind.
    """

    concurrency: int
    batch_size: int = field(default=MAX_BATCH, validator=_check_batch_size)
    journal: Journal | None = field(default=None, validator=_check_journal)
    candidate_fallback: CandidateFallback | None = field(default=None, validator=_check_hook)
    on_progress: OnProgress | None = field(default=None, validator=[_check_hook, _check_is_sync])


def checked_concurrency(
    concurrency: int | None, most: int, default: int = DEFAULT_CONCURRENCY
) -> int:
    """Return a concurrency within the bound of the client.

    Args:
        concurrency: 1 to ``most``; None for ``default``, or ``most`` if that is less.
        most: The client's ``max_concurrency``.
        default: What None stands for.

    Raises:
        InvalidInputError: Not a whole number, or out of bounds.
    """
    if concurrency is None:
        return min(default, most)
    if not _is_whole(concurrency, most):
        raise InvalidInputError(
            "concurrency",
            f"must be a whole number from 1 to {most}",
            "raise ClientOptions(max_concurrency=...) for more",
        )
    return concurrency


def _is_whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
