"""An answer belongs to its question: who or what it names is who or what the request named.

A connection may hold an answer that nobody asked for, so that the next request gets it; where that
comes only once the request is out, nothing but the answer itself can tell.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from html import unescape
from operator import attrgetter
from typing import Any, TypeVar, cast
from unicodedata import normalize
from urllib.parse import urlsplit

from attrs import Factory, evolve, field, frozen

from mettl_async.api.pager import Page
from mettl_async.api.placeholders import PERSONAL
from mettl_async.errors import MettlDecodeError

R = TypeVar("R")


def fold_name(name: str) -> str:
    """Fold the name of a schedule, so that spellings are equal which the server may not distinguish [assumed]."""
    return normalize("NFC", " ".join(unescape(name).split())).casefold()


def _as_it_is(value: Hashable) -> Hashable:
    return value


@frozen
class About:
    """What an answer must repeat of its question, if it says it at all.

    Attributes:
        says: Attribute of the value, or of each item of a list; dots lead to attributes of attributes,
            and to texts in ``extra``.
        asked: Placeholder or argument of the call, with dots as well; a list allows each of its items.
        fold: Makes spellings equal that mean the same.
    """

    says: str
    asked: str
    fold: Callable[[Any], Hashable] = _as_it_is

    _path: tuple[str, ...] = field(
        init=False, default=Factory(lambda self: tuple(self.says.split(".")), takes_self=True)
    )

    def asked_in(self, given: Mapping[str, object]) -> list[Any]:
        """Give what was asked for."""
        name, _, rest = self.asked.partition(".")
        value: Any = given[name]
        if rest:
            value = attrgetter(rest)(value)
        return [*value] if isinstance(value, (list, tuple)) else [value]

    def said_in(self, value: object) -> Any:
        """Give what a value says that it is about; None where it does not say."""
        said: Any = value
        for name in self._path:
            if said is None:
                return None
            if isinstance(said, Mapping):  # properties that no attribute reads
                text = said.get(name)
                said = text if isinstance(text, str) else None
            else:
                said = getattr(said, name)
        return said


def belonging(value: R, about: Iterable[About], given: Mapping[str, object]) -> R:
    """Return a value that belongs to its question; of a list, the items that do.

    Args:
        value: What was read of the answer.
        about: What it must repeat.
        given: Values of the placeholders and arguments, by name.

    Raises:
        MettlDecodeError: The value, or each item of a list, is about something else.
    """
    own: Any = value
    for one in about:
        asked = one.asked_in(given)
        if isinstance(own, Page):
            own = evolve(own, items=_own(own.items, one, asked))
        elif isinstance(own, tuple):
            own = _own(own, one, asked)
        else:
            _own((own,), one, asked)
    return cast("R", own)


def check_addresses(paging: object, template: str, path: Mapping[str, str]) -> None:
    """Refuse a page of another list, where the addresses of the pages beside it tell.

    They are like the request's own [seen]; one of another form tells nothing. People's emails could be
    escaped in more than one way, so only keys and ids count.

    Args:
        paging: What the answer says.
        template: Path of the request, with placeholders.
        path: Values of the placeholders.

    Raises:
        MettlDecodeError: An address names another schedule or assessment.
    """
    words = template.split("/")[1:]
    for name in ("next", "previous"):
        address = paging.get(name) if isinstance(paging, dict) else None
        said = _path_of(address)[-len(words) :] if isinstance(address, str) else []
        pairs = [*zip(words, said, strict=False)] if len(said) == len(words) else []
        if any(one != word for word, one in pairs if word[:1] != "{"):
            continue
        for word, one in pairs:
            asked = path.get(word[1:-1]) if word[1:-1] not in PERSONAL else None
            if asked is not None and one.lower() != asked.lower():
                # The address is a credential, so nothing of it is shown.
                raise _foreign(f"paging.{name}")


def _path_of(address: str) -> list[str]:
    try:
        return urlsplit(address).path.rstrip("/").split("/")
    except ValueError:
        return []


def _own(items: tuple[Any, ...], about: About, asked: list[Any]) -> tuple[Any, ...]:
    said = [about.said_in(item) for item in items]
    if said == asked:  # nearly always, and to fold twenty emails twice takes its time
        return items
    keys = set(map(about.fold, asked))
    pairs = zip(items, said, strict=True)
    own = tuple([item for item, name in pairs if name is None or about.fold(name) in keys])
    # What stands beside others' items is still about those who were asked for.
    if items and not own:
        raise _foreign(about.says)
    return own


def _foreign(what: str) -> MettlDecodeError:
    return MettlDecodeError(
        f"the answer belongs to another request: its {what} is not what was asked for"
    )
