"""What ``--help`` looks like, and what a wrong argument is answered with.

Help is plain text: panels cut the names of options, and colours do not survive a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    Rows = Sequence[tuple[str, str]]

_TWO_COLUMNS: Final = 70
"""Characters: in less, the help of an option stands below its name and has the whole width."""
_TYPE: Final = re.compile(r" <(str|int|float|path|bool)( range)?>$")  # of Python's, after a name
_PROMPT: Final = "$ "
_BOUNDS: Final = (
    (re.compile(r"(\d+)<=x<=(\d+)"), r"\1 to \2"),
    (re.compile(r"x>=(\d+)"), r"at least \1"),
    (re.compile(r"x<=(\d+)"), r"at most \1"),
)
# typer 0.2x and pydantic, which newer ones ask, each have words of their own.
_REASONS: Final = (
    (
        re.compile(r"Input should be a valid integer.*|.*is not a valid int(?:eger)?\b.*"),
        "is no whole number",
    ),
    (re.compile(r"Input should be a valid number.*|.*is not a valid float\b.*"), "is no number"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"must be at least \1"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"must be at most \1"),
    (re.compile(r"\S+ is not in the range (\d+)<=x<=(\d+)\."), r"must be \1 to \2"),
    (re.compile(r"\S+ is not in the range x>=(\d+)\."), r"must be at least \1"),
    (re.compile(r"Value error, "), ""),
)


class Command(TyperCommand):
    """A command with examples at the end of its help."""

    examples: Sequence[str] = ()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and then the examples."""
        _write_parameters(self, ctx, formatter)
        if not self.examples:
            return
        with formatter.section("Examples"):
            for line in self.examples:
                # Not wrapped: a line is there to be copied.
                formatter.write(f"{'':>{formatter.current_indent}}{_PROMPT}{line}\n")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments of the command line.

        Raises:
            BadParameter: One of them cannot be used.
        """
        with _words():
            return super().parse_args(ctx, args)


class Group(TyperGroup):
    """Commands, of which the help shows the whole first sentence."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and then the commands."""
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, one sentence each."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, one.get_short_help_str(limit=200))
            for name, one in found
            if one is not None and not one.hidden
        ]
        _write_list(formatter, "Commands", rows)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments of the command line.

        Raises:
            BadParameter: One of them cannot be used.
        """
        with _words():
            return super().parse_args(ctx, args)


def command_with(examples: Sequence[str]) -> type[Command]:
    """Make the class of a command that has these examples."""
    return type("CommandWithExamples", (Command,), {"examples": tuple(examples)})


def _write_parameters(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    last: dict[str, list[tuple[str, str]]] = {}
    for one in command.get_params(ctx):
        record = one.get_help_record(ctx)
        if record is not None:
            kind = "Arguments" if one.param_type_name == "argument" else "Options"
            section = getattr(one, "rich_help_panel", None)
            found = last.setdefault(section, []) if section else rows[kind]
            found.append((_TYPE.sub("", record[0]), _bounds(record[1])))
    for kind, found in (*rows.items(), *last.items()):
        _write_list(formatter, kind, found)


def _write_list(formatter: Any, heading: str, rows: Rows) -> None:
    if not rows:
        return
    with formatter.section(heading):
        if formatter.width >= _TWO_COLUMNS:
            formatter.write_dl(rows)
            return
        for name, text in rows:
            formatter.write(f"{'':>{formatter.current_indent}}{name}\n")
            with formatter.indentation(), formatter.indentation():
                formatter.write_text(text)


def _bounds(text: str) -> str:
    for pattern, words in _BOUNDS:
        text = pattern.sub(words, text)
    return text


@contextmanager
def _words() -> Iterator[None]:
    """Say what is wrong with an argument without the names of Python's types."""
    try:
        yield
    except typer.BadParameter as error:
        for pattern, words in _REASONS:
            error.message = pattern.sub(words, error.message)
        raise
