"""Run the Python of a page of documentation, as its reader would."""

import ast
import asyncio
import os
import re
import sys
from pathlib import Path

from mettl_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def blocks(text):
    """Give each block of Python in Markdown, in order."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


async def run_page(name, sources, monkeypatch):
    """Run blocks one after the other with shared names; those with their own loop run alone.

    They see the environment of a sandbox and the names ``ACCESS_KEY`` and ``ASSESSMENT_ID``.

    Returns:
        What each block that ran alone printed.
    """
    alone = []
    with (
        Sandbox().serve_in_thread() as server
    ):  # some blocks have no loop of their own, or block it
        monkeypatch.setenv("METTL_PUBLIC_KEY", server.credentials.public_key)
        monkeypatch.setenv("METTL_PRIVATE_KEY", server.credentials.private_key)
        monkeypatch.setenv("METTL_BASE_URL", server.base_url)
        names = {
            "ACCESS_KEY": server.access_key,
            "ASSESSMENT_ID": next(iter(server.sandbox.assessments)),
            "server": server,
        }
        for source in sources:
            if "asyncio.run(" in source:
                alone.append(await run_alone(source))
                continue
            code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)  # noqa: S307 - our own pages
            if asyncio.iscoroutine(result):
                await result
        assert server.sandbox.stats.bad_signatures == 0
    return alone


async def run_alone(source):
    """Run a whole script in a process of its own; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
