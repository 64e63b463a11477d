"""``mettl webhooks``: samples that are sent, and events that are printed as they come."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import pytest

from mettl_async.cli.events import cells, document
from mettl_async.cli.listening import Tally, greeting
from mettl_async.models import BasicAuth, TestFinished, TestGraded, UnknownEvent
from mettl_async.webhooks import ContextSigner, parse_event, sample_event

PIPE = asyncio.subprocess.PIPE
COMMAND = (sys.executable, "-m", "mettl_async", "webhooks")
PASSWORD = "sécret:with colons"
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Receiver:
    """What a transport answers, and what it was sent."""

    def __init__(self, *statuses):
        self.requests, self._statuses = [], iter(statuses)

    def __call__(self, request):
        self.requests.append(request)
        status = next(self._statuses, 200)
        if status == 0:
            raise httpx.ConnectError("https://example.org/token refused")
        return httpx.Response(status)


@pytest.fixture
def receive(monkeypatch):
    """Let what is sent arrive at a function instead of the network."""

    def install(receiver):
        real = httpx.Client

        def client(**options):
            options.pop("trust_env")
            return real(transport=httpx.MockTransport(receiver), **options)

        monkeypatch.setattr(httpx, "Client", client)
        return receiver

    return install


def test_a_sample_has_the_headers_and_the_body_that_mettl_sends(mettl, receive):
    receiver = receive(Receiver())
    done = mettl(
        *("webhooks", "send", "TestGraded", "--to", "https://example.org/hook?token=t"),
        *("--user", "mettl", "--password-env", "HOOK_PASSWORD"),
        *("--access-key", "k1k1k1k1k1", "--email", "asha@example.org"),
        env={"HOOK_PASSWORD": PASSWORD},
    )
    assert (done.exit_code, done.output) == (0, "TestGraded  200 OK\n")
    [request] = receiver.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    scheme, _, credentials = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"mettl:{PASSWORD}")
    raw = dict(request.headers.raw)
    assert raw[b"php-auth-user"] == b"mettl"
    assert raw[b"php-auth-pw"] == PASSWORD.encode()
    event = parse_event(request.content)
    assert isinstance(event, TestGraded)
    assert (event.access_key, event.email) == ("k1k1k1k1k1", "asha@example.org")


def test_a_sample_can_have_a_context_that_the_receiver_believes(mettl, receive):
    receiver = receive(Receiver())
    secret = "sixteen random bytes or more"
    done = mettl(
        *("webhooks", "send", "TestGraded", "--to", "https://example.org/hook", "--count", 2),
        *("--own-id", "application-7", "--context-env", "CONTEXT_SECRET"),
        env={"CONTEXT_SECRET": secret},
    )
    assert done.exit_code == 0
    for request in receiver.requests:
        event = parse_event(request.content)
        context = ContextSigner([secret]).verify(
            event.context_data, access_key=event.access_key, email=event.email
        )
        assert context.own_id == "application-7"
    assert secret not in done.output


@pytest.mark.parametrize("given", [("--own-id", "7"), ("--context-env", "CONTEXT_SECRET")])
def test_an_id_needs_a_secret_and_a_secret_an_id(mettl, receive, given):
    receiver = receive(Receiver())
    done = mettl("webhooks", "send", "TestGraded", "--to", "http://example.org/", *given)
    assert done.exit_code == 2
    assert "go together" in done.output
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "--password-env"), (307, "slash"), (404, "path")]
)
def test_a_refusal_comes_with_what_to_try(mettl, receive, status, hint):
    receive(Receiver(status))
    done = mettl("webhooks", "send", "TestGraded", "--to", "http://example.org/")
    assert done.exit_code == 1
    assert hint in done.output


def test_without_a_user_there_are_no_credentials(mettl, receive):
    receiver = receive(Receiver())
    assert mettl("webhooks", "send", "testfinished", "--to", "http://example.org/").exit_code == 0
    [request] = receiver.requests
    assert "authorization" not in request.headers
    assert "php-auth-user" not in request.headers
    assert isinstance(parse_event(request.content), TestFinished)


def test_each_is_of_another_candidate_and_a_duplicate_is_the_same_bytes(mettl, receive):
    receiver = receive(Receiver())
    done = mettl(
        *("webhooks", "send", "TestStarted", "--to", "http://example.org/"),
        *("--email", "asha@example.org", "--count", 3, "--duplicate"),
    )
    assert done.exit_code == 0
    bodies = [request.content for request in receiver.requests]
    assert bodies[0::2] == bodies[1::2]
    events = [parse_event(body) for body in bodies[0::2]]
    assert [one.email for one in events] == [
        "asha@example.org",
        "asha+2@example.org",
        "asha+3@example.org",
    ]
    assert len({one.candidate_instance_id for one in events}) == 3


@pytest.mark.parametrize("status", [0, 302, 400, 401, 503])
def test_anything_but_2xx_is_1_and_the_rest_is_sent_all_the_same(mettl, receive, status):
    receiver = receive(Receiver(200, status, 204))
    done = mettl(
        "webhooks", "send", "TestStarted", "--to", "https://example.org/token", "--count", 3
    )
    assert done.exit_code == 1
    assert len(receiver.requests) == 3
    assert "1 of 3 were not accepted" in done.stderr
    assert ("no connection" if status == 0 else f"TestStarted  {status}") in done.stdout
    assert "token" not in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["send", "TestStarted", "--to", "example.org/hook"], "give a whole URL"),
        (["send", "TestStarted", "--to", "ftp://example.org/"], "give a whole URL"),
        (["send", "TestStarted", "--to", "http://[broken/"], "is not a URL"),
        (["send", "TestStarted", "--to", "http://u:geheim@example.org/"], "has credentials in it"),
        (["send", "TestStarted", "--to", "http://e.org/", "--user", "u"], "needs --password-env"),
        (["send", "TestStarted", "--to", "http://e.org/", "--password-env", "P"], "needs --user"),
        (
            [
                "send",
                "TestStarted",
                "--to",
                "http://e.org/",
                "--user",
                "u",
                "--password-env",
                "geheim",
            ],
            "there is no such environment variable",
        ),
        (
            [
                "send",
                "TestStarted",
                "--to",
                "http://e.org/",
                *["--user", "u", "--password-env", "P"],
            ],
            "control character",
        ),
        (["send", "UnknownEvent", "--to", "http://e.org/"], "give one of TestStarted, "),
        (["listen"], "--no-auth to accept anybody"),
        (["listen", "--no-auth", "--user", "u"], "not both"),
        (["listen", "--no-auth", "--path", "mettl"], "--path"),
        (["listen", "--no-auth", "--path", "/a?b"], "--path"),
    ],
)
def test_what_cannot_work_is_one_line_and_2_and_repeats_no_secret(mettl, arguments, message):
    done = mettl("webhooks", *arguments, env={"P": "geheim\n"})
    assert done.exit_code == 2
    assert message in done.stderr
    assert "geheim" not in done.output
    assert len(done.stderr.splitlines()) == 1


def graded():
    return parse_event(sample_event(TestGraded, email="asha@example.org", name="Asha Rao"))


def test_a_line_names_nobody_unless_asked():
    line = cells(graded(), NOON, personal=False)
    assert line == (
        "2026-01-31T12:00:00Z", "TestGraded", "a1b2c3d4e5", "99999999", "a***@***", "5 / 10",
        "NormalSubmission",
    )  # fmt: skip
    assert "asha@example.org" in cells(graded(), NOON, personal=True)


def test_a_document_names_nobody_unless_asked_and_then_has_everything():
    told = document(graded(), NOON, personal=False)
    for personal in ("asha", "Asha", "Rao", "example.org", "report"):
        assert personal not in told
    assert json.loads(told)["sectional_scores"][0]["section_score"] == 5.0
    everything = json.loads(document(graded(), NOON, personal=True))
    assert everything["email"] == "asha@example.org"
    assert everything["raw"]["EVENT_TYPE"] == "gradedAssessment"
    assert everything["test_status"]["result"]["total_marks"] == 5.0


@pytest.mark.parametrize(
    ("time", "told"),
    [("Mon, 01 Jan 0001 00:00:00 IST", "0001-01-01T00:00:00+05:30"),
     ("Fri, 31 Dec 9999 23:59:59 UTC-05:30", "9999-12-31T23:59:59-05:30")],
)  # fmt: skip
def test_times_at_the_ends_of_the_calendar_are_told_too(time, told):
    sample = json.loads(sample_event(TestGraded))
    sample |= {"timestamp_GMT": time, "start_time_GMT": time, "end_time_GMT": time}
    event = parse_event(json.dumps(sample).encode())
    for personal in (False, True):
        shown = json.loads(document(event, NOON, personal=personal))
        assert (shown["timestamp"], shown["start_time"], shown["end_time"]) == (told,) * 3


def test_an_unknown_event_shows_what_it_says_it_is_without_obeying_it():
    event = parse_event(b'{"EVENT_TYPE": "x\\u001b[2J\\u0007y"}')
    assert isinstance(event, UnknownEvent)
    assert cells(event, NOON, personal=False)[-1] == "x\ufffd[2J\ufffdy"
    assert json.loads(document(event, NOON, personal=False))["event_type"] == event.event_type


def test_the_summary_counts_kinds_repetitions_and_refusals():
    tally = Tally()
    assert str(tally) == "0 events"
    tally.events.update(TestGraded=1)
    assert str(tally) == "1 event: 1 TestGraded"
    tally.events.update(TestStarted=2)
    tally.repeated = 4
    tally.refused.update({401: 2, 404: 1})
    assert str(tally) == (
        "3 events: 2 TestStarted, 1 TestGraded; 4 came again; 3 refused: 2 with 401, 1 with 404"
    )


def test_the_greeting_has_all_urls_and_no_password():
    text = greeting("http://127.0.0.1:1/mettl", BasicAuth(username="u", password=PASSWORD))
    assert text.count("http://127.0.0.1:1/mettl\n") == 4
    assert "base64 of u:PASSWORD" in text
    assert PASSWORD not in text


def test_an_address_in_use_is_said(mettl):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = mettl("webhooks", "listen", "--no-auth", "--port", port)
    assert done.exit_code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "pass another --port" in done.stderr


# ---- as real processes


class Listening:
    """``mettl webhooks listen`` in a process, past its greeting."""

    def __init__(self, process, url):
        self.process, self.url = process, url

    async def line(self):
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode()

    async def end(self):
        self.process.send_signal(signal.SIGINT)
        out, err = await self.process.communicate()
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def environ():
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOOK_PASSWORD": PASSWORD,
    }


@pytest.fixture
async def listen(environ, listen_to_interrupts):
    started = []

    async def start(*arguments):
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "listen", "--port", "0", *arguments,
            env=environ, stdout=PIPE, stderr=PIPE, preexec_fn=listen_to_interrupts,
        )  # fmt: skip
        started.append(process)
        url = ""
        while not url:
            said = (await process.stderr.readline()).decode()
            assert said, "it ended at once"
            if said.startswith("testGradedNotificationUrl"):
                url = said.split()[1]
        return Listening(process, url)

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def send(environ, *arguments):
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "send", *arguments, env=environ, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode() + err.decode()


CREDENTIALS = ("--user", "mettl", "--password-env", "HOOK_PASSWORD")


@pytest.mark.slow
async def test_what_is_sent_is_printed_once_and_what_is_refused_is_counted(listen, environ):
    listening = await listen(*CREDENTIALS)
    assert (await listening.line()).startswith("time\tevent\t")
    to = ("--to", listening.url)
    person = ("--email", "asha@example.org")
    code, said = await send(environ, "TestGraded", *to, *CREDENTIALS, *person, "--duplicate")
    assert code == 0, said
    assert (await listening.line()).split("\t")[1:] == [
        "TestGraded", "0x0x0x0x0x", "99000001", "a***@***", "5 / 10", "NormalSubmission\n",
    ]  # fmt: skip
    code, said = await send(environ, "TestStarted", *to)
    assert (code, said.splitlines()[0]) == (1, "TestStarted  401 Unauthorized")
    code, said = await send(environ, "TestStarted", "--to", listening.url + "/x", *CREDENTIALS)
    assert (code, said.splitlines()[0]) == (1, "TestStarted  404 Not Found")
    code, out, err = await listening.end()
    assert (code, out) == (0, "")
    assert err.splitlines()[-1] == (
        "mettl: 1 event: 1 TestGraded; 1 came again; 2 refused: 1 with 401, 1 with 404"
    )
    assert re.search("mettl: 401: .*\nmettl: 404: another path\n", err)
    assert "asha" not in err
    assert PASSWORD not in err


@pytest.mark.slow
async def test_json_is_one_document_a_line_and_personal_only_when_asked(listen, environ):
    listening = await listen("--no-auth", "--json", "--show-personal", "--path", "/deep/hook")
    assert listening.url.endswith("/deep/hook")
    await send(environ, "TestFinished", "--to", listening.url, "--email", "asha@example.org")
    document = json.loads(await listening.line())
    assert document["event"] == "TestFinished"
    assert document["email"] == "asha@example.org"
    assert (await listening.end())[:2] == (0, "")


@pytest.mark.slow
async def test_what_nobody_reads_is_not_accepted(listen, environ):
    listening = await listen("--no-auth", "--json")
    listening.process.stdout._transport.close()
    code, said = await send(environ, "TestFinished", "--to", listening.url)
    assert (code, said.splitlines()[0]) == (1, "TestFinished  503 Service Unavailable")
    await listening.process.wait()
    assert listening.process.returncode != 0
    assert b"Traceback" not in await listening.process.stderr.read()


def test_without_the_extra_it_says_what_to_install(environ):
    program = (
        "import sys; sys.modules['uvicorn'] = None; from mettl_async.__main__ import main; main()"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program, "webhooks", "listen", "--no-auth"],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.endswith('pip install "mettl-async[sandbox]"\n')
    assert len(done.stderr.splitlines()) == 1
