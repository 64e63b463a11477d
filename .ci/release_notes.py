"""Print the section of a version from CHANGELOG.md: ``python .ci/release_notes.py [0.1.0]``.

Without a version it is that of ``mettl_async/_version.py``. The exit code is 1 where the changelog has no
section of it, or an empty one, so that nothing is released without notes.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes_of(changelog: str, version: str) -> str:
    """Give what stands below the heading of a version; empty if there is none; pure."""
    section = re.search(
        rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?$(.*?)(?=^## |^\[[^\]]+\]: |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    return section[1].strip() if section else ""


def version_here() -> str:
    """Read the version from the one place where it stands."""
    text = (ROOT / "mettl_async" / "_version.py").read_text(encoding="utf-8")
    return text.split('__version__ = "')[1].split('"')[0]


def main(given: list[str]) -> str | None:
    """Print the notes; give what is wrong if there are none."""
    version = given[0].removeprefix("v") if given else version_here()
    notes = notes_of((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    if not notes:
        return f"CHANGELOG.md: has no notes of {version}"
    sys.stdout.write(f"{notes}\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
