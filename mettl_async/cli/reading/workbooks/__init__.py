"""Workbooks of all formats as sheets of cells, each as the sheet shows it."""

from typing import Final

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How files of Excel up to 2003 begin, and those of later ones that have a password."""
