"""Fixtures shared by the tests of jobs."""

from ready_databases import _ready_file, jobs_file_url, jobs_postgres_url  # noqa: F401 - fixtures
