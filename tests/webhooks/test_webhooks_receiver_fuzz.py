"""Whatever comes, the receiver answers with a status of its own, never fails, and tells nothing."""

import json
import logging

import anyio
import pytest
from asgi_calls import PASSWORD, basic, call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mettl_async.webhooks import (
    BasicAuth,
    ContextSigner,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    WebhookReceiver,
    sample_event,
)

AUTH = BasicAuth(username="acme", password=PASSWORD)
EMAIL, NAME = "asha.rao@example.org", "Venkataraman"
SIGNER = ContextSigner(["a made up secret of the context"])
CONTEXT = SIGNER.sign("applicant-7000", access_key="a1b2c3", email=EMAIL)
SAMPLES = [
    sample_event(kind, access_key="a1b2c3", email=EMAIL, name=NAME, context_data=CONTEXT)
    for kind in (TestStarted, TestFinished, TestGraded, TestResumeEnabled, UnknownEvent)
]
FIELDS = sorted({name for sample in SAMPLES for name in json.loads(sample)})
BOUNDED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([EMAIL, CONTEXT, "Fri, 16 Aug 2024 18:44:13 IST", "\ud800", "1e999", "[{]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def changed_samples(draw):
    """A sample in which a few fields hold anything, or are gone."""
    body = json.loads(draw(st.sampled_from(SAMPLES)))
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=4)):
        body.pop(name, None)
        if draw(st.booleans()):
            body[name] = draw(JSON)
    return json.dumps(body).encode()


@st.composite
def damaged_samples(draw):
    """A sample with some bytes cut out, or put in."""
    body = draw(st.sampled_from(SAMPLES))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 40)))
    return body[:start] + draw(st.binary(max_size=8)) + body[end:]


BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | changed_samples()
    | damaged_samples()
    | st.integers(1, 3000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth)
    | st.integers(1, 3000).map(lambda depth: b"[" * depth)
)


@pytest.fixture(scope="module")
def quiet_loggers():
    """Only what the receiver says is collected."""
    logger = logging.getLogger("mettl_async.webhooks")
    lines = []

    class Recorder(logging.Handler):
        def emit(self, record):
            lines.append(f"{record.getMessage()} {record.__dict__}")

    recorder, level = Recorder(logging.DEBUG), logger.level
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    yield lines
    logger.removeHandler(recorder)
    logger.setLevel(level)


def receiver_and_runs(**given):
    receiver, runs = WebhookReceiver(**{"auth": AUTH, **given}), []

    async def handler(event):
        runs.append(event)

    receiver.on(TestEvent)(handler)
    receiver.on(UnknownEvent)(handler)
    return receiver, runs


def answered(receiver, body, **scope):
    async def run():
        return await call(receiver, body, **scope)

    return anyio.run(run)


@BOUNDED
@given(body=BODIES, require=st.booleans())
def test_no_body_makes_it_fail(quiet_loggers, body, require):
    quiet_loggers.clear()
    receiver, runs = receiver_and_runs(context=SIGNER, require_context=require)
    statuses = [answered(receiver, body).status for _ in range(2)]
    assert statuses[0] in {200, 400, 401}
    assert statuses[1] == statuses[0]
    assert len(runs) == (statuses[0] == 200)
    for line in quiet_loggers:
        assert not [text for text in (EMAIL, NAME, CONTEXT, PASSWORD) if text in line]


@BOUNDED
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"content-length", b"content-type", b"php-auth-pw"]),
            st.binary(max_size=40)
            | st.sampled_from([basic()[:-1], basic("acme"), basic("acme:"), basic(b"\xff:\xfe")])
            | st.integers().map(lambda number: str(number).encode()),
        ),
        max_size=4,
    ),
    body=st.sampled_from(SAMPLES),
)
def test_no_header_opens_the_door_or_makes_it_fail(quiet_loggers, headers, body):
    quiet_loggers.clear()
    receiver, runs = receiver_and_runs()
    assert answered(receiver, body, headers=headers).status == 401
    lengths = [one for one in headers if one[0] != b"authorization"]
    with_key = [(b"authorization", basic()), *lengths]
    status = answered(receiver, body, headers=with_key).status
    assert status in {200, 400, 413}
    assert len(runs) == (status == 200)
    for line in quiet_loggers:
        assert not [text for text in (EMAIL, NAME, PASSWORD) if text in line]
