"""A cell of a workbook as a reader finds it: text, or what the user must decide, or what is broken."""

from typing import Final

from attrs import field, frozen

from mettl_async.cli.reading.characters import REPLACEMENT

LOST: Final = REPLACEMENT
"""Ends the text of a cell that cannot be sent: in a file of bad rows it is refused until somebody mends it."""


@frozen
class Unsure:
    """A cell whose number format does not show the whole of what is stored, or not for certain.

    Attributes:
        shown: What the sheet shows; None where that is not known.
        stored: The stored value as text.
    """

    shown: str | None = field(repr=False)
    stored: str = field(repr=False)


@frozen
class Broken:
    """A cell that cannot be sent, and why.

    Attributes:
        problem: With what to do.
        text: What can be said of the content where it is not sent.
    """

    problem: str
    text: str = field(default="", repr=False)


Cell = str | Unsure | Broken

TOO_LONG = Broken(
    "holds a number of more than 15 digits, whose last ones spreadsheets do not keep; "
    "format the cell as text and type it anew"
)
ERROR = Broken("holds an error such as #N/A; mend its formula")
NOT_COMPUTED = Broken("holds a formula without its value; open the file in Excel and save it")
NO_DATE = Broken("is formatted as a date, but holds a number that is none; mend it")
PLACEHOLDER = Broken(
    "holds a formula whose 0 may stand for a value that was never computed; open the file in Excel "
    "and save it"
)
