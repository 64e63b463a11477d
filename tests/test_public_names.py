"""The names at the top of the package: few, loaded when they are used, each from where it is defined."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mettl_async
from mettl_async import webhooks
from mettl_async.models import event


def test_there_are_at_most_sixty_and_each_can_be_loaded():
    assert len(mettl_async.__all__) <= 60
    assert all(getattr(mettl_async, name) is not None for name in mettl_async.__all__)
    assert set(mettl_async.__all__) <= set(dir(mettl_async))


def test_type_checkers_are_told_of_the_same_names():
    tree = ast.parse(Path(mettl_async.__file__).read_text(encoding="utf-8"))
    (block,) = (one for one in tree.body if isinstance(one, ast.If))
    told = {alias.name for one in block.body for alias in one.names}
    assert told | {"__version__"} == set(mettl_async.__all__)


def test_webhooks_have_all_events():
    assert set(event.__all__) <= set(webhooks.__all__)
    assert all(getattr(webhooks, name) is not None for name in webhooks.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'MettlCient'"):
        _ = mettl_async.MettlCient


def test_importing_the_package_loads_nothing_heavy():
    program = (
        "import sys, mettl_async; print(sorted({'httpx', 'attrs', 'anyio'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_values_and_errors_are_found_without_importing_their_modules():
    program = (
        "import mettl_async; print(mettl_async.models.Schedule, mettl_async.errors.MettlError)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)  # noqa: S603 - same
    assert done.returncode == 0
