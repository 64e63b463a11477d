"""The site builds without a warning, and its reference has every public name."""

import subprocess
import sys

import documented
import pytest
from running_pages import ROOT
from sphinx.util.inventory import InventoryFile


@pytest.mark.slow
def test_it_builds_without_a_warning_and_has_every_public_name(tmp_path):
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    inventory = InventoryFile.loads((tmp_path / "objects.inv").read_bytes(), uri="")
    described = {
        name for kind, found in inventory.data.items() if kind.startswith("py:") for name in found
    }
    lasts = {name.rpartition(".")[2] for name in described}
    missing = [
        f"{module}.{name}" for module, name in documented.public_names() if name not in lasts
    ]
    ends = {".".join(name.split(".")[-2:]) for name in described}
    missing += [
        f"{cls.__name__}.{name}"
        for cls, _, name in documented.methods().values()
        if f"{cls.__name__}.{name}" not in ends
    ]
    assert not missing, "\n".join(missing)
