"""What is verified was signed by us, for this candidate of this schedule, and is not expired."""

import base64
import pickle
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mettl_async import Candidate
from mettl_async.errors import ContextDataError, InvalidInputError, WebhookError
from mettl_async.models._fold_email import fold_email
from mettl_async.webhooks import ContextSigner, SignedContext

NEW, OLD = "n" * 32, b"\xff\x00" * 16
SIGNER = ContextSigner([NEW, OLD])
NOW = 1_700_000_000.25
KEY, EMAIL = "2b5e0c7a1f", "asha.rao@example.org"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def sendable(text):
    return bool(text.strip()) and "\0" not in text


IDS = st.text(min_size=1, max_size=28).filter(sendable)
KEYS = st.text(min_size=1, max_size=12).filter(sendable)
EMAILS = st.text(min_size=1, max_size=20).filter(sendable)
MOMENTS = st.floats(1, 4e9)


def sign(own_id="42", signer=SIGNER, **changes):
    return signer.sign(own_id, **{"access_key": KEY, "email": EMAIL, "now": NOW} | changes)


def verify(text, signer=SIGNER, **changes):
    return signer.verify(text, **{"access_key": KEY, "email": EMAIL, "now": NOW} | changes)


def reason(text, signer=SIGNER, **changes):
    with pytest.raises(ContextDataError) as caught:
        verify(text, signer, **changes)
    return caught.value.reason


@given(
    IDS,
    KEYS,
    EMAILS,
    st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=9999)),
    MOMENTS,
)
def test_what_was_signed_is_verified(own_id, key, email, expires_in, now):
    who = {"access_key": key, "email": email}
    text = SIGNER.sign(own_id, **who, expires_in=expires_in, now=now)
    found = SIGNER.verify(text, **who, now=now)
    assert found.own_id == own_id
    if expires_in is None:
        assert found.expires_at is None
    else:
        assert 0 <= found.expires_at.timestamp() - now - expires_in.total_seconds() <= 1.001


@given(st.text(min_size=1, max_size=64).filter(sendable), KEYS, EMAILS)
def test_it_is_never_longer_than_two_hundred_plain_characters(own_id, key, email):
    assume(len(own_id.encode()) <= 112)
    text = SIGNER.sign(own_id, access_key=key, email=email, expires_in=timedelta(days=1), now=NOW)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,200}", text)
    assert Candidate(email="a@x.org", first_name="A", context_data=text).context_data == text


def test_how_long_it_is():
    assert len(sign("x" * 36)) == 99
    assert len(sign("x" * 64)) == 136
    assert len(sign("x" * 112)) == 200


@given(st.data())
def test_any_changed_character_is_noticed(data):
    text = sign("order-17", expires_in=timedelta(days=1))
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw((st.sampled_from(ALPHABET + "=+/ .\n") | st.characters()).filter(
        lambda one: one != text[place]
    ))  # fmt: skip
    assert reason(text[:place] + other + text[place + 1 :]) in {"forged", "malformed"}


def test_any_changed_bit_is_noticed():
    for own_id in ("1", "12", "123"):  # each length of the last group of base64
        text = sign(own_id)
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        for bit in range(8 * len(content)):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            again = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
            assert reason(again) in {"forged", "malformed"}
        assert verify(text).own_id == own_id


def test_every_other_text_of_the_same_bytes_is_refused():
    text = sign("12")  # so that the last character has bits beyond the last byte
    for changed in (text + "=", text + "==", text[:5] + "\n" + text[5:], text[:5] + "." + text[5:]):
        assert reason(changed) == "malformed"
    last = ALPHABET[ALPHABET.index(text[-1]) ^ 1]
    assert reason(text[:-1] + last) == "malformed"


def test_whitespace_around_it_does_not_count():
    assert verify(f"\r\n\t {sign('12')} \n").own_id == "12"
    longest = sign("x" * 112)
    assert len(longest) == 200
    assert verify(f" {longest}\n").own_id == "x" * 112


