"""``mettl register --resume`` with another input: nobody's link goes, and no change is taken for sent."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

NAMES = ("links.csv", "links.jsonl")


def register(mettl, *more, source="p.csv", out="links.csv"):
    return mettl("register", source, "--sandbox", "--out", out, *more)


def by_email(read, name="links.csv"):
    return {row["Email Address"]: row for row in read(Path(name))}


@pytest.mark.parametrize("out", NAMES)
def test_people_who_are_not_in_the_file_any_more_keep_their_rows(mettl, sandbox, people, read, out):
    people(9, "p.csv")
    assert register(mettl, out=out).exit_code == 0
    before = by_email(read, out)
    Path("p.csv").write_text("Email Address,First Name\np3@example.org,Name 3\nz@x.org,Z\n")
    for code in (0, 0):
        done = register(mettl, "--resume", out=out)
        assert done.exit_code == code
        assert (
            f"earlier     8 people are of an earlier run only; their rows stay in {out}"
            in done.stdout
        )
        assert "elsewhere" not in done.stdout
        after = by_email(read, out)
        assert list(after)[:2] == ["p3@example.org", "z@x.org"]
        assert {email: row for email, row in after.items() if email != "z@x.org"} == before
    people(9, "p.csv")
    done = register(mettl, "--resume", out=out)
    assert "earlier     1 person is" in done.stdout
    assert max(sandbox.stats.registrations.values()) == 1


def test_they_keep_columns_that_the_file_has_not_and_stand_under_those_it_has(mettl, sandbox, read):
    Path("p.csv").write_text("Email Address,First Name,Town\na@x.org,A,=Pune\n")
    assert register(mettl).exit_code == 0
    Path("q.csv").write_text("E-mail,First Name\nb@x.org,B\n")
    done = register(mettl, "--resume", "--map", "E-mail=Email Address", source="q.csv")
    assert done.exit_code == 0, done.output
    rows = read(Path("links.csv"))
    assert [row["E-mail"] for row in rows] == ["b@x.org", "a@x.org"]
    assert [row["Town"] for row in rows] == ["", "'=Pune"]
    assert "Email Address" not in rows[0]
    assert all(row["link"] for row in rows)


@pytest.mark.parametrize("out", NAMES)
def test_they_keep_them_though_the_columns_were_called_otherwise(mettl, sandbox, read, out):
    Path("p.csv").write_text("ID,E-mail,Name\n7,+a@x.org,A\n8,b@x.org,B\n")
    maps = ("--map", "E-mail=Email Address", "--map", "Name=First Name")
    assert register(mettl, *maps, out=out).exit_code == 0
    Path("q.csv").write_text("Email Address,First Name\nb@x.org,Bo\nc@x.org,C\n")
    done = register(mettl, "--resume", source="q.csv", out=out)
    assert done.exit_code == 0, done.output
    assert "earlier     1 person is of an earlier run only" in done.stdout
    assert "differing" not in done.stdout  # which column was which is not known for certain
    rows = read(Path(out))
    assert [row["Email Address"].strip("'") for row in rows] == ["b@x.org", "c@x.org", "+a@x.org"]
    assert (rows[2]["ID"], rows[2]["Name"]) == ("7", "A")
    assert all(row["link"] for row in rows)


@pytest.mark.parametrize("text", [None, "", "some notes\n", "Email Address,status\nx,y\n"])
def test_those_whose_rows_are_nowhere_are_counted_and_the_way_to_them_is_told(
    mettl, sandbox, people, read, text
):
    people(9, "p.csv")
    assert register(mettl).exit_code == 0
    people(2, "q.csv")
    Path("links.csv").unlink()
    if text is not None:
        Path("links.csv").write_text(text)
    done = register(mettl, "--resume", source="q.csv")
    assert done.exit_code == 0
    assert (
        "elsewhere   7 people are in the journal, but neither in this file nor in the links; to get "
        "their links, pass --resume with a file that has them"
    ) in done.stdout
    assert register(mettl, "--resume").exit_code == 0
    assert len([row for row in read(Path("links.csv")) if row["link"]]) == 9


@pytest.mark.parametrize("out", NAMES)
def test_a_change_of_who_is_registered_is_not_shown_as_if_it_was_sent(mettl, sandbox, read, out):
    text = "Email Address,First Name,Town\na@x.org,Asha,Pune\nb@x.org,Bo,\n"
    Path("p.csv").write_text(text)
    assert register(mettl, out=out).exit_code == 0
    Path("p.csv").write_text(text.replace("Asha", '"Usha, M."'))
    for _ in range(2):  # it is still so the next time
        done = register(mettl, "--resume", out=out)
        assert (
            "differing   1 person has an answer, and other data in this file than in" in done.stdout
        )
        asha, bo = read(Path(out))
        assert asha["First Name"] == "Usha, M."
        assert asha["reason"] == 'not sent again; it was {"First Name": "Asha"}'
        assert (asha["status"], bo["reason"]) == ("registered", "")
    Path("p.csv").write_text(text)
    done = register(mettl, "--resume", out=out)
    assert "differing" not in done.stdout
    assert not any(row["reason"] for row in read(Path(out)))
    assert set(sandbox.stats.registrations.values()) == {1}


def test_who_has_no_answer_yet_is_sent_as_the_file_has_it_now(mettl, sandbox, people, read):
    people(2, "p.csv")
    assert register(mettl).exit_code == 0
    with contextlib.closing(sqlite3.connect("links.csv.journal")) as database, database:
        database.execute("UPDATE mettl_journal SET status = 'failed', url = '', final = 0")
    Path("p.csv").write_text(Path("p.csv").read_text().replace("Name 1", "Nina"))
    done = register(mettl, "--resume")
    assert done.exit_code == 0
    assert "differing" not in done.stdout
    assert set(sandbox.stats.registrations.values()) == {2}
    assert not any(row["reason"] for row in read(Path("links.csv")))


def test_the_preview_and_json_say_it_as_the_summary_does(mettl, sandbox, people):
    people(9, "p.csv")
    assert register(mettl).exit_code == 0
    Path("p.csv").write_text("Email Address,First Name\np3@example.org,Zoe\n")
    done = register(mettl, "--resume", "--dry-run")
    assert "Note: 8 people are of an earlier run only; their rows stay in links.csv." in done.stdout
    assert "Note: 1 person has an answer, and other data in this file than in links.csv" in (
        " ".join(done.stdout.split())
    )
    before = Path("links.csv").read_bytes()
    found = json.loads(register(mettl, "--resume", "--dry-run", "--json").stdout)
    assert (found["earlier"], found["differing"], found["elsewhere"]) == (8, 1, 0)
    assert Path("links.csv").read_bytes() == before
    assert sorted(one.name for one in Path().iterdir()) == [
        "links.csv", "links.csv.journal", "p.csv"
    ]  # fmt: skip
    Path("links.csv").unlink()
    found = json.loads(register(mettl, "--resume", "--json").stdout)
    assert (found["earlier"], found["differing"], found["elsewhere"]) == (0, 0, 8)
    assert found["changed"] is False
