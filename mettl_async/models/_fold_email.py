"""When two emails are one."""


def fold_email(email: str) -> str:
    """Fold an address, so that two spellings of it are equal: case does not matter."""
    return email.strip().lower()
