"""The right header passes and nothing else does; an address passes if it is in a network."""

import hmac
import ipaddress
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.errors import InvalidInputError
from mettl_async.webhooks import AllowedNetworks, BasicAuth, BasicAuthVerifier

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
    for wrong in ("username:password", 7, None):
        with pytest.raises(InvalidInputError, match=r"^auth: is a "):
            BasicAuthVerifier(wrong)
    with pytest.raises(InvalidInputError) as caught:
        BasicAuthVerifier([OLD, "username:password"])
    assert "password" not in str(caught.value)


def test_the_repr_of_a_verifier_shows_no_credentials():
    shown = repr(VERIFIER) + str(VERIFIER)
    assert "password" not in shown
    assert "username" not in shown
    assert not hasattr(VERIFIER, "__dict__")


# --- networks ---------------------------------------------------------------------------------------

NETWORKS = AllowedNetworks(
    ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "::1", " 192.0.2.0/25 "]
)


@pytest.mark.parametrize(
    "host",
    ["203.0.113.0", "203.0.113.255", "198.51.100.7", "2001:db8::1", "2001:DB8:0:0::FFFF", "::1", "::ffff:203.0.113.9",
     "::FFFF:cb00:7109", "0:0:0:0:0:ffff:203.0.113.9", "192.0.2.127", "2001:db8::1%eth0",
     "203.0.113.9:80", "203.0.113.9:65535", "[::1]", "[::1]:443", "[2001:db8::1]:0", "[::ffff:203.0.113.9]:80"],
)  # fmt: skip
def test_what_is_in_a_network_is_allowed(host):
    assert NETWORKS.allows(host) is True


@pytest.mark.parametrize(
    "host",
    ["203.0.114.0", "203.0.112.255", "198.51.100.8", "2001:db9::", "::2", "::", "0.0.0.0", "::ffff:198.51.100.8", "192.0.2.128",
     "203.0.114.0:80", "[::2]:80",
     # In IPv4-compatible and other forms it is another address.
     "::203.0.113.9", "64:ff9b::203.0.113.9", "2002:cb00:7109::"],
)  # fmt: skip
def test_what_is_in_none_is_not(host):
    assert NETWORKS.allows(host) is False


@pytest.mark.parametrize(
    "host",
    [None, "", " ", "localhost", "testclient", "203.0.113.9:", "203.0.113.9:x", "203.0.113.9:123456", "203.0.113.9:-1",
     "203.0.113.9:80:80", "[::1", "::1]", "[::1]x", "[::1]:", "[::1]80", "[]", "[::1]:443:1", "203.0.113.9:٨٠", "203.0.113.9 ", "203.0.113", "203.0.113.09",
     "203.0.113.9,198.51.100.7", "203.0.113.0/24", "0xcb007109", "3405803785", "٢٠٣.0.113.9", "unix:/run/x", "\0", "\ud800",
     3405803785, b"203.0.113.9"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_address_is_not_allowed(host):
    assert AllowedNetworks(["0.0.0.0/0", "::/0"]).allows(host) is False


def test_a_network_in_mapped_form_is_the_network():
    mapped = AllowedNetworks(["::ffff:203.0.113.0/120"])
    assert mapped.allows("203.0.113.9")
    assert mapped.allows("::ffff:203.0.113.9")
    assert not mapped.allows("203.0.114.9")
    assert repr(mapped) == "AllowedNetworks(['203.0.113.0/24'])"
    # All of IPv4.
    assert AllowedNetworks(["::ffff:0:0/96"]).allows("8.8.8.8")


def test_an_empty_list_allows_nobody():
    assert len(AllowedNetworks([])) == 0
    assert not AllowedNetworks([]).allows("127.0.0.1")


@given(st.ip_addresses(), st.integers(0, 32))
def test_it_agrees_with_arithmetic(address, bits):
    network = ipaddress.ip_network((address, bits), strict=False)
    allowed = AllowedNetworks([str(network)])
    assert allowed.allows(str(address)) or getattr(address, "ipv4_mapped", None)
    assert allowed.allows(str(network[-1])) or address.version == 6
    if isinstance(address, ipaddress.IPv4Address):
        assert allowed.allows(f"::ffff:{address}")
        assert AllowedNetworks([f"::ffff:{network[0]}/{96 + bits}"]).allows(str(address))
        outside = int(network[-1]) + 1
        if outside < 2**32:
            assert not allowed.allows(str(ipaddress.IPv4Address(outside)))


@given(st.text(max_size=30))
def test_no_text_makes_it_raise(text):
    assert AllowedNetworks(["127.0.0.0/8"]).allows(text) is False


@pytest.mark.parametrize(
    "networks",
    [[""], ["x"], ["203.0.113.0/33"], ["203.0.113.9/24"], ["203.0.113.0/24", "nonsense"], [7], [None], [b"203.0.113.0/24"],
     "203.0.113.0/24", b"x", ["203.0.113.0-203.0.113.9"]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_network_is_refused_when_built(networks):
    with pytest.raises(InvalidInputError, match=r"^networks"):
        AllowedNetworks(networks)
