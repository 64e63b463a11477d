"""Reports: fetched until they are there, whole or absent, bounded, from where they may be fetched."""

import asyncio
import contextlib
import errno
import gzip
import os
import threading

import httpx
import httpx2
import pytest
from bare_host import PDF, http, report_host, scripted_sleep

from mettl_async import Candidate, Credentials, InvalidInputError, MettlClient, NotReadyError
from mettl_async.models import CandidateResult, TestStatus
from mettl_async.sandbox import Pace

ASHA = Candidate(email="asha+tag?50%#1@x.org", first_name="Asha")
KEYS = Credentials(public_key="p", private_key="k")


def report_at(url):
    return CandidateResult(email="a@x.org", test_status=TestStatus(pdf_report=url))


async def register(mettl, server, *people):
    await mettl.candidates.register(server.access_key, people or (ASHA,))


def finish(server, email):
    server.sandbox.candidates[server.access_key, email].start()
    server.sandbox.clock.advance(120)
    server.sandbox.candidates[server.access_key, email].finish()


async def test_a_report_is_saved_when_it_is_there(mettl, server, tmp_path, all_logs):
    server.sandbox.pace = Pace(report_delay=60, links_first=True, pending_status=404)
    await register(mettl, server)
    finish(server, ASHA.email)
    result = await mettl.results.get(server.access_key, ASHA.email)
    pauses = scripted_sleep(mettl, [lambda: None, lambda: server.sandbox.clock.advance(90)])
    path = await mettl.results.download_report(result, tmp_path / "asha.pdf")
    assert path.read_bytes().startswith(b"%PDF-")
    assert [file.name for file in tmp_path.iterdir()] == ["asha.pdf"]
    assert len(pauses) == 2
    link = result.test_status.pdf_report
    said = "\n".join(all_logs)
    assert link not in said
    assert link.rpartition("?")[2][:40] not in said


async def test_a_report_is_asked_for_once_when_nobody_waits(mettl, server, tmp_path):
    server.sandbox.pace = Pace(report_delay=60, links_first=True, pending_status=404)
    await register(mettl, server)
    finish(server, ASHA.email)
    result = await mettl.results.get(server.access_key, ASHA.email)
    pauses = scripted_sleep(mettl, [])
    with pytest.raises(NotReadyError, match="HTTP 404") as raised:
        await mettl.results.download_report(result, tmp_path / "asha.pdf", wait=False)
    assert not raised.value.final
    assert (pauses, list(tmp_path.iterdir())) == ([], [])
    server.sandbox.clock.advance(90)
    path = await mettl.results.download_report(result, tmp_path / "asha.pdf", wait=False)
    assert path.read_bytes().startswith(b"%PDF-")


async def test_a_report_survives_a_flaky_network_and_is_never_half_written(server, tmp_path):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        finish(server, ASHA.email)
        result = await mettl.results.get(server.access_key, ASHA.email)
        scripted_sleep(mettl, [])
        server.sandbox.faults.script(["reset_before", "html", "truncate", "server_error", None])
        target = tmp_path / "asha.pdf"
        target.write_bytes(b"old")
        await mettl.results.download_report(result, str(target))
        assert target.read_bytes().startswith(b"%PDF-")
        server.sandbox.faults.script(["html"] * 50)
        target.write_bytes(b"old")
        with pytest.raises(NotReadyError):
            await mettl.results.download_report(result, target, timeout=5)
        assert target.read_bytes() == b"old"
        assert [file.name for file in tmp_path.iterdir()] == ["asha.pdf"]


async def test_a_report_without_an_address_or_in_the_clear_is_refused(server, tmp_path):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await register(mettl, server)
        waiting = await mettl.results.get(server.access_key, ASHA.email)
        with pytest.raises(NotReadyError, match="no address"):
            await mettl.results.download_report(waiting, tmp_path / "x.pdf")
        with pytest.raises(InvalidInputError, match="result"):
            await mettl.results.download_report({"x": 1}, tmp_path / "x.pdf")


