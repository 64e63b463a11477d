"""The site builds without a warning, and its reference has every public name."""

import subprocess
import sys

import pytest
from running_pages import ROOT
from sphinx.util.inventory import InventoryFile

import mettl_async
import mettl_async.jobs
import mettl_async.models
import mettl_async.sandbox
import mettl_async.webhooks
from mettl_async import otel, redis_limiter
from mettl_async.bulk import sql_journal
from mettl_async.webhooks import sql_inbox, sql_seen_events

PUBLIC = (mettl_async, mettl_async.jobs, mettl_async.models, mettl_async.sandbox, mettl_async.webhooks,
          otel, redis_limiter, sql_inbox, sql_journal, sql_seen_events)  # fmt: skip


def public_names():
    """What users import: lists of names, or what a module defines."""
    for module in PUBLIC:
        listed = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and str(getattr(value, "__module__", "")).startswith(module.__name__)
        ]
        yield from (
            (module.__name__, name)
            for name in listed
            if not name.startswith("_") and not isinstance(getattr(module, name), type(sys))
        )


@pytest.mark.slow
def test_it_builds_without_a_warning_and_has_every_public_name(tmp_path):
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    inventory = InventoryFile.loads((tmp_path / "objects.inv").read_bytes(), uri="")
    described = {
        name.rpartition(".")[2]
        for kind, found in inventory.data.items()
        if kind.startswith("py:")
        for name in found
    }
    missing = [f"{module}.{name}" for module, name in public_names() if name not in described]
    assert not missing, "\n".join(missing)
