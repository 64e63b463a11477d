"""The file of links: every outcome a row, whole rows only, for its owner only."""

import stat
from pathlib import Path

import pytest

from mettl_async import Failed, Registered, Rejected, Unknown
from mettl_async.bulk import files
from mettl_async.cli.links import LinkFile, cells_of, check_out
from mettl_async.cli.problems import CommandError
from mettl_async.errors import CallFacts, ConnectionLostError, RegistrationLimitError
from mettl_async.models import Candidate, RegistrationStatus

ASHA = Candidate(email="asha@example.com", first_name="Asha")
LINK = "https://tests.example.org/?ecc=1"


def outcomes():
    same = {"candidate": ASHA, "index": 0}
    full = RegistrationLimitError("E607 used up", CallFacts(code="E607"))
    return [
        Registered(**same, attempts=1, url=LINK, status=RegistrationStatus("ToBeTaken")),
        Rejected(**same, attempts=2, code="Completed", reason="has\ncompleted"),
        Failed(**same, attempts=0, error=full),
        Unknown(**same, attempts=12, error=ConnectionLostError("the connection broke")),
    ]


def test_each_outcome_is_a_row():
    rows = [list(cells_of(one, 7, "abc").values()) for one in outcomes()]
    assert rows == [
        ["asha@example.com", "registered", LINK, "", "", 1, 7, "abc"],
        ["asha@example.com", "rejected", "", "Completed", "has completed", 2, 7, "abc"],
        ["asha@example.com", "failed", "", "E607", "not sent: E607 used up", 0, 7, "abc"],
        [
            "asha@example.com",
            "unknown",
            "",
            "ConnectionLostError",
            "the connection broke",
            12,
            7,
            "abc",
        ],
    ]


@pytest.mark.parametrize("name", ["links.csv", "links.jsonl"])
def test_rows_are_on_disk_as_soon_as_they_are_written(tmp_path, read, name):
    path = tmp_path / name
    with LinkFile(path, overwrite=False) as links:
        for number, outcome in enumerate(outcomes(), 1):
            links.write(cells_of(outcome, 7, "abc"))
            assert len(read(path)) == number
    assert read(path)[0]["url"] == LINK
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_replaced_file_becomes_private(tmp_path):
    path = tmp_path / "links.csv"
    path.write_text("old " * 1000)
    path.chmod(0o644)
    with LinkFile(path, overwrite=True):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "Email Address,status,url,code,reason,attempts,line,schedule\n"


def test_a_new_file_without_rows_is_not_left_behind(tmp_path):
    with LinkFile(tmp_path / "links.csv", overwrite=False):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("start", "=+-@")
def test_no_cell_of_a_csv_is_a_formula_but_json_lines_are_exact(tmp_path, read, start):
    # No address begins with "@", but a server's words may.
    email = "plain@example.org" if start == "@" else f"{start}SUM(A1)@example.org"
    outcome = Rejected(
        index=0,
        attempts=1,
        code="InValid",
        reason=f"{start}1",
        candidate=Candidate(email=email, first_name="A"),
    )
    found = []
    for name in ("links.csv", "links.jsonl"):
        with LinkFile(tmp_path / name, overwrite=False) as links:
            links.write(cells_of(outcome, 2, "abc"))
        [row] = read(tmp_path / name)
        found.append((row["Email Address"], row["reason"]))
    in_csv = email if start == "@" else f"'{email}"
    assert found == [(in_csv, f"'{start}1"), (email, f"{start}1")]


def test_what_cannot_be_written_is_refused_before_anything_is_touched(tmp_path):
    there = tmp_path / "there.csv"
    there.write_text("x")
    link = tmp_path / "link.csv"
    link.symlink_to(there)
    cases = [
        (there, None, False, "exists already"),
        (there, there, True, "is the input itself"),
        (link, there, True, "is the input itself"),
        (tmp_path / "no" / "l.csv", None, False, "there is no directory"),
        (tmp_path / "l.txt", None, False, "neither CSV"),
    ]
    for path, source, overwrite, words in cases:
        with pytest.raises(CommandError, match=words):
            check_out(path, source, overwrite=overwrite)
    assert there.read_text() == "x"


def test_a_file_that_appears_in_between_is_not_overwritten(tmp_path):
    path = tmp_path / "links.csv"
    path.write_text("x")
    with pytest.raises(CommandError, match="exists already"):
        LinkFile(path, overwrite=False)
    assert path.read_text() == "x"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_noticed_when_the_file_is_opened(tmp_path):
    (tmp_path / "full.csv").symlink_to("/dev/full")
    with pytest.raises(CommandError, match="cannot be written: No space left"):
        LinkFile(tmp_path / "full.csv", overwrite=True)


def test_a_file_that_was_replaced_while_it_was_taken_is_left_alone(tmp_path, monkeypatch):
    out, other = tmp_path / "links.csv", tmp_path / "other.csv"
    out.write_text("before")
    other.write_text("theirs")
    monkeypatch.setattr(files, "lock", lambda _: bool(other.replace(out)))
    with pytest.raises(CommandError, match="another command is writing to it"):
        LinkFile(out, overwrite=True)
    assert out.read_text() == "theirs"
