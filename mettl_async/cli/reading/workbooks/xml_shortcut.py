"""A way past the parser for elements that follow each other, where they are plain.

The parser sees all others, and all that stands around them, so that nothing is taken for an element that is
within a comment or the like.
"""

from collections.abc import Callable
from typing import Final
from xml.parsers.expat import XMLParserType

from attrs import define, field

_MOST_HELD: Final = 1 << 20  # of an element whose end has not come yet
_MOST_MISSES: Final = 10


@define(eq=False)
class Shortcut:
    """Feeds a parser of UTF-8, and hands plain elements to somebody who is faster.

    Attributes:
        parser: Whose handler of such elements' ends calls `ended`.
        end: Their end tag, such as ``</row>``.
        take: Takes plain elements that begin at a place of the bytes, and gives the place behind the last
            one; called only where the parser is behind such an element.
        held: What is not yet parsed.
    """

    parser: XMLParserType = field(repr=False)
    end: bytes
    take: Callable[["Shortcut", bytes, int], int] = field(repr=False)
    held: bytes = field(default=b"", init=False, repr=False)
    _parsed: int = field(default=0, init=False)
    _awaited: int = field(default=-1, init=False)
    _behind: bool = field(default=False, init=False)
    _misses: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.parser.XmlDeclHandler = self._declared

    def parse(self, content: bytes) -> None:
        """Feed the parser."""
        self._parsed += len(content)
        self.parser.Parse(content)

    def ended(self) -> None:
        """Note that an element has ended, if its end tag is the one that was looked for."""
        if self.parser.CurrentByteIndex == self._awaited:
            self._behind = True

    def feed(self, chunk: bytes) -> None:
        """Feed more; some of it may be held until more comes."""
        held, place = self.held + chunk, 0
        while self._misses <= _MOST_MISSES:
            if self._behind:
                place = self.take(self, held, place)
            end = held.find(self.end, place)
            if end < 0:
                break
            self.parse(held[place:end])
            self._behind, self._awaited = False, self._parsed
            self.parse(self.end)
            self._misses += not self._behind
            place = end + len(self.end)
        self.held = held[place:]
        if not self._behind or len(self.held) > _MOST_HELD:
            self._behind = False
            self.parse(self.held)
            self.held = b""

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            self._misses = _MOST_MISSES + 1
