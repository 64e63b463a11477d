"""Saving a report: fetched until it is there, checked, and never half-written."""

import os
import tempfile
from contextlib import suppress
from os import PathLike
from pathlib import Path

import anyio

from mettl_async.api.caller import Caller
from mettl_async.api.waiting import NotReady, poll
from mettl_async.core.download import check_link, fetch
from mettl_async.errors import (
    InvalidInputError,
    MettlDecodeError,
    NotReadyError,
    TransportError,
)
from mettl_async.models import CandidateResult

_PDF_EDGE = 1024
"""Bytes at either end of a PDF within which readers look for its marks."""

_OK = 200
_FINAL = {400, 401, 403, 405, 410}
"""[assumed] These do not change by waiting; 404 and 202 are what "not there yet" looks like."""


async def save_report(
    caller: Caller, result: CandidateResult, path: str | PathLike[str], *, seconds: float
) -> Path:
    """Save a report; see `Results.download_report`."""
    link = result.test_status.pdf_report if result.test_status else None
    if link is None:
        raise NotReadyError(
            "the result has no address of a report; get the result again later",
            waited=0.0,
            final=False,
        )
    insecure = caller.options.allow_insecure_http
    url = check_link("result.test_status.pdf_report", link, allow_insecure_http=insecure)
    caller.shared.lifecycle.check()
    target = _checked_path(path)
    # A name of its own, next to the target: two downloads to one path do not meet.
    handle, name = await anyio.to_thread.run_sync(
        lambda: tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    )
    os.close(handle)
    part = Path(name)

    async def attempt() -> NotReady | None:
        try:
            return await _fetch_into(caller, url, part)
        except (MettlDecodeError, TransportError) as error:
            return NotReady(error.problem)

    try:
        await poll(attempt, caller.shared.effects, timeout=seconds, first_pause=1.0, max_pause=30.0)
        await anyio.to_thread.run_sync(os.replace, part, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)  # noqa: PTH108 - quick, and it must happen in a cancelled task too
    return target


def _checked_path(path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise InvalidInputError("path", f"is a {type(path).__name__}", "pass the file's path")
    target = Path(path)
    if target.is_dir():
        raise InvalidInputError("path", "is a directory", "add the file's name")
    return target


async def _fetch_into(caller: Caller, url: str, part: Path) -> NotReady | None:
    insecure = caller.options.allow_insecure_http
    async with fetch(caller.shared.transport, url, allow_insecure_http=insecure) as download:
        if download.status_code in _FINAL:
            return NotReady(f"the report is refused with HTTP {download.status_code}", final=True)
        if download.status_code != _OK:
            return NotReady(f"the report is not there: HTTP {download.status_code}")
        async with await anyio.open_file(part, "wb") as file:
            head = tail = b""
            async for chunk in download.chunks:
                head = head if len(head) >= _PDF_EDGE else head + chunk
                tail = (tail + chunk)[-_PDF_EDGE:]
                await file.write(chunk)
    if b"%PDF-" not in head[:_PDF_EDGE]:
        return NotReady(
            f"the report is {'an HTML page' if head.lstrip()[:1] == b'<' else 'not a PDF'}"
        )
    return None if b"%%EOF" in tail else NotReady("the report is cut short")
