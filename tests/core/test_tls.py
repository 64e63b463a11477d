"""Certificates: loaded once for all clients that trust the same."""

import os
import shutil
import ssl
from pathlib import Path

import pytest

from mettl_async import ClientOptions
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.tls import new_tls_context

LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def contexts(**options):
    made = ClientOptions(**options)
    lanes = LaneTransport("https://h.example", made)
    return lanes._context_for(lanes._route), AiohttpTransport(
        "https://h.example", made
    )._tls_context()


def test_clients_share_what_they_trust_and_both_transports_do():
    assert len({*contexts(), *contexts(trust_env=False), *contexts(read_timeout=1)}) == 1


def test_own_certificates_are_nobody_elses():
    own = ssl.create_default_context()
    assert set(contexts(ssl_context=own)) == {own}
    assert own not in contexts()


def test_other_certificates_are_loaded_anew(monkeypatch, tmp_path):
    usual, named = new_tls_context(trust_env=True), tmp_path / "ca.pem"
    shutil.copy(LOCALHOST, named)
    monkeypatch.setenv("SSL_CERT_FILE", str(named))
    first = new_tls_context(trust_env=True)
    assert first is not usual
    assert new_tls_context(trust_env=True) is first
    assert new_tls_context(trust_env=False) is usual
    os.utime(named, ns=(1, 1))
    assert new_tls_context(trust_env=True) is not first
