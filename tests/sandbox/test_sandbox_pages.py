import re

import pytest
from jinja2 import UndefinedError
from page_markup import Markup, press, read

from mettl_async.sandbox.pages.guard import host_is_here, is_cross_site
from mettl_async.sandbox.pages.rendering import render

HOSTILE = "<script>alert('x')</script>\"&amp;"
EMAIL = "asha@example.com"


@pytest.fixture
async def person(wire, sandbox, asha):
    await wire.register(sandbox.access_key, [asha])
    return sandbox.candidates[EMAIL]


async def test_from_the_link_to_the_end(browser, person):
    page = read(await browser.get(person.link))
    assert "Asha" in page.text
    assert "Aptitude Test" in page.text
    assert "30 minutes" in page.text
    assert page.buttons() == ["start"]
    answer = await press(browser, person.link, "start")
    assert [one.status_code for one in answer.history] == [303]
    assert str(answer.url) == person.link
    page = read(answer)
    assert page.buttons() == ["finish", "time", "disconnect", "browsing", "proctor"]
    assert "29 min" in page.text or "30 min" in page.text
    answer = await press(browser, person.link, "finish")
    assert [one.status_code for one in answer.history] == [303]
    page = read(answer)
    assert "You have finished the test" in page.text
    assert page.said() == ["note"]
    assert page.buttons() == []
    assert person.candidate.finish_mode == "NormalSubmission"
    used = await browser.get(person.link)
    assert used.status_code == 410
    assert "This link was used" in read(used).text


@pytest.mark.parametrize(
    ("action", "mode", "told"),
    [
        ("time", "TimeExpired", "The time is over"),
        ("browsing", "BrowsingToleranceExceeded", "left its window too often"),
        ("proctor", "ProctoredFinish", "stopped by the proctor"),
    ],
)
async def test_each_button_ends_the_test_in_its_way(browser, person, action, mode, told):
    person.start()
    answer = await press(browser, person.link, action)
    assert person.candidate.finish_mode == mode
    assert told in read(answer).text


async def test_looking_at_a_link_uses_nothing_up(browser, person):
    for _ in range(3):
        assert (await browser.get(person.link)).status_code == 200
    assert person.status == "ToBeTaken"


async def test_a_lost_connection_can_come_back_within_30_minutes(browser, sandbox, person):
    person.start()
    page = read(await press(browser, person.link, "disconnect"))
    assert "Refresh this link within 30 minutes" in page.text
    assert page.buttons() == ["reconnect"]
    sandbox.clock.advance(29 * 60)
    page = read(await press(browser, person.link, "reconnect"))
    assert "finish" in page.buttons()
    assert person.candidate.disconnected_at is None


async def test_after_30_minutes_only_an_administrator_can_help(browser, sandbox, person):
    person.start()
    await press(browser, person.link, "disconnect")
    sandbox.clock.advance(31 * 60)
    for answer in (await browser.get(person.link), await press(browser, person.link, "finish")):
        page = read(answer)
        assert answer.status_code in (409, 410)
        assert "Only an administrator" in page.text
    assert person.candidate.finish_mode == "TestExpired"
    person.resume()
    page = read(await browser.get(person.link))
    assert "An administrator allows you" in page.text
    assert page.buttons() == ["start"]
    assert "finish" in read(await press(browser, person.link, "start")).buttons()


async def test_a_button_pressed_twice_does_it_once(browser, sandbox, person):
    for _ in range(2):
        assert (await press(browser, person.link, "start")).status_code == 200
    for _ in range(2):
        answer = await press(browser, person.link, "finish")
        assert "You have finished the test" in answer.text
    assert sandbox.state.assessments[person.schedule.assessment.id].tests_taken == 1


