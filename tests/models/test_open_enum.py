import copy
import pickle

import pytest

from mettl_async.models import FixedAccessOption, RegistrationStatus


def test_known_words_are_members_in_any_case():
    assert RegistrationStatus("ToBeTaken") is RegistrationStatus.TO_BE_TAKEN
    assert RegistrationStatus("invalid") is RegistrationStatus.INVALID
    # [seen] one client spells it so
    assert FixedAccessOption("Slotwise") is FixedAccessOption.SLOT_WISE
    assert RegistrationStatus.COMPLETED.is_known
    assert str(RegistrationStatus.COMPLETED) == "Completed"


def test_unknown_words_are_kept_and_never_become_members():
    one = RegistrationStatus("Archive")
    assert not one.is_known
    assert one == "Archive" == one.value
    assert one == RegistrationStatus("Archive") != RegistrationStatus("archive")
    assert hash(one) == hash("Archive")
    assert one not in set(RegistrationStatus)
    before = len(RegistrationStatus._value2member_map_), len(list(RegistrationStatus))
    for i in range(1000):
        RegistrationStatus(f"word {i}")
    assert (len(RegistrationStatus._value2member_map_), len(list(RegistrationStatus))) == before


@pytest.mark.parametrize("word", ["Archive", "Completed", "", "日本"])
def test_words_pickle_and_copy(word):
    one = RegistrationStatus(word)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(one, protocol))  # noqa: S301 - our own bytes
        assert again == one
        assert again.is_known == one.is_known
        assert type(again) is RegistrationStatus
    assert copy.deepcopy(one) == one
    assert word in repr(one)


def test_what_is_no_text_is_no_word():
    with pytest.raises(ValueError, match="not a valid"):
        RegistrationStatus(7)
