"""Where a finished test leads: the assessment's exit redirection, which may be any text."""

import pytest
from page_markup import press, read

from mettl_async.sandbox.pages.candidate import web_origin

EMAIL = "asha@example.com"


@pytest.fixture
async def person(wire, sandbox, asha):
    await wire.register(sandbox.access_key, [asha])
    return sandbox.candidates[EMAIL]


async def test_a_finished_test_leads_to_the_exit_redirection(browser, person):
    person.schedule.assessment.exit_redirection_url = "https://ats.example/back?to=ä b\r\nx: y"
    person.start()
    page = await browser.get(person.link)
    # A browser holds the form to this policy where its answer redirects, too.
    assert page.headers["content-security-policy"].endswith(
        "form-action 'self' https://ats.example"
    )
    answer = await browser.post(person.link, data={"action": "finish"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "https://ats.example/back?to=%C3%A4%20bx:%20y"
    ended = read(await browser.get(person.link.replace("take-test", "take-test/ended")))
    assert ended.all("a")[-1]["href"] == "https://ats.example/back?to=ä bx: y"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "nowhere", "http://[", "data:x"]
)
async def test_an_exit_that_is_no_web_address_leads_nowhere(browser, person, url):
    person.schedule.assessment.exit_redirection_url = url
    person.start()
    page = await browser.get(person.link)
    assert page.headers["content-security-policy"].endswith("form-action 'self'")
    answer = await press(browser, person.link, "finish")
    assert "You have finished the test" in read(answer).text
    assert url not in answer.text


@pytest.mark.parametrize(
    ("url", "exit_"),
    [
        ("HTTPS://ats.example/Back", "https://ats.example/Back"),
        (" https://ats.example/back \n", "https://ats.example/back"),
        ("https://ats.example/\ud800", "https://ats.example/?"),
    ],
)
async def test_an_exit_is_understood_as_browsers_do(browser, person, url, exit_):
    person.schedule.assessment.exit_redirection_url = url
    person.start()
    answer = await browser.post(person.link, data={"action": "finish"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == exit_
    answer = await browser.get(person.link.replace("take-test", "take-test/ended"))
    assert answer.status_code == 200
    assert read(answer).all("a")[-1]["href"] == exit_


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example/x?y#z", "https://a.example"),
        ("http://A.example:8080", "http://a.example:8080"),
        ("https://[::1]:1/", "https:"),
        ("https://a.example;script-src *", "https:"),
        ("https://bücher.example", "https:"),
        ("ftp://a", ""),
        ("https://", ""),
        ("https://a:x", ""),
        ("/here", ""),
    ],
)
def test_an_exit_names_its_origin_for_the_policy(url, origin):
    assert web_origin(url) == origin
