"""Bodies that are no event or odd, and what a parsed event may be used for."""

import copy
import json
import pickle

import attrs
import pytest
from corpus import payload, wire

from mettl_async.models._frozen_map import FrozenMap
from mettl_async.webhooks import EventDecodeError, WebhookError, parse_event

pytestmark = pytest.mark.usefixtures("both_readers")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON: line 1, column 1 (0 bytes)"),
        (b"null", "expected an object, got null"),
        (b"7", "expected an object, got int"),
        (b'"finishTest"', "expected an object, got str"),
        (b"[]", "expected an object, got array"),
        (b"[{},{}]", "expected an object, got array"),
        (b"[[[[[[[{}]]]]]]]", "expected an object, got array"),
        (b"EVENT_TYPE=finishTest", "not JSON: line 1, column 1 (21 bytes)"),
        (b'{"EVENT_TYPE": "finishTest"', "not JSON: line 1, column 28 (27 bytes)"),
        (b'{\n "EVENT_TYPE":\n "finishTest" 7}', "not JSON: line 3, column 15 (33 bytes)"),
        (b'{"a": NaN}', "not JSON: NaN or an infinity is in it (10 bytes)"),
        (b'{"a": 1e999}', "not JSON: NaN or an infinity is in it (12 bytes)"),
        (b'{"a": "\0"}', "not JSON: line 1, column 8 (10 bytes)"),
        (b'{"a": "\xff"}', "not UTF-8: byte 8 (10 bytes)"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8: byte 1 (18 bytes)"),
        (b"{}{}", "not JSON: line 1, column 3 (4 bytes)"),
    ],
)
def test_what_is_no_event_is_told_by_its_shape(body, problem):
    with pytest.raises(EventDecodeError) as caught:
        parse_event(body)
    assert caught.value.problem == problem
    assert isinstance(caught.value, WebhookError)
    assert caught.value.__context__ is None
    assert pickle.loads(pickle.dumps(caught.value)).problem == problem  # noqa: S301 - our own


def test_a_byte_order_mark_is_no_matter():
    assert parse_event(b"\xef\xbb\xbf" + payload("doc_finish")) == parse_event(
        payload("doc_finish")
    )


@pytest.mark.parametrize("depth", [40, 500, 100_000])
@pytest.mark.parametrize(("start", "end"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_deep_nesting_is_cut_or_refused(depth, start, end):
    deep = start * depth + b"1" + end * depth
    body = b'{"testStatus": %s, %s' % (deep, json.dumps(wire()).encode()[1:])
    try:
        event = parse_event(body)
    except EventDecodeError:
        assert depth > 40
    else:
        assert event.email == "name@email"
        hash(event)
        pickle.dumps(event)


def test_of_a_name_that_comes_twice_the_last_counts():
    body = b'{"email": "a@x.org", ' + payload("doc_finish").strip()[1:]
    assert parse_event(body).email == "name@email"


def test_half_a_surrogate_pair_becomes_a_question_mark():
    body = json.dumps(wire(name="A\ud83d", email="a\udc00@x.org")).encode()
    event = parse_event(body)
    assert (event.name, event.email) == ("A?", "a?@x.org")
    event.email.encode()


def test_what_is_read_is_frozen_hashable_and_pickles():
    event = parse_event(payload("seen_graded"))
    assert type(event.raw) is FrozenMap
    assert type(event.raw["testStatus"]["result"]["sectionMarks"]) is tuple
    assert event.raw["testStatus"]["result"]["sectionMarks"][0]["timeTaken"] == 0.0
    with pytest.raises(TypeError):
        event.raw["testStatus"]["status"] = "x"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.email = "b@x.org"
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own
    assert hash(event) == hash(copy.deepcopy(event))


def test_no_repr_shows_a_candidate():
    personal = ["SECRET"]
    mail = "SECRET@example.org"
    data = wire(
        "seen_graded",
        email=mail,
        name="SECRET",
        context_data="SECRET",
        notification_url="https://x/?t=SECRET",
        registrationDetails={"Email Address": mail, "First Name": "SECRET"},
        proctoringDetails={"photo": "SECRET"},
    )
    data["testStatus"]["pdfReport"] = data["testStatus"]["htmlReport"] = "https://x/SECRET"
    for word in ("startAssessment", "finishTest", "gradedAssessment", "candidateTestResumed", "x"):
        event = parse_event(json.dumps({**data, "EVENT_TYPE": word}).encode())
        assert not any(one in repr(event) + str(event) for one in personal)
    event = parse_event(json.dumps({**data, "invitation_key": ["SECRET"]}).encode())
    assert "SECRET" not in repr(event) + event.problem
    for body in (json.dumps(data).encode()[:-1], b'"SECRET"'):
        with pytest.raises(EventDecodeError) as caught:
            parse_event(body)
        assert "SECRET" not in repr(caught.value) + str(caught.value)
