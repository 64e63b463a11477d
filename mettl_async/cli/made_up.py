"""Made-up candidates for the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mettl_async.cli.columns import EMAIL, FIRST_NAME
from mettl_async.cli.rows import Row
from mettl_async.models import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST: Final = ("Asha", "José", "Zoë", "李", "Олена", "Nguyễn", "आशा", "Siân", "Mehmet", "Ada")
_LAST: Final = ("Rao", "García", "Müller", "王", "Шевченко", "Okafor", "O'Neill")


def made_up_rows(count: int) -> Iterator[Row]:
    """Make candidates, each with another address of a reserved domain."""
    for number in range(1, count + 1):
        email, first = f"candidate{number}@example.com", _FIRST[number % len(_FIRST)]
        fields = {"Last Name": _LAST[number % len(_LAST)]}
        candidate = Candidate(email=email, first_name=first, fields=fields)
        yield Row(number, candidate, {EMAIL: email, FIRST_NAME: first, **fields})