@pytest.mark.parametrize("action", ["finish", "time", "proctor", "disconnect", "reconnect"])
async def test_what_is_not_possible_is_refused_and_changes_nothing(browser, person, action):
    answer = await press(browser, person.link, action)
    page = read(answer)
    assert answer.status_code == 409
    assert page.said() == ["note bad"]
    assert person.link.endswith(page.all("a")[-1]["href"])
    assert person.status == "ToBeTaken"


async def test_starting_again_after_the_end_is_refused(browser, person):
    person.start()
    person.finish()
    answer = await press(browser, person.link, "start")
    assert answer.status_code == 409
    assert "This link was used" in read(answer).text


@pytest.mark.parametrize("action", ["", "x", "start\r\nx", "<b>"])
async def test_an_unknown_button_is_refused(browser, person, action):
    assert (await press(browser, person.link, action)).status_code == 400
    assert person.status == "ToBeTaken"


async def test_an_expired_link_is_gone(browser, sandbox, wire, asha):
    await wire.register(sandbox.access_key, [asha], timeLimitInSec="60")
    person = sandbox.candidates[EMAIL]
    assert (await browser.get(person.link)).status_code == 200
    sandbox.clock.advance(60)
    answer = await browser.get(person.link)
    assert answer.status_code == 410
    assert "This link has expired" in read(answer).text
    assert (await press(browser, person.link, "start")).status_code == 409


@pytest.mark.parametrize("query", ["", "?ecc=", "?ecc=nobody", "?ecc=%00%ff", "?x=1&ecc=<b>"])
async def test_a_link_of_nobody_is_not_found(browser, server, query):
    for path in ("/v2/take-test", "/v2/take-test/ended"):
        answer = await browser.get(server.base_url + path + query)
        assert answer.status_code == 404
        read(answer)
    assert (await press(browser, "/v2/take-test" + query, "start")).status_code == 404


async def test_half_a_surrogate_pair_is_shown_as_a_question_mark(browser, person):
    person.candidate.fields = {"First Name": "As\ud800ha"}
    answer = await browser.get(person.link)
    assert answer.status_code == 200
    assert "As?ha" in read(answer).text


async def test_the_report_is_shown_if_the_assessment_says_so(browser, sandbox, person):
    person.schedule.assessment.show_report_on_exit = True
    sandbox.pace.report_delay = 60
    person.start()
    page = read(await press(browser, person.link, "finish"))
    assert "report" not in page.text
    sandbox.clock.advance(60)
    page = read(await browser.get(person.link.replace("take-test", "take-test/ended")))
    report = await browser.get(page.all("a")[-1]["href"])
    assert report.status_code == 200
    assert "Score" in Markup(report.text).text


async def test_reports_have_every_section_and_any_title(browser, person):
    person.schedule.assessment.name = f"{HOSTILE} (a\\b) ä"
    person.schedule.assessment.show_report_on_exit = True
    person.start()
    page = read(await press(browser, person.link, "finish"))
    html = page.all("a")[-1]["href"]
    shown = Markup((await browser.get(html)).text).text
    assert f"{HOSTILE} (a\\b) ä" in shown
    assert "Section #1" in shown
    assert "asha" not in shown.lower()
    admin = read(await browser.get(f"/admin/schedules/{person.access_key}"))
    (pdf,) = [one["href"] for one in admin.all("a") if "download-candidate" in one["href"]]
    content = (await browser.get(pdf)).content
    title = b"<script>alert\\('x'\\)</script>\"&amp; \\(a\\\\b\\) ?"
    assert b"(Assessment: %s) Tj" % title in content
    assert b"(Section #2: " in content


async def test_before_the_end_its_page_leads_to_the_link(browser, person):
    answer = await browser.get(person.link.replace("take-test", "take-test/ended"))
    assert str(answer.url) == person.link


