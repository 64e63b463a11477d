"""How hard a question is."""

from mettl_async.models._open_enum import OpenStrEnum


class Level(OpenStrEnum):
    """Difficulty. [doc] the first; [seen] the others, in a client's comment."""

    EASY = "EASY"
    MEDIUM = "MEDIUM"
    DIFFICULT = "DIFFICULT"
