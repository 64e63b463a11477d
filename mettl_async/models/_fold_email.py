"""When two emails are one."""

from __future__ import annotations


def fold_email(email: str) -> str:
    """What two spellings of one address have in common: case does not matter."""
    return email.strip().lower()