@pytest.mark.parametrize("prefix", ["", "/v2"])
async def test_the_access_url_gives_nobody_a_test(browser, server, sandbox, prefix):
    answer = await browser.get(f"{prefix}/authenticateKey/{server.access_key}")
    page = read(answer)
    assert "Ready schedule" in page.text
    assert "a link of your own" in page.text
    assert page.forms == []
    assert (await browser.get(f"{prefix}/authenticateKey/nope")).status_code == 404
    assert (await browser.get(f"{prefix}/authenticateKey")).status_code == 404


async def test_hostile_names_are_text(browser, wire, sandbox):
    assessment = sandbox.add_assessment(HOSTILE)
    assessment.instructions = HOSTILE
    schedule = sandbox.add_schedule(HOSTILE, assessment=assessment)
    email = "<script>alert(2)</script>@x.org"
    details = {"Email Address": email, "First Name": HOSTILE, "Last Name": "'\"><img src=x>"}
    await wire.register(schedule.access_key, [details])
    person = next(iter(sandbox.candidates))
    paths = [person.link, f"/authenticateKey/{schedule.access_key}", "/admin"]
    paths.append(f"/admin/schedules/{schedule.access_key}?q=%3Cscript%3E")
    for step in (person.start, person.finish, lambda: None):
        for path in paths:
            answer = await browser.get(path)
            shown = read(answer).text  # refuses any script that the policy does not name
            assert "<script>alert" not in answer.text
            assert "<script>" in shown or answer.status_code == 410
        step()
    ended = await browser.get(person.link.replace("take-test", "take-test/ended"))
    assert f"{HOSTILE} '\"><img src=x>" in read(ended).text


async def test_a_form_of_another_site_is_refused(browser, server, person):
    host = server.base_url.removeprefix("http://")
    foreign = [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{host}0"},
    ]
    for headers in foreign:
        answer = await press(browser, person.link, "start", **headers)
        assert answer.status_code == 403
        read(answer)
    assert person.status == "ToBeTaken"
    own = {"sec-fetch-site": "same-origin", "origin": f"http://{host}"}
    assert (await press(browser, person.link, "start", **own)).status_code == 200
    assert person.status == "InProgress"


async def test_pages_stand_outside_of_faults_and_counters(browser, sandbox, person):
    sandbox.faults.script(["E607"])
    sandbox.faults.empty = 1.0
    before = sandbox.stats.requests
    for path in (
        person.link,
        "/favicon.ico",
        "/admin",
        "/admin/",
        "/admin/nothing",
        "/v2/take-test/x",
    ):
        answer = await browser.get(path)
        assert answer.status_code in (200, 404)
        read(answer)
    assert sandbox.stats.requests == before
    assert sandbox.faults.scripted == 1


async def test_the_bare_address_leads_a_browser_to_the_admin(browser, sandbox):
    sandbox.faults.empty = 1.0
    before = sandbox.stats.requests
    answer = await browser.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert [one.status_code for one in answer.history] == [303]
    assert answer.url.path == "/admin"
    read(answer)
    assert sandbox.stats.requests == before
    sandbox.faults.empty = 0.0
    for method, accept in (("GET", "*/*"), ("POST", "text/html")):
        answer = await browser.request(method, "/", headers={"accept": accept})
        assert answer.json()["error"]["code"] == "E404"
    assert sandbox.stats.requests == before + 2


async def test_an_escaped_path_is_not_a_page(wire, sandbox):
    answer = await wire.client.get(wire.base_url + "/%61dmin")
    assert answer.json()["error"]["code"] == "E404"
    assert sandbox.stats.requests == 1


async def test_other_methods_and_too_much_are_refused(browser, person):
    assert (await browser.head(person.link)).content == b""
    assert (await browser.put(person.link)).status_code == 405
    assert (await browser.post("/v2/take-test/ended")).status_code == 405
    assert (await browser.post(person.link, content=b"a=" + b"x" * 20000)).status_code == 413
    assert (await browser.post(person.link, content=b"&a=1" * 100)).status_code == 400
    assert (await browser.post(person.link, content="é".encode())).status_code == 400
    assert person.status == "ToBeTaken"


