"""Whatever a body carries, parsing ends in an event with the promised types, or in one typed error."""

import json
import math
import pickle
import random
import types
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mettl_async.codec import json_text
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.webhooks import (
    ContextDataError,
    ContextSigner,
    EventDecodeError,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    event_identity,
    parse_event,
)

FOLDER = Path(__file__).parents[1] / "data" / "webhooks"
CORPUS = {path.stem: path.read_bytes() for path in sorted(FOLDER.iterdir())}
TREES = {name: json.loads(body) for name, body in CORPUS.items() if name != "doc_graded_as_printed"}
CLASSES = (TestStarted, TestFinished, TestGraded, TestResumeEnabled, UnknownEvent)
SIGNER = ContextSigner([b"k" * 32])
WORDS = [
    "startAssessment",
    "finishTest",
    "gradedAssessment",
    "candidateTestResumed",
    "x",
    " FINISHTEST ",
]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 10**30, 10**400, 1e308, -0.0, 0.1])
    | st.floats()
    | st.text(max_size=12)
    | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Zs"]), max_size=4)
    | st.sampled_from(
        [
            *WORDS, "Fri, 11 Feb 2022 23:08:02 GMT", "Fri, 31 Feb 2022 23:08:02 IST", "Mon, 01 Jan 0001 00:00:00 IST",
            "Fri, 31 Dec 9999 23:59:59 -2359", "1e999", "7.0", "false", "NormalSubmission", "[{}]", '{"a":', "\0",
        ]
    )
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["", "raw", "context", "EVENT_TYPE", "email"]) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)  # fmt: skip


def fits(value, kind):
    """Whether a value has the type that its class promises, all the way down."""
    if kind is Any:
        return plain(value)
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return any(fits(value, one) for one in get_args(kind))
    if kind in {None, type(None)}:
        return value is None
    if origin is tuple:
        return type(value) is tuple and all(fits(one, get_args(kind)[0]) for one in value)
    if origin is FrozenMap:
        return type(value) is FrozenMap and all(
            type(name) is str and fits(item, get_args(kind)[0]) for name, item in value.items()
        )
    if kind is datetime:
        return type(value) is datetime and value.utcoffset() is not None
    if kind is timedelta:
        return type(value) is timedelta and value >= timedelta(0)
    if kind is float:
        return type(value) is float and math.isfinite(value)
    if attrs.has(kind):
        attrs.resolve_types(kind)
        return type(value) is kind and all(
            fits(getattr(value, one.name), one.type) for one in attrs.fields(kind)
        )
    return type(value) is kind or (isinstance(value, kind) and kind not in {int, str})


def plain(value):
    if type(value) is FrozenMap:
        return all(type(name) is str and plain(item) for name, item in value.items())
    if type(value) is tuple:
        return all(map(plain, value))
    return value is None or type(value) in {str, int, float, bool}


def check(body):
    """Parse, and hold every promise; tell what came of it."""
    try:
        event = parse_event(body)
    except EventDecodeError as error:
        assert error.__context__ is None
        assert error.problem.isascii()
        assert len(error.problem) < 80
        return None
    assert type(event) in CLASSES
    assert fits(event, type(event)), event.raw._entries
    assert event.context is None
    if isinstance(event, TestEvent):
        assert event.reconciled is False
        for text in (event.email, event.access_key):
            assert text == text.strip() != ""
            assert "\0" not in text
            text.encode()
    else:
        assert event.problem is None or len(event.problem) < 200
    assert event_identity(event) == event_identity(parse_event(body))
    hash(event)
    repr(event)
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own
    try:
        SIGNER.verify(
            event.context_data, access_key=event.access_key or "", email=event.email or "", now=0
        )
    except ContextDataError:
        pass
    else:
        pytest.fail("nothing here is signed")
    return event


@pytest.fixture(params=["orjson", "json"], autouse=True, scope="module")
def _both_readers(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "json":
            patch.setattr(json_text, "orjson", None)
        yield


def paths(value, here=()):
    yield here
    if isinstance(value, dict):
        items = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*here, key))


PATHS = [(name, path) for name, tree in TREES.items() for path in paths(tree)]


def mutated(value, path, change):
    """Apply a change to the place, in a copy."""
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = mutated(copy[path[0]], path[1:], change)
    return copy


def without(value, path):
    def change(container):
        if isinstance(container, dict):
            return {name: item for name, item in container.items() if name != path[-1]}
        return [item for place, item in enumerate(container) if place != path[-1]]

    return mutated(value, path[:-1], change) if path else {}


def dumped(value):
    """JSON with half surrogate pairs escaped, and NaN and infinities as Python writes them."""
    return json.dumps(value).encode()


