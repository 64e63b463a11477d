"""How ``mettl register`` ends: the exit code, and what to do next."""

import contextlib
import sqlite3

import pytest

from mettl_async.bulk.outcomes import Failed, Rejected
from mettl_async.cli.progress import Tally
from mettl_async.errors import (
    AuthenticationError,
    CallFacts,
    ConnectError,
    InvalidInputError,
    NotFoundError,
)
from mettl_async.models import Candidate

SAME = {"index": 0, "candidate": Candidate(email="a@x.org", first_name="A")}
REFUSED = Rejected(**SAME, attempts=1, code="E028", reason="no image")
GONE = Failed(**SAME, attempts=3, error=ConnectError("refused", CallFacts()))
KEY = Failed(**SAME, attempts=1, error=AuthenticationError("no", CallFacts(code="E401")))
KEPT_BACK = Failed(**SAME, attempts=0, error=ConnectError("refused", CallFacts()))
NOWHERE = Failed(**SAME, attempts=1, error=NotFoundError("no", CallFacts(code="E404")))
TOO_LONG = Failed(
    **SAME, attempts=0, error=InvalidInputError("fields", "is too long", "shorten it")
)


@pytest.mark.parametrize(
    ("outcomes", "short"),
    [
        ([REFUSED], False),
        ([GONE], True),
        ([REFUSED, GONE], False),
        ([REFUSED, GONE, KEPT_BACK], True),
        ([REFUSED, KEY], True),
        ([REFUSED, NOWHERE], True),
        ([REFUSED, TOO_LONG], False),
        ([TOO_LONG], False),
    ],
)
def test_a_run_is_cut_short_by_what_every_call_would_meet(outcomes, short):
    tally = Tally(len(outcomes))
    for one in outcomes:
        tally.count(one)
    assert tally.cut_short is short


def test_what_stopped_the_run_is_told_rather_than_what_failed_before():
    tally = Tally(2)
    tally.count(GONE)
    tally.count(KEY)
    assert tally.trouble is KEY.error


def test_a_schedule_that_is_not_there_is_2_even_for_one_candidate(mettl, sandbox, people):
    people(1, "p.csv")
    sandbox.faults.script(["E404"])
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2, done.output
    assert "stopped by  " in done.stdout


def test_help_says_the_codes(mettl):
    words = " ".join(mettl("register", "--help").stdout.split())
    assert "1 some have no link, 2 nothing could be done or not to the end" in words


@pytest.mark.parametrize(("code", "said"), [("InValid", True), ("Completed", False)])
def test_the_uninvited_of_before_end_with_what_to_do(mettl, sandbox, people, code, said):
    people(3, "p.csv")
    assert mettl("register", "p.csv", "--sandbox").exit_code == 0
    with contextlib.closing(sqlite3.connect("links.csv.journal")) as database, database:
        change = "UPDATE mettl_journal SET status = 'rejected', url = '', code = ? WHERE rowid = 1"
        database.execute(change, [code])
    done = mettl("register", "p.csv", "--sandbox", "--resume")
    assert done.exit_code == 1
    last = done.stdout.splitlines()[-1]
    assert (last == "InValid     1 of before; after inviting them, run with --overwrite") is said
