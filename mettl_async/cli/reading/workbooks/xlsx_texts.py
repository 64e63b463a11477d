"""The shared texts of XLSX: those that are plain by one expression, the others by the parser."""

import re
from collections.abc import Callable, Sequence
from typing import IO, Final
from xml.parsers.expat import XMLParserType

from attrs import define, field

from mettl_async.cli.reading.workbooks.sheet import DamagedError
from mettl_async.cli.reading.workbooks.xml_shortcut import Shortcut
from mettl_async.cli.reading.workbooks.xml_stream import feed, local, parser

# Without entities, line ends to be changed, and what might end a CDATA section.
_PLAIN: Final = r'<si><t(?: xml:space="preserve")?>([^<&>\x00-\x08\x0b-\x1f]*)</t></si>'
_TEXTS: Final = re.compile(_PLAIN)
_RUN: Final = re.compile(b"(?:%s)++" % _PLAIN.replace("([", "(?:[").encode())
_NO_CHARACTERS: Final = ("\ufffe", "\uffff")  # [doc: XML 1.0, 2.2]


def shared_strings(stream: IO[bytes], unescaped: Callable[[str], str]) -> Sequence[str]:
    """Read the table of different texts, without formats and the readings of East Asian words.

    Raises:
        DamagedError: It is not XML.
    """
    table = _Table(unescaped)
    for _ in feed(table.parser, stream, table.shortcut):
        pass
    return table.texts


@define(eq=False)
class _Table:
    unescaped: Callable[[str], str]
    texts: list[str] = field(factory=list, init=False, repr=False)
    parser: XMLParserType = field(init=False)
    shortcut: Shortcut = field(init=False)
    _pieces: list[str] = field(factory=list, init=False, repr=False)
    _ignored: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.parser = parser(self._start, self._end)
        self.shortcut = Shortcut(self.parser, b"</si>", self._take)

    def _start(self, name: str, _: dict[str, str]) -> None:
        kind = local(name)
        if kind == "t" and not self._ignored:
            self.parser.CharacterDataHandler = self._pieces.append
        elif kind == "si":
            self._pieces.clear()
        elif kind == "rPh":
            self._ignored += 1

    def _end(self, name: str) -> None:
        kind = local(name)
        if kind == "t":
            self.parser.CharacterDataHandler = None
        elif kind == "si":
            self.texts.append(self.unescaped("".join(self._pieces)))
            self.shortcut.ended()
        elif kind == "rPh":
            self._ignored -= 1

    def _take(self, _: Shortcut, held: bytes, place: int) -> int:
        run = _RUN.match(held, place)
        if run is None:
            return place
        text = run[0].decode()
        if any(one in text for one in _NO_CHARACTERS):
            raise DamagedError
        found = _TEXTS.findall(text)
        self.texts.extend(map(self.unescaped, found) if "_x" in text else found)
        return run.end()
