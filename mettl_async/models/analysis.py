"""What a report says in words."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class ResponseStyle:
    """How a candidate answers, such as ``Genuine``."""

    title: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class Recommendation:
    """What a report recommends; ``type`` is such as ``Recommendation`` or ``Performance Category``."""

    type: str | None = None
    value: str | None = None


@frozen(kw_only=True)
class Analysis:
    """What a report says in words; empty unless asked for and the report has it.

    Source: api.md, API 17 (its parameters ``ir`` and ``rs``) and section 7.
    """

    response_styles: tuple[ResponseStyle, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
