"""The page of kinds of files; ``python tests/cli/kinds_page.py`` writes it anew."""

import os
import re
import shlex
import tempfile
from pathlib import Path

from attrs import frozen
from kinds import ROWS, Kind, Outcome
from kinds_of_texts import TEXTS
from kinds_of_workbooks import OTHERS, WORKBOOKS
from typer.testing import CliRunner

from mettl_async.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "input-files.md"
KINDS = (*TEXTS, *WORKBOOKS, *OTHERS)
ANEW = "the page is stale: python tests/cli/kinds_page.py writes it anew; look at what changes"
INTRODUCTION = """\
# Files that `mettl register` reads

Give the command the file that you have. It reads the file, or it tells you what stands in the way: the file,
the row, the column, and what to do. Nothing is sent before the whole file is clear, and nothing on a guess.

- **read**: the people are sent.
- **asked**: the file can be read in more than one way. On a terminal the command shows the cells that decide, and
  you choose. Elsewhere it stops with exit code 2, and you pass one of the options that it names.
- **refused**: nobody is sent, and the exit code is 2. Where single rows are wrong, all of them are told, with
  their number at the end, and `--skip-bad bad.csv` sends the others.

`mettl register FILE --dry-run` shows all this and sends nothing. The sentences below are those of the command, in
a file named as there. LibreOffice, SheetJS, exceljs, openpyxl, xlsxwriter, pandas, SQLite and Python wrote the
files under their names; of all others, the test has a copy of what they write. A test runs each line: `tests/cli/test_cli_input_files.py`.

"""
SPEED = """
## Speed

`python benchmarks/register_files.py --old PYTHON` registers 100,000 rows of six columns in the sandbox, as CSV
with an earlier version, as CSV with this one, and as XLSX, in turns, and gives the ratios of the times. PYTHON is
the interpreter of an environment that has the earlier version. Three turns on two cores with aiohttp installed,
against 0465302, while other work took the load from 3.9 to 5.7:

- XLSX to CSV, bound 1.3, kept: 1.07 of the CPU (median; all turns 1.03 to 1.14), 0.89 of the time (0.76 to 1.02).
- CSV to the earlier version's CSV, bound 0.7, **missed**: 0.98 of the CPU (0.96 to 1.03), 1.26 of the time (0.99 to
  1.39).

One more turn with a load from 1.4 to 1.8 gave 1.10 of CPU and 1.09 of time for XLSX, and 0.94 and 0.95 for CSV.
"""
TABLES = (
    ("Text: CSV, TSV, JSON Lines", TEXTS),
    ("Workbooks", WORKBOOKS),
    ("Other files", OTHERS),
)
POSITION = re.compile("(line|row) [0-9,]+")
TOTAL = re.compile("mettl: [0-9,]+ rows? of ")
HEAD = (
    "| file | written by | outcome | what the command says | what to do |\n|---|---|---|---|---|\n"
)


@frozen
class Told:
    """What the command did: exit code, its words, and the people that it showed."""

    code: int
    words: str
    people: tuple[tuple[str, ...], ...]


def run(kind: Kind, *options: str) -> Told:
    """Run the command on the file, in the working directory."""
    arguments = ("register", kind.file, "--sandbox", "--dry-run", *kind.options, *options)
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    read = done.exit_code == 0
    lines = (done.stdout if read else done.stderr).splitlines()
    if not read:
        lines = [line for line in lines if not line.startswith("      ")]  # the cells that decide
    return Told(done.exit_code, "\n".join(lines[:1] if read else lines), _people(done.stdout))


def _people(shown: str) -> tuple[tuple[str, ...], ...]:
    _, _, after = shown.partition("sent:\n\n")
    blocks = [block.splitlines() for block in after.split("\n\n")]
    return tuple(
        tuple(line.partition("  ")[2].strip() for line in block[1:])
        for block in blocks
        if block and POSITION.fullmatch(block[0])
    )


def row(kind: Kind, told: Told) -> str:
    """Show one kind as a row of the table."""
    words = told.words.splitlines()
    flags = [line.strip() for line in words if line.startswith("  ")]
    said = [_code(line) for line in words if not line.startswith("  ") and not TOTAL.match(line)]
    if flags:
        more = ", ..." if len(flags) > 4 else ""
        said.append(", ".join(map(_code, flags[:4])) + more)
    answer = f"pass {_code(shlex.join(kind.answer))}".replace("'", '"') if kind.answer else ""
    todo = "; ".join(filter(None, (answer, kind.fix)))
    if kind.outcome is Outcome.READ and kind.people != ROWS:
        todo = f"nothing; {_code(', '.join(kind.people[0]))} is sent"
    return f"| {kind.name} | {kind.by} | {kind.outcome} | {'<br>'.join(said)} | {todo or 'nothing'} |\n"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def title(name: str) -> str:
    """Begin a table."""
    return f"\n## {name}\n\n{HEAD}"


def render() -> str:
    """Make the whole page, by running the command on all files."""
    page = INTRODUCTION.rstrip("\n") + "\n"
    for name, kinds in TABLES:
        page += title(name)
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                kind.make(kind.file)
                page += row(kind, run(kind))
                os.chdir(PAGE.parent)
    return page + SPEED


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
