"""What others wrote cannot do more than be read: not in errors, logs, files or on a terminal."""

import json
import unicodedata
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mettl_async import Candidate, ClientOptions, Credentials, MettlClient, RetryPolicy
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.outcomes import Rejected
from mettl_async.cli.app import app
from mettl_async.cli.earlier import Before
from mettl_async.cli.events import cells, document
from mettl_async.cli.links import _json_line, texts_of
from mettl_async.cli.printing import json_document
from mettl_async.cli.progress import Tally
from mettl_async.cli.summary import summary
from mettl_async.display import json_text, multiline, one_line
from mettl_async.errors import CallError, CallFacts, MettlError, NotReadyError
from mettl_async.webhooks import parse_event

EVIL = "\x1b[2J\x1b]0;owned\x07 \x9b31m \r\n\x85\u2028fake line\u2029 \u202eevil\u2066 \u200f\x00\x7f\ufeff\ud800"
KEYS = Credentials(public_key="p", private_key="s")


def is_safe(text, allowed=""):
    return all(
        one in allowed
        or one in "\u200c\u200d"
        or unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        for one in text
    )


@given(st.text() | st.text(alphabet=EVIL))
def test_whatever_a_text_holds_it_is_safe_to_show(text):
    assert is_safe(one_line(text))
    assert is_safe(multiline(text), allowed="\n\t")
    assert multiline(text).count("\n") == text.count("\n")
    written = json_text(json.dumps([text], ensure_ascii=False))
    assert is_safe(written)
    assert json.loads(written) == [text]


@pytest.mark.parametrize("text", ["आशा", "क्\u200dष", "e\u0301 é", "日本", "👩\u200d💻", "a b"])
def test_what_people_write_stays(text):
    assert one_line(text) == multiline(text) == json_text(text) == text


def test_errors_are_safe_and_keep_the_words_as_they_came():
    error = CallError(EVIL, CallFacts(server_message=EVIL))
    assert is_safe(str(error) + repr(error))
    assert error.server_message == error.problem == EVIL
    assert is_safe(str(NotReadyError(f"it is {EVIL}", waited=1, final=True)))


def evil_server(_):
    words = EVIL.replace("\ud800", "")
    return httpx.Response(
        200, json={"status": "ERROR", "error": {"code": "E400", "message": f"no {words}"}}
    )


async def test_a_servers_message_reaches_no_error_or_log_as_it_is(all_logs):
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(evil_server)) as http_client,
        MettlClient(
            KEYS,
            http_client=http_client,
            options=ClientOptions(retry=RetryPolicy(max_attempts=1)),
        ) as client,
    ):
        with pytest.raises(MettlError) as caught:
            await client.account.get()
        report = await client.candidates.register_many(
            "abc", [Candidate(email="a@example.org", first_name="A")]
        )
    assert "fake line" in str(caught.value)
    assert "\x1b" in caught.value.server_message
    for text in (str(caught.value), repr(caught.value), repr(report.outcomes), *all_logs):
        assert is_safe(text), text


def evil_lists(request):
    words = EVIL.replace("\ud800", "")
    if "/assessments" in request.url.path:
        items = {"assessments": [{"id": 1, "name": words}]}
    else:
        items = {
            "candidates": [
                {
                    "email": "a@example.org",
                    "registration": {words: words},
                    "testStatus": {"status": words, "result": {"totalMarks": 1}},
                }
            ]
        }
    return httpx.Response(
        200, json={"status": "SUCCESS", **items, "paging": {"next": None, "totalRecords": 1}}
    )


@pytest.fixture
def run_against(monkeypatch):
    """Run the command against a function from request to response."""
    build = MettlClient.__init__

    def run(answer, *arguments):
        def built(*args, **kwargs):
            http_client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
            build(*args, **kwargs, http_client=http_client)

        monkeypatch.setattr(MettlClient, "__init__", built)
        monkeypatch.setenv("METTL_PUBLIC_KEY", "p")
        monkeypatch.setenv("METTL_PRIVATE_KEY", "s")
        return CliRunner().invoke(app, list(arguments))

    return run


def test_the_command_shows_no_words_of_a_server_as_they_are(run_against):
    done = run_against(evil_server, "assessments")
    assert done.exit_code == 2
    assert "fake line" in done.output
    assert is_safe(done.output, allowed="\n")


@pytest.mark.parametrize("arguments", [["assessments"], ["results", "abc"]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_the_command_prints_is_safe(run_against, arguments, form):
    done = run_against(evil_lists, *arguments, *form)
    assert done.exit_code == 0
    assert "fake line" in done.output
    assert is_safe(done.output, allowed="\n\t")
    if form:
        # As the account has it, for a program that reads it.
        assert json.dumps(EVIL[:8])[1:-1] in json.dumps(json.loads(done.output))


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_files_of_results_are_safe(run_against, tmp_path, name):
    out = tmp_path / name
    assert run_against(evil_lists, "results", "abc", "--out", str(out)).exit_code == 0
    text = out.read_text(encoding="utf-8-sig")  # the mark is for Excel
    assert "fake line" in text
    assert is_safe(text, allowed="\n")


def test_an_event_is_printed_safely():
    event = parse_event(json.dumps({"EVENT_TYPE": EVIL[:-1], "email": f"a{EVIL[:-1]}"}).encode())
    now = datetime.now(UTC)
    assert all(map(is_safe, cells(event, now, personal=True)))
    assert is_safe(document(event, now, personal=True), allowed="\n")


def test_files_and_summaries_of_the_command_are_safe(tmp_path):
    record = JournalRecord(
        email="a@example.org", status="rejected", code=EVIL, reason=EVIL, final=True
    )
    outcome = texts_of(record)
    assert all(map(is_safe, outcome))
    assert is_safe(_json_line({"note": EVIL}, outcome), allowed="\n")
    assert is_safe(json_document({"a": [EVIL]}, indent=2), allowed="\n")
    tally = Tally(total=1, clock=lambda: 1.0)
    person = Candidate(email="a@example.org", first_name="A")
    tally.count(Rejected(index=0, candidate=person, attempts=1, reason=EVIL, code=EVIL))
    job = SimpleNamespace(out=tmp_path / "links.csv", journal_path=tmp_path / "links.csv.journal")
    for futile in (True, False):
        run = SimpleNamespace(
            tally=tally,
            job=job,
            futile=futile,
            changed=True,
            unread=False,
            before=Before(elsewhere=1),
        )
        assert is_safe(summary(run), allowed="\n")


def test_a_preview_is_safe(tmp_path):
    file = tmp_path / "p.jsonl"
    text = EVIL.encode("utf-8", "ignore").decode().replace("\0", "")  # what can be sent of it
    person = {
        "Email Address": "a@x.org",
        "First Name": "A",
        "context_data": text,
        text: "x",
    }
    others = ({**person, "Email Address": "b@x.org", "First Name": EVIL}, {EVIL: EVIL})
    file.write_text("".join(json.dumps(one) + "\n" for one in (person, *others)))
    done = CliRunner().invoke(app, ["register", str(file), "--dry-run"])
    assert "fake line" in done.stdout
    assert "2 rows" in done.stderr
    assert is_safe(done.output, allowed="\n")
