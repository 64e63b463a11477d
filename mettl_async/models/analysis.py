"""What a report says in words."""

from attrs import field, frozen

from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire


@frozen(kw_only=True)
class ResponseStyle(ServerValue):
    """How a candidate answers, such as ``Genuine``."""

    title: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class Recommendation(ServerValue):
    """What a report recommends; ``type`` is such as ``Recommendation`` or ``Performance Category``."""

    type: str | None = None
    value: str | None = None


@frozen(kw_only=True)
class Analysis(ServerValue):
    """What a report says in words; empty unless asked for and the report has it.

    Vendor page: "Get Result of Candidate in Schedule" (its parameters ``ir`` and ``rs``).
    """

    response_styles: tuple[ResponseStyle, ...] = ()
    recommendations: tuple[Recommendation, ...] = field(default=(), metadata=wire("recommendation"))
