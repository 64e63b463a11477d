"""A request that was checked, as the endpoints see it; and how an endpoint is declared."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from mettl_async.sandbox.envelope import RefusalError, bad_request, loads
from mettl_async.sandbox.shapes import present
from mettl_async.sandbox.signature import expected_signature
from mettl_async.sandbox.simulation import Simulation
from mettl_async.sandbox.state import Account, Assessment, SandboxCandidate, Schedule, fold_email

MOST_ON_PAGE: Final = 100  # [doc]
_USUAL_ON_PAGE: Final = 20  # [doc]
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_NOT_REUSED: Final = frozenset({"ak", "ts", "asgn", "offset"})
_BOOLEANS: Final = {"true": True, "false": False}

T = TypeVar("T")
Payload = dict[str, Any]


@frozen(kw_only=True)
class ApiRequest:
    """A request with a right signature.

    ``base_url`` is scheme and host as requested, ``raw_path`` the path as requested, still encoded;
    ``path`` has the decoded values of its variables.
    """

    simulation: Simulation = field(repr=False)
    account: Account = field(repr=False)
    version: str
    base_url: str
    raw_path: str = field(repr=False)
    path: Mapping[str, str] = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    now: float

    def assessment(self) -> Assessment:
        """Find the assessment that the path names, in this account."""
        number = self.path["assessment_id"]
        # [assumed]: what belongs to another account is not found, too
        found = self.account.assessments.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise RefusalError("E404")
        return found

    def schedule(self) -> Schedule:
        """Find the schedule that the path names, in this account."""
        found = self.simulation.schedules.get(self.path["access_key"])
        if found is None or found.assessment.account is not self.account:
            raise RefusalError("E404")
        return found

    def candidate(self) -> SandboxCandidate:
        """Find the candidate that the path names; someone never registered is an error [seen]."""
        found = self.schedule().candidates.get(fold_email(self.path["email"]))
        if found is None:
            raise RefusalError("E404")  # the code is [assumed]
        return found

    def json(self, name: str, *, nulls: bool = True) -> Any:
        """Read the JSON text in a required parameter; without ``nulls``, null is absent."""
        if name not in self.parameters:
            raise bad_request(f"{name} is required")
        try:
            value = loads(self.parameters[name])
            return value if nulls else present(value)
        except (ValueError, RecursionError):
            raise bad_request(f"{name} is not JSON") from None

    def flag(self, name: str) -> bool:
        """Read an optional ``true`` or ``false``; false unless given."""
        value = _BOOLEANS.get(self.parameters.get(name, "false"))
        if value is None:
            raise bad_request(f"{name} must be true or false")
        return value

    def _number(self, name: str, default: int) -> int:
        text = self.parameters.get(name, str(default))
        if not _NUMBER.fullmatch(text):
            raise bad_request(f"{name} must be a number")
        return int(text)

    def sort(self, items: Iterable[T], **keys: Callable[[T], Any]) -> list[T]:
        """Sort by ``sort``, one of ``keys`` and by default the first, and by ``sort_order``.

        [assumed]: an unknown word is refused, in either parameter; equal items keep their order, which
        is turned when descending.
        """
        sort = self.parameters.get("sort", next(iter(keys)))
        order = self.parameters.get("sort_order", "desc")
        if sort not in keys:
            raise bad_request(f"sort must be {' or '.join(keys)}")
        if order not in ("asc", "desc"):
            raise bad_request("sort_order must be asc or desc")
        found = sorted(items, key=keys[sort])
        return found if order == "asc" else found[::-1]

    def paginate(self, items: Sequence[T]) -> tuple[Sequence[T], Payload]:
        """Return the items of the page that ``limit`` and ``offset`` name, and its ``paging``.

        Beyond the end there are none [assumed]. Source: the vendor's page "Pagination".
        """
        limit, offset = self._number("limit", _USUAL_ON_PAGE), self._number("offset", 0)
        if limit < 1:
            raise bad_request(f"limit must be 1 to {MOST_ON_PAGE}")  # [assumed] for 0
        # A client sends 500 in daily use [seen]; that it is taken for 100 is [assumed].
        limit = min(limit, MOST_ON_PAGE)
        after = offset + limit
        paging = {
            "next": self._page_url(limit, after) if after < len(items) else None,
            # The name is [assumed].
            "previous": self._page_url(limit, max(0, offset - limit)) if offset else None,
            "totalRecords": len(items),
        }
        return items[offset:after], paging

    def _page_url(self, limit: int, offset: int) -> str:
        """Make the URL of a page: absolute, and signed with this account's key [seen]."""
        # [doc]: the optional parameters except offset are used again
        sent = {name: text for name, text in self.parameters.items() if name not in _NOT_REUSED}
        sent |= {"ak": self.parameters["ak"], "ts": str(int(self.now))}
        sent |= {"limit": str(limit), "offset": str(offset)}
        url = self.base_url + self.raw_path
        key = self.account.credentials.private_key
        asgn = expected_signature(key, "GET", url, sent, version=self.version).decode()
        # Their order in the URL is not known.
        pairs = [*sorted(sent.items()), ("asgn", asgn)]
        return f"{url}?" + "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in pairs)


Handler = Callable[[ApiRequest], Payload]


@frozen
class Endpoint:
    """One method of one path; ``name`` is for `Stats`."""

    method: str
    pattern: re.Pattern[str]
    name: str
    handle: Handler
    versions: tuple[str, ...]
    takes_files: bool


ENDPOINTS: Final[list[Endpoint]] = []


def endpoint(
    method: str,
    path: str,
    name: str,
    *,
    versions: tuple[str, ...] = ("v2", "v1"),
    takes_files: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a handler: it returns what the envelope has beside ``"status": "SUCCESS"``."""

    def declare(handle: Handler) -> Handler:
        pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))
        ENDPOINTS.append(Endpoint(method, pattern, name, handle, versions, takes_files))
        return handle

    return declare
