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


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "p.csv",
            "EMAIL ADDRESS,FIRST NAME\na@x.org,A\n",
            (
                "p.csv:1: there are no columns 'Email Address' and 'First Name'; did you mean 'EMAIL ADDRESS' and "
                "'FIRST NAME'? rename them, or pass --map \"EMAIL ADDRESS=Email Address\" "
                '--map "FIRST NAME=First Name"'
            ),
        ),
        (
            "p.csv",
            "Mail,Town\na@x.org,A\n",
            (
                "p.csv:1: there is no column 'Email Address'; did you mean 'Mail'? rename it, or pass "
                '--map "Mail=Email Address"'
            ),
        ),
        (
            "p.json",
            '{"candidates": [{"Email Address": "a@x.org"}]}\n',
            (
                "p.json: has everybody in one column, 'candidates'; write one object on each line "
                "(JSON Lines), as with jq -c '.candidates[]'"
            ),
        ),
        (
            "p.json",
            '{"my people": [{}]}\n',
            (
                "p.json: has everybody in one column, 'my people'; write one object on each line "
                "(JSON Lines), as with jq -c '.[\"my people\"][]'"
            ),
        ),
        (
            "p.json",
            '{"a": [1]}\n',
            (
                "p.json: there is no column 'Email Address'; each line must name it, or pass "
                '--map "NAME=Email Address"'
            ),
        ),
    ],
)
def test_columns_that_are_not_there_are_told_with_the_way_to_them(mettl, sandbox, name, text, said):
    Path(name).write_text(text)
    done = mettl("register", name, "--sandbox")
    assert (done.exit_code, done.stderr) == (2, f"mettl: {said}\n")
