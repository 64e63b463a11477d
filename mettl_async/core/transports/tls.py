"""The certificates that are trusted, loaded once for all clients that trust the same."""

import os
import ssl
from functools import lru_cache
from pathlib import Path

import httpx

from mettl_async.errors import ConfigurationError

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def new_tls_context(*, trust_env: bool) -> ssl.SSLContext:
    """Give the context in which servers and proxies are verified.

    Loading takes 30 to 60 ms and most of a megabyte, so clients share it as long as the environment
    names the same files and these have not changed. Nobody else can reach it: nothing that a user
    passes in or gets out is this object.

    Raises:
        ConfigurationError: The certificates cannot be loaded.
    """
    named = tuple(os.environ.get(name, "") for name in _VARIABLES)
    if not trust_env or not any(named):
        named = ()
    return _loaded(named, tuple(map(_changed_at, named)))


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns if path else 0
    except OSError:
        return 0


# A pure function of its arguments and the files that they name, so remembering it is no state that
# anybody could notice; few are kept, for a process has few sets of certificates.
@lru_cache(maxsize=4)
def _loaded(named: tuple[str, ...], _changed: tuple[int, ...]) -> ssl.SSLContext:
    try:
        context = httpx.create_ssl_context(trust_env=bool(named))
    except (OSError, ssl.SSLError) as exc:
        problem = type(exc).__name__
    else:
        # As httpcore does: a context that offers HTTP/2 too would be answered in it.
        context.set_alpn_protocols(["http/1.1"])
        return context
    raise ConfigurationError(
        f"certificates: cannot be loaded ({problem}); look at {' and '.join(_VARIABLES)}"
    )
