"""Saving a report: fetched until it is there, checked, bounded, and never half-written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO

import anyio
from attrs import frozen

from mettl_async.api.caller import Caller
from mettl_async.api.waiting import NotReady, poll
from mettl_async.bulk.files import sync_directory
from mettl_async.core.download import Fetcher
from mettl_async.core.link_rules import Link, check_link
from mettl_async.core.transports.contract import Download
from mettl_async.errors import (
    InvalidInputError,
    MettlDecodeError,
    NotReadyError,
    TransportError,
)
from mettl_async.models import CandidateResult, _check

MAX_BYTES = 100 * 1024 * 1024
"""[assumed] of a report; those of the vendor's examples have some hundred kB."""

_PDF_EDGE = 1024
"""Bytes at either end of a PDF within which readers look for its marks."""

_OK = 200
_FINAL = {400, 401, 403, 405, 410}
"""[assumed] These do not change by waiting; 404 and 202 are what "not there yet" looks like."""


@frozen
class _Part:
    """An unfinished file and its path."""

    file: IO[bytes]
    path: Path


async def save_report(
    caller: Caller,
    result: CandidateResult,
    path: str | PathLike[str],
    *,
    seconds: float,
    max_bytes: int,
    wait: bool = True,
) -> Path:
    """Save a report; see `Results.download_report`."""
    _check.count("max_bytes", max_bytes, least=1)
    url = result.test_status.pdf_report if result.test_status else None
    if url is None:
        raise NotReadyError(
            "the result has no address of a report; get the result again later",
            waited=0.0,
            final=False,
        )
    link = check_link("result.test_status.pdf_report", url, caller.base_url)
    lifecycle = caller.shared.lifecycle
    lifecycle.check()
    target = _checked_path(path)
    fetcher = Fetcher(caller.shared.transport, caller.base_url, caller.options.connect_timeout)
    with _unfinished(target) as part:

        async def attempt() -> NotReady | None:
            verdict = await once()
            if verdict is None or wait:
                return verdict
            raise NotReadyError(verdict.reason, waited=0.0, final=verdict.final)

        async def once() -> NotReady | None:
            try:
                with lifecycle.until_closing("read"):
                    return await _fetch_into(fetcher, link, part, max_bytes)
            except (MettlDecodeError, TransportError) as error:
                return NotReady(error.problem)
            except InvalidInputError as error:
                return NotReady(f"the report: {error.field} {error.problem}", final=True)

        effects = caller.shared.effects
        await poll(attempt, effects, timeout=seconds, first_pause=1.0, max_pause=30.0)
        await anyio.to_thread.run_sync(_finish, part, target)
    return target


def _checked_path(path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise InvalidInputError("path", f"is a {type(path).__name__}", "pass the file's path")
    target = Path(path)
    if target.is_dir():
        raise InvalidInputError("path", "is a directory", "add the file's name")
    return target


@contextmanager
def _unfinished(target: Path) -> Iterator[_Part]:
    """Make a file next to the target, under a name of its own, that is gone after the block.

    Made and removed without threads: in a cancelled task a thread would go on alone, and could make a
    file that nobody removes.
    """
    handle, name = tempfile.mkstemp(prefix=".report.", suffix=".part", dir=target.parent)
    part = _Part(os.fdopen(handle, "wb"), Path(name))
    try:
        yield part
    finally:
        with suppress(OSError):  # a full disk was told before, and there is nothing left to keep
            part.file.close()
        part.path.unlink(missing_ok=True)


async def _fetch_into(fetcher: Fetcher, link: Link, part: _Part, max_bytes: int) -> NotReady | None:
    async with fetcher.fetch(link) as download:
        if download.status_code in _FINAL:
            return NotReady(f"the report is refused with HTTP {download.status_code}", final=True)
        if download.status_code != _OK:
            return NotReady(f"the report is not there: HTTP {download.status_code}")
        if download.headers.get("content-encoding", "identity").lower() != "identity":
            return NotReady("the report came compressed, which it was not asked for")
        head, tail, size = b"", b"", _announced(download)
        if size <= max_bytes:
            size = 0
            part.file.seek(0)
            part.file.truncate()
            async for chunk in download.chunks:
                size += len(chunk)
                if size > max_bytes:
                    break
                head = head if len(head) >= _PDF_EDGE else head + chunk
                tail = (tail + chunk)[-_PDF_EDGE:]
                await anyio.to_thread.run_sync(part.file.write, chunk)
    if size > max_bytes:
        return NotReady(f"the report has more than {max_bytes:,} bytes", final=True)
    if b"%PDF-" not in head[:_PDF_EDGE]:
        return NotReady(
            f"the report is {'an HTML page' if head.lstrip()[:1] == b'<' else 'not a PDF'}"
        )
    return None if b"%%EOF" in tail else NotReady("the report is cut short")


def _announced(download: Download) -> int:
    length = download.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0  # noqa: PLR2004 - no bomb


def _finish(part: _Part, target: Path) -> None:
    part.file.flush()
    os.fsync(part.file.fileno())
    part.file.close()  # before it is moved, for Windows
    part.path.replace(target)
    sync_directory(target)
