"""What jobs raise beyond the errors of the whole library."""

from mettl_async.bulk.outcomes import JournalError
from mettl_async.errors import MettlError


class JobError(MettlError):
    """There is no such job, or its state does not allow what was asked."""


class LeaseLostError(JournalError):
    """Another worker has the chunk now, because this one was silent for longer than its lease.

    Nothing of it was written after that. `unrecorded` has the answers that came too late: the other worker
    asks for these candidates again, which is harmless and gives the same links [seen].
    """
