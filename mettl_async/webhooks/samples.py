"""Deliveries as Mettl sends them, for tests and for ``mettl webhooks send``."""

from datetime import UTC, datetime
from typing import Any, Final

from mettl_async.codec import dumps
from mettl_async.errors import InvalidInputError
from mettl_async.models import FinishMode, TestGraded, UnknownEvent
from mettl_async.models._event_samples import wire_time
from mettl_async.models.event import EVENTS, Event, EventKind

_AT: Final = datetime(2022, 2, 11, 23, 8, 2, tzinfo=UTC)
_UNKNOWN: Final = EventKind(event_type="someEventOfTomorrow", url_property="")


def sample_event(
    kind: type[Event],
    *,
    access_key: str = "a1b2c3d4e5",
    email: str = "asha.rao@example.org",
    name: str = "Asha",
    context_data: str | None = None,
    at: datetime = _AT,
    assessment_id: int = 999_999,
    candidate_instance_id: int = 99_999_999,
    source_app: str = "App Name",
    notification_url: str | None = None,
    finish_mode: FinishMode = FinishMode.NORMAL_SUBMISSION,
    marks_scored: float = 5.0,
    max_marks: float = 10.0,
) -> bytes:
    """Make the body of a delivery, with the names, shapes and quirks of the vendor's samples.

    The same arguments give the same bytes. `parse_event` gives back what was put in.

    Example::

        body = sample_event(TestFinished, email="asha@example.org", context_data="application-7")
        parse_event(body).context_data  # "application-7"

    Args:
        kind: A class such as ``TestGraded``; ``UnknownEvent`` gives an event of a made-up type.
        access_key: Key of the schedule.
        email: Address of the candidate.
        name: Name of the candidate; a space is added where the vendor's samples have one.
        context_data: Text such as `ContextSigner.sign` gives.
        at: When it happened, aware.
        assessment_id: Number of the assessment.
        candidate_instance_id: Number of the attempt.
        source_app: Application that the schedule names.
        notification_url: [seen] Left out when None, as in the documentation.
        finish_mode: How the test ended; in finished and graded events.
        marks_scored: Marks of the candidate; in graded events.
        max_marks: Marks that can be reached; in graded events.

    Raises:
        InvalidInputError: ``at`` has no time zone, ``kind`` is no kind of event.

    Source: vendor pages "Create Schedule for an Assessment" and "Edit Schedule".
    """
    if at.tzinfo is None:
        raise InvalidInputError("at", "has no time zone", "give an aware datetime")
    row = _UNKNOWN if kind is UnknownEvent else EVENTS.get(kind)  # type: ignore[arg-type]
    if row is None:
        raise InvalidInputError("kind", "is no kind of event", "give a class such as TestGraded")
    own = row.sample(
        email=email,
        name=name,
        at=at,
        finish_mode=finish_mode,
        marks_scored=marks_scored,
        max_marks=max_marks,
    )
    body: dict[str, Any] = {
        "EVENT_TYPE": row.event_type,
        "invitation_key": access_key,
        # [doc] spelt in camel case in graded events only
        "assessmentId" if kind is TestGraded else "assessment_id": assessment_id,
        "candidate_instance_id": candidate_instance_id,
        "context_data": context_data,
        "timestamp_GMT": wire_time(at, UTC, "GMT"),
        "source_app": source_app,
        **({} if notification_url is None else {"notification_url": notification_url}),
        "name": f"{name} ",
        "email": email,
        **own,
    }
    return dumps(body).encode()
