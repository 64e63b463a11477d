"""The auth middleware: signs every attempt, last thing before it is sent.

Any other middleware can take its place (``MettlClient(auth=...)``): it must put its parameters into
``request.params`` and call the next one.
"""

import time
from collections.abc import Callable
from inspect import isawaitable

from attrs import define, field

from mettl_async.config import Credentials, CredentialsProvider, KeyPair, keys_or_provider
from mettl_async.core.middleware import Next
from mettl_async.core.request import Request, Response
from mettl_async.core.signing import SIGNATURE_PARAMETERS, signature, string_to_sign
from mettl_async.errors import ConfigurationError


@define
class ServerClock:
    """The server's time as far as we know it: our clock plus what was learnt from a ``Date`` header."""

    wall: Callable[[], float] = field(default=time.time, repr=False)
    offset: float = 0.0

    def now(self) -> float:
        """Return the corrected time, in seconds since the epoch."""
        return self.wall() + self.offset

    def learn(self, server_time: float) -> None:
        """Correct the clock so that it now shows ``server_time``."""
        self.offset = server_time - self.wall()


class SignatureAuth:
    """Adds ``ak``, ``ts`` and ``asgn`` to a request, as the vendor's page on authentication says.

    Each attempt is signed anew with the current time; values left over from an earlier attempt are
    dropped. A callable is asked for the keys each time, so that rotation needs no restart.
    """

    def __init__(
        self, credentials: KeyPair | CredentialsProvider, clock: ServerClock | None = None
    ) -> None:
        self._credentials = keys_or_provider(credentials)
        self._clock = clock or ServerClock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Sign the request and pass it on."""
        known = self._credentials
        keys = known if isinstance(known, Credentials) else await self._ask(known)
        params = dict(request.params)
        for name in SIGNATURE_PARAMETERS:
            params.pop(name, None)
        params["ak"] = keys.public_key
        # Whole seconds [doc]; fractions were accepted on v1 only [seen].
        params["ts"] = str(int(self._clock.now()))
        text = string_to_sign(request.method, request.url, params)
        params["asgn"] = signature(keys.private_key, text, request.version)
        return await call_next(request.evolve(params=params))

    @staticmethod
    async def _ask(provider: CredentialsProvider) -> Credentials:
        answer = provider()
        keys = keys_or_provider(await answer if isawaitable(answer) else answer)
        if isinstance(keys, Credentials):
            return keys
        raise ConfigurationError("credentials: the callable returned one; return Credentials(...)")
