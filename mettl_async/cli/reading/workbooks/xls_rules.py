"""Conditional formats of XLS that change what numbers show, by the records of a sheet [MS-XLS]. Pure."""

import struct
from collections.abc import Iterable
from typing import Final

from mettl_async.cli.reading.workbooks.sheet import Area

Record = tuple[int, bytes]
"""The type of a record, and its content."""

# Records that name the cells of the rules after them: their bounds stand at the same place in each.
_CELLS: Final = frozenset({0x01B0, 0x0879, 0x087B})  # CondFmt, CondFmt12, CFEx
_BOUNDS: Final = 4
# Records of rules, and where their formats begin, if they have one.
_CF, _CF12, _CF_EX = 0x01B1, 0x087A, 0x087B
_FORMATS: Final = {_CF: 6, _CF12: 22, _CF_EX: 30}
_HAS_FORMAT: Final = 25  # of CFEx
_NUMBERS: Final = 1 << 25  # ibitAtrNum of DXFN
RULE_RECORDS: Final = _CELLS | _FORMATS.keys()


def restyled_in(records: Iterable[Record]) -> list[Area]:
    """Find the areas whose rules change what numbers show.

    Excel up to 2003 has none of them, and later ones write those that they have beside the old ones.
    """
    areas: list[Area] = []
    area: Area | None = None
    for kind, content in records:
        if kind in _CELLS:
            top, bottom, left, right = struct.unpack_from("<4H", content, _BOUNDS)
            area = Area(top + 1, left, bottom + 1, right)
        place = _FORMATS.get(kind)
        if place is None or area is None or len(content) < place + 4:
            continue
        if kind != _CF and not struct.unpack_from("<I", content, place - 4)[0]:
            continue  # its format is of no length
        if kind == _CF_EX and not content[_HAS_FORMAT]:
            continue
        if struct.unpack_from("<I", content, place)[0] & _NUMBERS:
            areas.append(area)
    return areas
