"""When two emails are one."""

from unicodedata import normalize


def fold_email(email: str) -> str:
    """Fold an address, so that two spellings of it are equal: neither case nor Unicode form matters."""
    folded = email.strip().lower()
    # Nearly all are ASCII, which has one form only.
    return folded if folded.isascii() else normalize("NFC", normalize("NFC", folded).lower())
