"""Rich's tables and paragraphs, without the blanks that it fills lines with: people copy from a terminal."""

import re
import sys
from typing import Final

import typer
from rich.console import Console, Group, RenderableType

_UNBOUND: Final = 10_000  # columns of a file or pipe, where nothing is folded
_STYLE: Final = r"\x1b\[[0-9;]*m"
_FILLED: Final = re.compile(rf" (?: |{_STYLE})*$", re.MULTILINE)


def print_lean(*parts: RenderableType, err: bool) -> None:
    """Print on stderr or stdout; folded at the width of a terminal, and elsewhere not at all."""
    stream = sys.stderr if err else sys.stdout
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else _UNBOUND)
    with console.capture() as captured:
        console.print(Group(*parts))
    text = _FILLED.sub(lambda found: found[0].replace(" ", ""), captured.get())
    typer.echo(text, err=err, nl=False)
