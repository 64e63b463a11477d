"""The exception tree: what else an error is, what it keeps, and that it survives pickling."""

import copy
import pickle

import pytest

from mettl_async import errors
from mettl_async.core.request import Response
from mettl_async.errors import CallError, CallFacts, NotReadyError

SECRET = "asha@example.org"


def every(cls):
    yield cls
    for one in cls.__subclasses__():
        yield from every(one)


CALL_ERRORS = sorted(
    {one for one in every(CallError) if one.__module__ == "mettl_async.errors"},
    key=lambda one: one.__name__,
)
FACTS = CallFacts(
    operation="candidates.register",
    attempts=2,
    request_id="abc",
    sent=True,
    status_code=500,
    code="E408",
    retry_after=3.0,
)


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (errors.TransportTimeoutError, TimeoutError),
        (errors.NotReadyError, TimeoutError),
        (errors.ConnectError, ConnectionError),
        (errors.ConnectionLostError, ConnectionError),
        (errors.InvalidInputError, ValueError),
        (errors.ServiceUnavailableError, errors.ServerError),
    ],
)
def test_errors_are_what_a_caller_expects_them_to_be(error, base):
    assert issubclass(error, base)


@pytest.mark.parametrize("cls", CALL_ERRORS)
@pytest.mark.parametrize("copied", [copy.copy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301 - ours
def test_a_call_error_keeps_its_facts_when_it_is_copied_and_pickled(cls, copied):
    error = cls("it failed", FACTS)
    other = copied(error)
    assert type(other) is cls
    assert (str(other), repr(other), other.facts) == (str(error), repr(error), FACTS)
    assert error.args == ("it failed",)
    assert getattr(error, "errno", None) is None
    for name in CallFacts.__slots__:
        if not name.startswith("__"):
            assert getattr(other, name) == getattr(FACTS, name)


def test_what_the_server_answered_is_kept_but_never_shown():
    error = errors.ServerError("it failed", FACTS)
    error.response = Response(status_code=500, headers={}, content=SECRET.encode())
    assert error.response.content == SECRET.encode()
    assert SECRET not in f"{error}{error!r}{error.args}{error.response!r}"
    pickled = pickle.dumps(error)
    assert SECRET.encode() not in pickled
    assert pickle.loads(pickled).response is None  # noqa: S301 - ours


def test_not_ready_survives_pickling():
    error = NotReadyError("the report is not there", waited=3.0, final=False)
    other = pickle.loads(pickle.dumps(error))  # noqa: S301 - ours
    assert (str(other), other.waited, other.final) == (str(error), 3.0, False)


def test_a_closed_client_has_sent_nothing():
    error = errors.ClientClosedError("the client is closed")
    assert (error.sent, error.safe_to_repeat) == (False, True)
