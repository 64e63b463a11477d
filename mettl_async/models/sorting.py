"""Orders in which lists come."""

from enum import StrEnum


class AssessmentSort(StrEnum):
    """What assessments, and [seen] schedules of the account, are sorted by."""

    CREATED_AT = "createdAt"
    TEST_TAKEN = "testTaken"
    NAME = "name"


class ResultSort(StrEnum):
    """What results of a schedule are sorted by."""

    TEST_START_TIME = "testStartTime"
    NAME = "name"


class SortOrder(StrEnum):
    """Upwards or downwards; the server's default is downwards."""

    ASC = "asc"
    DESC = "desc"
