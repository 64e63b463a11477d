"""Imports point one way, and each rule of the layout is held by reading the imports."""

import ast
import functools
import gc
import subprocess
import sys
from pathlib import Path

import pytest

import mettl_async

PACKAGE = Path(__file__).parents[1] / "mettl_async"
FILES = sorted(PACKAGE.rglob("*.py"))

# What each part may import of the package, besides itself.
ALLOWED = {
    "errors": {"bulk"},  # for a type only; see test_errors_need_nothing_at_run_time
    "_version": set(),
    "config": {"models", "errors"},
    "models": {"errors"},
    "codec": {"models", "errors"},
    "core": {"config", "errors", "codec", "_version"},
    "bulk": {"core", "models", "codec", "errors", "sql_backend"},
    "api": {"bulk", "core", "models", "codec", "config", "errors"},
    "client": {"api", "core", "config", "errors"},
    "webhooks": {"models", "codec", "errors", "sql_backend"},
    "sandbox": set(),
    "pytest_plugin": {"client", "sandbox"},
    "redis_limiter": {"core", "errors"},
    "sql_backend": {"errors"},
    "otel": {"codec", "core", "models", "errors", "_version"},
    "cli": {
        "webhooks",
        "client",
        "api",
        "bulk",
        "core",
        "models",
        "codec",
        "config",
        "errors",
        "sandbox",
        "_version",
        "",
    },
    "__main__": {"cli", "errors"},
    "": {"client", "api", "bulk", "core", "models", "config", "errors", "_version"},
}
PURE = [
    "errors.py", "codec", "config.py", "models", "core/request.py", "core/signing.py",
    "core/retry.py", "core/redaction.py", "core/envelope.py", "bulk/batches.py", "bulk/seen.py",
    "bulk/outcomes.py", "bulk/splitting.py", "bulk/second_pass.py", "bulk/verdicts.py",
    "bulk/settled.py", "core/pacing.py", "bulk/part.py", "bulk/source.py", "api/reconciling.py", "webhooks/parse.py",
    "webhooks/identity.py", "webhooks/basic_auth.py", "webhooks/context.py",
    "webhooks/networks.py", "webhooks/samples.py",
]  # fmt: skip
EFFECTS = {"httpx", "httpx2", "anyio", "asyncio", "trio", "socket", "time", "random", "secrets",
           "starlette", "uvicorn"}  # fmt: skip
HTTPX_IN = {
    "core/transport.py",
    "sandbox/in_process.py",
    "sandbox/delivery_http.py",
    "cli/sending.py",
}
EXTRAS = {
    "typer": {"cli"},
    "rich": {"cli"},
    "jinja2": {"sandbox"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox", "cli"},
    "sqlalchemy": {"sql_backend", "webhooks", "bulk"},
    "aiohttp": {"core"},
    "openpyxl": {"cli"},
    "opentelemetry": {"otel"},
    "limits": {"redis_limiter"},
    "redis": {"redis_limiter"},
    "trio": {"core"},
    "pytest": {"pytest_plugin"},
    "pytest_asyncio": {"pytest_plugin"},
}


def part(path):
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


@functools.cache
def tree_of(path):
    # Python 3.11 fails to build a tree when the garbage collector runs Python code meanwhile.
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()


def imports(path, *, run_time_only=False):
    """Dotted names of everything a module imports, in functions too."""
    tree = tree_of(path)
    skipped = set()
    if run_time_only:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                skipped.update(id(one) for one in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(name):
    pieces = name.split(".")
    if pieces[0] != "mettl_async":
        return None
    return (
        pieces[1]
        if len(pieces) > 1
        and (PACKAGE / pieces[1]).is_dir() | (PACKAGE / f"{pieces[1]}.py").exists()
        else ""
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = part(path)
    reached = {own(name) for name in imports(path)} - {None, here}
    # `from mettl_async.x import y` also yields the bare package; only the cli may use that.
    if here not in {"cli", "__main__"}:
        reached.discard("")
    assert reached - ALLOWED[here] - {""} == set()


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in FILES
        if any(str(path.relative_to(PACKAGE)).startswith(pure) for pure in PURE)
    ],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_pure_modules_have_no_network_no_event_loop_no_clock(path):
    roots = {name.split(".")[0] for name in imports(path, run_time_only=True)}
    assert roots & EFFECTS == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_transport_names_httpx(path):
    names = {name.split(".")[0] for name in imports(path, run_time_only=True)}
    if str(path.relative_to(PACKAGE)) not in HTTPX_IN:
        assert not names & {"httpx", "httpx2", "httpcore"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_other_libraries_have_one_home_too(path):
    names = {name.split(".")[0] for name in imports(path, run_time_only=True)}
    here = str(path.relative_to(PACKAGE))
    if here not in {"core/aiohttp_transport.py", "core/aiohttp_lane.py"}:
        assert not names & {"aiohttp", "yarl", "multidict"}
    if here != "core/trio_tasks.py":
        assert "trio" not in names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_extras_are_imported_only_where_they_are_used(path):
    for name in imports(path):
        homes = EXTRAS.get(name.split(".")[0])
        assert homes is None or part(path) in homes, f"{name} belongs to {homes}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_errors_need_nothing_at_run_time():
    reached = {own(name) for name in imports(PACKAGE / "errors.py", run_time_only=True)}
    assert reached <= {None}


def test_importing_the_package_loads_no_extra():
    program = (
        "import sys, mettl_async; "
        "print([m for m in ('typer', 'jinja2', 'starlette', 'uvicorn', 'aiohttp', 'pydantic', 'sqlalchemy', 'openpyxl', 'redis', 'limits', 'opentelemetry') "
        "if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_listed_once_and_sorted():
    names = [name for name in mettl_async.__all__ if name != "__version__"]
    constants = [name for name in names if name.isupper()]
    others = [name for name in names if not name.isupper()]
    assert names == sorted(constants) + sorted(others)
    assert all(hasattr(mettl_async, name) for name in mettl_async.__all__)
