"""Between JSON text, plain data and models: the one converter of the process."""

from mettl_async.codec import events as _events  # noqa: F401 - registers how events are read
from mettl_async.codec.json_text import dumps, loads
from mettl_async.codec.mismatch import kind
from mettl_async.codec.reading import from_wire, list_from_wire
from mettl_async.codec.scalars import read_int
from mettl_async.codec.writing import candidate_details, candidate_optionals, to_params, to_wire

__all__ = [
    "candidate_details",
    "candidate_optionals",
    "dumps",
    "from_wire",
    "kind",
    "list_from_wire",
    "loads",
    "read_int",
    "to_params",
    "to_wire",
]