def test_the_checker_sees_what_is_wrong():
    event = parse_event(CORPUS["seen_graded"])
    assert fits(event, TestGraded)
    for changes in (
        {"email": None}, {"name": 7}, {"assessment_id": 7.0}, {"assessment_id": True}, {"marks_scored": 7},
        {"marks_scored": math.nan}, {"timestamp": datetime(2024, 1, 1)}, {"sectional_scores": []},  # noqa: DTZ001
        {"sectional_scores": (7,)}, {"registration_details": {}}, {"registration_details": FrozenMap({"a": 7})},
        {"proctoring_details": []}, {"raw": FrozenMap({"a": [1]})}, {"finish_mode": "NormalSubmission"},
        {"test_status": attrs.evolve(event.test_status, compensatory_time=timedelta(-1))},
        {"test_status": attrs.evolve(event.test_status, status="Completed")},
    ):  # fmt: skip
        assert not fits(attrs.evolve(event, **changes), TestGraded), changes


@pytest.mark.parametrize("name", CORPUS)
def test_the_corpus_keeps_the_promises(name):
    event = check(CORPUS[name])
    assert (event is None) is (name == "doc_graded_as_printed")
    assert not isinstance(event, UnknownEvent)


@given(st.sampled_from(PATHS), JSON)
def test_anything_anywhere(place, junk):
    name, path = place
    check(dumped(mutated(TREES[name], path, lambda _: junk)))


@given(st.sampled_from(PATHS), st.sampled_from(PATHS), st.sampled_from(WORDS))
def test_parts_of_one_in_another(place, other, word):
    (name, path), (other_name, other_path) = place, other
    part = TREES[other_name]
    for key in other_path:
        part = part[key]
    tree = mutated(TREES[name], path, lambda _: part)
    check(dumped(tree))
    check(dumped({**tree, "EVENT_TYPE": word} if isinstance(tree, dict) else [tree]))


@given(st.lists(st.sampled_from(PATHS), min_size=1, max_size=4))
def test_parts_left_out(places):
    name = places[0][0]
    tree = TREES[name]
    for other, path in places:
        if other == name and path in set(paths(tree)):
            tree = without(tree, path)
    check(dumped(tree))


@given(
    st.dictionaries(
        st.sampled_from([*sorted({name for tree in TREES.values() for name in tree}), "context", "raw", "", "data"]),
        JSON,
        max_size=12,
    ),
    st.sampled_from(WORDS),
)  # fmt: skip
def test_all_fields_at_once(fields, word):
    check(dumped(fields))
    check(dumped({"email": "a@x.org", "invitation_key": "k", **fields, "EVENT_TYPE": word}))


@given(JSON, st.lists(st.sampled_from(["[]", "data", "payload", "event", "other"]), max_size=7))
def test_any_wrapping(junk, layers):
    for inner in (junk, TREES["doc_finish"]):
        wrapped = inner
        for layer in layers:
            wrapped = [wrapped] if layer == "[]" else {layer: wrapped}
        check(dumped(wrapped))


@given(
    st.sampled_from(sorted(CORPUS)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
)
def test_changed_bytes(name, changes):
    body = bytearray(CORPUS[name])
    for place, byte in changes:
        body[place % len(body)] = byte
    check(bytes(body))


@given(
    st.sampled_from(sorted(CORPUS)),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.binary(max_size=6),
)
def test_bytes_cut_out_and_put_in(name, start, length, more):
    body = CORPUS[name]
    start %= len(body)
    check(body[:start] + more + body[start + length % 40 :])
    check(body[:start])


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe{\0}\0")
@example(b"[" * 100_000)
@example(b'{"data":' * 50_000)
@example(b'{"data":' * 500 + b"1" + b"}" * 500)
@example(b"9" * 100_000)
@example(b'{"a":' + b"9" * 4000 + b"}")
@example(b'{"EVENT_TYPE":"x","a":' + b"9" * 300 + b"}")
@example(b'{"' + b"\\ud83d" * 1000 + b'":1}')
def test_any_bytes(body):
    check(body)


@given(st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u", b"d800", b"null", b"1e", b"-", b"0",
    b'"EVENT_TYPE"', b'"finishTest"', b'"email"', b'"a@x.org"', b'"invitation_key"', b'"k"', b" ", b"\0", b"\xff"]), max_size=24))  # fmt: skip
def test_any_tokens(tokens):
    check(b"".join(tokens))


@pytest.mark.slow
def test_many_flips_of_each_byte_of_the_corpus():
    # Repeatable, and over every place: what a search by chance may leave out.
    dice = random.Random(4)
    outcomes = set()
    for body in CORPUS.values():
        for place in range(0, len(body), 3):
            changed = bytearray(body)
            changed[place] ^= 1 << dice.randrange(8)
            outcomes.add(type(check(bytes(changed))))
    assert outcomes == {*CLASSES, type(None)}
