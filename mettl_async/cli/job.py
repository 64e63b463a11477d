"""What ``mettl register`` was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from mettl_async.cli.links import journal_of
from mettl_async.cli.made_up import made_up_cells, made_up_rows
from mettl_async.cli.outfile import is_stdout
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.rows import BadRow
from mettl_async.config import ClientOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mettl_async.cli.option_fields import Target
    from mettl_async.cli.reading.rows import Cells, Row
    from mettl_async.cli.reading.source import Source
    from mettl_async.models import Candidate, RegistrationOptions


@frozen(kw_only=True)
class Job:
    """What was asked for: a file or a number of made-up people, and a schedule or the sandbox.

    Attributes:
        out: File of links; ``-`` is stdout.
        journal: Where the journal is to be; None for a place beside the links, or the input.
        bom: Whether CSV is to begin with a byte order mark; None where Excel needs it.
        dry_run: Whether to look only.
        yes: Whether nothing is to be asked.
        as_json: Whether the summary is to be one JSON document.
        skip_bad: Where to write the rows that cannot be sent; None if nothing is sent because of them.
    """

    file: Path | None
    source: Source | None
    generate: int | None
    schedule: str | None
    sandbox: bool
    out: Path
    journal: Path | None = None
    bom: bool | None = None
    overwrite: bool
    resume: bool
    dry_run: bool = False
    yes: bool = False
    skip_bad: Path | None = None
    as_json: bool = False
    concurrency: int
    batch_size: int
    target: Target
    post_parameters: Literal["documented", "form", "query"]
    options: RegistrationOptions

    def rows(self) -> Iterator[Row | BadRow]:
        """Read, or make up, the rows from the beginning."""
        return self.source.rows() if self.source else made_up_rows(self.generate or 0)

    def cells(self) -> Iterator[Cells | BadRow]:
        """Read, or make up, the same rows as they are in the file."""
        return self.source.cells() if self.source else made_up_cells(self.generate or 0)

    def candidates(self) -> Iterator[Candidate]:
        """Read, or make up, the people who are sent.

        Raises:
            CommandError: The file was changed since it was checked.
        """
        for row in self.rows():
            if isinstance(row, BadRow):
                name = self.source.name if self.source else "row"
                raise CommandError(f"{name}:{row.line}: was changed while it was read")
            yield row.candidate

    @property
    def journal_path(self) -> Path:
        """The place of the journal.

        Raises:
            CommandError: It has no name.
        """
        if self.journal is not None:
            return self.journal
        if not is_stdout(self.out):
            return journal_of(self.out)
        if self.file is None or is_stdout(self.file):
            raise CommandError(
                "--out - needs --journal FILE here: the answers are kept there, for --resume"
            )
        return journal_of(self.file)

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own columns, once the rows were read."""
        return self.source.columns if self.source else tuple(next(made_up_cells(1)).own)

    @property
    def client_options(self) -> ClientOptions:
        """The options of the client that does it."""
        return ClientOptions(
            post_parameters=self.post_parameters,
            max_concurrency=max(self.concurrency, ClientOptions().max_concurrency),
            trust_env=not self.sandbox,  # a proxy would not find the way to this machine's loopback
        )
