"""Questions on a terminal: whether one can be asked, and the answers."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.prompt import Confirm, IntPrompt, InvalidResponse, PromptBase
from rich.text import Text

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.doubts import Choice
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.rendering import print_lean
from mettl_async.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from rich.console import RenderableType

    from mettl_async.cli.reading.doubts import DoubtError


_NOT_CI: Final = ("", "0", "false")


def can_ask() -> bool:
    """Tell whether somebody sits at a terminal who can see a question and answer it; in CI nobody does."""
    in_ci = os.environ.get("CI", "").lower() not in _NOT_CI
    return not in_ci and _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


class _YesOrNo(Confirm):
    """Shows which answer Enter gives by its capital letter, as apt and gh do."""

    validate_error_message = "Type y for yes, or n for no."

    def make_prompt(self, default: Any) -> Text:
        """See `Confirm`."""
        return Text.assemble(self.prompt, " [Y/n] " if default else " [y/N] ", end="")

    def process_response(self, value: str) -> bool:
        """See `Confirm`."""
        whole = {"yes": "y", "no": "n"}
        answer = value.strip().lower()
        return super().process_response(whole.get(answer, answer))


class _Number(IntPrompt):
    validate_error_message = illegal_choice_message = "Type one of the numbers."


class _NumberOrEncoding(PromptBase[Choice]):
    """Takes one of the choices by its number, or any encoding by its name."""

    response_type = Choice
    listed: tuple[Choice, ...] = ()

    def process_response(self, value: str) -> Choice:
        """See `PromptBase`."""
        answer = value.strip()
        if answer.isdecimal() and 0 < int(answer) <= len(self.listed):
            return self.listed[int(answer) - 1]
        try:
            ReadOptions(encoding=answer)
        except CommandError:
            raise InvalidResponse(
                "Type one of the numbers, or the name of an encoding such as cp1252."
            ) from None
        return Choice("encoding", answer)


def choose(doubt: DoubtError) -> Choice:
    """Have the user choose among the answers to a doubt.

    Raises:
        CommandError: The user has ended the input instead, or does not want the only answer.
    """
    parts: list[RenderableType] = [Text(f"{one_line(doubt.question)}.", style="bold")]
    for number, choice in enumerate(doubt.choices, 1):
        parts.append(Text(f"{number:>3}  {one_line(choice.flag)}"))
        shown = (Text(one_line(line), overflow="fold") for line in choice.shown)
        parts += (Padding(line, (0, 0, 0, 7)) for line in shown)
    print_lean(*parts, err=True)
    if len(doubt.choices) == 1:
        if not confirm("Read it in this way?"):
            raise CommandError("not confirmed; nothing was sent")
        return doubt.choices[0]
    console = Console(stderr=True, highlight=False)
    if doubt.choices[0].option == "encoding":
        prompt = _NumberOrEncoding(
            "Which is right? (a number, or another encoding's name)", console=console
        )
        prompt.listed = doubt.choices
        with _ended_input():
            return prompt()
    numbers = [str(number) for number, _ in enumerate(doubt.choices, 1)]
    with _ended_input():
        number = _Number.ask("Which is right?", console=console, choices=numbers)
    return doubt.choices[number - 1]


def confirm(question: str) -> bool:
    """Ask a question that only somebody who types it answers with yes."""
    console = Console(stderr=True, highlight=False)
    with _ended_input():
        return _YesOrNo.ask(Text(one_line(question)), console=console, default=False)


@contextmanager
def _ended_input() -> Iterator[None]:
    try:
        yield
    except EOFError:  # Ctrl-D
        typer.echo(err=True)
        raise CommandError("no answer was given; nothing was sent") from None


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
