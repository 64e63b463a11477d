"""The options of a bulk run, checked when they are given."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import frozen

from mettl_async.bulk.batch import MAX_BATCH
from mettl_async.bulk.journal import Journal
from mettl_async.bulk.outcomes import Rejected
from mettl_async.bulk.progress import OnProgress
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate

CandidateFallback = Callable[[Candidate, Rejected], Candidate | Awaitable[Candidate | None] | None]
"""Gives the candidate to send instead of a rejected one, or None to leave it rejected."""

DEFAULT_CONCURRENCY: Final = 8


@frozen(kw_only=True)
class RunOptions:
    """The options of a bulk run, but for those that go to the server.

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
    batch_size: int = MAX_BATCH
    journal: Journal | None = None
    candidate_fallback: CandidateFallback | None = None
    on_progress: OnProgress | None = None

    def __attrs_post_init__(self) -> None:
        if not _is_whole(self.batch_size, MAX_BATCH):
            raise InvalidInputError(
                "batch_size",
                f"must be a whole number from 1 to {MAX_BATCH}",
                f"Mettl takes {MAX_BATCH} candidates in one call at most",
            )
        _check_journal(self.journal)
        for name in ("candidate_fallback", "on_progress"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise InvalidInputError(name, f"is a {type(hook).__name__}", "pass a function")
        if inspect.iscoroutinefunction(self.on_progress):
            raise InvalidInputError(
                "on_progress", "is async", "pass a plain function, which is quick"
            )


def _check_journal(value: object) -> None:
    if value is None or (isinstance(value, Journal) and not isinstance(value, type)):
        return
    what = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
    raise InvalidInputError(
        "journal",
        f"is {what}",
        'pass FileJournal("registrations.journal"), or what has the methods of Journal',
    )


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
