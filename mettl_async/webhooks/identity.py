"""The identity of an event: two deliveries of one event share it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from mettl_async.models import TestGraded, UnknownEvent
from mettl_async.models._fold_email import fold_email
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.models.event import EVENTS, Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_VERSION = 1  # of what goes into the digest: another rule must never give an old identity


def event_identity(event: Event) -> str:
    """Compute the identity of an event, to tell a second delivery of it from another event.

    It is the same 64 hexadecimal digits in every process and version; no personal data can be read from
    them. The vendor does not say whether and how it delivers twice, so the rule is [assumed]: a second
    delivery has the same content. It is the digest of

    - the ``EVENT_TYPE``, the access key, the email without regard to case, and
    - of a graded test, its end and the marks (so another grading is another event); of other events the
      timestamp. Without an end it is the timestamp; without both, all that came. So two events without a
      time that say the same share it; the receiver then handles the first, and logs a warning.
    - of an `UnknownEvent`, all that came, in any order.

    Example::

        event_identity(parse_event(sample_event(TestGraded)))  # 64 hexadecimal digits

    ``candidate_instance_id`` is not in it, since an event made by ``reconcile`` has none.
    """
    if isinstance(event, UnknownEvent):
        rest = [event.event_type, event.access_key, event.email] if not event.raw else []
        return _digest(["unknown", *rest, event.raw])
    marks = None
    moment = event.timestamp
    if isinstance(event, TestGraded):
        status = event.test_status
        ended = event.end_time or (status.end_time if status else None)
        moment = ended or moment
        if ended is not None:
            result = status.result if status else None
            marks = event.marks_scored
            if marks is None and result is not None:
                marks = result.total_marks
    when = event.raw if moment is None else (moment - _EPOCH) // _MICROSECOND
    # Plus zero: the marks -0.0 and 0 are the same.
    marks = None if marks is None else float(marks) + 0.0
    event_type = EVENTS[type(event)].event_type
    return _digest([event_type, event.access_key, fold_email(event.email), when, marks])


def _digest(parts: list[Any]) -> str:
    # Escaped, so that whatever is in a text can be encoded.
    text = _ENCODER.encode([_VERSION, *parts])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: object) -> Any:
    if isinstance(value, FrozenMap):
        return dict(value)
    raise TypeError(f"raw: expected plain data, got {type(value).__name__}")


# Made once: json.dumps makes one for each call.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)
