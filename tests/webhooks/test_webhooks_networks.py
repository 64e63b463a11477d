"""An address is allowed if it is in one of the networks, whatever form it comes in."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.errors import InvalidInputError
from mettl_async.webhooks import AllowedNetworks

NETWORKS = AllowedNetworks(
    ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "::1", " 192.0.2.0/25 "]
)


@pytest.mark.parametrize(
    "host",
    ["203.0.113.0", "203.0.113.255", "198.51.100.7", "2001:db8::1", "2001:DB8:0:0::FFFF", "::1", "::ffff:203.0.113.9",
     "::FFFF:cb00:7109", "0:0:0:0:0:ffff:203.0.113.9", "192.0.2.127", "2001:db8::1%eth0"],
)  # fmt: skip
def test_what_is_in_a_network_is_allowed(host):
    assert NETWORKS.allows(host) is True


@pytest.mark.parametrize(
    "host",
    ["203.0.114.0", "203.0.112.255", "198.51.100.8", "2001:db9::", "::2", "::", "0.0.0.0", "::ffff:198.51.100.8", "192.0.2.128",
     # In IPv4-compatible and other forms it is another address.
     "::203.0.113.9", "64:ff9b::203.0.113.9", "2002:cb00:7109::"],
)  # fmt: skip
def test_what_is_in_none_is_not(host):
    assert NETWORKS.allows(host) is False


@pytest.mark.parametrize(
    "host",
    [None, "", " ", "localhost", "testclient", "203.0.113.9:80", "[::1]", "203.0.113.9 ", "203.0.113", "203.0.113.09",
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
