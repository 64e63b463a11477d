"""Imports point one way, and each rule of the layout is held by reading the imports.

``TYPE_CHECKING`` imports and those inside of functions count as all others.
"""

import ast
import functools
import gc
import subprocess
import sys
from pathlib import Path

import mettl_async

PACKAGE = Path(__file__).parents[1] / "mettl_async"
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}

# A part may import those to the right of it.
ORDER = [
    {"__main__"}, {"cli", "jobs"}, {"client"}, {"api"}, {"bulk"}, {"core"}, {"config"}, {"codec"},
    {"models"}, {"error_codes", "host_names"}, {"errors", "_version"}, {"display"},
]  # fmt: skip
# These stand aside. Nothing imports the sandbox but the command and the plugin.
ASIDE = {
    "": {"client", "api", "bulk", "core", "models", "config", "errors", "_version"},
    "sandbox": set(),
    "sql_backend": {"errors", "sql_forks", "sql_logs"},
    "sql_forks": {"errors"},
    "sql_engines": {"errors", "sql_backend"},
    "sql_logs": set(),
    "sql_batches": {"sql_backend"},
    "webhooks": {"models", "codec", "errors", "sql_backend", "sql_batches", "display"},
    "otel": {"codec", "core", "models", "errors", "_version"},
    "pytest_plugin": {"", "_pytest_client", "sandbox"},
    "_pytest_client": {"client", "config", "errors"},
    "redis_limiter": {"config", "core", "errors"},
}
FURTHER = {
    "bulk": {"sql_backend"},
    "cli": {"", "jobs", "webhooks", "sandbox", "sql_backend", "sql_engines"},
    "jobs": {"sql_backend", "sql_batches", "sql_engines", "webhooks"},
}

PURE = (
    "display.py", "sql_logs.py", "errors.py", "error_codes.py", "host_names.py", "codec/", "config.py", "models/", "core/request.py", "core/signing.py", "core/link_rules.py",
    "core/retry.py", "core/redaction.py", "core/envelope.py", "core/pacing.py", "bulk/batch.py",
    "bulk/seen.py", "bulk/outcomes.py", "bulk/splitting.py", "bulk/reading.py",
    "bulk/journal_record.py", "bulk/journal_table.py",
    "api/reconciling.py", "webhooks/parse.py", "webhooks/identity.py", "webhooks/verification.py",
    "webhooks/context.py", "webhooks/samples.py", "webhooks/http.py", "webhooks/event_rules.py",
    "webhooks/handlers.py", "jobs/person.py", "jobs/spec.py", "jobs/timetable.py", "jobs/turns.py", "jobs/values.py",
)  # fmt: skip
EFFECTS = {"httpx", "httpx2", "anyio", "asyncio", "trio", "socket", "time", "random", "secrets",
           "starlette", "uvicorn"}  # fmt: skip

# Where else than in the standard library, and the declared dependencies that all may use.
HOMES = {
    "httpx": ("core/transports/httpx_lanes.py", "core/transports/tls.py", "sandbox/", "cli/"),
    "httpx2": (),
    "httpcore": (
        "core/transports/httpx_connection.py",
        "core/transports/httpx_lanes.py",
        "core/transports/httpx_routes.py",
    ),
    "aiohttp": ("core/transports/aiohttp_connection.py", "core/transports/aiohttp_lanes.py"),
    "yarl": ("core/transports/aiohttp_lanes.py",),
    "multidict": ("core/transports/aiohttp_lanes.py",),
    "trio": ("core/trio_tasks.py",),
    "typer": ("cli/",),
    "rich": ("cli/",),
    "xlrd": ("cli/",),
    "jinja2": ("sandbox/",),
    "starlette": ("sandbox/",),
    "uvicorn": ("sandbox/", "cli/"),
    "sqlalchemy": (
        "sql_backend.py",
        "sql_batches.py",
        "sql_engines.py",
        "sql_forks.py",
        "webhooks/",
        "bulk/",
        "jobs/",
    ),
    "dbos": ("jobs/engine.py",),
    "croniter": ("jobs/timetable.py",),
    "opentelemetry": ("otel.py", "jobs/metrics.py"),
    "limits": ("redis_limiter.py",),
    "redis": ("redis_limiter.py",),
    "pytest": ("pytest_plugin.py",),
}


@functools.cache
def imports(name, *, run_time_only=False):
    """Dotted names of everything that a file imports."""
    gc.disable()  # Python 3.11 fails to build a tree when the collector runs Python code meanwhile
    try:
        tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    finally:
        gc.enable()
    found = set()
    skipped = set()
    for node in ast.walk(tree):
        if run_time_only and isinstance(node, ast.If):
            if ast.unparse(node.test) == "TYPE_CHECKING":
                skipped.update(id(one) for one in ast.walk(node))
        elif id(node) in skipped:
            continue
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def part(name):
    first = name.split("/")[0].removesuffix(".py")
    return "" if first == "__init__" else first


def file_of(imported):
    """The file of the package that an import names, if it is one."""
    *path, last = imported.split(".")
    if [*path, last][0] != "mettl_async":
        return None
    inside = "/".join([*path[1:], last] if path else [])
    home = "/".join(path[1:])
    for candidate in (f"{inside}.py", f"{inside}/__init__.py", f"{home}.py", f"{home}/__init__.py"):
        if candidate.lstrip("/") in FILES:
            return candidate.lstrip("/")
    raise AssertionError(imported)


def own_imports(name):
    return {file for one in imports(name) if (file := file_of(one)) is not None} - {name}


def allowed(here):
    if here in ASIDE:
        return ASIDE[here]
    place = next(index for index, parts in enumerate(ORDER) if here in parts)
    return set().union(*ORDER[place + 1 :]) | FURTHER.get(here, set())


def test_imports_point_one_way():
    wrong = {
        f"{name} imports {other}"
        for name in FILES
        for other in own_imports(name)
        if part(other) not in {part(name)} | allowed(part(name))
    }
    assert wrong == set()


def reached_from(name, graph):
    """Every file that is imported by a file, or by one of those."""
    found, ahead = set(), {name}
    while ahead:
        ahead = set().union(*(graph[one] for one in ahead)) - found
        found |= ahead
    return found


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: own_imports(name) for name in FILES}
    assert {name for name in FILES if name in reached_from(name, graph)} == set()


def test_pure_modules_have_no_network_no_event_loop_and_no_clock():
    found = {
        f"{name} imports {one}"
        for name in FILES
        if name.startswith(PURE)
        for one in imports(name, run_time_only=True)
        if one.split(".")[0] in EFFECTS
    }
    assert found == set()


def test_each_library_has_its_home():
    wrong = {
        f"{name} imports {one}"
        for name in FILES
        for one in imports(name)
        if not name.startswith(HOMES.get(one.split(".")[0], ("",)))
    }
    assert wrong == set()


def test_no_file_is_longer_than_400_lines():
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()
    }
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_importing_the_package_loads_no_extra():
    extras = ("typer", "jinja2", "starlette", "uvicorn", "aiohttp", "pydantic", "sqlalchemy", "xlrd",
              "redis", "limits", "opentelemetry")  # fmt: skip
    program = f"import sys, mettl_async.client; print([m for m in {extras} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_listed_once_and_sorted():
    names = [name for name in mettl_async.__all__ if name != "__version__"]
    assert names == sorted(set(names))
    assert all(hasattr(mettl_async, name) for name in mettl_async.__all__)
    assert len(mettl_async.__all__) <= 60