async def test_two_downloads_to_one_path_do_not_meet(server, tmp_path):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        people = [Candidate(email=f"c{n}@x.org", first_name="C") for n in range(6)]
        await register(mettl, server, *people)
        for one in people:
            finish(server, one.email)
        results = await mettl.results.list(server.access_key).collect()
        target = tmp_path / "report.pdf"
        await asyncio.gather(*(mettl.results.download_report(one, target) for one in results))
        assert target.read_bytes().startswith(b"%PDF-")
        assert [file.name for file in tmp_path.iterdir()] == ["report.pdf"]
        with pytest.raises(InvalidInputError, match="directory"):
            await mettl.results.download_report(results[0], tmp_path)
        with pytest.raises(InvalidInputError, match="path"):
            await mettl.results.download_report(results[0], None)


@pytest.mark.parametrize(
    "link",
    [
        "http://mettl.com/r?key=SECRET",
        "https://h:99999/SECRET",
        "https://[bad/SECRET",
        "ftp://h/SECRET",
        "https://u:SECRET@h/",
        "https://h/SEC RET",
        "",
    ],
)
async def test_a_link_that_cannot_or_must_not_be_fetched_is_refused_unseen(server, tmp_path, link):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        with pytest.raises((InvalidInputError, NotReadyError)) as caught:
            await mettl.results.download_report(report_at(link), tmp_path / "x.pdf")
        assert "SECRET" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["httpx", "aiohttp", "injected httpx", "injected httpx2"])
def client_of(request):
    """Make a client of a bare server, of each kind."""
    library = {"injected httpx": httpx, "injected httpx2": httpx2}.get(request.param)

    @contextlib.asynccontextmanager
    async def make(base_url):
        async with contextlib.AsyncExitStack() as stack:
            more = {"transport": request.param}
            if library is not None:
                client = library.AsyncClient(trust_env=False)
                more = {"http_client": await stack.enter_async_context(client)}
            yield await stack.enter_async_context(MettlClient(KEYS, base_url=base_url, **more))

    return make


async def test_redirects_of_a_report_are_followed_and_not_logged(client_of, tmp_path, all_logs):
    moved = http(302, b"", b"Location: /second?sig=SECRET%252F2")
    async with report_host(moved, http(200, PDF)) as (base, asked), client_of(base) as mettl:
        path = await mettl.results.download_report(
            report_at(f"{base}/first?url=a%252Fb&key=SECRET1"), tmp_path / "r.pdf"
        )
    assert path.read_bytes() == PDF
    assert asked == [
        "GET /first?url=a%252Fb&key=SECRET1 HTTP/1.1",
        "GET /second?sig=SECRET%252F2 HTTP/1.1",
    ]
    assert "SECRET" not in "\n".join(all_logs)


@pytest.mark.parametrize(
    "location",
    [
        "http://mettl.com/clear?SECRET",
        "https://127.0.0.1/SECRET",
        "https://localhost/SECRET",
        "https://mettl.com/SECRET",
        "http://[bad",
        "",
        "http://127.0.0.1:1/SECRET",
    ],
)
async def test_a_client_of_this_machine_is_led_nowhere_else(client_of, tmp_path, location):
    moved = http(302, b"", f"Location: {location}".encode())
    async with report_host(moved, http(200, PDF)) as (base, asked), client_of(base) as mettl:
        with pytest.raises(NotReadyError, match="redirects to") as caught:
            await mettl.results.download_report(report_at(f"{base}/r"), tmp_path / "r.pdf")
    assert caught.value.final
    assert "SECRET" not in str(caught.value)
    assert len(asked) == 1
    assert list(tmp_path.iterdir()) == []


async def test_redirects_have_an_end(client_of, tmp_path):
    moved = http(302, b"", b"Location: /again")
    async with report_host(moved) as (base, asked), client_of(base) as mettl:
        scripted_sleep(mettl, [])
        with pytest.raises(NotReadyError, match="more than 5 times"):
            await mettl.results.download_report(
                report_at(f"{base}/r"), tmp_path / "r.pdf", timeout=60
            )
    one_look = ["GET /r HTTP/1.1", *["GET /again HTTP/1.1"] * 5]
    assert asked[:7] == [*one_look, "GET /r HTTP/1.1"]


