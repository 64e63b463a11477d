"""What the handler of a page is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from mettl_async.sandbox.candidates import SandboxPerson
    from mettl_async.sandbox.clock import SandboxClock
    from mettl_async.sandbox.deliveries import Deliveries
    from mettl_async.sandbox.faults import Faults
    from mettl_async.sandbox.life import Pace
    from mettl_async.sandbox.state import Schedule


class SandboxLike(Protocol):
    """What the pages need of a sandbox."""

    faults: Faults
    clock: SandboxClock
    deliveries: Deliveries
    pace: Pace

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """All schedules by access key."""

    def person_of(self, ecc: str) -> SandboxPerson | None:
        """Find the candidate whose link has this ``ecc``."""

    def settle(self) -> None:
        """Make happen what is due."""


@frozen(kw_only=True)
class Visit:
    """A request of a browser; all values are decoded.

    Attributes:
        sandbox: The sandbox that the pages belong to.
        access_key: The schedule that the path names; empty in other paths.
        query: Parameters of the address.
        form: Fields of the form; empty for GET.
        base_url: Scheme and host that the browser uses.
    """

    sandbox: SandboxLike = field(repr=False)
    access_key: str
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    base_url: str
