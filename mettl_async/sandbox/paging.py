"""One page of a list, and the signed URLs of its neighbours.

Pure. Source: api.md section 5, observed.md section 5.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from attrs import frozen

from mettl_async.sandbox.envelope import bad_request
from mettl_async.sandbox.signature import expected_signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST: Final = 100  # [doc]
_USUAL: Final = 20  # [doc]
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_NOT_REUSED: Final = frozenset({"ak", "ts", "asgn", "offset"})

T = TypeVar("T")


@frozen
class Page:
    """Items ``offset`` to ``offset + limit``."""

    limit: int
    offset: int

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Page:
        """Read the page that is asked for.

        Raises:
            RefusalError: E400 for what is no number, and for a limit of 0 [assumed].
        """
        limit = _number(parameters, "limit", _USUAL)
        if limit < 1:
            raise bad_request("limit must be 1 to 100")
        # A client sends 500 in daily use [seen]; that it is taken for 100 is [assumed].
        return cls(min(limit, MOST), _number(parameters, "offset", 0))

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Take the items of this page; beyond the end there are none [assumed]."""
        return items[self.offset : self.offset + self.limit]

    def describe(
        self,
        total: int,
        *,
        url: str,
        parameters: Mapping[str, str],
        private_key: str,
        version: str,
        now: float,
    ) -> dict[str, Any]:
        """Make the ``paging`` object; its URLs are absolute and signed [seen]."""
        # [doc]: the optional parameters except offset are used again
        kept = {name: value for name, value in parameters.items() if name not in _NOT_REUSED}
        kept |= {"ak": parameters["ak"], "ts": str(int(now)), "limit": str(self.limit)}

        def signed(offset: int) -> str:
            sent = {**kept, "offset": str(offset)}
            asgn = expected_signature(private_key, "GET", url, sent, version=version).decode()
            # Their order in the URL is not known.
            pairs = [*sorted(sent.items()), ("asgn", asgn)]
            return (
                url + "?" + "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in pairs)
            )

        after, before = self.offset + self.limit, max(0, self.offset - self.limit)
        return {
            "next": signed(after) if after < total else None,
            "previous": signed(before) if self.offset > 0 else None,  # the name is [assumed]
            "totalRecords": total,
        }


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise bad_request(f"{name} must be a number")
    return int(text)
