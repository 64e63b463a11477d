"""Async Python client for the Mercer | Mettl "Examine" REST API.

The names here are loaded when they are first used. Values of the API live in `mettl_async.models`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mettl_async._version import __version__

if TYPE_CHECKING:
    from mettl_async.api.pager import AsyncPager, Page
    from mettl_async.bulk.file_journal import FileJournal
    from mettl_async.bulk.journal import Journal
    from mettl_async.bulk.outcomes import (
        Failed,
        JournalError,
        Outcome,
        Registered,
        RegistrationFailuresError,
        RegistrationReport,
        Rejected,
        RunInterruptedError,
        Unknown,
    )
    from mettl_async.bulk.progress import Progress
    from mettl_async.bulk.registration_run import RegistrationRun
    from mettl_async.client import MettlClient
    from mettl_async.config import ApiVersion, ClientOptions, Credentials, Region, RetryPolicy
    from mettl_async.core.auth import SignatureAuth
    from mettl_async.core.middleware import Middleware, Middlewares, Next
    from mettl_async.core.pipeline import ApiResponse
    from mettl_async.core.request import Request, Response
    from mettl_async.errors import (
        ApiError,
        AuthenticationError,
        BadRequestError,
        CallError,
        ClientClosedError,
        ConfigurationError,
        ConnectError,
        ConnectionLostError,
        EndlessListError,
        InvalidInputError,
        MettlDecodeError,
        MettlError,
        NotFoundError,
        NotReadyError,
        PermissionDeniedError,
        RateLimitError,
        RegistrationLimitError,
        ServerError,
        ServiceUnavailableError,
        TimestampError,
        TransportError,
        TransportTimeoutError,
    )
    from mettl_async.models import Candidate, RegistrationOptions

_MODULES = (
    "mettl_async.errors",
    "mettl_async.config",
    "mettl_async.models",
    "mettl_async.core.request",
    "mettl_async.core.middleware",
    "mettl_async.core.auth",
    "mettl_async.core.pipeline",
    "mettl_async.bulk.outcomes",
    "mettl_async.bulk.progress",
    "mettl_async.bulk.journal",
    "mettl_async.bulk.file_journal",
    "mettl_async.bulk.registration_run",
    "mettl_async.api.pager",
    "mettl_async.client",
)
"""Modules that define the public names; those that load quickly come first."""

__all__ = [
    "ApiError",
    "ApiResponse",
    "ApiVersion",
    "AsyncPager",
    "AuthenticationError",
    "BadRequestError",
    "CallError",
    "Candidate",
    "ClientClosedError",
    "ClientOptions",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "Credentials",
    "EndlessListError",
    "Failed",
    "FileJournal",
    "InvalidInputError",
    "Journal",
    "JournalError",
    "MettlClient",
    "MettlDecodeError",
    "MettlError",
    "Middleware",
    "Middlewares",
    "Next",
    "NotFoundError",
    "NotReadyError",
    "Outcome",
    "Page",
    "PermissionDeniedError",
    "Progress",
    "RateLimitError",
    "Region",
    "Registered",
    "RegistrationFailuresError",
    "RegistrationLimitError",
    "RegistrationOptions",
    "RegistrationReport",
    "RegistrationRun",
    "Rejected",
    "Request",
    "Response",
    "RetryPolicy",
    "RunInterruptedError",
    "ServerError",
    "ServiceUnavailableError",
    "SignatureAuth",
    "TimestampError",
    "TransportError",
    "TransportTimeoutError",
    "Unknown",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it, or one of the two public modules."""
    if name in {"errors", "models"}:
        return import_module(f"{__name__}.{name}")
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