@pytest.mark.parametrize("status", [401, 403, 410])
async def test_a_report_that_is_refused_is_not_waited_for(tmp_path, status):
    async with (
        report_host(http(status)) as (base, asked),
        MettlClient(KEYS, base_url=base) as mettl,
    ):
        with pytest.raises(NotReadyError, match=f"HTTP {status}") as caught:
            await mettl.results.download_report(report_at(f"{base}?k"), tmp_path / "r.pdf")
        assert caught.value.final
        assert asked == ["GET /?k HTTP/1.1"]


async def test_the_timeout_bounds_a_download_that_hangs_and_a_cancelled_one_leaves_nothing(
    client_of, tmp_path
):
    async with report_host(None) as (base, asked), client_of(base) as mettl:
        with pytest.raises(NotReadyError):
            await mettl.results.download_report(
                report_at(f"{base}/r"), tmp_path / "r.pdf", timeout=0.1
            )
        task = asyncio.create_task(
            mettl.results.download_report(report_at(f"{base}/r"), tmp_path / "r.pdf")
        )
        while len(asked) < 2:  # noqa: ASYNC110 - the server is another task's
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list(tmp_path.iterdir()) == []


async def endless(writer):
    """Begin like a PDF and go on for ever; give what was taken."""
    sent = 0
    while True:
        writer.write(bytes(65536))
        await writer.drain()
        sent += 65536


@pytest.mark.parametrize("announced", [b"", b"Content-Length: 1099511627776\r\n"])
async def test_a_report_has_a_bound_and_nothing_is_left_of_a_greater_one(
    client_of, tmp_path, announced
):
    begin = b"HTTP/1.1 200 OK\r\n" + announced + b"Connection: close\r\n\r\n%PDF-1.4"
    async with report_host(begin, then=endless) as (base, asked), client_of(base) as mettl:
        target = tmp_path / "r.pdf"
        target.write_bytes(b"old")
        with pytest.raises(NotReadyError, match="more than 1,000,000 bytes") as caught:
            await mettl.results.download_report(report_at(f"{base}/r"), target, max_bytes=1_000_000)
    assert caught.value.final
    assert len(asked) == 1
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


async def test_a_report_of_just_the_greatest_size_is_saved(client_of, tmp_path):
    async with report_host(http(200, PDF)) as (base, _), client_of(base) as mettl:
        result = report_at(f"{base}/r")
        await mettl.results.download_report(result, tmp_path / "r.pdf", max_bytes=len(PDF))
        for wrong in (0, -1, 1.5, True, None):
            with pytest.raises(InvalidInputError, match="max_bytes"):
                await mettl.results.download_report(result, tmp_path / "r.pdf", max_bytes=wrong)


async def test_a_report_is_not_decompressed(client_of, tmp_path):
    packed = gzip.compress(PDF)
    answer = http(200, packed, b"Content-Encoding: gzip")
    async with report_host(answer) as (base, _), client_of(base) as mettl:
        with pytest.raises(NotReadyError, match="compressed"):
            await mettl.results.download_report(
                report_at(f"{base}/r"), tmp_path / "r.pdf", timeout=0.2
            )


async def test_a_download_that_is_cancelled_while_it_writes_leaves_nothing(
    client_of, tmp_path, monkeypatch
):
    started, go_on = threading.Event(), threading.Event()
    sync = os.fsync

    def slow_sync(handle):
        started.set()
        go_on.wait(10)
        sync(handle)

    monkeypatch.setattr(os, "fsync", slow_sync)
    async with report_host(http(200, PDF)) as (base, _), client_of(base) as mettl:
        task = asyncio.create_task(
            mettl.results.download_report(report_at(f"{base}/r"), tmp_path / "r.pdf")
        )
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list(tmp_path.iterdir()) == []
        go_on.set()


async def test_a_full_disk_is_told_and_nothing_is_left(client_of, tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    async with report_host(http(200, PDF)) as (base, _), client_of(base) as mettl:
        with pytest.raises(OSError, match="No space"):
            await mettl.results.download_report(report_at(f"{base}/r"), tmp_path / "r.pdf")
    assert list(tmp_path.iterdir()) == []
