"""Refusals that say which option is meant, and what to do."""

from pathlib import Path

import pytest

HEADER = "Email Address,First Name"


@pytest.mark.parametrize(
    ("header", "more", "words"),
    [
        (HEADER, ("--skip-bad", "x.bad"), ("--skip-bad x.bad: ", "give it one of these endings")),
        (HEADER, ("--out", "x.txt"), ("--out x.txt: ", "give it one of these endings")),
        (HEADER, ("--encoding", "utf-16"), ("is not utf-16; leave out --encoding",)),
        (f"{HEADER},Context_Data", (), ("rename it", '--map "Context_Data=')),
    ],
)
def test_a_refusal_says_what_to_do(mettl, header, more, words):
    Path("p.csv").write_text(f"{header}\na@x.org,A,c\n")
    done = mettl("register", "p.csv", "--sandbox", *more)
    assert done.exit_code == 2
    for one in words:
        assert one in done.stderr


def test_a_wrong_key_points_to_the_two_keys(mettl, sandbox, people):
    people(3, "p.csv")
    sandbox.faults.script(["E401"] * 5)
    said = mettl("register", "p.csv", "--sandbox").stdout
    assert (
        "check the two keys (mettl profile show, or METTL_PUBLIC_KEY and METTL_PRIVATE_KEY" in said
    )
