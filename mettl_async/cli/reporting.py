"""``mettl report``: the PDF of one candidate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from mettl_async.api.placeholders import check_access_key, check_email
from mettl_async.api.waiting import NotReady, poll
from mettl_async.cli.outfile import check_whole, private_files
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.progress import spinner
from mettl_async.core.effects import Effects
from mettl_async.errors import MettlError

if TYPE_CHECKING:
    from pathlib import Path

    from mettl_async.cli.target import Target
    from mettl_async.client import MettlClient
    from mettl_async.models import CandidateResult


def report(
    target: Target, access_key: str, email: str, out: Path, *, overwrite: bool, timeout: float
) -> int:
    """Save the report of one candidate; gives the exit code.

    Raises:
        NotReadyError: It was not there in time, or the test is not over.
        CommandError: The file cannot be written.
        MettlError: A call failed.
    """
    check_access_key(access_key)
    check_email(email)
    check_whole(out, overwrite=overwrite)
    clock = time.monotonic
    end = clock() + timeout

    async def save(client: MettlClient) -> None:
        async def attempt() -> CandidateResult | NotReady:
            result = await client.results.get(access_key, email)
            return judge_report(result) or result

        result = await poll(attempt, Effects(), timeout=timeout, first_pause=2.0, max_pause=30.0)
        # Its address came in time, so it is looked for at least once.
        left = max(1.0, end - clock())
        await client.results.download_report(result, out, timeout=left)

    try:
        with private_files(), spinner("waiting for the report"):
            target.ask(save)
    except MettlError:
        raise  # some of these are OSErrors too
    except OSError as error:
        raise CommandError(f"{out}: cannot be written: {os_reason(error)}") from None
    typer.echo(f"report      {out}")
    return 0


def judge_report(result: CandidateResult) -> NotReady | None:
    """Whether there is an address to fetch, and if not, whether waiting some minutes can help."""
    status = result.test_status
    if status is None:
        return NotReady("the answer has no test status yet")
    if status.pdf_report is not None:
        return None
    if status.is_finished:
        return NotReady("the test is finished, but there is no report yet")
    words = status.detailed_status or status.overall_status or status.status or "of unknown status"
    return NotReady(f"there is no report: the test is not finished, but {words}", final=True)
