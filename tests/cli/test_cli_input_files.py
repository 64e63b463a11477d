"""Each kind of file of the page: read as it is meant, asked for, or refused in the page's words."""

import pytest
from kinds import Outcome
from kinds_page import ANEW, HEAD, INTRODUCTION, KINDS, PAGE, SPEED, TABLES, row, run, title


@pytest.mark.parametrize("kind", KINDS, ids=[f"{one.name}, {one.by}" for one in KINDS])
def test_each_kind_of_file_ends_as_the_page_says(kind):
    kind.make(kind.file)
    told = run(kind)
    assert told.code == (0 if kind.outcome is Outcome.READ else 2), told.words
    assert (kind.outcome is Outcome.ASKED) == ("; nothing was sent. Pass one of:\n" in told.words)
    after = run(kind, *kind.answer) if kind.answer else told
    assert (after.people if after.code == 0 else ()) == kind.people[:3], after.words
    assert row(kind, told) in PAGE.read_text("utf-8").splitlines(keepends=True), ANEW


def test_the_page_has_these_kinds_and_no_others():
    head = HEAD.partition("\n")[0]
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and line != head]
    text = [line for line in lines if not line.startswith("| ") or line == head]
    assert (
        text
        == (
            INTRODUCTION.rstrip("\n") + "\n" + "".join(map(title, dict(TABLES))) + SPEED
        ).splitlines()
    )
    for kind, line in zip(KINDS, rows, strict=True):
        assert line.startswith(f"| {kind.name} | {kind.by} | {kind.outcome} | ")


def test_each_kind_says_what_to_do():
    assert len(KINDS) >= 40
    for kind in KINDS:
        assert (kind.outcome is Outcome.READ) != bool(kind.answer or kind.fix)
