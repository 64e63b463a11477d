"""Credentials, regions and options are checked when they are built."""

import pytest

from mettl_async import (
    ApiVersion,
    ClientOptions,
    ConfigurationError,
    Credentials,
    MettlClient,
    Region,
    RetryPolicy,
)
from mettl_async.config import base_url_for, normalise_base_url

KEYS = Credentials(public_key="public", private_key="very-private")


def test_keys_never_show():
    assert repr(KEYS) == "Credentials(public_key=***, private_key=***)"


@pytest.mark.parametrize("bad", ["", " k3y", "k3y\n", "ключ", None, 7, "a b", "k" * 129])
def test_malformed_keys_are_refused_without_repeating_them(bad):
    with pytest.raises(ConfigurationError, match="private_key") as caught:
        Credentials(public_key="p", private_key=bad)
    if isinstance(bad, str) and bad.strip():
        assert bad not in str(caught.value)


def test_keys_from_the_environment():
    keys = Credentials.from_env({"METTL_PUBLIC_KEY": "a", "METTL_PRIVATE_KEY": "b"})
    assert (keys.public_key, keys.private_key) == ("a", "b")
    with pytest.raises(ConfigurationError, match="METTL_PRIVATE_KEY is not set"):
        Credentials.from_env({"METTL_PUBLIC_KEY": "a"})


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://api.mettl.com", "https://api.mettl.com"),
        ("https://API.Mettl.com:443/", "https://api.mettl.com"),
        ("https://gateway.corp:8443/mettl/", "https://gateway.corp:8443/mettl"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_base_urls_are_brought_into_the_form_that_is_signed(given, normal):
    assert normalise_base_url(given) == normal


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("api.mettl.com", "scheme and a host"),
        ("ftp://api.mettl.com", "scheme and a host"),
        ("https://", "scheme and a host"),
        ("https://u:p@api.mettl.com", "not allowed"),
        ("https://api.mettl.com?x=1", "not allowed"),
        ("https://api.mettl.com/v2/", "version"),
        ("https://api.mettl.com/a b", "path"),
        ("https://api.mettl.com:99999", "port"),
        ("https://api.mettl.com:0", "port"),
        ("https://api.mettl.com:x", "port"),
        ("https://bücher.example", "IDNA form"),
        ("https://a..b", "empty part"),
        (f"https://{'a' * 64}.example", "1 to 63 characters"),
        (f"https://{'a.' * 127}example", "too long"),
        ("https://[::zz]", "IPv6|not a URL"),
        ("https://[fe80::1%eth0]", "IPv6"),
        ("https://[v1.x]", "no host name|not a URL|IPv6"),
        ("https://a b", "host"),
        ("http://api.mettl.com", "plain http"),
        ("http://127.0.0.1.evil.com", "plain http"),
        (None, "not a URL"),
    ],
)
def test_base_urls_that_cannot_work_are_refused(bad, words):
    with pytest.raises(ConfigurationError, match=words):
        normalise_base_url(bad)


def test_plain_http_elsewhere_needs_an_explicit_word():
    assert normalise_base_url("http://mettl.internal", allow_insecure_http=True)


def test_regions():
    assert base_url_for(None, None) == "https://api.mettl.com"
    assert base_url_for("EU", None) == "https://api.mercermettl.eu"
    assert base_url_for(Region.INDIA, None) == "https://api.mettl.com"
    with pytest.raises(ConfigurationError, match="india, eu"):
        base_url_for("mars", None)
    with pytest.raises(ConfigurationError, match="both"):
        base_url_for("eu", "https://api.mettl.com")


@pytest.mark.parametrize(
    "options",
    [
        {"connect_timeout": 0},
        {"read_timeout": True},
        {"max_concurrency": 0},
        {"max_concurrency": 1.5},
        {"max_url_bytes": 10},
        {"max_response_bytes": 1023},
        {"max_response_bytes": 2**31 + 1},
        {"max_response_bytes": 2e6},
        {"max_connection_age": 0.5},
        {"max_connection_age": float("inf")},
        {"post_parameters": "body"},
        {"retry": 3},
        {"user_agent": "a\nb"},
        {"retry_quota": -1},
        {"allow_insecure_http": "false"},
        {"trust_env": "false"},
        {"proxy": 7},
        {"ssl_context": "x"},
        {"post_parameters": []},
    ],
)
def test_options_out_of_bounds_name_themselves(options):
    with pytest.raises((ConfigurationError, TypeError), match=next(iter(options))):
        ClientOptions(**options)


def test_retry_policy_bounds():
    with pytest.raises(ConfigurationError, match="max_attempts"):
        RetryPolicy(max_attempts=0)
    with pytest.raises(ConfigurationError, match="deadline"):
        RetryPolicy(deadline=float("nan"))


ENVIRONMENT = {"METTL_PUBLIC_KEY": "a", "METTL_PRIVATE_KEY": "b"}


@pytest.fixture
def environ(monkeypatch):
    for name in ("METTL_PUBLIC_KEY", "METTL_PRIVATE_KEY", "METTL_REGION", "METTL_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def set_all(**more):
        for name, value in {**ENVIRONMENT, **more}.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_a_client_reads_the_environment(environ):
    environ(METTL_REGION="eu")
    assert MettlClient().base_url == "https://api.mercermettl.eu"


def test_arguments_beat_the_environment(environ):
    environ(METTL_REGION="eu")
    assert MettlClient(base_url="http://127.0.0.1:1").base_url == "http://127.0.0.1:1"
    environ(METTL_REGION="", METTL_BASE_URL="http://127.0.0.1:1")
    client = MettlClient(KEYS, version="v1")
    assert (client.base_url, client.version) == ("http://127.0.0.1:1", ApiVersion.V1)
    assert client._auth._credentials == KEYS
    assert MettlClient(region="india").base_url == "https://api.mettl.com"
    environ(METTL_REGION="eu")
    with pytest.raises(ConfigurationError, match=r"METTL_REGION.*METTL_BASE_URL"):
        MettlClient()


def test_an_own_auth_needs_no_keys(environ):
    async def auth(request, call_next):
        return await call_next(request)

    assert MettlClient(auth=auth).base_url == "https://api.mettl.com"


def test_missing_keys_are_told_with_both_ways_to_give_them(environ):
    with pytest.raises(ConfigurationError, match=r"METTL_PUBLIC_KEY.*Credentials\("):
        MettlClient()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"credentials": "key"}, "credentials: pass"),
        ({"credentials": KEYS, "version": "v9"}, "version"),
        ({"credentials": KEYS, "options": {}}, "options"),
        ({"credentials": KEYS, "http_client": object()}, "http_client"),
        ({"credentials": KEYS, "middleware": 7}, "middleware"),
    ],
)
def test_a_client_that_cannot_work_is_not_built(arguments, words):
    with pytest.raises(ConfigurationError, match=words):
        MettlClient(**arguments)
