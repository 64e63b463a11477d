"""Whether a person is plausible: rules for addresses, names and other cells. Pure functions.

Stricter than `Candidate`, which takes what a program knows: a file has the slips of people.
"""

import re
import unicodedata
from typing import Final

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import (
    LINE_BREAKS,
    REPLACEMENT,
    called,
    hidden,
    is_plain,
)

# No address of this form is refused by the library, which needs 50 times as long.
_PLAIN_ADDRESS: Final = re.compile(
    r"(?=[^@]{1,64}@.{1,63}\Z)[A-Za-z0-9][A-Za-z0-9_+-]*(?:\.[A-Za-z0-9_+-]+)*"
    r"@(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+(?!(?i:arpa|invalid|local|localhost|onion)\Z)[A-Za-z]{2,}",
    re.ASCII,
)
_LETTER: Final = "[^\\W_\u115f\u1160\u3164\uffa0]"
_PLAIN_NAME: Final = re.compile(f"{_LETTER}(?:{_LETTER}|[ .,'\u2019-])*")
_ADDRESS_IN_IT: Final = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_ERRORS: Final = r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|BLOCKED!|[# ]*)"
_NOT_A_VALUE: Final = re.compile(_ERRORS)
_CONTROL: Final = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
# A letter with an accent and a sign behind it, which no name has.
_MISREAD: Final = re.compile(
    "[\u00c2-\u00f4][\u00a0-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u0192\u02c6\u02dc"
    "\u2013-\u203a\u20ac\u2122]|\u00c3[\u00aa\u00b5\u00ba\u0152\u0153\u0160\u0161\u0178\u017d\u017e]"
)
# What programs put in the place of letters that others cannot take.
_CODED: Final = re.compile(
    r"(?P<HTML>&(?:#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z]+[0-9]*);|<[A-Za-z/][^>]*>)|(?P<XML>_x[0-9A-Fa-f]{4}_)"
    r"|(?P<JSON>\\u[0-9A-Fa-f]{4})|(?P<percent_codes>%[0-9A-F]{2}%[0-9A-F]{2})"
    r"|(?P<mail_codes>=[0-9A-F]{2}=[0-9A-F]{2}|=\?[\w-]+\?[BQbq]\?)|(?P<UTF_7>\+[A-Za-z0-9/]{3,}-)|(?P<HZ>~\{)"
)
_NOTHING: Final = frozenset(
    {
        "NULL",
        "null",
        "nan",
        "NaN",
        "None",
        "undefined",
        "N/A",
        "n/a",
        "(blank)",
        "<NA>",
        "nil",
        "(null)",
        "(none)",
    }
)
_HEADERS: Final = frozenset(
    style(f"first{between}name")
    for between in ("", " ", "_", "-")
    for style in (str, str.capitalize, str.title, str.upper)
) | {"FirstName", "firstName"}
_NO_NAMES: Final = _NOTHING | _HEADERS
_LINK: Final = re.compile(r"(?:https?:)?//|www\.", re.IGNORECASE)
_UNFILLED: Final = re.compile(
    r".*(?:\{\{|\}\}|\$\{|<<|%%).*|\{\w*\}|\[\[?\w+\]\]|%\w+%?|\$\w+", re.DOTALL
)
_LOST: Final = re.compile(r"[^\W\d_]\?|\?[^\W\d_]")
_SHORTENED: Final = re.compile(r"[+-]?\d(?:[.,]\d+)?[Ee]\+\d{2,3}")
_GUARDED: Final = re.compile(r"'[=+@0-9-].*", re.DOTALL)
_TEXT_FORMULA: Final = re.compile(r'="[^"]*"')
_IN_QUOTES: Final = re.compile(
    "[\"\u201c-\u201f\u00ab\u00bb\u2018-\u201b'`].*[\"\u201c-\u201f\u00ab\u00bb\u2018-\u201b'\u00b4`]"
)
_DOMAIN_SIGNS: Final = "\u00b7\u0375\u05f3\u05f4\u30fb"  # some domains have them (RFC 5892)
_QUOTED: Final = re.compile(r"'.*'", re.DOTALL)

_SLIPS: Final = (
    (re.compile(r"mailto:", re.IGNORECASE), "begins with mailto:", "remove it"),
    (re.compile(r"https?:|//", re.IGNORECASE), "is a link", "give the bare address"),
    (re.compile(r"[^@]*[<>]"), "has angle brackets", "give the bare address, without name and brackets"),
    (re.compile(r"[^@]*@[^@]*[,;|/\s]+[^@]*@"), "looks like more than one address", "give exactly one"),
    (re.compile(r"[^@]*@@"), "has @@", "keep one @"),
    (re.compile(r"[\"\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb`\u00b4]|'.*'\Z|.*'\Z"),
     "is in quotes, or begins or ends with one", "remove the quotes"),
    (re.compile(r"[(\[{]"), "is in brackets", "remove the brackets"),
    (re.compile(r".*\s"), "has a space in it", "remove the space"),
    (re.compile(r".*[.,;:!?/\\|]\Z"), "ends with a punctuation mark", "remove it"),
    (re.compile(r".*%20"), "has a %20, which was a space", "remove it"),
    (re.compile(r".*[,;]"), "has a comma or semicolon in it", "write a dot, or give exactly one address"),
    (re.compile(r"[^@]*@?\Z"), "is not an email address", "give it as name@domain"),
    (re.compile(r"@"), "has nothing before the @", "give it as name@domain"),
    (re.compile(r".*@.*@"), "has more than one @", "give exactly one address"),
    (re.compile(r"[^@]*@[^.]*\Z"), "has a domain without an ending such as .com", "complete it"),
    (re.compile(r".*\.\."), "has two dots in a row", "remove one"),
    (re.compile(r".*\.[^.]?\Z"), "has a domain without an ending such as .com", "complete it"),
)  # fmt: skip


def is_address(text: str) -> bool:
    """Tell a plain address at once."""
    return _PLAIN_ADDRESS.fullmatch(text) is not None


def address_problem(text: str) -> str | None:
    """Say what keeps a text from being an address that can exist, and the fix; None for nothing."""
    if _PLAIN_ADDRESS.fullmatch(text):
        return None
    if not text:
        return "is blank; give the email address"
    if (unseen := hidden(text)) is not None:
        return f"has a character that cannot be seen ({called(unseen)}); type the address anew"
    for slip, problem, fix in _SLIPS:
        if slip.match(text):
            return f"{problem}; {fix}"
    return _sign_in_address(text) or _by_the_book(text)


def _sign_in_address(text: str) -> str | None:
    """Find what a text program made of a typed sign; mailboxes of such names are not given out."""
    for one in text:
        if one.isascii() or (kind := unicodedata.category(one))[0] not in "PS":
            continue
        if one in _DOMAIN_SIGNS or "\uff01" <= one <= "\uff5e":
            continue  # the wide ones are told as look-alikes
        if kind == "Pd" or one == "\u2212":
            return "has a long dash; type -"
        if one in "\u2018\u2019\u201a\u201b\u00b4\u02bc":
            return "has a curly apostrophe; type '"
        return f"has a sign that no address has ({called(one)}); type the address anew"
    return None


def _by_the_book(text: str) -> str | None:
    try:
        from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - takes 50 ms
    except ImportError:
        raise CommandError(
            'addresses are checked by one more package: pip install "mettl-async[cli]"'
        ) from None
    try:
        # .test is what people try things out with.
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        return f"no such address can exist: {_in_our_words(str(error))}"
    local, _, domain = unicodedata.normalize("NFKC", text).rpartition("@")
    same = found.local_part == local and domain.lower() in (found.domain, found.ascii_domain)
    if text != f"{local}@{domain}" or not same:
        return "has letters that only look like those of an address; type it anew"
    for part in (local, *found.domain.split(".")):
        if (mixed := _scripts(part)) is not None:
            return f"has {mixed} letters in one word, which only look alike; type it anew"
    return None


def _in_our_words(said: str) -> str:
    # Whose words may quote what is in the address.
    text = re.sub(r"\s*(?:\(.*\)|: .*)", "", said).strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _scripts(word: str) -> str | None:
    if word.isascii():
        return None
    found = {unicodedata.name(one, "").partition(" ")[0] for one in word if one.isalpha()}
    alike = sorted(found & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
    return " and ".join(one.capitalize() for one in alike) if len(alike) > 1 else None


def name_problem(text: str) -> str | None:
    """Say what keeps a text from being somebody's name, and the fix; None for nothing."""
    if text.strip() in _NOTHING:
        return "is a program's word for nothing; give the name"
    if text.strip() in _HEADERS:
        return "is the name of a column, and nobody's own; give the person's name"
    if _LINK.match(text.strip()):
        return "is a link; give the name"
    if _PLAIN_NAME.fullmatch(text) and any(map(str.isalpha, text)) and not _is_misread(text):
        return None
    if not text or text.isspace():
        return "is blank; give a text that can be seen"
    if any(one in text for one in LINE_BREAKS):
        return "has a line break in it; write the name on one line"
    if "\t" in text:
        return "has a tab in it; remove it"
    if _ADDRESS_IN_IT.search(unicodedata.normalize("NFKC", text)):
        return "holds an email address; give the name"
    return text_problem(text, is_name=True) or _slip_in_name(text)


def _slip_in_name(text: str) -> str | None:
    if (found := _CODED.search(text)) is not None:
        coded = str(found.lastgroup).replace("_", " ")
        return f"has {coded} in it, as a program wrote it; take the text from its source"
    if _IN_QUOTES.fullmatch(text.strip()):
        return "is in quotes; remove them"
    if _LOST.search(text):
        return "has a question mark where a letter was lost; take the text from its source"
    if text.count('"') % 2:
        return 'has a quote (") without its pair; remove it'
    if _UNFILLED.fullmatch(text.strip()):
        return "is a place for a name that a program has not filled; give the name"
    if not any(map(_is_letter, text)):
        return "has no letter that can be seen; give the name"
    return None


def _is_letter(character: str) -> bool:
    return character.isalpha() and is_plain(character)


def text_problem(text: str, *, is_name: bool = False) -> str | None:
    """Say what keeps a cell from being what somebody wrote, and the fix; None for nothing."""
    if (unseen := hidden(text)) is not None:
        if REPLACEMENT in text:
            return (
                "has the sign for a letter that was lost (U+FFFD); an earlier program misread it: "
                "take the text from its source"
            )
        # Texts that come from web pages have soft hyphens and the like, and nobody compares them. One word
        # may be an ID, which nobody finds then.
        is_word = len(text.split()) == 1
        if is_name or is_word or _CONTROL.search(text) or all(map(_is_blank, text)):
            return f"has a character that cannot be seen ({called(unseen)}); type it anew"
    if _is_misread(text):
        return "has letters that an earlier program misread; take the text from its source"
    text = text.strip()
    if _NOT_A_VALUE.fullmatch(text):
        return "holds a spreadsheet's error such as #N/A or ####; give the value"
    if _SHORTENED.fullmatch(text):
        return (
            "is a number that a spreadsheet shortened; format the column as text and export again"
        )
    if _GUARDED.fullmatch(text):
        return "begins with an apostrophe, as spreadsheets mark text; remove it"
    if len(text) > 1 and _QUOTED.fullmatch(text):
        return "is in single quotes; remove them"
    if _TEXT_FORMULA.fullmatch(text):
        return 'is a formula that keeps a text as it is (="..."); give the text itself'
    return None


def _is_misread(text: str) -> bool:
    """Tell whether a text is UTF-8 that was read as Windows-1252: ``JosÃ©``."""
    if text.isascii() or _MISREAD.search(text) is None:
        return False
    try:
        text.encode("cp1252").decode()
    except UnicodeError:
        return False
    return True


def _is_blank(character: str) -> bool:
    return character.isspace() or hidden(character) is not None


def is_plain_name(text: str) -> bool:
    """Tell at once of most cells of unremarkable rows that `name_problem` has nothing to say."""
    return text[:1].isalpha() and text.replace(" ", "").isalnum() and text.strip() not in _NO_NAMES


def is_unremarkable(row: str) -> bool:
    """Tell of all cells of a row in one text that `text_problem` has nothing to say about any of them."""
    return (
        "#" not in row
        and "'" not in row
        and "E+" not in row
        and "e+" not in row
        and '="' not in row
        and is_plain(row)
        and (row.isascii() or _MISREAD.search(row) is None)
    )
