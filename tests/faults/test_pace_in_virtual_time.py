"""The bounds of the pace, by the simulation of ``benchmarks/pace.py``: all rows and seeds are slow tests."""

import importlib
import sys
from pathlib import Path
from statistics import mean, median

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
pace = importlib.import_module("pace")

QUICK = (
    "limit 25, token bucket", "limit 25, Retry-After 1", "chance 8%", "limit 25, chance 5%",
    "limit 25, 10, 25",
)  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_a_row_keeps_its_bounds(name):
    check(pace.SCENARIOS[name], seeds=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", pace.SCENARIOS)
def test_a_row_keeps_its_bounds_on_average_of_many_seeds(name):
    check(pace.SCENARIOS[name], seeds=10)


def check(row, seeds):
    goodputs, shares = zip(*(pace.measure(row, seed) for seed in range(seeds)), strict=True)
    assert mean(goodputs) >= row.least
    assert row.most_refused is None or mean(shares) <= row.most_refused


@pytest.mark.parametrize("noise", [0.05, 0.08, 0.2])
def test_a_run_of_3000_takes_about_as_long_under_chance_as_without_a_pace(noise):
    ratios = pace.runs(noise)
    assert len(ratios) == 20
    assert median(ratios) <= 2
    assert max(ratios) <= 5
