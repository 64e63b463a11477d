"""The lines of a journal's file: which count, and whose eyes they are for."""

import json
import stat
from pathlib import Path

import pytest

from mettl_async import JournalError
from mettl_async.bulk.journal_file import JournalFile, lines_of
from mettl_async.bulk.journal_record import JournalRecord

SCHEDULE = "ab" * 32
EMAIL = "c0@x.org"
HEADER = json.dumps({"mettl_journal": 1, "schedule": SCHEDULE}) + "\n"


def found_in(path, line):
    path.write_text(HEADER + line + "\n")
    file = JournalFile(path, SCHEDULE, fsync=False)
    try:
        return file.find(EMAIL)
    finally:
        file.close()


@pytest.mark.parametrize(
    "line",
    [
        {"email": EMAIL, "status": 7, "url": "https://x"},
        {"email": EMAIL, "url": "https://x"},
        {"email": 7, "status": "ToBeTaken", "url": "https://x"},
        {"status": "ToBeTaken", "url": "https://x"},
        {"email": EMAIL, "status": "ToBeTaken"},
        {"email": EMAIL, "status": "ToBeTaken", "url": ""},
        {"email": EMAIL, "status": "E028", "reason": "photo"},
        {"email": EMAIL, "status": "Completed", "reason": 7},
        {"email": EMAIL, "status": "Completed", "url": 7},
        {"email": EMAIL, "status": "ToBeTaken", "url": 7, "reason": "r"},
        [EMAIL, "ToBeTaken"],
        EMAIL,
        7,
        None,
    ],
    ids=str,
)
def test_a_line_that_makes_no_sense_is_passed_over(tmp_path, line):
    assert found_in(tmp_path / "journal", json.dumps(line)) is None


@pytest.mark.parametrize("text", ["", "{", "\0" * 40, '{"email"', "[" * 100_000])
def test_so_is_what_is_no_json(tmp_path, text):
    good = lines_of([JournalRecord(email=EMAIL, status="InProgress", url="https://x")]).decode()
    assert found_in(tmp_path / "journal", f"{text}\n{good}").url == "https://x"


@pytest.mark.parametrize(
    "settled",
    [
        JournalRecord(email=EMAIL, status="ToBeTaken", url="https://x/1"),
        JournalRecord(email=EMAIL, status="Completed", reason="done already"),
        JournalRecord(email=EMAIL, status="InValid"),
    ],
)
def test_what_was_written_is_read(tmp_path, settled):
    assert found_in(tmp_path / "journal", lines_of([settled]).decode().rstrip("\n")) == settled


def test_a_refusal_needs_no_reason(tmp_path):
    line = json.dumps({"email": EMAIL, "status": "Completed"})
    assert found_in(tmp_path / "journal", line) == JournalRecord(email=EMAIL, status="Completed")


def test_it_is_its_owners_from_the_first_moment(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(1, "Operation not permitted")

    # As where the file is another user's who lets us write; so the mode is the one it was made with.
    monkeypatch.setattr(Path, "chmod", refuse)
    path = tmp_path / "journal"
    JournalFile(path, SCHEDULE, fsync=False).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n", "is not a journal of a bulk run"),
        ("cut short", "is not a journal of a bulk run"),
        ('{"mettl_journal": 2}\n', "is a journal of another version of mettl-async"),
        (
            HEADER.replace("ab", "cd"),
            "is the journal of another schedule; use one for each",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(tmp_path, content, told):
    path = tmp_path / "journal"
    path.write_text(content)
    with pytest.raises(JournalError) as caught:
        JournalFile(path, SCHEDULE, fsync=False)
    assert str(caught.value) == f"{path}: {told}"


def test_a_file_in_use_and_what_is_no_file_are_told_with_their_names(tmp_path):
    path = tmp_path / "journal"
    first = JournalFile(path, SCHEDULE, fsync=False)
    with pytest.raises(JournalError) as caught:
        JournalFile(path, SCHEDULE, fsync=False)
    assert str(caught.value) == f"{path}: is in use by another run"
    first.close()
    with pytest.raises(JournalError) as caught:
        JournalFile(Path("/dev/null"), SCHEDULE, fsync=False)
    assert str(caught.value) == "/dev/null: is not a file, so it cannot be a journal"