async def test_a_bug_in_a_page_shows_and_logs_no_data(browser, person, monkeypatch, all_logs):
    monkeypatch.setattr(
        "mettl_async.sandbox.pages.candidate.page", lambda *_, person, **__: 1 / person
    )
    answer = await browser.get(person.link)
    assert answer.status_code == 500
    read(answer)
    told = "\n".join(all_logs).replace(person.link, "")
    assert "unhandled TypeError at" in told
    assert "Asha" not in told


async def test_the_stylesheet_loads_nothing(browser, person):
    answer = await browser.get(person.link)  # the policy's hashes are checked by `read`
    style = re.search("<style>(.*)</style>", answer.text, re.DOTALL)[1]
    assert not re.search(r"url\(|@import|expression|<", style)


def test_a_template_that_lacks_a_value_is_an_error():
    with pytest.raises(UndefinedError):
        render("problem.html", title="x")


async def test_time_left_is_there_for_the_script_and_without_it(browser, sandbox, person):
    person.start()
    page = read(await browser.get(person.link))
    (timer,) = page.all("span", role="timer")
    assert 1790 < float(timer["data-left"]) <= 1800
    assert re.search("(30|29) min [0-5][0-9] s", page.text)
    assert page.all("script") == [{}]
    assert page.all("noscript")
    sandbox.clock.advance(600)
    person.disconnect()
    page = read(await browser.get(person.link))
    (timer,) = page.all("span", role="timer")
    assert 1790 < float(timer["data-left"]) <= 1800
    assert re.search("(20|19) min [0-5][0-9] s", page.text)


async def test_a_test_without_a_time_limit_counts_nothing_down(browser, person):
    person.schedule.assessment.duration = 0
    person.start()
    page = read(await browser.get(person.link))
    assert "as long as you like" in page.text
    assert page.all("span", role="timer") == []


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_enough_contrast(scheme):
    colours = re.findall(r":root \{(.*?)\}", render("style.css").decode(), re.DOTALL)[scheme]
    of = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", colours))
    pairs = [("on-accent", "accent")]
    pairs += [
        (text, ground)
        for text in ("text", "soft", "accent", "danger", "good", "warn")
        for ground in ("ground", "card")
    ]
    for text, ground in pairs:
        dark, light = sorted((luminance(of[text]), luminance(of[ground])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize(
    ("host", "bound", "here"),
    [
        ("localhost", None, True),
        ("LOCALHOST:8765", None, True),
        ("mettl.localhost:1", None, True),
        ("127.0.0.1:8765", None, True),
        ("127.8.9.1", None, True),
        ("[::1]:8765", None, True),
        ("192.168.1.5:8765", "192.168.1.5", True),
        ("192.168.1.5:8765", "127.0.0.1", False),
        ("evil.example:8765", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("user@evil.example", None, False),
        ("", "127.0.0.1", False),
        ("[::1", None, False),
        ("unix", "/tmp/socket", False),  # noqa: S108 - a server's address, not a file
    ],
)
def test_only_names_of_this_machine_are_here(host, bound, here):
    assert host_is_here(host, bound) is here


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({"host": "a:1"}, False),
        ({"host": "a:1", "origin": "http://a:1"}, False),
        ({"host": "a:1", "origin": "http://A:1"}, False),
        ({"host": "a:1", "origin": "http://a:2"}, True),
        ({"host": "a:1", "origin": "null"}, True),
        ({"host": "a:1", "origin": "null", "sec-fetch-site": "same-origin"}, False),
        ({"host": "a:1", "sec-fetch-site": "none"}, False),
        ({"host": "a:1", "origin": "http://a:1", "sec-fetch-site": "cross-site"}, True),
        ({"host": "a:1", "origin": "", "sec-fetch-site": ""}, True),
    ],
)
def test_browsers_say_where_a_form_came_from(headers, foreign):
    assert is_cross_site(headers) is foreign
