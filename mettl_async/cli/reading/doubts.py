"""What a file alone does not tell, and the answers among which the user chooses. Nothing is guessed."""

from collections.abc import Iterable

from attrs import field, frozen

from mettl_async.cli.problems import CommandError


@frozen
class Choice:
    """One answer to a doubt.

    Attributes:
        option: Name of the field of `ReadOptions` that gives the answer.
        value: What to pass there, as the command line has it.
        shown: A few lines: what the deciding cells become with it.
    """

    option: str
    value: str
    shown: tuple[str, ...] = field(default=(), repr=False)

    @property
    def flag(self) -> str:
        """The answer as the command line has it: ``--encoding cp1250``."""
        value = (
            self.value if self.value.isascii() and self.value.isprintable() else repr(self.value)
        )
        quoted = f'"{value}"' if not value.strip() or set(value) & set(" ;|&<>*'$`") else value
        return f"--{self.option.replace('_', '-')} {quoted}"


class DoubtError(CommandError):
    """A file that can be read in more than one way; the user's answer decides.

    Args:
        question: One line, with the name of the file.
        choices: The answers, the likeliest first.
    """

    def __init__(self, question: str, choices: Iterable[Choice]) -> None:
        self.question = question
        self.choices = tuple(choices)
        lines = [f"{question}; nothing was sent. Pass one of:"]
        for choice in self.choices:
            lines.append(f"  {choice.flag}")
            lines += [f"      {line}" for line in choice.shown]
        super().__init__("\n".join(lines))
