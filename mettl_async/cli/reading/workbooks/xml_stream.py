"""XML as a stream, for parts of workbooks: documents of any length in little memory.

A document type is refused, and with it all entities: office formats forbid it, and tiny files could
unfold to gigabytes.
"""

from collections.abc import Callable, Iterator
from typing import IO, Final
from xml.parsers import expat

from mettl_async.cli.reading.workbooks.sheet import DamagedError
from mettl_async.cli.reading.workbooks.xml_shortcut import Shortcut

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]

_CHUNK: Final = 1 << 16
_UNSAFE: Final = "the XML has a document type"


def parser(start: Start, end: End | None = None) -> expat.XMLParserType:
    """Make a parser whose names are ``namespace name``, and whose text comes in whole pieces."""
    made = expat.ParserCreate(None, " ")
    made.buffer_text = True
    made.StartElementHandler = start
    made.EndElementHandler = end
    made.StartDoctypeDeclHandler = _refuse
    return made


def feed(
    made: expat.XMLParserType, stream: IO[bytes], shortcut: Shortcut | None = None
) -> Iterator[None]:
    """Parse a stream chunk by chunk, perhaps with a shortcut for most of it.

    Raises:
        DamagedError: It is not XML, or has a document type.
    """
    try:
        while chunk := stream.read(_CHUNK):
            if shortcut is None:
                made.Parse(chunk)
            else:
                shortcut.feed(chunk)
            yield
        made.Parse(b"" if shortcut is None else shortcut.held, True)  # noqa: FBT003 - its own signature
        yield  # some versions hold elements back
    # Of an encoding that nobody knows, or that has several bytes a letter, the parser raises the others.
    except (expat.ExpatError, LookupError, ValueError):
        raise DamagedError from None


def elements(stream: IO[bytes]) -> list[tuple[str, dict[str, str]]]:
    """List the elements of a small part by their names without namespaces, in their order."""
    found: list[tuple[str, dict[str, str]]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        found.append((local(name), {local(key): value for key, value in attributes.items()}))

    for _ in feed(parser(start), stream):
        pass
    return found


def local(name: str) -> str:
    """Take the namespace from a name."""
    return name.rpartition(" ")[2]


def _refuse(*_: object) -> None:
    raise DamagedError(_UNSAFE)
