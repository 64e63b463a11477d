"""The index of a journal: exact, and small."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journalled import KEY

from mettl_async import FileJournal, JournalError
from mettl_async.bulk import offsets
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.offsets import Offsets


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2**40 - 2)), max_size=300))
def test_every_offset_of_a_key_is_found_the_last_first(pairs):
    index = Offsets()
    for key, offset in pairs:
        index.add(key, offset)
    assert len(index) == len(pairs)
    for key, _ in pairs:
        found = list(index.of(key))
        assert found == sorted(found, reverse=True)
        assert {offset for other, offset in pairs if other == key} <= set(found)


def test_others_are_hardly_ever_among_them():
    index = Offsets()
    for number in range(20_000):
        index.add(f"c{number}@x.org", number)
    strangers = sum(len(list(index.of(f"d{number}@x.org"))) for number in range(20_000))
    assert strangers <= 20


def test_a_million_records_take_tens_of_megabytes():
    index = Offsets()
    for number in range(100_000):
        index.add(f"c{number}@x.org", number)
    size = sum(sys.getsizeof(shard) for shard in index._shards)
    assert size / 100_000 < 30


async def test_nobody_gets_anothers_record_whatever_the_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(offsets, "_hashed", lambda _: (3, 5))
    path = tmp_path / "journal"
    emails = [f"c{number}@x.org" for number in range(50)]
    journal = FileJournal(path)
    await journal.open(KEY)
    await journal.record(
        [JournalRecord(email=one, status="ToBeTaken", url=f"https://x/{one}") for one in emails]
    )
    await journal.record(
        [JournalRecord(email=emails[7], status="InProgress", url="https://x/newer")]
    )
    await journal.close()
    await journal.open(KEY)
    found = await journal.find([*emails, "stranger@x.org"])
    assert set(found) == set(emails)
    for email in emails:
        assert found[email].url == (
            "https://x/newer" if email == emails[7] else f"https://x/{email}"
        )
    await journal.close()


async def test_a_journal_that_is_not_open_says_so(tmp_path):
    journal = FileJournal(tmp_path / "journal")
    for use in (journal.find([]), journal.record([]), journal.close()):
        with pytest.raises(JournalError, match="is not open"):
            await use
