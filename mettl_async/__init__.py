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

_HOMES = {
    "ApiError": "mettl_async.errors",
    "ApiResponse": "mettl_async.core.pipeline",
    "ApiVersion": "mettl_async.config",
    "AsyncPager": "mettl_async.api.pager",
    "AuthenticationError": "mettl_async.errors",
    "BadRequestError": "mettl_async.errors",
    "CallError": "mettl_async.errors",
    "Candidate": "mettl_async.models",
    "ClientClosedError": "mettl_async.errors",
    "ClientOptions": "mettl_async.config",
    "ConfigurationError": "mettl_async.errors",
    "ConnectError": "mettl_async.errors",
    "ConnectionLostError": "mettl_async.errors",
    "Credentials": "mettl_async.config",
    "Failed": "mettl_async.bulk.outcomes",
    "FileJournal": "mettl_async.bulk.file_journal",
    "InvalidInputError": "mettl_async.errors",
    "Journal": "mettl_async.bulk.journal",
    "JournalError": "mettl_async.bulk.outcomes",
    "MettlClient": "mettl_async.client",
    "MettlDecodeError": "mettl_async.errors",
    "MettlError": "mettl_async.errors",
    "Middleware": "mettl_async.core.middleware",
    "Middlewares": "mettl_async.core.middleware",
    "Next": "mettl_async.core.middleware",
    "NotFoundError": "mettl_async.errors",
    "NotReadyError": "mettl_async.errors",
    "Outcome": "mettl_async.bulk.outcomes",
    "Page": "mettl_async.api.pager",
    "PermissionDeniedError": "mettl_async.errors",
    "Progress": "mettl_async.bulk.progress",
    "RateLimitError": "mettl_async.errors",
    "Region": "mettl_async.config",
    "Registered": "mettl_async.bulk.outcomes",
    "RegistrationFailuresError": "mettl_async.bulk.outcomes",
    "RegistrationLimitError": "mettl_async.errors",
    "RegistrationOptions": "mettl_async.models",
    "RegistrationReport": "mettl_async.bulk.outcomes",
    "Rejected": "mettl_async.bulk.outcomes",
    "Request": "mettl_async.core.request",
    "Response": "mettl_async.core.request",
    "RetryPolicy": "mettl_async.config",
    "RunInterruptedError": "mettl_async.bulk.outcomes",
    "ServerError": "mettl_async.errors",
    "ServiceUnavailableError": "mettl_async.errors",
    "SignatureAuth": "mettl_async.core.auth",
    "TimestampError": "mettl_async.errors",
    "TransportError": "mettl_async.errors",
    "TransportTimeoutError": "mettl_async.errors",
    "Unknown": "mettl_async.bulk.outcomes",
}

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
    """Load a public name from the module that defines it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
