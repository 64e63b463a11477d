"""How a run of ``mettl register`` ended, as one JSON document for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define

from mettl_async.cli.bad_rows import rows_text
from mettl_async.cli.printing import json_document, print_text
from mettl_async.cli.problems import MISSING, WRONG, CommandError, print_outcome, print_stderr
from mettl_async.cli.streams import is_closed
from mettl_async.cli.wording import words
from mettl_async.errors import MettlError

if TYPE_CHECKING:
    from mettl_async.cli.earlier import Before
    from mettl_async.cli.job import Job
    from mettl_async.cli.reading.checking import Checked
    from mettl_async.cli.run import Run

_COUNTS = ("registered", "rejected", "failed", "unknown")


@define(eq=False)
class Ending:
    """What is known of a run: what it was asked, what it read, what it did.

    Attributes:
        as_json: Whether the document is wanted.
        job: What was asked for; None where the file could not be opened.
        checked: The result of reading; None before, and for people who are made up.
        before: What is known of an earlier run; None where nobody has looked.
        run: The run; None where it never began.
        code: The exit code.
    """

    as_json: bool = False
    job: Job | None = None
    checked: Checked | None = None
    before: Before | None = None
    run: Run | None = None
    code: int = WRONG

    @contextmanager
    def printed(self) -> Iterator[None]:
        """Print the document, if it is wanted, on stdout when the block ends, also by an error.

        Raises:
            CommandError: Of a dry run it cannot be written; else that is told on stderr.
        """
        try:
            yield
        except (CommandError, MettlError) as error:
            self._print(error)
            raise
        self._print()

    def _print(self, error: Exception | None = None) -> None:
        if not self.as_json:
            return
        text = json_document(self.document(error))
        if self._reason() == "dry_run" and error is None:
            print_text(f"{text}\n")  # all that was asked for
            return
        print_outcome(text)
        if is_closed(sys.stdout) and error is None:
            print_stderr("mettl: stdout is closed; nobody can read the JSON that was asked for")

    def document(self, error: Exception | None = None) -> dict[str, Any]:
        """Write all that a program may want to know; the shape is the same whatever happened."""
        run, job = self.run, self.job
        tally = None if run is None else run.tally
        read = None if self.checked is None else self.checked.good_total
        people = read if tally is None else tally.total
        trouble = error or (None if tally is None else tally.trouble)
        bad = 0 if self.checked is None else self.checked.bad_total
        said = None if trouble is None else words(trouble)
        if said is None and run is None and bad and self.code == WRONG:
            said = f"{rows_text(bad)} cannot be sent; nothing was sent"
        return {
            "exit_code": self.code,
            "exit_reason": self._reason(),
            "error": said,
            "total": people,
            **{one: 0 if tally is None else getattr(tally, one) for one in _COUNTS},
            "not_sent": None if tally is None else tally.not_sent,
            "already": 0 if tally is None else tally.already,
            "bad_rows": bad,
            "changed": run is not None and run.changed,
            "earlier": 0 if self.before is None else len(self.before.earlier),
            "differing": 0 if self.before is None else len(self.before.differing),
            "elsewhere": 0 if self.before is None else self.before.elsewhere,
            "codes": {} if tally is None else {one: dict(n) for one, n in tally.codes.items() if n},
            "seconds": None if tally is None else round(tally.seconds, 3),
            "files": {
                "links": str(job.out) if job and run and not run.futile else None,
                "journal": str(job.journal_path) if job and run and not run.futile else None,
                "bad_rows": str(job.skip_bad) if job and run and bad else None,
            },
        }

    def _reason(self) -> str:
        if self.job is not None and self.job.dry_run:
            return "dry_run"
        if self.run is None:
            return "refused"
        if self.run.tally.interrupted:
            return "interrupted"
        if self.code == MISSING:
            return "some_not_registered"
        return "stopped" if self.code else "all_registered"
