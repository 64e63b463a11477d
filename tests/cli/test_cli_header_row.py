"""``--header-row`` where the file has no such row."""

from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_a_row_that_no_file_has_is_refused_by_the_option(mettl, name):
    Path(name).write_text("Email Address,First Name\na@x.org,A\n")
    done = mettl("register", name, "--sandbox", "--header-row", "9" * 20)
    assert isinstance(done.exception, SystemExit)
    assert done.exit_code == 2
    assert "1048576" in done.stderr


def test_a_row_beyond_the_end_is_not_called_an_empty_file(mettl, people):
    people(3, "p.csv")
    done = mettl("register", "p.csv", "--sandbox", "--header-row", 9000)
    assert done.exit_code == 2
    assert "has nothing in line 9000" in done.stderr
    assert "empty" not in done.stderr
