"""Batches are a partition of the input, whatever it is."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mettl_async import Candidate, InvalidInputError
from mettl_async.bulk.batches import cut, entry, rd_length, rd_text
from mettl_async.bulk.part import Part
from mettl_async.bulk.seen import SeenEmails
from mettl_async.core.request import encoded_length

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    str.strip
)


# Building sixty people takes its time on a loaded machine; that is no defect of the strategy.
SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@st.composite
def candidates(draw):
    people = []
    for number in range(draw(st.integers(0, 60))):
        people.append(
            Candidate(
                email=f"c{number}@x.org",
                first_name=draw(NAME),
                fields=draw(
                    st.dictionaries(st.sampled_from(["Last Name", "SAP ID"]), NAME, max_size=2)
                ),
                context_data=draw(st.none() | NAME),
            )
        )
    return people


def person(number, **more):
    return Candidate(email=f"c{number}@x.org", first_name="A", **more)


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


@SLOW
@given(candidates(), st.integers(1, 20), st.none() | st.integers(0, 6000))
def test_every_candidate_lands_in_exactly_one_batch(people, size, room):
    batches = run(cut(iter(people), size=size, room=room, seen=SeenEmails()))
    flat = [one for batch in batches for one in batch.entries]
    assert [one.candidate for one in flat] == people
    assert [one.index for one in flat] == list(range(len(people)))
    for batch in batches:
        assert 1 <= len(batch.entries) <= size
        if room is not None and len(batch.entries) > 1:
            assert encoded_length(rd_text(batch.entries)) <= room


@SLOW
@given(candidates())
def test_the_text_of_a_batch_is_json_of_its_candidates(people):
    entries = [entry(i, one) for i, one in enumerate(people)]
    body = json.loads(rd_text(entries))
    assert [one["Email Address"] for one in body["registrationDetails"]] == [
        p.email for p in people
    ]
    with_context = [p for p in people if p.context_data is not None]
    assert [one["context_data"] for one in body.get("optionalParams", [])] == [
        p.context_data for p in with_context
    ]
    assert encoded_length(rd_text(entries)) <= rd_length(entries)


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 20))
def test_a_repeated_email_is_set_aside_once_per_repeat(numbers, size):
    people = [
        Candidate(email=f"C{n}@x.org" if i % 2 else f"c{n}@X.org", first_name="A")
        for i, n in enumerate(numbers)
    ]
    batches = run(cut(people, size=size, room=None, seen=SeenEmails()))
    sent = [one for batch in batches for one in batch.entries]
    repeated = [one for batch in batches for one in batch.duplicates]
    assert sorted([one.index for one in sent + repeated]) == list(range(len(people)))
    assert len(sent) == len(set(numbers))
    first = {}
    for index, number in enumerate(numbers):
        first.setdefault(number, index)
    assert {one.index for one in sent} == set(first.values())


@given(st.integers(2, 20))
def test_halving_loses_nobody(size):
    entries = [entry(i, person(i)) for i in range(size)]
    left, right = Part(entries, 3, handled=True).halves()
    assert [*left.entries, *right.entries] == entries
    assert left.entries
    assert right.entries
    assert left.attempts == right.attempts == 3
    assert left.handled
    assert right.handled


def test_what_was_read_before_the_input_broke_is_handed_out_first():
    def broken():
        yield person(1)
        yield person(2)
        raise OSError("disk")

    generator = cut(broken(), size=20, room=None, seen=SeenEmails())
    assert len(run_one(generator).entries) == 2
    with pytest.raises(OSError, match="disk"):
        run_one(generator)


def run_one(generator):
    try:
        generator.__anext__().send(None)
    except StopIteration as stop:
        return stop.value


def test_what_is_no_candidate_is_named_by_its_place():
    generator = cut([person(0), {"email": "x"}], size=1, room=None, seen=SeenEmails())
    run_one(generator)
    with pytest.raises(InvalidInputError, match=r"candidates\[1\]: is a dict"):
        run_one(generator)


@given(st.lists(st.text(max_size=8)))
def test_seen_emails_agree_with_a_set(emails):
    seen, model = SeenEmails(), set()
    for email in emails:
        key = email.strip().lower()
        assert seen.add(email) == (key not in model)
        model.add(key)
    assert len(seen) == len(model)


def test_seen_emails_grow_to_many():
    seen = SeenEmails()
    assert all(seen.add(f"{n}@x.org") for n in range(50_000))
    assert not any(seen.add(f"{n}@X.ORG") for n in range(0, 50_000, 7))
    assert len(seen) == 50_000
