"""Databases for journals."""

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """SQLAlchemy's URL of a file, and of a server."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'journal.sqlite3'}"
    return request.getfixturevalue("postgres_url")
