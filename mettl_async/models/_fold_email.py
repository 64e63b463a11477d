"""When two emails are one."""

from __future__ import annotations


def fold_email(email: str) -> str:
    """Fold an address, so that two spellings of it are equal: case does not matter."""
    return email.strip().lower()
