import asyncio
import contextlib
import json
import time
from email.utils import parsedate_to_datetime
from random import Random

import httpx
import pytest

from mettl_async.sandbox import Faults, Sandbox
from mettl_async.sandbox.faults import VARIANTS

PBTS = {"pbts": "[1336]"}
PATH = "/v2/pbts/add"


async def raw_exchange(server, caller, encoded, path=PATH):
    """Send one request on a bare socket; give what came back and the error that ended it."""
    host, port = server.base_url.removeprefix("http://").split(":")
    query = encoded(caller.parameters(path, PBTS))
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path}?{query} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
    came, ended = bytearray(), None
    try:
        while chunk := await reader.read(65536):
            came += chunk
    except OSError as error:
        ended = error
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return bytes(came), ended


@pytest.mark.parametrize(("kind", "handled"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_is_a_reset_on_the_socket(server, wire, encoded, kind, handled):
    sandbox = server.sandbox
    sandbox.faults.script([kind])
    came, ended = await raw_exchange(server, wire, encoded)
    assert came == b""
    assert isinstance(ended, ConnectionResetError)
    assert sandbox.stats.outcomes["SUCCESS"] == handled
    assert sandbox.stats.faults == {kind: 1}
    assert (await wire.post(PATH, PBTS))["status"] == ("ERROR" if handled else "SUCCESS")


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_a_reset_is_a_read_error_for_httpx(sandbox, either, kind):
    sandbox.faults.script([kind])
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await either.response(PATH, PBTS)
    assert sandbox.stats.calls[-1].status == 0


async def test_throttling_comes_in_four_forms(sandbox, either, code):
    sandbox.faults = Faults(throttle=1.0, retry_after=7)
    answers = [await either.response(PATH, PBTS) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 429, 429, 503, 200]
    assert code(answers[0].json()) == code(answers[4].json()) == "E509"
    assert answers[1].headers["retry-after"] == "7"
    at = parsedate_to_datetime(answers[2].headers["retry-after"]).timestamp()
    sent = parsedate_to_datetime(answers[2].headers["date"]).timestamp()
    assert at - sent in (7, 8)
    assert "retry-after" not in answers[3].headers
    assert sandbox.stats.outcomes == {}


async def test_server_errors_come_in_four_forms_and_504_was_handled(sandbox, either, code):
    sandbox.faults.script(["server_error"] * 4)
    answers = [await either.response(PATH, PBTS) for _ in range(4)]
    assert [a.status_code for a in answers] == [500, 502, 504, 500]
    assert all("<html>" in a.text for a in answers[:3])
    assert answers[0].headers["content-type"].startswith("text/html")
    assert code(answers[3].json()) == "E408"
    assert sandbox.stats.outcomes == {"SUCCESS": 1}


async def test_html_comes_with_200_and_was_not_handled(sandbox, either):
    sandbox.faults.script(["html"])
    answer = await either.response(PATH, PBTS)
    assert (answer.status_code, answer.text[:9]) == (200, "<!DOCTYPE")
    assert sandbox.stats.outcomes == {}


async def test_an_empty_answer_was_handled(sandbox, either):
    sandbox.faults.script(["empty"])
    answer = await either.response(PATH, PBTS)
    assert (answer.status_code, answer.content) == (200, b"")
    assert sandbox.stats.outcomes == {"SUCCESS": 1}


async def test_a_truncated_answer_is_short_or_closed_in_the_middle(sandbox, either):
    sandbox.faults.script(["truncate", "truncate", "truncate:closed"])
    short = await either.response(PATH, PBTS)
    assert short.headers["content-length"] == str(len(short.content))
    with pytest.raises(json.JSONDecodeError):
        short.json()
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await either.response(PATH, PBTS)
    assert sandbox.stats.outcomes == {"SUCCESS": 1, "ERROR": 2}


async def test_closed_in_the_middle_sends_less_than_it_announced(sandbox, server, wire, encoded):
    sandbox.faults.script(["truncate:closed"])
    came, ended = await raw_exchange(server, wire, encoded)
    head, _, body = came.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert ended is None
    assert 0 < len(body) == length // 2


@pytest.mark.parametrize("name", ["E000", "E028", "E607", "E503"])
async def test_a_code_can_be_forced(sandbox, either, code, name):
    sandbox.faults.script([name, None])
    answer = await either.response(PATH, PBTS)
    assert (answer.status_code, code(answer.json())) == (200, name)
    assert code(await either.post(PATH, PBTS)) == "SUCCESS"
    assert sandbox.stats.faults == {name: 1}


async def test_a_script_goes_before_chance_and_is_checked_whole(sandbox, either, code):
    sandbox.faults.html = 1.0
    with pytest.raises(ValueError, match="nonsense"):
        sandbox.faults.script(["E509", "nonsense"])
    with pytest.raises(ValueError, match="throttle:999"):
        sandbox.faults.script(["throttle:999"])
    sandbox.faults.script([None])
    assert code(await either.post(PATH, PBTS)) == "SUCCESS"
    assert "<html>" in (await either.response(PATH, PBTS)).text


async def test_latency_holds_requests_and_counts_them_as_in_flight(sandbox, either):
    sandbox.faults.latency = 0.05
    await asyncio.gather(*(either.post(PATH, PBTS) for _ in range(5)))
    assert (sandbox.stats.max_in_flight, sandbox.stats.in_flight) == (5, 0)


async def test_latency_beyond_the_read_timeout_is_a_timeout(sandbox, either):
    sandbox.faults.latency = 60.0
    either.client.timeout = httpx.Timeout(5.0, read=0.01)
    with pytest.raises(httpx.ReadTimeout):
        await either.post(PATH, PBTS)


async def test_a_skewed_clock_shows_in_date_and_refuses_timestamps(sandbox, either, code):
    sandbox.faults.clock_skew = 3 * 86400.0
    answer = await either.response(PATH, PBTS)
    date = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert code(answer.json()) == "E504"
    assert abs(date - time.time() - 3 * 86400) < 3600
    assert code(await either.post(PATH, PBTS, ts=str(int(date)))) == "SUCCESS"


def drawn(faults, seed, count):
    random = Random(seed)
    return [faults.draw(random) for _ in range(count)]


def test_the_same_seed_gives_the_same_faults():
    assert drawn(Faults.each(0.1), 1, 200) == drawn(Faults.each(0.1), 1, 200)
    assert drawn(Faults.each(0.1), 1, 200) != drawn(Faults.each(0.1), 2, 200)


def test_each_kind_comes_about_as_often_as_asked():
    kinds = [fault.kind for fault in drawn(Faults.each(0.1), 5, 10_000) if fault]
    assert {kind: 850 < kinds.count(kind) < 1150 for kind in VARIANTS} == dict.fromkeys(
        VARIANTS, True
    )


def test_probabilities_over_one_are_scaled_and_each_request_fails():
    faults = drawn(Faults.each(0.5), 5, 7_000)
    assert None not in faults
    assert all(850 < sum(f.kind == kind for f in faults) < 1150 for kind in VARIANTS)


@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_a_probability_is_between_0_and_1(bad):
    with pytest.raises(ValueError, match="reset_after"):
        Faults(reset_after=bad)
    faults = Faults()
    with pytest.raises(ValueError, match="empty"):
        faults.empty = bad


async def test_errors_come_with_real_statuses_when_asked(make_caller, code):
    sandbox = Sandbox(error_http_status=True)
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials)
        sandbox.faults.script([None, None, None, None, None, "throttle:E509", "E607"])
        answers = [
            await caller.response("/v2/nothing"),
            await caller.response(PATH, {"pbts": "x"}),
            await caller.response(PATH, PBTS, ts="1"),
            await caller.send(PATH, {**caller.parameters(PATH), "asgn": ""}),
            await caller.send(PATH, caller.parameters(PATH), method="PUT"),
            await caller.response(PATH),
            await caller.response(PATH),
        ]
    assert [a.status_code for a in answers] == [404, 400, 400, 401, 405, 429, 400]
    assert [code(a.json()) for a in answers] == [
        *("E404", "E400", "E504", "E401", "E405", "E509", "E607")
    ]
    assert sandbox.stats.statuses[401] == 1
