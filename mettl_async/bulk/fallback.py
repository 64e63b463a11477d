"""What a caller makes of a refused candidate, to have it tried once more."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING

from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.bulk.outcomes import Rejected
    from mettl_async.bulk.run_options import CandidateFallback


async def mended(hook: CandidateFallback, rejected: Rejected) -> Candidate | None:
    """Ask the hook about a refusal.

    Raises:
        InvalidInputError: It gave something else, or somebody else.
        Exception: Whatever the hook raises.
    """
    made: object = hook(rejected.candidate, rejected)
    if isawaitable(made):
        made = await made
    if made is None:
        return None
    place = f"candidate_fallback for candidates[{rejected.index}]"
    if not isinstance(made, Candidate):
        raise InvalidInputError(
            place, f"gave a {type(made).__name__}", "return a Candidate, or None to leave it"
        )
    if fold_email(made.email) != fold_email(rejected.candidate.email):
        raise InvalidInputError(
            place,
            "gave a candidate with another email",
            "change other values only, as with attrs.evolve(candidate, fields=...)",
        )
    return made
