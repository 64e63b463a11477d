"""The page of the command's help; ``python tests/docs/command_page.py`` writes it anew."""

from pathlib import Path

import typer
from typer.testing import CliRunner

from mettl_async.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command.md"
HEAD = """\
# The command `mettl`

It comes with the extra `cli`. `python -m mettl_async` is the same. The guides
[Register from a file](../how-to/register-from-a-file.md) and
[Look at things from the command line](../how-to/command-line.md) show how to use it.

"""


def commands(command, path=("mettl",)):
    """Give each command with its path, groups before what is in them."""
    yield path
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))


def page():
    """Build the page: a section for each command."""
    parts = [HEAD]
    for path in commands(typer.main.get_command(app)):
        done = CliRunner().invoke(
            app, [*path[1:], "--help"], prog_name="mettl", env={"COLUMNS": "80", "TERM": "dumb"}
        )
        lines = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
        parts.append(f"## {' '.join(path)}\n\n```text\n{lines}\n```\n\n")
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
