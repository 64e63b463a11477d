"""What the outcomes of a run say about its chunk."""

import pytest
from worked import person

from mettl_async.bulk.outcomes import Failed, Registered, Rejected, Unknown
from mettl_async.errors import (
    AuthenticationError,
    BadRequestError,
    CallFacts,
    ClientClosedError,
    ConnectionLostError,
    NotFoundError,
    ServiceUnavailableError,
)
from mettl_async.jobs.register_chunk import Answers
from mettl_async.jobs.work import Finished, Refused, Stopped
from mettl_async.models import RegistrationStatus


def common(attempts=1):
    return {"index": 0, "candidate": person(0), "attempts": attempts}


REGISTERED = Registered(**common(), url="https://x", status=RegistrationStatus.TO_BE_TAKEN)
REJECTED = Rejected(**common(), reason="no", code="E028")
LOST = Unknown(**common(), error=ConnectionLostError("lost"))
AWAY = Failed(**common(), error=ServiceUnavailableError("away", CallFacts(status_code=503)))
BAD = BadRequestError("bad", CallFacts(code="E999", status_code=200))
KEYS = AuthenticationError("keys", CallFacts(code="E401", status_code=401))
GONE = NotFoundError("gone", CallFacts(code="E404", status_code=200))


@pytest.mark.parametrize(
    ("outcomes", "ending"),
    [
        ([], Finished()),
        ([REGISTERED, REJECTED], Finished()),
        ([REGISTERED, LOST], Finished("ConnectionLostError")),
        ([LOST, AWAY], Finished("ServiceUnavailableError", unanswered=True)),
        ([AWAY, Failed(**common(), error=BAD)], Finished("BadRequestError E999")),
        ([REGISTERED, Failed(**common(), error=KEYS)], Refused(str(KEYS))),
        ([LOST, Failed(**common(0), error=GONE)], Refused(str(GONE))),
        # Sixty refused alike stopped the run; those after them carry that refusal.
        ([REJECTED, Failed(**common(0), error=BAD)], Refused(str(BAD))),
        # No answers stopped it.
        ([LOST, Failed(**common(0), error=LOST.error)], Finished("ConnectionLostError", unanswered=True)),
    ],
)  # fmt: skip
def test_what_becomes_of_a_chunk(outcomes, ending):
    answers = Answers()
    for outcome in outcomes:
        answers.note(outcome)
    assert answers.ending(stopping=False) == ending
    told = Stopped() if isinstance(ending, Finished) else ending
    assert answers.ending(stopping=True) == told


def test_a_closed_client_ends_the_worker():
    answers = Answers()
    answers.note(Failed(**common(0), error=ClientClosedError("closed")))
    with pytest.raises(ClientClosedError):
        answers.ending(stopping=True)
