"""Which outcomes a journal keeps, and what it says of them later."""

import pytest
from scripted_server import person

from mettl_async import ConnectError, Failed, InvalidInputError, Registered, Rejected, Unknown
from mettl_async.bulk.journal_record import JournalRecord, from_record, to_record
from mettl_async.bulk.outcomes import DUPLICATE_EMAIL
from mettl_async.errors import CallFacts, ConnectionLostError, RegistrationLimitError
from mettl_async.models import Candidate, RegistrationStatus

SAME = {"index": 0, "candidate": Candidate(email="Asha@x.org", first_name="Asha")}
FULL = RegistrationLimitError("E607 used up", CallFacts(code="E607"))
LONG = InvalidInputError("fields", "is too long", "shorten it")


@pytest.mark.parametrize(
    ("outcome", "record"),
    [
        (
            Registered(
                **SAME, attempts=1, url="https://x/1", status=RegistrationStatus.IN_PROGRESS
            ),
            ("registered", "https://x/1", "InProgress", "", True),
        ),
        (
            Rejected(**SAME, attempts=2, code="Completed", reason="has completed"),
            ("rejected", "", "Completed", "has completed", True),
        ),
        (
            Rejected(**SAME, attempts=2, code="E028", reason="no photo"),
            ("rejected", "", "E028", "no photo", False),
        ),
        (Failed(**SAME, attempts=1, error=FULL), ("failed", "", "E607", "E607 used up", False)),
        (
            Failed(**SAME, attempts=3, error=ConnectError("refused", CallFacts())),
            ("failed", "", "ConnectError", "refused", False),
        ),
        (
            Failed(**SAME, attempts=0, error=LONG),
            ("failed", "", "InvalidInputError", "fields: is too long; shorten it", False),
        ),
        (
            Unknown(**SAME, attempts=12, error=ConnectionLostError("the connection broke")),
            ("unknown", "", "ConnectionLostError", "the connection broke", False),
        ),
        (Rejected(**SAME, attempts=0, code=DUPLICATE_EMAIL, reason="came earlier"), None),
        (Failed(**SAME, attempts=0, error=FULL), None),
    ],
)
def test_what_says_something_new_is_recorded(outcome, record):
    found = to_record(outcome)
    if record is None:
        assert found is None
        return
    assert found.email == "asha@x.org"
    assert (found.status, found.url, found.code, found.reason, found.final) == record


@pytest.mark.parametrize(
    ("url", "kind", "code"),
    [("https://x/1", Registered, "InProgress"), ("", Rejected, "InValid")],
)
def test_what_was_recorded_is_told_of_the_candidate_of_this_run(url, kind, code):
    record = JournalRecord(
        email="c0@secret.example", status="any", url=url, code=code, reason="why", final=True
    )
    assert "secret" not in repr(record)
    outcome = from_record(record, 4, person(0))
    assert isinstance(outcome, kind)
    assert (outcome.index, outcome.candidate, outcome.attempts) == (4, person(0), 0)
    if kind is Registered:
        assert (outcome.url, outcome.status) == (url, code)
    else:
        assert (outcome.code, outcome.reason) == (code, "why")
