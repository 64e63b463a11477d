"""The whole story in a real browser: a link, a test, and events that a FastAPI app can trust."""

import asyncio
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from mettl_async import Candidate, MettlClient
from mettl_async.models import (
    Access,
    AssessmentSettings,
    BasicAuth,
    NewSchedule,
    Webhooks,
)
from mettl_async.sandbox.server import listening
from mettl_async.webhooks import (
    ContextSigner,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
)

pytestmark = pytest.mark.slow

PHONE = (375, 740)
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "webhooks" / "fastapi_app.py"
PASSWORD = "a password of the test"
SECRET = "a secret of the test, long enough"
EMAIL = "asha+autumn@example.com"


@pytest.fixture
def example(monkeypatch):
    """The FastAPI app of the documentation, which also keeps its events here."""
    monkeypatch.setenv("METTL_WEBHOOK_PASSWORD", PASSWORD)
    monkeypatch.setenv("METTL_CONTEXT_SECRET", SECRET)
    spec = importlib.util.spec_from_file_location("example_fastapi_app", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    module.events = []

    @module.receiver.on(TestEvent)
    async def keep(event):
        module.events.append(event)

    return module


@pytest.fixture
async def backend(example):
    async with listening(example.app, "127.0.0.1", 0) as base_url:
        yield base_url


@pytest.fixture
async def client(server):
    async with MettlClient(server.credentials, base_url=server.base_url) as client:
        yield client


@pytest.fixture
async def created(client, backend):
    """A schedule that tells the FastAPI app of everything."""
    hook = f"{backend}/webhooks/mettl"
    webhooks = Webhooks(
        urls={TestStarted: hook, TestFinished: hook, TestGraded: hook, TestResumeEnabled: hook},
        basic_auth=BasicAuth(username="acme", password=PASSWORD),
    )
    known = {one.name: one.id for one in await client.assessments.list().collect()}
    return await client.schedules.create(
        known["Aptitude Test"],
        NewSchedule(
            name="Autumn drive",
            source_app="acme-ats",
            access=Access.open_for_all(),
            webhooks=webhooks,
        ),
    )


@pytest.fixture
async def link(client, created):
    """The personal link of someone registered with a signed context."""
    signed = ContextSigner([SECRET]).sign("row-7", access_key=created.access_key, email=EMAIL)
    candidate = Candidate(email=EMAIL, first_name="Asha", context_data=signed)
    (registered,) = await client.candidates.register(created.access_key, [candidate])
    return registered.url


async def until(holds):
    """Wait for what happens on its own; a test that waits in vain fails."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - the example has no event to wait for
            await asyncio.sleep(0.01)


def kinds(example):
    return [type(event) for event in example.events]


async def test_a_candidate_takes_a_test_and_the_app_hears_of_it_once(
    open_browser, server, client, created, link, backend, example, tmp_path
):
    leave = f"{backend}/scores/row-7"
    settings = AssessmentSettings(exit_redirection_url=leave)
    await client.assessments.edit_settings(created.assessment_id, settings)
    async with open_browser() as browser:
        await browser.go(f"{server.base_url}/admin/deliveries")
        await browser.fill("Duplicates of each event, such as 1 or 0.25", "1")
        await browser.press("Change the rules")
        assert "The rules of delivery were changed." in await browser.text()

        await browser.go(link)
        assert await browser.heading() == "Aptitude Test"
        assert "Asha" in await browser.text()
        await browser.press("Start the test")
        shown = await browser.time_left()
        assert re.fullmatch("(30|29) min [0-5][0-9] s", shown)
        await browser.until(lambda text: shown not in text and "Time left" in text)
        assert "As of when" not in await browser.text()
        await until(lambda: kinds(example) == [TestStarted])
        await browser.press("Finish test")
        assert await browser.address() == leave
        await until(lambda: len(example.events) == 3)

        # Each was sent twice, and handled once.
        await until(lambda: not [one for one in server.sandbox.deliveries if one.open])
        assert [one.state for one in server.sandbox.deliveries] == ["delivered"] * 6
        assert kinds(example) == [TestStarted, TestFinished, TestGraded]
        assert {event.context.own_id for event in example.events} == {"row-7"}
        assert {event.email for event in example.events} == {EMAIL}
        assert {event.access_key for event in example.events} == {created.access_key}
        assert len({event.candidate_instance_id for event in example.events}) == 1
        _, finished, graded = example.events
        assert finished.finish_mode == "NormalSubmission"

        result = await client.results.get(created.access_key, EMAIL)
        assert graded.marks_scored == result.test_status.result.total_marks
        await client.results.download_report(result, tmp_path / "asha.pdf")
        assert (tmp_path / "asha.pdf").read_bytes().startswith(b"%PDF")
        assert example.scores == {"row-7": graded.marks_scored}
        await browser.go(graded.test_status.html_report)
        assert await browser.heading() == f"Score {graded.marks_scored:g} of {graded.max_marks:g}"

        await browser.go(f"{server.base_url}/admin")
        await browser.follow("Autumn drive")
        assert EMAIL in await browser.text()
        assert "Test-taker Completed (NormalSubmission)" in await browser.text()
        await browser.follow("Deliveries")
        told = await browser.text()
        assert told.count("HTTP 200") == 6
        for kind in ("startAssessment", "finishTest", "gradedAssessment"):
            assert told.count(kind) == 2
        assert await browser.complaints() == []


async def test_an_expired_test_is_resumed_on_a_phone_without_scripts(
    open_browser, server, client, created, link, example
):
    admin = f"{server.base_url}/admin"
    async with open_browser(size=PHONE, scripts=False) as browser:
        await browser.go("data:text/html,<title>off</title><script>document.title='on'</script>")
        assert await browser.title() == "off"

        await browser.go(link)
        await browser.press("Start the test")
        assert re.fullmatch("(30|29) min [0-5][0-9] s", await browser.time_left())
        assert "As of when this page was loaded" in await browser.text()
        await browser.press("Lose connection")
        assert await browser.heading() == "Connection lost"
        await browser.press("Come back")
        await browser.press("Lose connection")
        for step in ("30 minutes on", "1 minute on"):
            await browser.go(f"{admin}/clock")
            await browser.press(step)
            assert "The clock was put forward." in await browser.text()
        await browser.go(link)
        assert await browser.heading() == "Test expired"
        assert "Only an administrator can let you go on." in await browser.text()

        schedule = f"{admin}/schedules/{created.access_key}"
        await browser.go(schedule)
        await browser.press(f"Allow to resume: {EMAIL}")
        assert "the link opens again" in await browser.text()
        await browser.go(link)
        await browser.press("Go on with the test")
        await browser.press("Finish test")
        assert "You have finished the test" in await browser.text()
        await until(lambda: len(example.events) == 6)
        for address in (link, schedule, admin, f"{admin}/deliveries", f"{admin}/faults"):
            await browser.go(address)
            assert await browser.too_wide() <= 0
    assert kinds(example) == [
        TestStarted,
        TestFinished,
        TestGraded,
        TestResumeEnabled,
        TestFinished,
        TestGraded,
    ]
    modes = [event.finish_mode for event in example.events if isinstance(event, TestFinished)]
    assert modes == ["TestExpired", "NormalSubmission"]
    assert {event.context.own_id for event in example.events} == {"row-7"}
    result = await client.results.get(created.access_key, EMAIL)
    assert example.scores == {"row-7": result.test_status.result.total_marks}
    assert {one.state for one in server.sandbox.deliveries} == {"delivered"}


async def test_a_countdown_that_ends_shows_how_the_test_ended(open_browser, server, link):
    person = next(iter(server.sandbox.candidates))
    person.start()
    person.candidate.seconds = 30 * 60 - 5.0
    async with open_browser() as browser:
        await browser.go(link)
        assert await browser.time_left() in {f"0 min 0{n} s" for n in range(1, 6)}
        await browser.until(lambda text: "The time is over" in text)
        assert await browser.complaints() == []
    assert person.candidate.finish_mode == "TimeExpired"
