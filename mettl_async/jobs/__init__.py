"""Bulk work that outlives its machines: hand it in, leave, and let any number of workers do it.

The names here are loaded when they are first used: they need the extra ``jobs``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mettl_async.jobs.errors import JobError, LeaseLostError
    from mettl_async.jobs.health import WorkerHealth
    from mettl_async.jobs.jobs import Jobs
    from mettl_async.jobs.observing import Backlog, WorkerObserver
    from mettl_async.jobs.pull_spec import PullSpec, pull_results
    from mettl_async.jobs.recurring import JobSchedule
    from mettl_async.jobs.report_store import FolderStore, Store
    from mettl_async.jobs.values import Job, JobState, JobStatus

_MODULES = {
    "Backlog": "observing",
    "FolderStore": "report_store",
    "Job": "values",
    "JobError": "errors",
    "JobSchedule": "recurring",
    "JobState": "values",
    "JobStatus": "values",
    "Jobs": "jobs",
    "LeaseLostError": "errors",
    "PullSpec": "pull_spec",
    "Store": "report_store",
    "WorkerHealth": "health",
    "WorkerObserver": "observing",
    "pull_results": "pull_spec",
}
"""Names of modules that define the public names."""

__all__ = [
    "Backlog",
    "FolderStore",
    "Job",
    "JobError",
    "JobSchedule",
    "JobState",
    "JobStatus",
    "Jobs",
    "LeaseLostError",
    "PullSpec",
    "Store",
    "WorkerHealth",
    "WorkerObserver",
    "pull_results",
]


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
