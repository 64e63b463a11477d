"""A column without a name, such as the index that pandas writes: it is left out by its letter."""

from pathlib import Path

TEXT = ",Email Address,First Name\n0,a@x.org,Asha\n1,b@x.org,Bo\n"


def test_a_column_without_a_name_is_left_out_by_its_letter(mettl, sandbox, read):
    Path("p.csv").write_text(TEXT)
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2
    assert "column 1 (A), which has no name" in done.stderr
    assert "pass --drop A to leave it out" in done.stderr
    done = mettl("register", "p.csv", "--sandbox", "--drop", "A", "--out", "links.csv")
    assert done.exit_code == 0, done.output
    assert [sorted(one.candidate.fields) for one in sandbox.candidates] == [
        ["Email Address", "First Name"]
    ] * 2
    assert [row["First Name"] for row in read(Path("links.csv"))] == ["Asha", "Bo"]


def test_no_option_is_named_that_would_not_help(mettl):
    Path("p.csv").write_text("Email Address,First Name,\na@x.org,Asha,x\n")
    done = mettl("register", "p.csv", "--sandbox")
    assert "column 3 (C), which has no name; name the column, or remove it" in done.stderr


def test_a_letter_is_no_name_of_a_column_that_has_one(mettl):
    Path("p.csv").write_text(TEXT.replace(",", "No,", 1))
    done = mettl("register", "p.csv", "--sandbox", "--drop", "A")
    assert done.exit_code == 2
    assert "--drop: there is no column 'A'" in done.stderr
