"""How a candidate did."""

from typing import ClassVar

from attrs import field, frozen

from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire
from mettl_async.models.test_status import TestStatus


@frozen(kw_only=True)
class CandidateResult(ServerValue):
    """How a candidate did in the test of one schedule; the repr shows no personal data.

    Attributes:
        email: Who.
        registration: The registration fields by their names; a value that is no text is its JSON text,
            a null is left out.
        test_status: How far the test is, with the result. [seen] null now and then.
        context_data: The text given at registration, when the answer has it.

    Vendor pages: "Get Results of All Candidates in Schedule", "Get Result of Candidate in Schedule".
    """

    # [seen] these stand beside testStatus in one answer, within it in another.
    also_read: ClassVar[tuple[str, ...]] = ("start_time_GMT", "end_time_GMT")

    email: str = field(repr=False)
    registration: FrozenMap[str] = field(default=EMPTY)
    test_status: TestStatus | None = None
    # [assumed] the second.
    context_data: str | None = field(
        default=None, repr=False, metadata=wire("context_data", "contextData")
    )


@frozen(kw_only=True)
class TestInstance(ServerValue):
    """One test of a candidate, of all those in the account.

    No sample of this answer is known: the attributes are [assumed] by the other answers,
    and ``extra`` has all the rest.

    Vendor page: "Get All Results of Candidate in Account".
    """

    __test__ = False  # its name makes pytest think it holds tests

    access_key: str | None = None
    test_status: TestStatus | None = None
