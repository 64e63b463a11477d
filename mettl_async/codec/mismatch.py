"""What is raised within the codec when something is not of the expected form."""

from typing import TypeAlias

Problem: TypeAlias = tuple[str, str]  # path below the value, what is wrong with it

_KINDS = {type(None): "null", dict: "object", list: "array"}


class MismatchError(Exception):
    """Something is not of the expected form: paths and shapes, never values."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


def kind(value: object) -> str:
    """Name a value's kind as JSON does."""
    return _KINDS.get(type(value), type(value).__name__)


def expected(what: str, value: object) -> MismatchError:
    """Say what was expected, and the kind of what came."""
    return MismatchError([("", f"expected {what}, got {kind(value)}")])
