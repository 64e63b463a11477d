"""The benchmarks run, and can fail; what they measure is their own business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = (
    "bulk_aiohttp", "bulk_latency", "codec_costs", "compare_versions", "decode_results", "inbox", "jobs", "memory",
    "pace", "receiver", "register_calls", "register_files", "transports",
)  # fmt: skip
NEEDED = dict.fromkeys(("compare_versions", "register_files"), ("--old", sys.executable))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, *command],
        cwd=BENCHMARKS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_runs_quickly_and_writes_its_figures(script, tmp_path):
    done = run(
        f"{script}.py", "--quick", "--json", str(tmp_path / "figures.json"), *NEEDED.get(script, ())
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["quick"]
    assert figures["environment"]["httpx"]
    assert {"bounds", "environment"} < set(figures)
    assert [bound["name"] for bound in figures["bounds"]]


def test_every_benchmark_is_tested():
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")}
    shared = {"harness", "peer_server", "throughput_chart", "workload"}
    assert scripts - shared == set(SCRIPTS)


@pytest.mark.parametrize(
    ("value", "at_most", "quick", "status"),
    [
        ("0.9", True, False, 0),
        ("0.91", True, False, 1),
        ("0.91", True, True, 0),
        ("0.9", False, False, 0),
        ("0.89", False, False, 1),
        ("float('nan')", True, False, 1),
        ("float('nan')", False, False, 1),
    ],
)
def test_a_broken_bound_exits_with_1_unless_quick(value, at_most, quick, status):
    program = (
        "from argparse import Namespace; from harness import Bound, finish;"
        f"bound = Bound(name='ratio', value={value}, limit=0.9, at_most={at_most});"
        f"finish(Namespace(json=None, quick={quick}), [bound], {{}})"
    )
    done = run("-c", program)
    assert done.returncode == status, done.stderr
    assert ("BROKEN" in done.stdout) == (status == 1 or quick)


@pytest.mark.slow
def test_the_peer_answers_each_email_of_both_encodings_and_of_split_requests():
    program = """
import http.client, json
from urllib.parse import quote
from harness import peer_server
from workload import candidates, presign

with peer_server() as base_url:
    line = http.client.HTTPConnection(base_url.removeprefix("http://"))
    people = list(candidates(20))
    for mode in ("query", "form", "query"):
        one = presign(base_url, people, mode)
        line.putrequest("POST", one.url.removeprefix(base_url))
        line.putheader("Content-Length", str(len(one.body or b"")))
        line.endheaders()
        for start in range(0, len(one.body or b""), 1000):
            line.send(one.body[start:start + 1000])
        items = json.loads(line.getresponse().read())["registrationStatus"]
        assert [item["email"] for item in items] == [person.email for person in people]
    line.close()
"""
    done = run("-c", program)
    assert done.returncode == 0, done.stderr
