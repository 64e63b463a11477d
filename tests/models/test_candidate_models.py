import copy
import pickle
from datetime import timedelta

import attrs
import pytest

from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate, InvitedCandidate

SECRETS = ("asha@example.org", "Asha", "Rao", "ctx-4711")


def candidate(**changes):
    values = {
        "email": "asha@example.org",
        "first_name": "Asha",
        "fields": {"Last Name": "Rao", "Date of birth": "Sep 16 1998"},
        "context_data": "ctx-4711",
        "compensatory_time": 20,
    }
    return Candidate(**(values | changes))


def invited(**changes):
    values = {"email": "asha@example.org", "name": "Asha", "fields": {"Last Name": "Rao"}}
    return InvitedCandidate(**(values | changes))


@pytest.mark.parametrize(
    "email",
    [
        "a@x.org",
        "name@email",
        "o'neil+tag@sub.example.org",
        "wh?at@x.org",
        "jörg@müller.de",
        "名@例.jp",
    ],
)
def test_ordinary_and_odd_addresses_are_taken(email):
    assert candidate(email=email).email == email
    assert invited(email=email).email == email


@pytest.mark.parametrize(
    "email",
    [
        "", "  ", "plain", "@x.org", "a@", "a@b@c.org", "a b@x.org", " a@x.org", "a@x.org\n", "a@x.org\0",
        "a\u200b@x.org", "a@x.org;b@x.org", "A <a@x.org>", "a\ud800@x.org", "a\u00a0@x.org",
        None, 7, b"a@x.org", ["a@x.org"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [candidate, invited])
def test_an_address_that_is_none_is_refused_without_repeating_it(make, email):
    with pytest.raises(InvalidInputError) as caught:
        make(email=email)
    assert caught.value.field == "candidate.email"
    assert caught.value.problem
    assert caught.value.fix
    if isinstance(email, str) and len(email.strip()) > 3:
        assert email.strip() not in str(caught.value)


@pytest.mark.parametrize("value", ["", " \t", None, 3, "a\ud800", "a\0b"])
def test_a_name_must_be_text_that_can_be_seen_and_sent(value):
    with pytest.raises(InvalidInputError, match=r"^candidate\.first_name: "):
        candidate(first_name=value)
    with pytest.raises(InvalidInputError, match=r"^candidate\.name: "):
        invited(name=value)


@pytest.mark.parametrize("name", ["Email Address", "First Name", "", "  ", 3, None, "\ud800"])
def test_field_names_are_not_blank_and_not_those_with_an_attribute(name):
    with pytest.raises(InvalidInputError, match=r"^candidate\.fields"):
        candidate(fields={name: "x"})


@pytest.mark.parametrize("name", ["email", "name", "compensatory_time"])
def test_field_names_of_the_invited_are_not_those_with_an_attribute(name):
    with pytest.raises(InvalidInputError, match=rf"^candidate\.fields\['{name}'\]: has its own"):
        invited(fields={name: "x"})


def test_field_values_are_text_and_errors_name_the_field_not_the_value():
    with pytest.raises(InvalidInputError) as caught:
        candidate(fields={"SAP ID": 4711})
    assert str(caught.value) == "candidate.fields['SAP ID']: expected str, got int; give it as text"
    with pytest.raises(InvalidInputError) as caught:
        candidate(fields={"SAP ID": "secret\ud800"})
    assert "secret" not in str(caught.value)
    assert candidate(fields={"SAP ID": ""}).fields["SAP ID"] == ""


@pytest.mark.parametrize("value", [None, "a=b", [("a", "b")], 3])
def test_fields_are_a_mapping(value):
    with pytest.raises(InvalidInputError, match=r"^candidate\.fields: expected a mapping"):
        candidate(fields=value)


@pytest.mark.parametrize("value", [3, b"x", "a\udfff", {"a": 1}])
def test_context_data_is_sendable_text(value):
    with pytest.raises(InvalidInputError, match=r"^candidate\.context_data: "):
        candidate(context_data=value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        (0, timedelta(0)),
        (20, timedelta(minutes=20)),
        (timedelta(hours=1), timedelta(hours=1)),
    ],
)
@pytest.mark.parametrize("make", [candidate, invited])
def test_extra_time_is_whole_minutes_and_an_int_counts_them(make, given, meant):
    assert make(compensatory_time=given).compensatory_time == meant


@pytest.mark.parametrize(
    "value",
    [
        -1,
        timedelta(minutes=-1),
        timedelta(seconds=90),
        True,
        "20",
        20.0,
        10**30,
        -(10**30),
        timedelta.max,
    ],
)
@pytest.mark.parametrize("make", [candidate, invited])
def test_other_extra_time_is_refused(make, value):
    with pytest.raises(InvalidInputError, match=r"^candidate\.compensatory_time: "):
        make(compensatory_time=value)


@pytest.mark.parametrize("one", [candidate(), invited()])
def test_a_candidate_hashes_pickles_copies_and_shows_nothing(one):
    unpickled = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes
    for other in (unpickled, copy.deepcopy(one), copy.copy(one), attrs.evolve(one)):
        assert other == one
        assert hash(other) == hash(one)
    assert not any(secret in repr(one) + repr(one.fields) for secret in SECRETS)
    assert "fields)" in repr(one)


def test_fields_cannot_change_and_do_not_follow_the_mapping_they_came_from():
    given = {"Last Name": "Rao"}
    one = candidate(fields=given)
    given["Last Name"] = "Other"
    assert one.fields == {"Last Name": "Rao"}
    with pytest.raises(TypeError):
        one.fields["Last Name"] = "x"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.email = "b@x.org"