@given(st.data())
def test_what_is_cut_or_longer_is_refused(data):
    text = sign("order-17")
    assert reason(text[: data.draw(st.integers(1, len(text) - 1))]) in {"forged", "malformed"}
    more = data.draw(st.text(alphabet=ALPHABET, min_size=1, max_size=100))
    assert reason(text + more) in {"forged", "malformed"}


@given(KEYS, EMAILS, KEYS, EMAILS)
def test_it_is_of_no_use_for_another(key, email, other_key, other_email):
    text = SIGNER.sign("42", access_key=key, email=email)
    same = (key.strip(), fold_email(email)) == (other_key.strip(), fold_email(other_email))
    try:
        SIGNER.verify(text, access_key=other_key, email=other_email)
    except ContextDataError as error:
        assert error.reason == "mismatched"
        assert not same
    else:
        assert same


def test_nothing_moves_from_the_key_to_the_email():
    text = SIGNER.sign("42", access_key="ab", email="c@x.org")
    assert reason(text, access_key="a", email="bc@x.org") == "mismatched"


@given(EMAILS.filter(lambda email: email.isascii()))
def test_case_and_spaces_of_the_email_do_not_count(email):
    text = sign(email=email)
    for same in (email.upper(), email.lower(), email.swapcase(), f" {email}\n"):
        assert verify(text, email=same).own_id == "42"


def test_it_expires_to_the_second():
    text = sign(expires_in=timedelta(seconds=10))
    end = datetime.fromtimestamp(1_700_000_011, UTC)
    assert verify(text, now=1_700_000_010.999) == SignedContext(own_id="42", expires_at=end)
    assert reason(text, now=1_700_000_011) == "expired"
    assert reason(text, now=1e18) == "expired"
    # Whether it is of another matters more.
    assert reason(text, now=1_700_000_011, email="b@x.org") == "mismatched"


def test_without_an_expiry_it_never_does():
    assert verify(sign(), now=1e18) == SignedContext(own_id="42")


def test_without_now_it_looks_at_the_clock():
    who = {"access_key": KEY, "email": EMAIL}
    text = SIGNER.sign("42", **who, expires_in=timedelta(hours=1))
    assert SIGNER.verify(text, **who).own_id == "42"
    old = sign(expires_in=timedelta(hours=1))
    with pytest.raises(ContextDataError, match="expired"):
        SIGNER.verify(old, **who)


def test_what_an_earlier_version_signed_is_verified():
    # A test may be taken, and its results come, months after the registration.
    text = "AQBlVUKBTRiczcFjKazuTu699mVff2MPB5PkS3KVV2rKmUcI5_NvcmRlci0xNw"
    expires = datetime.fromtimestamp(1_700_086_401, UTC)
    assert verify(text) == SignedContext(own_id="order-17", expires_at=expires)
    assert sign("order-17", expires_in=timedelta(days=1)) == text


def test_an_end_before_1970_or_beyond_9998_is_no_end_and_refused():
    for moment in (-11.0, -10.0, 253_370_764_790.0):
        with pytest.raises(InvalidInputError):
            sign(expires_in=timedelta(seconds=10), now=moment)
    for moment in (-9.0, 253_370_764_789.0):
        text = sign(expires_in=timedelta(seconds=10), now=moment)
        assert verify(text, now=moment).expires_at.timestamp() == moment + 10
        assert reason(text, now=moment + 10) == "expired"


def test_secrets_are_rotated():
    old, both, new = ContextSigner([OLD]), ContextSigner([NEW, OLD]), ContextSigner([NEW])
    before, after = sign(signer=old), sign(signer=both)
    assert verify(before, both) == verify(after, both) == verify(after, new)
    assert reason(before, new) == "forged"
    assert reason(after, old) == "forged"


