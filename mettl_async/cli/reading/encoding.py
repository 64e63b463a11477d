"""The encoding of a text: certain by its bytes, or asked for.

What is not certain is not guessed: names in the wrong alphabet would go out to real people.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import Final

from attrs import define, field

from mettl_async.cli.printing import printable
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading import utf_7
from mettl_async.cli.reading.columns import UNDECODED, UTF_8
from mettl_async.cli.reading.doubts import Choice, DoubtError

Chunks = Callable[[], Iterable[bytes]]
"""Reads the file from its beginning, piece by piece."""

MARKS: Final = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
# What spreadsheets of each language write; of those that give the same text the first is shown.
_ONE_BYTE: Final = (
    "cp1252", "cp1250", "cp1251", "cp1254", "cp1253", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "mac-roman", "iso8859-1", "iso8859-2", "iso8859-15", "iso8859-5", "iso8859-7", "iso8859-8",
    "iso8859-9", "koi8-r", "koi8-u", "mac-latin2", "mac-cyrillic", "mac-turkish", "mac-greek", "cp850",
    "cp852", "cp866", "cp857", "cp437",
)  # fmt: skip
_MORE_BYTES: Final = (
    "shift_jis", "cp932", "gb18030", "big5", "cp950", "big5hkscs", "euc_kr", "cp949", "euc_jp",
)  # fmt: skip
_ESCAPED: Final = "iso2022_jp"  # is of ASCII's bytes
_ESCAPE: Final = re.compile(rb"\x1b[$(]")
_CONTROLS: Final = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS: Final = 50  # one in so many bytes at most
_LINE_END: Final = re.compile(rb"\r\n?|\n")
_BETWEEN_CELLS: Final = re.compile('[,;\t|"]')
_BETWEEN_CELLS_OF_BYTES: Final = re.compile(_BETWEEN_CELLS.pattern.encode())

_CELLS: Final = 3
_CHOICES: Final = 8
# Most files are of these; they are offered even where their signs make others look better.
_ALWAYS: Final = ("cp1252", "cp1250", "iso8859-15", "mac-roman")
# Signs that people write beside words and numbers; the rest of quotes are told by their categories.
_SIGNS: Final = "\u20ac\u00a3\u00a5\u00a7\u00b0\u00a9\u00ae\u2122\u00bd\u00bc\u00be\u00b1\u00b2\u00b3\u2013\u2014\u2026\u2022\u00d7\u00f7"
_WORD: Final = re.compile(r"[^\W\d_]+")
_ACCENTED: Final = re.compile(r"[^\x00-\x7f]+")
_LONG_RUN: Final = 3
_SAMPLES: Final = 300
_LONGEST_SAMPLE: Final = 1000
_LONGEST_CELL: Final = 40
_LONGEST_LINE: Final = 1 << 20
_SAMPLED: Final = 1 << 16
_ASCII: Final = 128
_LEAST_ASCII: Final = 0.2  # of a list of addresses


def marked_encoding(head: bytes) -> str | None:
    """Tell an encoding by its byte order mark."""
    return next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)


def check_asked(name: str, asked: str, head: bytes) -> None:
    """Refuse an encoding that a file's mark contradicts.

    Raises:
        CommandError: Names the right one.
    """
    marked = marked_encoding(head)
    if marked is not None and marked[:5] != asked[:5]:  # utf-8, utf-1, utf-3
        raise CommandError(
            f"{name}: its first bytes say that it is {marked.removesuffix('-sig')}; "
            f"leave out --encoding {asked}"
        )


def find_encoding(name: str, chunks: Chunks) -> str:
    """Tell the encoding of a text: by its mark, or UTF-8 where the whole text is that, as ASCII is.

    ASCII that would be names in UTF-7 or ISO-2022-JP is in doubt.

    Raises:
        DoubtError: It may be in several others.
        CommandError: It is in none that is known.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    head, last, multibyte, ascii_only = b"", b"", False, True
    broken = escaped = shifted = 0
    for chunk in chunks():
        if not head:
            head = chunk
            if (marked := marked_encoding(head)) is not None:
                return marked
            if _is_wide(head):
                return _ask_which_wide(name, chunks)
        escaped += _ESCAPE.search(last + chunk) is not None
        last = chunk[-1:]
        shifted += utf_7.may_have(chunk)
        text = decoder.decode(chunk)
        if not text.isascii():
            ascii_only = False
            broken += len(UNDECODED.findall(text))
            multibyte = multibyte or any(_ASCII <= ord(one) < 0xDC80 for one in set(text))  # noqa: PLR2004 - the first of UNDECODED
    broken += len(decoder.decode(b"", final=True))
    if broken and len(_CONTROLS.findall(head)) * _MOST_CONTROLS > len(head):
        raise CommandError(f"{name}: is not text; export the table as CSV UTF-8 or XLSX")
    if broken:
        more = ("utf-8",) if multibyte else ()
        return _ask(f"{name}: is not UTF-8", chunks, (*more, *_ONE_BYTE, *_MORE_BYTES))
    if escaped:
        return _ask(f"{name}: may be ISO-2022-JP", chunks, ("utf-8", _ESCAPED))
    if shifted and ascii_only and (lines := utf_7.lines_in_utf_7(_lines(chunks()))):
        raise _utf_7_doubt(name, lines)
    return UTF_8


