"""Bulk work that outlives its machines: hand it in, leave, and let any number of workers do it.

The names here are loaded when they are first used: they need the extra ``jobs``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mettl_async.jobs.errors import JobError, LeaseLostError
    from mettl_async.jobs.jobs import Jobs
    from mettl_async.jobs.values import Job, JobState, JobStatus

_MODULES = {
    "Job": "values",
    "JobError": "errors",
    "JobState": "values",
    "JobStatus": "values",
    "Jobs": "jobs",
    "LeaseLostError": "errors",
}
"""Names of modules that define the public names."""

__all__ = ["Job", "JobError", "JobState", "JobStatus", "Jobs", "LeaseLostError"]


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it.

    Raises:
        ImportError: The extra is not installed.
    """
    if name in _MODULES:
        try:
            module = import_module(f"{__name__}.{_MODULES[name]}")
        except ImportError as error:
            raise ImportError('jobs need an extra: pip install "mettl-async[jobs]"') from error
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
