"""``mettl register --resume`` with another input: nobody's link is left out without a word."""

from pathlib import Path


def register(mettl, *more):
    return mettl("register", "p.csv", "--sandbox", "--out", "links.csv", *more)


def test_people_who_are_not_in_the_file_any_more_are_counted(mettl, sandbox, people, read):
    people(49, "p.csv")
    assert register(mettl).exit_code == 0
    people(19, "p.csv")
    done = register(mettl, "--resume")
    assert done.exit_code == 0
    said = "30 people of the journal are not in this file, nor in the links; "
    assert said + "their links stay in the journal" in done.stdout
    people(49, "p.csv")
    done = register(mettl, "--resume")
    assert "elsewhere" not in done.stdout
    assert all(row["link"] for row in read(Path("links.csv")))
    assert max(sandbox.stats.registrations.values()) == 1
