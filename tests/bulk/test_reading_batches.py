"""Batches are a partition of the input, whatever it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import Candidate, InvalidInputError
from mettl_async.bulk.batch import Batch, rd_text
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.reading import check_source, read_batches
from mettl_async.bulk.seen import SeenEmails
from mettl_async.core.request import encoded_length

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    str.strip
)
FIELDS = st.dictionaries(st.sampled_from(["Last Name", "SAP ID"]), NAME, max_size=2)


@st.composite
def candidates(draw):
    """Up to sixty people of a few kinds: to draw each anew takes most of the time of a test."""
    kinds = draw(st.lists(st.tuples(NAME, FIELDS, st.none() | NAME), min_size=1, max_size=5))
    chosen = draw(st.lists(st.sampled_from(kinds), max_size=60))
    return [
        Candidate(email=f"c{number}@x.org", first_name=name, fields=fields, context_data=context)
        for number, (name, fields, context) in enumerate(chosen)
    ]


def person(number, **more):
    return Candidate(email=f"c{number}@x.org", first_name="A", **more)


def sent_and_settled(batches):
    """The entries of batches, and the outcomes that need no call."""
    sent = [one for some in batches if isinstance(some, Batch) for one in some]
    return sent, [one for some in batches if not isinstance(some, Batch) for one in some]


def run(generator):
    """Drive an async generator that never waits."""
    found, step = [], generator.__anext__()
    while True:
        try:
            step.send(None)
        except StopIteration as stop:
            found.append(stop.value)
            step = generator.__anext__()
        except StopAsyncIteration:
            return found


@given(candidates(), st.integers(1, 20), st.none() | st.integers(0, 6000))
def test_every_candidate_lands_in_exactly_one_batch(people, size, max_rd_bytes):
    batches = run(read_batches(iter(people), size=size, max_rd_bytes=max_rd_bytes))
    flat = [one for batch in batches for one in batch]
    assert [one.candidate for one in flat] == people
    assert [one.index for one in flat] == list(range(len(people)))
    for batch in batches:
        assert 1 <= len(batch) <= size
        if max_rd_bytes is not None and len(batch) > 1:
            assert encoded_length(batch.rd) <= max_rd_bytes


@given(candidates())
def test_the_text_of_a_batch_is_json_of_its_candidates(people):
    text = rd_text(people)
    body = json.loads(text)
    assert [one["Email Address"] for one in body["registrationDetails"]] == [
        p.email for p in people
    ]
    with_context = [p for p in people if p.context_data is not None]
    assert [one["context_data"] for one in body.get("optionalParams", [])] == [
        p.context_data for p in with_context
    ]


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 20))
def test_a_repeated_email_is_set_aside_once_per_repeat(numbers, size):
    people = [
        Candidate(email=f"C{n}@x.org" if i % 2 else f"c{n}@X.org", first_name="A")
        for i, n in enumerate(numbers)
    ]
    batches = run(read_batches(people, size=size, max_rd_bytes=None))
    sent, repeated = sent_and_settled(batches)
    assert all(one.code == "DuplicateEmail" for one in repeated)
    assert sorted([one.index for one in sent + repeated]) == list(range(len(people)))
    assert len(sent) == len(set(numbers))
    first = {}
    for index, number in enumerate(numbers):
        first.setdefault(number, index)
    assert {one.index for one in sent} == set(first.values())


def test_what_was_read_before_the_input_broke_is_handed_out_first():
    def broken():
        yield person(1)
        yield person(2)
        raise OSError("disk")

    generator = read_batches(broken(), size=20, max_rd_bytes=None)
    assert len(run_one(generator)) == 2
    with pytest.raises(OSError, match="disk"):
        run_one(generator)


def run_one(generator):
    try:
        generator.__anext__().send(None)
    except StopIteration as stop:
        return stop.value


def test_what_is_no_candidate_is_named_by_its_place():
    generator = read_batches([person(0), {"email": "x"}], size=1, max_rd_bytes=None)
    run_one(generator)
    with pytest.raises(InvalidInputError) as caught:
        run_one(generator)
    assert str(caught.value) == (
        "candidates[1]: is a dict; pass Candidate(email=..., first_name=...) objects"
    )


class Records:
    """Finds nothing, and remembers how many it was asked for."""

    def __init__(self):
        self.asked = []

    async def find(self, emails):
        self.asked.append(len(emails))
        return {}


@pytest.mark.parametrize("count", [3, 4])
def test_with_a_journal_too_what_the_input_raises_comes_after_what_was_read(count):
    def broken():
        yield from map(person, range(count))
        raise OSError("disk")

    records = Records()
    generator = read_batches(broken(), size=2, max_rd_bytes=None, find=records.find)
    assert [len(run_one(generator)) for _ in range(2)] == [2, count - 2]
    with pytest.raises(OSError, match="disk"):
        run_one(generator)
    assert records.asked == [2, count - 2], "a batch at a time, and never for nobody"


def test_what_is_recorded_comes_in_batches_too():
    async def find(emails):
        return {
            one: JournalRecord(
                email=one, status="registered", url="https://x", code="ToBeTaken", final=True
            )
            for one in emails
        }

    batches = run(read_batches(map(person, range(5)), size=2, max_rd_bytes=None, find=find))
    sent, settled = sent_and_settled(batches)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [one.index for one in settled] == list(range(5))
    assert sent == []


@pytest.mark.parametrize(
    ("most", "over", "sizes"),
    [(3, 0, [3, 3]), (3, -1, [2, 2, 2]), (1, 0, [1] * 6), (1, -1, [1] * 6)],
)
def test_a_batch_is_as_long_as_a_url_may_be_and_one_alone_is_always_sent(most, over, sizes):
    people = [person(number) for number in range(6)]
    max_rd_bytes = encoded_length(rd_text(people[:most])) + over
    batches = run(read_batches(people, size=20, max_rd_bytes=max_rd_bytes))
    assert [len(batch) for batch in batches] == sizes


def test_with_a_journal_too_what_is_no_candidate_is_named_by_its_place():
    people = [person(0), person(1), person(2), {"email": "x"}]
    generator = read_batches(people, size=2, max_rd_bytes=None, find=Records().find)
    assert [len(run_one(generator)) for _ in range(2)] == [2, 1]
    with pytest.raises(InvalidInputError, match=r"candidates\[3\]: is a dict"):
        run_one(generator)


@pytest.mark.parametrize(
    ("may_be_async", "what"),
    [(True, "an iterable or async iterable of"), (False, "an iterable of")],
)
@pytest.mark.parametrize("wrong", ["c1@x.org", b"", {}, 7])
def test_what_is_no_input_is_told_what_would_be_one(wrong, may_be_async, what):
    with pytest.raises(InvalidInputError) as caught:
        check_source(wrong, may_be_async=may_be_async)
    assert (
        str(caught.value)
        == f"candidates: is a {type(wrong).__name__}; pass {what} Candidate objects"
    )


@given(st.lists(st.text(max_size=8)))
def test_seen_emails_agree_with_a_set(emails):
    seen, model = SeenEmails(), set()
    for email in emails:
        key = email.strip().lower()
        assert seen.add(email) == (key not in model)
        model.add(key)
    assert len(seen) == len(model)


@pytest.mark.parametrize("count", [4_000, 50_000])
def test_seen_emails_grow_to_many(count):
    seen = SeenEmails()
    assert all(seen.add(f"{n}@x.org") for n in range(count))
    assert not any(seen.add(f"{n}@X.ORG") for n in range(0, count, 7))
    assert len(seen) == count
    # What the docstring says of memory: a table is at least three eighths full, but for the first slots.
    assert 8 * sum(map(len, seen._shards)) <= max(8 * 64 * 16, 8 * 8 * count // 3)
    assert all(
        size <= 0.75 * len(table) for size, table in zip(seen._sizes, seen._shards, strict=True)
    )
