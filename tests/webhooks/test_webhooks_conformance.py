"""Every framework does the same with a delivery: each example, on a real server, by the same probes."""

import ast
from pathlib import Path

import pytest
from conformance_probes import DIFFERENCES, FRAMEWORKS, PAGE, PROBES, expected, render
from conformance_server import EXAMPLES, SERVERS
from conformance_targets import FORMS, Lambda, serving


def outcomes(framework, target, handled):
    """What each probe gives, where it differs from what it must give."""
    wrong = []
    handled.touch()
    for place, probe in enumerate(PROBES):
        wanted, times = expected(framework, probe)
        if wanted is None:
            continue
        who = f"probe{place}@example.org"
        statuses = tuple(probe.ask(target, who))
        found = sum(line.endswith(who) for line in handled.read_text(encoding="utf-8").split())
        if (statuses, found) != (wanted, times):
            wrong.append(f"{probe.group}: {probe.name}: {statuses}, handled {found} times")
    return wrong


# Those of docs/webhooks.md are one service, with a test of its own.
OF_SERVICE = {"service", "set_up", "worker"}
APPS = sorted(path for path in Path(EXAMPLES).glob("*.py") if path.stem not in OF_SERVICE)

# One of each kind in every run: asynchronous, synchronous; the others take as long each.
OFTEN = {"FastAPI", "Flask"}


@pytest.mark.parametrize(
    "framework",
    [one if one in OFTEN else pytest.param(one, marks=pytest.mark.slow) for one in SERVERS],
)
def test_every_framework_answers_every_probe(framework, tmp_path):
    with serving(framework, tmp_path / "handled") as (server, process):
        assert outcomes(framework, server, tmp_path / "handled") == []
        process.terminate()
        _, said = process.communicate(timeout=20)
    # No error went through the example, not even of a client that left. (aiohttp shows one of its own.)
    assert EXAMPLES.name + "/" not in said.replace("tests/webhooks/", "")
    assert "example.org" not in said


@pytest.mark.parametrize("form", FORMS)
def test_aws_lambda_answers_every_probe(form, tmp_path):
    target = Lambda(tmp_path / "handled", FORMS[form])
    assert outcomes(form, target, tmp_path / "handled") == []


def test_each_example_is_probed_and_each_difference_is_one():
    assert {*SERVERS, *FORMS} == set(FRAMEWORKS)
    probed = {example for example, _, _ in SERVERS.values()} | {"aws_lambda"}
    assert probed == {path.stem for path in APPS}
    probes = {probe.name: probe for probe in PROBES}
    assert len(probes) == len(PROBES)
    for (framework, name), other in DIFFERENCES.items():
        assert framework in FRAMEWORKS
        assert (other.wanted, other.handled) != (probes[name].wanted, probes[name].handled)


def test_the_page_shows_the_probes_as_they_are():
    assert PAGE.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("path", APPS, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_it_runs(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 70
    said = ast.get_docstring(ast.parse(text))
    assert "Run it with" in said or "handler" in said
