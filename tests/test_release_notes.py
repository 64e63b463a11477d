"""Release notes are the changelog's section of a version; the version stands in one place."""

import runpy
import tomllib
from pathlib import Path

import pytest

import mettl_async

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "release_notes.py"))
CHANGELOG = """# Changelog

## [Unreleased]

## [1.10.0] - 2027-02-01

### Added

- You wait for results.

## 1.1.0

- You register.

[1.10.0]: https://example.org/1.10.0
"""


@pytest.mark.parametrize(
    ("version", "notes"),
    [
        ("1.10.0", "### Added\n\n- You wait for results."),
        ("1.1.0", "- You register."),
        ("1.1", ""),
        ("Unreleased", ""),
        ("2.0.0", ""),
    ],
)
def test_the_notes_are_what_stands_below_the_heading_of_the_version(version, notes):
    assert SCRIPT["notes_of"](CHANGELOG, version) == notes


def test_a_version_without_notes_is_not_released(capsys):
    assert SCRIPT["main"](["v9.9.9"]) == "CHANGELOG.md: has no notes of 9.9.9"
    assert SCRIPT["main"](["Unreleased"]) is None
    assert capsys.readouterr().out.startswith("### ")


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "mettl_async/_version.py"
    assert SCRIPT["version_here"]() == mettl_async.__version__
