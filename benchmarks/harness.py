"""What the benchmarks share: the peer server, the cores, tables, bounds. Imports nothing heavy.

A figure here is always a ratio of two things measured in the same run, in turns: absolute figures
drift with the machine, ratios much less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import asdict, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

_SERVER = Path(__file__).with_name("peer_server.py")
_STOP_SECONDS = 5.0


@frozen(kw_only=True)
class Bound:
    """What a ratio must hold.

    Attributes:
        name: What was measured.
        value: What came out.
        limit: What it may be.
        at_most: Whether the limit is the highest value allowed; else it is the lowest.
    """

    name: str
    value: float
    limit: float
    at_most: bool = False

    @property
    def kept(self) -> bool:
        """Whether it holds; exactly the limit is enough, and NaN never is."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def arguments(description: str | None, *, chart: bool = False) -> argparse.Namespace:
    """Read ``--json FILE`` and ``--quick``, and ``--chart FILE`` where there is one."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds: shows that it runs, proves nothing"
    )
    if chart:
        parser.add_argument("--chart", type=Path, metavar="FILE", help="draw a PNG into FILE")
    return parser.parse_args()


def cores() -> tuple[int | None, int | None]:
    """Choose a core for the server and another for the client, where there are two to choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


@contextmanager
def peer_server(*, latency: float = 0.0, handshake: float = 0.0) -> Iterator[str]:
    """Run the peer server on a core of its own; gives its base URL.

    This process is pinned to another core meanwhile, so that its CPU time is not disturbed.
    """
    server_core, client_core = cores()
    command = [
        sys.executable,
        str(_SERVER),
        "--latency",
        str(latency),
        "--handshake",
        str(handshake),
    ]
    if server_core is not None and client_core is not None:
        command += ["--core", str(server_core)]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        before = os.sched_getaffinity(0) if client_core is not None else None
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            if client_core is not None:
                os.sched_setaffinity(0, {client_core})
            yield f"http://127.0.0.1:{port}"
        finally:
            if before is not None:
                os.sched_setaffinity(0, before)
            process.terminate()
            process.wait(_STOP_SECONDS)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; floats with three significant digits or more."""
    texts = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    print(f"\n{title}")
    for number, row in enumerate(texts):
        first, *rest = (
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def finish(given: argparse.Namespace, bounds: Sequence[Bound], figures: dict[str, Any]) -> None:
    """Print the bounds, write the JSON file if one was asked for; exit 1 if a bound is broken."""
    rows = [
        (
            one.name,
            one.value,
            f"{'<=' if one.at_most else '>='} {one.limit:g}",
            "ok" if one.kept else "BROKEN",
        )
        for one in bounds
    ]
    if rows:
        print_table("Bounds", ("what", "measured", "bound", ""), rows)
    if given.json is not None:
        whole = {
            "environment": environment(),
            "quick": given.quick,
            "bounds": [{**asdict(one), "kept": one.kept} for one in bounds],
            **figures,
        }
        given.json.write_text(json.dumps(whole, indent=1) + "\n")
    if given.quick:
        print("\n--quick: the figures mean nothing, the bounds were not enforced")
    elif not all(one.kept for one in bounds):
        sys.exit(1)


def environment() -> dict[str, str | int | None]:
    """Describe what the figures depend on."""
    found: dict[str, str | int | None] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
    for package in (
        "httpx", "httpcore", "httpx2", "aiohttp", "anyio", "sniffio", "attrs", "cattrs", "orjson",
    ):  # fmt: skip
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
