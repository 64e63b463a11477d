"""Every refusal of a bulk run's arguments names the argument, what is wrong and the fix."""

import pytest
from scripted_server import person

from mettl_async import FileJournal, InvalidInputError
from mettl_async.bulk.dispatcher import ask_fallback
from mettl_async.bulk.outcomes import Rejected
from mettl_async.bulk.run_options import RunOptions, checked_concurrency

REJECTED = Rejected(index=7, candidate=person(7), attempts=1, reason="no image", code="E028")

ANOTHER_EMAIL = (
    "returned a candidate with another email; "
    "change other values only, as with attrs.evolve(candidate, fields=...)"
)


def told(refuse):
    with pytest.raises(InvalidInputError) as caught:
        refuse()
    return str(caught.value)


@pytest.mark.parametrize("wrong", [0, -1, 9, 1.5, True, "4"])
def test_a_concurrency_out_of_bounds(wrong):
    refusal = told(lambda: checked_concurrency(wrong, 8))
    assert refusal == (
        "concurrency: must be a whole number from 1 to 8; "
        "raise ClientOptions(max_concurrency=...) for more"
    )


@pytest.mark.parametrize("wrong", [0, 21, 2.0, True])
def test_a_batch_size_out_of_bounds(wrong):
    refusal = told(lambda: RunOptions(concurrency=1, batch_size=wrong))
    assert refusal == (
        "batch_size: must be a whole number from 1 to 20; "
        "Mettl takes 20 candidates in one call at most"
    )


def test_the_bounds_themselves_are_fine():
    assert [checked_concurrency(fine, 8) for fine in (1, 8)] == [1, 8]
    assert [RunOptions(concurrency=1, batch_size=fine).batch_size for fine in (1, 20)] == [1, 20]


@pytest.mark.parametrize(("most", "concurrency"), [(50, 8), (8, 8), (3, 3)])
def test_a_default_concurrency_is_lowered_to_the_clients(most, concurrency):
    assert checked_concurrency(None, most) == concurrency


@pytest.mark.parametrize(
    ("wrong", "what"), [("a.journal", "a str"), (FileJournal, "the class FileJournal")]
)
def test_what_is_no_journal(wrong, what):
    assert told(lambda: RunOptions(concurrency=1, journal=wrong)) == (
        f'journal: is {what}; pass FileJournal("registrations.journal"), '
        "or what has the methods of Journal"
    )


def test_no_journal_and_no_hooks_are_fine():
    RunOptions(concurrency=1, journal=None, candidate_fallback=None, on_progress=None)


def test_what_is_no_hook():
    async def report(progress): ...

    assert told(lambda: RunOptions(concurrency=1, candidate_fallback=7)) == (
        "candidate_fallback: is a int; pass a function"
    )
    assert told(lambda: RunOptions(concurrency=1, on_progress=report)) == (
        "on_progress: is async; pass a plain function, which is quick"
    )


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ("c7@x.org", "returned a str; return a Candidate, or None to leave it rejected"),
        (
            person(8),
            ANOTHER_EMAIL,
        ),
    ],
)
async def test_what_a_fallback_may_not_give(made, problem):
    with pytest.raises(InvalidInputError) as caught:
        await ask_fallback(lambda *_: made, REJECTED)
    assert str(caught.value) == f"candidate_fallback for candidates[7]: {problem}"
