"""When two emails are one."""

from __future__ import annotations


def email_key(email: str) -> str:
    """What two spellings of one address have in common: case does not matter."""
    return email.strip().lower()
