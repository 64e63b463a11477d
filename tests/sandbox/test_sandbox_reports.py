import re
from urllib.parse import parse_qs, urlsplit

import pytest

EMAIL = "asha@example.com"


@pytest.fixture
async def finished(sandbox, either, asha):
    key = sandbox.access_key
    await either.register(key, [asha])
    sandbox.candidates[key, EMAIL].finish()
    return f"/v2/schedules/{key}/candidates/{EMAIL}"


async def links(caller, path):
    status = (await caller.get(path))["candidate"]["testStatus"]
    return status["pdfReport"], status["htmlReport"], status["result"]


async def test_a_pdf_is_a_pdf_and_its_table_is_right(either, sandbox, finished):
    pdf, _, result = await links(either, finished)
    assert pdf.startswith(f"{either.base_url}/analytics/download-candidate-report?isCiim=false&")
    answer = await either.client.get(pdf)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    content = answer.content
    assert content.startswith(b"%PDF-1.4\n")
    assert content.endswith(b"%%EOF\n")
    at = int(re.search(rb"startxref\n(\d+)\n", content)[1])
    assert content[at : at + 5] == b"xref\n"
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n \n", content)]
    assert len(places) == 5
    for number, place in enumerate(places, start=1):
        assert content[place:].startswith(b"%d 0 obj\n" % number)
    stream = re.search(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", content, re.DOTALL)
    assert int(stream[1]) == len(stream[2])
    assert f"Score {result['totalMarks']:g} of 29".encode() in stream[2]
    assert b"asha" not in content.lower()
    call = sandbox.stats.calls[-1]
    assert (call.operation, call.outcome, call.version) == ("reports.pdf", "SUCCESS", "")
    assert call.parameters == ("comp", "isCiim", "isShareReport", "url")


async def test_an_html_report_is_a_page(either, sandbox, finished):
    _, html, _ = await links(either, finished)
    answer = await either.client.get(html)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html;charset=utf-8")
    assert "Score" in answer.text
    assert sandbox.stats.calls[-1].operation == "reports.html"
    assert (await either.client.post(html)).status_code == 405


async def test_the_double_escapes_matter(either, finished):
    pdf, html, _ = await links(either, finished)
    assert parse_qs(urlsplit(pdf).query)["url"] == [html]
    assert "%3D" in html
    assert "%253D" in pdf
    for wrong in (pdf.replace("%25", "%"), pdf.replace("%", "%25"), pdf[:-8], html + "x"):
        assert (await either.client.get(wrong)).status_code in (200, 404)
    assert (await either.client.get(pdf.replace("%", "%25"))).status_code == 404


@pytest.mark.parametrize("query", ["", "?key=", "?key=x", "?key=%C3%A9", "?key=AAAA", "?a&b=&=c"])
async def test_a_link_of_nobody_is_404(either, query):
    for path in ("/analytics/share-report", "/analytics/download-candidate-report"):
        answer = await either.client.get(f"{either.base_url}{path}{query}")
        assert (answer.status_code, answer.text[:9]) == (404, "<!DOCTYPE")


async def test_links_come_after_the_delay(either, sandbox, finished):
    sandbox.pace.report_delay = 60.0
    pdf, html, result = await links(either, finished)
    assert (pdf, html) == (None, None)
    assert result is not None
    sandbox.clock.advance(60)
    pdf, html, _ = await links(either, finished)
    assert (await either.client.get(pdf)).status_code == 200
    assert (await either.client.get(html)).status_code == 200


@pytest.mark.parametrize("status", [404, 202])
async def test_links_may_come_before_what_they_link_to(either, sandbox, finished, status):
    sandbox.pace.report_delay = 60.0
    sandbox.pace.links_first = True
    sandbox.pace.pending_status = status
    pdf, html, _ = await links(either, finished)
    for url in (pdf, html):
        answer = await either.client.get(url)
        assert (answer.status_code, answer.content[:4]) == (status, b"<!DO")
    assert sandbox.stats.calls[-1].outcome == str(status)
    sandbox.clock.advance(60)
    assert (await either.client.get(pdf)).content.startswith(b"%PDF-")


async def test_a_report_is_gone_while_the_test_goes_on(either, sandbox, asha):
    key = sandbox.access_key
    await either.register(key, [asha])
    sandbox.candidates[key, EMAIL].finish("TestExpired")
    path = f"/v2/schedules/{key}/candidates/{EMAIL}"
    pdf, _, _ = await links(either, path)
    sandbox.candidates[key, EMAIL].resume()
    assert (await either.client.get(pdf)).status_code == 404
    assert await links(either, path) == (None, None, None)
    sandbox.candidates[key, EMAIL].finish()
    assert (await either.client.get(pdf)).status_code == 200


async def test_faults_are_for_reports_too(either, sandbox, finished):
    pdf, _, _ = await links(either, finished)
    sandbox.faults.script(["html", "throttle:503", "truncate:short", None])
    answers = [await either.client.get(pdf) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 503, 200, 200]
    assert not answers[0].content.startswith(b"%PDF-")
    assert len(answers[2].content) == len(answers[3].content) // 2