def test_one_secret_as_text_and_as_bytes_is_the_same():
    assert verify(sign(), ContextSigner([NEW.encode()])).own_id == "42"


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "missing"), ("", "missing"), (" \n", "missing"), ('{"token": "abc"}', "malformed"), ("42", "malformed"),
     ("A", "malformed"), ("é" * 50, "malformed"), ("\ud800", "malformed"), ("\0", "malformed"), ("A" * 201, "malformed"),
     ("A" * 10_000_000, "malformed"), ("AQ" + "A" * 80, "forged"),
     ("AQ" + "A" * 200, "malformed"), ("AQ" + "A" * 49, "malformed"), ("AQ" + "A" * 50, "forged"), ("Ag" + "A" * 80, "malformed"),
     ("eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NDJ9.c2lnbmF0dXJl", "malformed")],
)  # fmt: skip
def test_what_is_not_ours_is_refused(text, why):
    assert reason(text) == why


@given(st.text(max_size=220) | st.text(alphabet=ALPHABET, max_size=220))
def test_nothing_makes_it_raise_anything_else(text):
    assert reason(text) in {"missing", "malformed", "forged"}


def test_an_event_with_half_a_surrogate_pair_does_no_harm():
    assert reason(sign(), email="\ud800", access_key="\udfff") == "mismatched"


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [([], "is empty"), (["short"], "is 5 bytes"), ([NEW, b"x" * 15], "is 15 bytes"), (NEW, "is a single secret"),
     (OLD, "is a single secret"), ([7], "is int"), ([None], "is None"), ([b""], "is 0 bytes")],
)  # fmt: skip
def test_secrets_are_checked_and_not_told(secrets, problem):
    with pytest.raises(InvalidInputError) as caught:
        ContextSigner(secrets)
    assert problem in caught.value.problem
    assert "short" not in str(caught.value)


def test_sixteen_bytes_are_enough():
    assert verify(sign(signer=ContextSigner(["x" * 16])), ContextSigner(["x" * 16])).own_id == "42"


@pytest.mark.parametrize(
    ("changes", "path"),
    [({"own_id": ""}, "own_id"), ({"own_id": " "}, "own_id"), ({"own_id": "x" * 113}, "own_id"), ({"own_id": "é" * 57}, "own_id"),
     ({"own_id": "a\0"}, "own_id"), ({"own_id": 42}, "own_id"), ({"access_key": ""}, "access_key"), ({"email": " "}, "email"),
     ({"expires_in": timedelta(0)}, "expires_in"), ({"expires_in": timedelta(seconds=-1)}, "expires_in"),
     ({"expires_in": timedelta.max}, "expires_in")],
)  # fmt: skip
def test_what_cannot_be_signed_is_told(changes, path):
    with pytest.raises(InvalidInputError) as caught:
        sign(**changes)
    assert caught.value.field == path


def test_nothing_personal_and_no_secret_is_shown():
    text = sign("SECRET-ID")
    found = verify(text)
    shown = repr(SIGNER) + str(SIGNER) + repr(found)
    assert "SECRET-ID" not in shown
    assert NEW not in shown
    for broken, email in ((text, "SECRET@x.org"), (text[:-1], EMAIL), (text + "SECRET", EMAIL)):
        with pytest.raises(ContextDataError) as caught:
            verify(broken, email=email)
        told = repr(caught.value) + str(caught.value)
        assert "SECRET" not in told
        assert broken not in told
        assert caught.value.__context__ is None
        assert isinstance(caught.value, WebhookError)
        assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason  # noqa: S301 - our own


def test_an_id_that_is_signed_can_be_read_by_who_has_it():
    # It is signed, not encrypted, and the documentation says so.
    text = sign("order-17")
    assert b"order-17" in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert EMAIL not in text


def test_a_secret_of_spaces_is_as_good_as_its_bytes():
    text = ContextSigner([" " * 16]).sign("1", access_key="k", email="e")
    assert ContextSigner([b" " * 16]).verify(text, access_key="k", email="e").own_id == "1"
