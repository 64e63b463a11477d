"""Which addresses of reports may be fetched."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from mettl_async import InvalidInputError
from mettl_async.core.link_rules import check_addresses, check_link, is_public

REAL = "https://api.mettl.com"

PUBLIC = [
    "93.184.215.14",
    "8.8.8.8",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "2606:2800::5efe:808:808",
    "2606:2800::200:5efe:808:808",
]
NOT_PUBLIC = [
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.2.1", "198.18.0.1", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "192.88.99.1", "239.255.255.250"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "::8.8.8.8"),
    *("2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("192.0.0.9", "192.0.0.10", "192.0.0.11", "192.0.0.171", "::ffff:192.0.0.9", "3fff::1"),
    *("3fff:fff::1", "2001:db8:1::1", "2001:1::1", "2001:20::1", "2001:1ff::1"),
    *("2606:2800::5efe:7f00:1", "2606:2800::200:5efe:10.0.0.1", "2002:808:808::5efe:7f00:1"),
    *("fe80::5efe:808:808", "64:ff9b:1::808:808", "64:ff9b:1:fffe::1"),
    *("2001:0:4136:e378::1", "100::1", "5f00::1", "2606:2800::1%eth0", "", "host", "8.8.8"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_any_other_address_is_not_public_however_it_is_written(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://mettl.com/analytics/x?url=https%253A%252F%252Fa",
        "https://METTL.com:443/x#part",
        "https://8.8.8.8/x",
        "https://[2606:2800::1]/x",
        "https://api.mettl.com/x",
        "https://s3_bucket.example.org",
    ],
)
def test_https_to_a_public_host_is_fetched(url):
    assert check_link("f", url, REAL).url == url


@pytest.mark.parametrize(
    "url",
    [
        *("http://mettl.com/x", "http://api.mettl.com/x", "ftp://mettl.com/x", "//mettl.com/x"),
        *("http://127.0.0.1/x", "https://127.0.0.1/x", "https://[::ffff:127.0.0.1]/x"),
        *("https://[::1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1]/", "https://10.0.0.1/"),
        *("https://169.254.169.254/latest", "https://[64:ff9b::7f00:1]/", "https://[v1.x]/"),
        *("https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/"),
        *("https://0177.0.0.1/", "https://127.0.0.1./", "https://1.2.3/", "https://a.0x7f/"),
        *("https://localhost/", "https://LOCALHOST/", "https://a.localhost/", "https://router/"),
        *("https://printer.local/", "https://metadata.google.internal/", "https://a.home.arpa/"),
        *("https://mettl.com\\@127.0.0.1/", "https://mettl.com@127.0.0.1/", "https://a%2ecom/"),
        *("https://mettl..com/", "https://.mettl.com/", f"https://{'a' * 64}.com/", "https://a-/"),
        *(f"https://{'a.' * 130}com/", "https://mettl.com:0/", "https://mettl.com:65536/"),
        *("https://mettl.com/a b", "https://mettl.com/\n", "https://ü.example/", "https:///x"),
        *("https://①27.0.0.1/", "https://", "", None, 7, b"https://mettl.com/"),
    ],
)
def test_nothing_else_is_fetched_and_the_address_is_not_told(url):
    with pytest.raises(InvalidInputError) as caught:
        check_link("f", url, REAL)
    assert str(caught.value).startswith("f: ")
    assert not url or str(url) not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://mettl.com:8443/x", "https://8.8.8.8:22/", "https://a.com:80/"]
)
def test_another_port_is_fetched_from_at_the_clients_own_origin_only(url):
    with pytest.raises(InvalidInputError, match="not at port 443"):
        check_link("f", url, REAL)
    with pytest.raises(InvalidInputError, match="not at port 443"):
        check_link("f", url, "https://gateway.example:8443")
    assert check_link("f", url, url).is_own


@pytest.mark.parametrize(
    "address", ["192.0.0.9", "2001:20::1", "3fff::1", "2001:db8::1", "2001::1"]
)
def test_a_python_that_takes_more_for_global_changes_nothing(monkeypatch, address):
    for kind in (IPv4Address, IPv6Address):
        monkeypatch.setattr(kind, "is_global", True)
    assert not is_public(address)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://localhost:8080/gateway"])
def test_a_client_of_this_machine_fetches_from_its_own_origin_only(base):
    own = base.removesuffix("/gateway")
    assert check_link("f", f"{own}/r?x", base).is_own
    for other in (
        "http://127.0.0.1:8081/",
        "http://127.0.0.2:8080/",
        "http://[::1]:8080/",
        f"https{own.removeprefix('http')}/",
        "https://mettl.com/r",
        "https://8.8.8.8/r",
        "http://127.0.0.1/",
    ):
        with pytest.raises(InvalidInputError, match="base_url"):
            check_link("f", other, base)


def test_a_client_of_a_private_gateway_fetches_from_there_and_from_public_hosts():
    base = "http://mettl-sandbox:8000"
    assert check_link("f", f"{base}/r", base).is_own
    assert not check_link("f", "https://mettl.com/r", base).is_own
    for other in ("http://mettl-sandbox:8001/r", "https://mettl-sandbox:8000/r", "http://a.com/"):
        with pytest.raises(InvalidInputError):
            check_link("f", other, base)
    assert check_link("f", "https://gateway.corp:443/r", "https://gateway.corp").is_own


def test_one_address_that_is_not_public_is_enough():
    assert check_addresses("f", PUBLIC) == PUBLIC
    with pytest.raises(InvalidInputError, match="public"):
        check_addresses("f", [*PUBLIC, "10.0.0.1"])