def _utf_7_doubt(name: str, lines: dict[int, bytes]) -> DoubtError:
    choices = []
    for encoding in ("utf-8", utf_7.ENCODING):
        shown = []
        for number, line in islice(lines.items(), _CELLS):
            cells = filter(utf_7.tells, _BETWEEN_CELLS_OF_BYTES.split(line))
            texts = (cell.decode(encoding, "replace").strip()[:_LONGEST_CELL] for cell in cells)
            shown.append(f"line {number}: {printable(', '.join(texts))}")
        choices.append(Choice("encoding", encoding, tuple(shown)))
    return DoubtError(
        f"{name}: may be UTF-7, and its bytes alone do not tell which encoding it is in", choices
    )


def _is_wide(head: bytes) -> bool:
    """Tell whether a text without a mark has units of two or four bytes: half of those of ASCII are zeros."""
    some = head[:4096]
    return b"\0" in some[:4] or some.count(0) * 8 > len(some)


def _ask_which_wide(name: str, chunks: Chunks) -> str:
    choices: list[tuple[float, Choice]] = []
    for encoding in _WIDE:
        decoder = codecs.getincrementaldecoder(encoding)()
        text = ""
        try:
            for chunk in chunks():
                decoded = decoder.decode(chunk)
                text += decoded[: _SAMPLED - len(text)]
            text += decoder.decode(b"", final=True)
        except UnicodeError:
            continue
        plain = sum(one.isascii() and (one.isprintable() or one in "\r\n\t") for one in text)
        if "\0" not in text and plain > _LEAST_ASCII * len(text):
            lines = [line for line in text.splitlines() if line.strip()][:_CELLS]
            shown = tuple(printable(line[: 2 * _LONGEST_CELL]) for line in lines)
            choices.append((-plain, Choice("encoding", encoding, shown)))
    if not choices:
        return UTF_8  # its NULs are told row by row
    choices.sort(key=lambda pair: pair[0])
    raise DoubtError(
        f"{name}: has no mark that tells its encoding (a BOM), and is not UTF-8",
        [choice for _, choice in choices],
    )


@define
class _Candidate:
    """An encoding that the whole file may be in; ``digest`` is the same for the same text."""

    encoding: str
    digest: bytes = field(repr=False)

    def cell(self, line: bytes) -> str:
        """Show the cells of a line that are not ASCII."""
        cells = _BETWEEN_CELLS.split(line.decode(self.encoding, "replace"))
        found = [
            cell.strip()[:_LONGEST_CELL] for cell in cells if not cell.isascii() or "\x1b" in cell
        ]
        return printable(", ".join(found))


def _ask(problem: str, chunks: Chunks, encodings: Iterable[str]) -> str:
    samples, candidates = _candidates(chunks, encodings)
    if not candidates:
        raise CommandError(
            f"{problem}, nor text in another encoding that is known; export it as CSV UTF-8"
        )
    # In steps, so that what is as good as equal stays in the order of the table.
    decided = sorted(candidates, key=lambda one: round(2 * _oddness(one, samples.values())))
    decided = decided[:_CHOICES] + [one for one in decided[_CHOICES:] if one.encoding in _ALWAYS]
    lines = _deciding(samples, decided)
    choices = [
        Choice(
            "encoding",
            one.encoding,
            tuple(f"line {number}: {one.cell(samples[number])}" for number in lines),
        )
        for one in decided
    ]
    raise DoubtError(f"{problem}, and its bytes alone do not tell which encoding it is in", choices)


