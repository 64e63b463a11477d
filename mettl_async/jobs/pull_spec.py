"""What is pulled and where to, as JSON in the row of a job or a schedule."""

from __future__ import annotations

import json
from os import PathLike
from typing import Any, Final

from attrs import asdict, field, fields, frozen

from mettl_async.api.placeholders import check_access_key
from mettl_async.codec import dumps
from mettl_async.errors import ConfigurationError, InvalidInputError
from mettl_async.jobs.report_store import FolderStore
from mettl_async.models import ResultDetail, _check

__all__ = ["PULL", "PullSpec", "one_task", "pull_results", "spec_of", "spec_text"]

PULL: Final = "pull"
"""Kind of a job that pulls results."""
_MOST_KEYS: Final = 100_000


@frozen(kw_only=True)
class PullSpec:
    """What `pull_results` says; made by it.

    Attributes:
        access_keys: Of the schedules; None for those that are there when the job runs.
        assessment: Only schedules of the assessment with this id.
        table: Whether results go into the table ``mettl_job_results``.
        files: Folder of the files of results.
        folder: Folder of the reports.
        store: Name of the store of the reports.
        detail: What results hold beyond marks.
    """

    access_keys: tuple[str, ...] | None = field(default=None, repr=False)
    assessment: int | None = None
    table: bool = True
    files: str | None = None
    folder: str | None = None
    store: str | None = None
    detail: ResultDetail = field(factory=ResultDetail)

    @property
    def pulls_reports(self) -> bool:
        """Whether reports are pulled, too."""
        return self.folder is not None or self.store is not None


def spec_text(spec: PullSpec, task: str) -> str:
    """Write what is pulled, for a task: what is pulled once is pulled once for each of these."""
    set_ = asdict(spec, filter=lambda attribute, value: value != attribute.default)
    set_["detail"] = asdict(spec.detail, filter=lambda _, value: bool(value))
    return dumps({"task": task, **set_})


def spec_of(text: str) -> tuple[str, PullSpec]:
    """Read the task and what it pulls.

    Raises:
        ConfigurationError: A newer version of this library has written something that this one does not
            have.
    """
    found: dict[str, Any] = json.loads(text)
    task, detail = found.pop("task"), found.pop("detail")
    unknown = found.keys() - {one.name for one in fields(PullSpec)}
    unknown |= detail.keys() - {one.name for one in fields(ResultDetail)}
    if unknown:
        raise ConfigurationError(
            f"job: has options that this version does not know ({', '.join(sorted(unknown))});"
            " upgrade this worker"
        )
    if found.get("access_keys") is not None:
        found["access_keys"] = tuple(found["access_keys"])
    return task, PullSpec(detail=ResultDetail(**detail), **found)


def one_task(job_id: str) -> str:
    """Name the task of a job that no schedule makes; no schedule has such a name."""
    return f"/{job_id}"


def pull_results(
    access_keys: str | list[str] | tuple[str, ...] | None = None,
    *,
    assessment: int | None = None,
    table: bool = True,
    files: str | PathLike[str] | None = None,
    reports: FolderStore | str | None = None,
    detail: ResultDetail = ResultDetail(),  # noqa: B008 - frozen
) -> PullSpec:
    """Describe what a job pulls: results that are final, and their reports, each once.

    A result is final when the test is over and graded, or the candidate blocked. Another attempt of a
    person, or other marks after a new evaluation, are another result, and pulled again. A report that is
    not ready is tried at the next run.

    Args:
        access_keys: Of the schedules. None for all that the account has when the job runs.
        assessment: Id of an assessment, above 0: only its schedules, as they are when the job runs.
        table: Whether results go into the table ``mettl_job_results`` of the same database: a row for each
            candidate of a schedule, with the newest result as JSON, and ``report``, the name of its PDF in
            any store.
        files: Folder on the machine of the worker for JSON Lines: ``ACCESS_KEY.jsonl`` for each schedule,
            with a line for each candidate: ``access_key``, ``email``, ``report`` and ``result``, the newest
            one. Made if it is not there, readable for its owner only.
        reports: Where PDFs go: a `FolderStore`, or the name of one of ``run_worker(stores=...)``.
        detail: What results hold beyond marks.

    Raises:
        InvalidInputError: An argument is out of bounds, both keys and an assessment are given, or nothing
            would be stored.

    Example::

        nightly = pull_results(assessment=7, files="results", reports=FolderStore("reports"))
        async with Jobs("sqlite:///jobs.db") as jobs:
            await jobs.every("0 2 * * *", nightly, name="nightly", account="acme")
    """
    keys = _keys(access_keys)
    if assessment is not None:
        _check.count("assessment", assessment, least=1)
        if keys is not None:
            raise InvalidInputError(
                "assessment", "is given, and access_keys too", "give one of them"
            )
    _check.flag("table", table)
    _check.instance("detail", detail, ResultDetail)
    if reports is not None and not isinstance(reports, FolderStore):
        _check.text("reports", reports)
    if not table and files is None and reports is None:
        raise InvalidInputError("table", "is False, and nothing else is stored", "name a place")
    return PullSpec(
        access_keys=keys,
        assessment=assessment,
        table=table,
        files=None if files is None else FolderStore(files).path,
        folder=reports.path if isinstance(reports, FolderStore) else None,
        store=reports if isinstance(reports, str) else None,
        detail=detail,
    )


def _keys(given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    keys = (given,) if isinstance(given, str) else given
    if not isinstance(keys, list | tuple):
        raise InvalidInputError("access_keys", "is no list", "pass a list of access keys")
    distinct = tuple(dict.fromkeys(map(check_access_key, keys)))
    if not 0 < len(distinct) <= _MOST_KEYS:
        raise InvalidInputError("access_keys", f"has {len(distinct):,}", "give 1 to 100,000")
    return distinct
