"""Pre-built tests (PBTs)."""

from attrs import field, frozen

from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire


@frozen(kw_only=True)
class Pbt(ServerValue):
    """A pre-built test (PBT) of the vendor's library.

    No sample of this answer is known: names are [assumed] to be those of "Add PBTs" (``pbtId``, ``pbtName``),
    or plainly ``id`` and ``name``; ``extra`` has the rest.

    Vendor page: "Get All PBTs".
    """

    pbt_id: int = field(metadata=wire("pbtId", "id"))
    pbt_name: str | None = field(default=None, metadata=wire("pbtName", "name"))


def _none_for_zero(value: int | None) -> int | None:
    return value or None


@frozen(kw_only=True)
class PbtAddition(ServerValue):
    """What became of one pre-built test (PBT) that was to be added to the account.

    Attributes:
        pbt_id: The pre-built test.
        added: Whether it was added.
        message: The server's words; empty when it says none.
        assessment_id: The new assessment; None when none was made (0 on the wire).
        pbt_name: Its name, when it was added.

    Vendor page: "Add PBTs".
    """

    pbt_id: int
    added: bool
    message: str = ""
    assessment_id: int | None = field(default=None, converter=_none_for_zero)
    pbt_name: str | None = None