def _candidates(
    chunks: Chunks, encodings: Iterable[str]
) -> tuple[dict[int, bytes], list[_Candidate]]:
    """Read the lines that are not ASCII; give some of them, and the encodings that all can be in."""
    digests = {encoding: sha256() for encoding in encodings}
    strict = dict.fromkeys(digests, "strict")
    strict["utf-8"] = "replace"  # where most of it is that: the others are told row by row
    samples: dict[int, bytes] = {}
    met: set[int] = set()
    for number, line in enumerate(_lines(chunks()), 1):
        if line.isascii() and b"\x1b" not in line:
            continue
        new = set(line) - met
        met |= new
        if len(line) <= _LONGEST_SAMPLE and (new or len(samples) < _SAMPLES):
            samples[number] = line
        elif not new and len(samples) >= _SAMPLES and digests.keys() <= set(_ONE_BYTE):
            continue
        for encoding in list(digests):
            if not new and encoding in _ONE_BYTE:
                continue  # what each byte means has been seen
            try:
                text = line.decode(encoding, strict[encoding])
            except UnicodeDecodeError:
                del digests[encoding]
                continue
            if any(_is_nothing(one) for one in set(text)):
                del digests[encoding]
            else:
                digests[encoding].update(text.encode())
    same: dict[bytes, _Candidate] = {}
    for encoding, digest in digests.items():
        same.setdefault(digest.digest(), _Candidate(encoding, digest.digest()))
    return samples, list(same.values())


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        held = text[-1:] if text.endswith(b"\r") else b""  # a line feed may follow
        *lines, rest = _LINE_END.split(text.removesuffix(held) if held else text)
        yield from lines
        rest += held
        if len(rest) > _LONGEST_LINE:
            yield rest
            rest = b""
    yield rest


def _is_nothing(character: str) -> bool:
    """Tell whether no text of people has it: controls of above ASCII, private and unassigned ones."""
    return (
        not character.isascii()
        and not character.isprintable()
        and unicodedata.category(character) in {"Cc", "Co", "Cn"}
    )


def _deciding(samples: dict[int, bytes], candidates: list[_Candidate]) -> list[int]:
    """Choose the few lines that show best how the candidates differ."""
    chosen: list[int] = []
    seen: list[tuple[str, ...]] = [() for _ in candidates]
    while len(chosen) < min(_CELLS, len(samples)):
        best: tuple[int, int] | None = None
        for number, line in samples.items():
            if number not in chosen:
                cells = {
                    (*before, one.cell(line)) for before, one in zip(seen, candidates, strict=True)
                }
                if best is None or len(cells) > best[0]:
                    best = len(cells), number
        if best is None:
            break
        number = best[1]
        chosen.append(number)
        seen = [
            (*before, one.cell(samples[number]))
            for before, one in zip(seen, candidates, strict=True)
        ]
    return sorted(chosen)


def _oddness(candidate: _Candidate, lines: Iterable[bytes]) -> float:
    """Count what no name has: signs in words, capitals behind small letters, two alphabets in one word.

    Words of letters with accents only are what Latin encodings make of other alphabets.
    """
    odd = count = 0
    for line in lines:
        text = line.decode(candidate.encoding, "replace")
        for place, character in enumerate(text):
            if character.isascii():
                continue
            count += 1
            before, after = text[place - 1 : place], text[place + 1 : place + 2]
            if not _is_sign(text[:place], character, after):
                odd += _odd_here(before, character, after)
        odd += sum(map(_odd_word, _WORD.findall(text)))
    return odd / max(1, count)


def _is_sign(before: str, character: str, after: str) -> bool:
    """Tell whether a sign stands where people write it: not where a letter of a name is missing."""
    starts, ends = not before[-1:].isalpha(), not after.isalpha()
    kind = unicodedata.category(character)
    if kind == "Pi" or character == "\u201e":
        return starts
    if kind == "Pf":
        return ends and any(one in before for one in "\u201c\u201e\u2018\u201a\u00ab\u2039")
    return character in _SIGNS and starts and ends


def _odd_here(before: str, character: str, after: str) -> int:
    kind = unicodedata.category(character)
    if character == "\N{REPLACEMENT CHARACTER}":
        return 1
    if kind[0] not in "LM":
        return 0 if character in "\u2019\u00a0\u00b7" else 3
    if kind == "Lm" or 0xFF61 <= ord(character) <= 0xFF9F:  # noqa: PLR2004 - half-width katakana
        return 1
    if kind == "Lu" and before.islower():
        return 2
    own = _script(character)
    if any(one.isalpha() and _script(one) != own for one in (before, after) if one):
        return 3
    return 1 if own == "CJK" and not _is_common(character) else 0


def _odd_word(word: str) -> int:
    if word.isascii() or {_script(one) for one in word} != {"LATIN"}:
        return 0
    runs = _ACCENTED.findall(word)
    return sum(len(run) for run in runs if len(run) >= _LONG_RUN or len(word) == len(run) > 1)


def _script(character: str) -> str:
    if character.isascii():
        return "LATIN"
    name = unicodedata.name(character, "").partition(" ")[0]
    return "CJK" if name in {"HIRAGANA", "KATAKANA", "HANGUL"} else name


def _is_common(character: str) -> bool:
    """Tell whether a letter is of those that East Asian schools teach: the first planes of their standards."""
    for encoding, least, most in (
        ("gb2312", 0xA1, 0xD7),
        ("big5", 0xA1, 0xC6),
        ("euc_jp", 0xA1, 0xCF),
        ("euc_kr", 0xA1, 0xC8),
    ):
        try:
            if least <= character.encode(encoding)[0] <= most:
                return True
        except UnicodeEncodeError:
            continue
    return False
