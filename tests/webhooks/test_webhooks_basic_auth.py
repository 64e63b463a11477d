"""The right header passes, and nothing else does."""

import hmac
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.errors import InvalidInputError
from mettl_async.webhooks import BasicAuth, BasicAuthVerifier

OLD = BasicAuth(username="username", password="password")
NEW = BasicAuth(username="hook", password="p:ass word")
FOREIGN = BasicAuth(username="kéy", password="pässwörd")
WIDE = BasicAuth(username="प्रयोग", password="पासवर्ड✓")
VERIFIER = BasicAuthVerifier([NEW, OLD, FOREIGN, WIDE])
PRINTED = "Basic dXNlcm5hbWU6cGFzc3dvcmQ="


def header(auth, encoding="utf-8"):
    return "Basic " + b64encode(f"{auth.username}:{auth.password}".encode(encoding)).decode()


def test_the_header_printed_in_the_documentation_passes():
    assert header(OLD) == PRINTED
    assert BasicAuthVerifier([OLD]).check(PRINTED) is True
    assert BasicAuthVerifier([OLD]).check(PRINTED.encode()) is True


@pytest.mark.parametrize("auth", [OLD, NEW, FOREIGN, WIDE])
def test_each_of_several_credentials_passes(auth):
    assert VERIFIER.check(header(auth))
    others = [one for one in (OLD, NEW, FOREIGN, WIDE) if one is not auth]
    assert not BasicAuthVerifier(others).check(header(auth))


def test_beyond_ascii_both_usual_encodings_pass():
    assert VERIFIER.check(header(FOREIGN, "utf-8"))
    assert VERIFIER.check(header(FOREIGN, "latin-1"))
    assert not VERIFIER.check(header(FOREIGN, "utf-16"))


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_the_scheme_is_compared_without_case(scheme):
    assert VERIFIER.check(PRINTED.replace("Basic", scheme))


def test_spaces_around_the_credentials_do_no_harm():
    assert VERIFIER.check(PRINTED.replace(" ", "   ") + " ")


TOKEN = PRINTED.partition(" ")[2]


@pytest.mark.parametrize(
    "value",
    [
        None, "", b"", " ", "Basic", "Basic ", "Basic  ", TOKEN, f" Basic {TOKEN}", f"Bearer {TOKEN}", f"Digest {TOKEN}",
        f"Basic{TOKEN}", f"Basic\t{TOKEN}", f"Basic {TOKEN}\n", f"Basic {TOKEN} {TOKEN}", f"Basic {TOKEN},",
        "Basic username:password", "Basic " + TOKEN.rstrip("="), "Basic " + TOKEN[:-2], "Basic " + TOKEN[:-5],
        "Basic " + TOKEN[:1], "Basic " + TOKEN + "=", "Basic " + TOKEN + TOKEN, "Basic " + TOKEN.lower(),
        "Basic " + TOKEN.replace("Q=", "R="), "Basic ====", "Basic !!!!", "Basic \0", "Basic ✓", "Básic x",
        "Basic \ud800", b"Basic \xff\xfe", b"\xff" * 100,
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_not_the_header_does_not_pass(value):
    assert VERIFIER.check(value) is False


def wrong(text, encoding="utf-8"):
    return "Basic " + b64encode(text.encode(encoding)).decode()


@pytest.mark.parametrize(
    "text",
    ["", ":", "username", "username:", ":password", "username:Password", "Username:password", "password:username",
     "username:password ", "username:password\n", "username:passwor", "username:password:", "usernamepassword", "username:password\0"],
)  # fmt: skip
def test_what_is_almost_the_password_does_not_pass(text):
    assert VERIFIER.check(wrong(text)) is False
    assert VERIFIER.check(wrong(text).encode()) is False


def test_a_header_beyond_eight_kibibytes_is_not_looked_at():
    spaces = " " * (8 * 1024 - len(PRINTED))
    assert VERIFIER.check(PRINTED.replace(" ", " " + spaces)) is True
    assert VERIFIER.check(PRINTED.replace(" ", "  " + spaces)) is False
    assert VERIFIER.check("Basic " + "A" * 10_000_000) is False
    assert VERIFIER.check(wrong("username:" + "p" * 9000)) is False


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_nothing_makes_it_raise_or_say_yes(value):
    assert VERIFIER.check(value) is False
    try:
        given_header = b"Basic " + (value if isinstance(value, bytes) else value.encode())
    except UnicodeEncodeError:
        return
    assert VERIFIER.check(given_header) is False


@given(st.data())
def test_no_changed_byte_passes(data):
    value = bytearray(PRINTED.encode())
    place = data.draw(st.integers(len("Basic "), len(value) - 1))
    value[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != value[place]))
    # A space at the end is cut off, and then the padding is missing.
    assert VERIFIER.check(bytes(value)) is False


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_any_credentials_that_can_be_given_to_mettl_pass(username, password):
    try:
        auth = BasicAuth(username=username, password=password)
    except InvalidInputError:
        return
    verifier = BasicAuthVerifier([OLD, auth])
    assert verifier.check(header(auth))
    assert verifier.check(header(auth).encode())
    assert b64decode(header(auth)[6:]).decode() == f"{username}:{password}"


@pytest.mark.parametrize(
    "value", [None, "", PRINTED, header(NEW), "Bearer x", "Basic ✓", "Basic " + "A" * 9000]
)
def test_all_are_always_compared_by_digests_of_one_length(monkeypatch, value):
    compared = []
    real = hmac.compare_digest

    def compare(left, right):
        compared.append((len(left), len(right)))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    BasicAuthVerifier([NEW, OLD]).check(value)
    assert compared == [(32, 32)] * 2


def test_there_must_be_credentials():
    with pytest.raises(InvalidInputError, match="is empty"):
        BasicAuthVerifier([])
    with pytest.raises(InvalidInputError) as caught:
        BasicAuthVerifier([OLD, "username:password"])
    assert "password" not in str(caught.value)


def test_the_repr_shows_no_credentials():
    shown = repr(VERIFIER) + str(VERIFIER)
    assert "password" not in shown
    assert "username" not in shown
    assert not hasattr(VERIFIER, "__dict__")
