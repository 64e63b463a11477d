"""Names of properties on the wire."""

from __future__ import annotations

_IRREGULAR = {"test_resume_enabled_for_expired_test_url": "testResumeEnabledForExpiredTestURL"}


def wire_name(attribute: str) -> str:
    """Name of a property on the wire: lower camel case, with the vendor's exceptions."""
    first, *rest = attribute.split("_")
    return _IRREGULAR.get(attribute) or first + "".join(map(str.title, rest))
