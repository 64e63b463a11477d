"""For each model one function of straight-line code that makes it of plain data.

A loop over fields takes several times as long, and a page of results has tens of thousands of them.
The code is written as text and compiled once for each class, when it is first needed. What comes as
expected is recognised by its exact type, in line; anything else goes to the lenient hooks.

A frozen class is slow to make: its ``__init__`` sets each attribute by a call. So the attributes are
set on an instance of a twin, a subclass of the same layout that is not frozen, which then becomes one
of the frozen class. What comes out has the very type of the model; the twin is never seen.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, TypeAlias, Union, get_args, get_origin

import attrs

from mettl_async.codec.mismatch import MismatchError, Problem, expected
from mettl_async.codec.scalars import to_frozen
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._wire import MERGED, Place, places_of

Hook: TypeAlias = "Callable[[Any, Any], Any]"

_EXTRA = "extra"
"""The attribute that holds the properties that no other attribute reads."""

# When a value needs no hook: the test, and what must be done with it then.
_AS_IT_IS = {
    str: "type(v) is str",
    bool: "v is True or v is False",
    int: "type(v) is int",
    # An infinity or NaN minus itself is NaN, which is true.
    float: "type(v) is float and not v - v",
}


def compile_reader(cls: Any, hook_of: Callable[[Any], Hook]) -> Hook:
    """Write and compile the function for one class.

    Args:
        cls: An attrs class; each default is a constant.
        hook_of: Gives the hook for the type of a field.
    """
    attrs.resolve_types(cls)
    fields = attrs.fields(cls)
    twin = _twin(cls)
    names: dict[str, Any] = {
        "cls": cls,
        "twin": twin,
        "MismatchError": MismatchError,
        "expected": expected,
        "EMPTY": EMPTY,
        "below": _below,
    }
    lines = [
        "def structure(data, _):",
        " if type(data) is not dict and not isinstance(data, dict):",
        "  raise expected('object', data)",
        " get = data.get",
        " n = len(data)" if hasattr(cls, _EXTRA) else " n = 0",
        " problems = None" if any(a.default is attrs.NOTHING for a in fields) else "",
        " o = twin()" if twin else "",
    ]
    # What is left over is known at the end.
    for number, attribute in sorted(enumerate(fields), key=lambda one: one[1].name == _EXTRA):
        if attribute.name == _EXTRA:
            lines += _leftover(cls, names)
        else:
            lines += _reading(cls, attribute, number, hook_of, names)
        lines.append(f" o.{attribute.name} = v" if twin else f" v{number} = v")
    if any(a.default is attrs.NOTHING for a in fields):
        lines += [" if problems:", "  raise MismatchError(problems)"]
    if twin:
        lines += [" o.__class__ = cls", " return o"]
    else:
        lines.append(f" return cls({', '.join(f'{a.name}=v{i}' for i, a in enumerate(fields))})")
    code = compile("\n".join(lines), f"<reader of {cls.__name__}>", "exec")
    exec(code, names)  # noqa: S102 - text from our own classes, without any input
    return names["structure"]  # type: ignore[no-any-return]


def _twin(cls: Any) -> type | None:
    """Give a subclass whose attributes can be set; None if making ``cls`` does more than setting."""
    does_more = hasattr(cls, "__attrs_post_init__") or any(
        a.converter is not None or a.validator is not None for a in attrs.fields(cls)
    )
    ordinary = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    new = {"__new__": object.__new__, "__init__": object.__init__}
    return None if does_more else type("Twin", (cls,), {"__slots__": (), **ordinary, **new})


def _reading(
    cls: Any,
    attribute: attrs.Attribute[Any],
    number: int,
    hook_of: Callable[[Any], Hook],
    names: dict[str, Any],
) -> list[str]:
    """Write lines that leave the value of one attribute in ``v``, or append to ``problems``."""
    places = places_of(cls, attribute)
    if not places:
        names[f"d{number}"] = attribute.default
        return [f" v = d{number}"]
    if isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]
        raise TypeError(f"{cls.__name__}.{attribute.name}: a default is a constant here")
    kind = _without_none(attribute.type)
    hook, default = f"h{number}(v, k{number})", f"d{number}"
    names |= {f"h{number}": hook_of(kind), f"k{number}": kind, f"d{number}": attribute.default}
    if places[0] == MERGED:
        return [f" v = h{number}(data, k{number})"]
    wire = places[0][0]
    required = attribute.default is attrs.NOTHING
    if len(places) > 1 or len(places[0]) > 1:
        lines = [" v = None"]
        for place in places:
            lines += _looking(place, f"h{number}(w, k{number})")
        lines.append(" if v is None:")
        if not required:
            return [*lines, f"  v = {default}"]
        # The hook says what is wrong at the first place.
        lines.append(f"  v = get({wire!r})")
    elif get_origin(kind) is tuple and not required:
        return _listing(wire, get_args(kind)[0], number, hook_of, names)
    else:
        lines = _direct(kind, wire, number, names)
        lines += (
            []
            if required
            else [" elif v is None:", f"  v = {default}", f"  n += {wire!r} not in data"]
        )
        lines.append(" else:")
    lines += ["  try:", f"   v = {hook}"]
    if required:
        lines += [
            "  except MismatchError as e:",
            f"   problems = (problems or []) + below({'.' + wire!r}, e)",
        ]
    else:
        lines += ["  except MismatchError:", f"   v = {default}"]
    return lines


def _direct(kind: Any, wire: str, number: int, names: dict[str, Any]) -> list[str]:
    """Write lines for a value that needs no hook; an ``else`` is to follow."""
    test, enough = _test(kind, number, names)
    lines = [f" v = get({wire!r})", f" if {test}:", f"  {enough}"]
    if kind is int:  # [seen] counts arrive as 1.0
        lines += [" elif type(v) is float and v.is_integer():", "  v = int(v)"]
    if kind is float:  # [seen] and times of difficultyMarks as 7; larger ones may not be exact
        lines += [" elif type(v) is int and -(10**15) < v < 10**15:", "  v += 0.0"]
    return lines


def _listing(
    wire: str, kind: Any, number: int, hook_of: Callable[[Any], Hook], names: dict[str, Any]
) -> list[str]:
    """Write lines for a list, which keeps its good items."""
    names |= {f"h{number}": hook_of(kind), f"k{number}": kind, "good_items": good_items}
    return [
        f" v = get({wire!r})",
        " if type(v) is not list:",
        f"  v = d{number}",
        f"  n += {wire!r} not in data",
        " elif not v:",
        "  v = ()",
        " else:",
        "  try:",
        f"   v = tuple([h{number}(item, k{number}) for item in v])",
        "  except MismatchError:",
        f"   v = good_items(v, h{number}, k{number})",
    ]


def good_items(items: list[Any], hook: Hook, kind: Any) -> tuple[Any, ...]:
    """Make models of a list; an item that cannot be one is left out."""
    good = []
    for item in items:
        try:
            good.append(hook(item, kind))
        except MismatchError:
            continue
    return tuple(good)


def _looking(place: Place, hook: str) -> list[str]:
    """Write lines that look at one place, unless an earlier one was readable."""
    first, *inner = place
    return [
        " if v is None:",
        f"  w = get({first!r})",
        *(f"  w = w.get({name!r}) if type(w) is dict else None" for name in inner),
        "  if w is not None:",
        "   try:",
        f"    v = {hook}",
        "   except MismatchError:",
        "    pass",
    ]


def _test(kind: Any, number: int, names: dict[str, Any]) -> tuple[str, str]:
    """Write the test that a value needs no hook, and the statement that is then enough."""
    if kind in _AS_IT_IS:
        return _AS_IT_IS[kind], "pass"
    if isinstance(kind, type) and issubclass(kind, OpenStrEnum):
        names[f"w{number}"] = {member.value: member for member in kind}
        return f"type(v) is str and v in w{number}", f"v = w{number}[v]"
    return "False", "pass"


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in {Union, types.UnionType}:
        return kind
    return reduce(or_, [one for one in get_args(kind) if one is not type(None)])


def _below(path: str, error: MismatchError) -> list[Problem]:
    return [(path + inner, problem) for inner, problem in error.problems]


def _leftover(cls: Any, names: dict[str, Any]) -> list[str]:
    """Write lines for the properties that no attribute reads.

    To compare the names each time would cost a tenth of reading. So they are counted: ``n`` is the number
    of properties that there are, plus one for each that an attribute with one place did not find. Where
    that is not more than the number of such attributes, nothing is left over.
    """
    known: dict[str, set[str] | None] = dict.fromkeys(cls.also_read)
    counted: set[str] = set()
    for attribute in attrs.fields(cls):
        places = places_of(cls, attribute) if attribute.name != _EXTRA else ()
        for name, *inner in places[places[:1] == (MERGED,) :]:
            if not inner:
                known[name] = None
            elif (within := known.setdefault(name, set())) is not None:
                within.add(inner[0])
        if len(places) == 1 and len(places[0]) == 1:
            counted.add(places[0][0])
    lines = []
    for name in known.keys() - counted:
        lines.append(f" n -= {name!r} in data")
        if known[name] is not None:
            names[f"in_{name}"] = known[name]
            lines += [
                f" v = get({name!r})",
                f" if type(v) is dict and not v.keys() <= in_{name}:",
                "  n = 1000",
            ]
    names |= {"known": known, "rest": _rest}
    return [*lines, f" v = EMPTY if n <= {len(counted)} else rest(data, known)"]


def _rest(data: dict[str, Any], known: dict[str, set[str] | None]) -> FrozenMap[Any]:
    left = {}
    for name, item in data.items():
        if name in known:
            within = known[name]
            if within is None or not isinstance(item, dict) or item.keys() <= within:
                continue
        left[name] = to_frozen(item)
    return FrozenMap(left) if left else EMPTY
