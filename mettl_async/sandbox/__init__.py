"""A Mettl that runs on a laptop, for tests, demonstrations and CI without keys.

::

    async with Sandbox().serve() as server:
        ...  # server.base_url, server.credentials, server.access_key

It verifies signatures from the raw request with its own lines and imports nothing of the client, so
that it can't agree with the client's mistakes. What it does follows the vendor's pages; where they
are silent, the code says ``[seen]`` or ``[assumed]``.
"""

try:
    import jinja2
    import starlette
    import uvicorn
except ImportError as error:
    raise ImportError(
        'the sandbox needs jinja2, starlette and uvicorn: pip install "mettl-async[sandbox]"'
    ) from error

from mettl_async.sandbox.candidates import SandboxPerson
from mettl_async.sandbox.deliveries import Delivery, DeliveryRules
from mettl_async.sandbox.faults import Faults
from mettl_async.sandbox.lifecycle_rules import Pace
from mettl_async.sandbox.sandbox import Sandbox, Server, run
from mettl_async.sandbox.snapshot import SnapshotError
from mettl_async.sandbox.state import (
    Account,
    Assessment,
    RegistrationField,
    SandboxCandidate,
    SandboxCredentials,
    Schedule,
)
from mettl_async.sandbox.stats import Call, Stats

del jinja2, starlette, uvicorn

__all__ = [
    "Account",
    "Assessment",
    "Call",
    "Delivery",
    "DeliveryRules",
    "Faults",
    "Pace",
    "RegistrationField",
    "Sandbox",
    "SandboxCandidate",
    "SandboxCredentials",
    "SandboxPerson",
    "Schedule",
    "Server",
    "SnapshotError",
    "Stats",
    "run",
]
