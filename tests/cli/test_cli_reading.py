"""The reading commands from end to end against a sandbox on a socket."""

import asyncio
import csv
import io
import json
import stat
from pathlib import Path

import pytest

from mettl_async import Candidate, Credentials, MettlClient
from mettl_async.sandbox import RegistrationField, Sandbox

PEOPLE = [
    ("asha@example.org", "Asha", {"Last Name": "राव", "Phone Number": "+91 98450"}),
    ("zoë@example.org", "Zoë", {"Last Name": "Müller\nSr."}),
    ("todo@example.org", "=1+1", {}),
]


@pytest.fixture
async def server():
    """Someone finished, someone at it, someone who did not begin."""
    sandbox = Sandbox()
    async with sandbox.serve() as server:
        await register(server, PEOPLE)
        sandbox.candidates[server.access_key, "asha@example.org"].finish()
        sandbox.candidates[server.access_key, "zoë@example.org"].start()
        yield server


async def register(server, people):
    keys = Credentials(
        public_key=server.credentials.public_key, private_key=server.credentials.private_key
    )
    candidates = [Candidate(email=e, first_name=name, fields=more) for e, name, more in people]
    async with MettlClient(keys, base_url=server.base_url) as client:
        report = await client.candidates.register_many(server.access_key, candidates)
    report.raise_for_failures()


@pytest.fixture
def call(mettl, server):
    """The command in a thread, while the server runs in this one."""
    env = {
        "METTL_PUBLIC_KEY": server.credentials.public_key,
        "METTL_PRIVATE_KEY": server.credentials.private_key,
        "METTL_BASE_URL": server.base_url,
    }

    async def invoke(*arguments, **more):
        return await asyncio.to_thread(mettl, *arguments, env={**env, **more})

    return invoke


def files():
    return sorted(one.name for one in Path().iterdir())


def write(name, text="old"):
    Path(name).write_text(text)


def link(name, target):
    Path(name).symlink_to(target)


def is_link(name):
    return Path(name).is_symlink()


def make_folder(name):
    Path(name).mkdir()


def text_of(name):
    return Path(name).read_text("utf-8")


def mode_of(name):
    return stat.S_IMODE(Path(name).stat().st_mode)


def tsv(text):
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


async def test_account_shows_whose_keys_these_are(call):
    done = await call("account")
    assert done.exit_code == 0, done.output
    [row] = tsv(done.stdout)
    whole = json.loads((await call("account", "--json")).stdout)
    assert row == {name: whole[name] for name in row}
    assert "@" in row["email"]
    assert "extra" in whole


async def test_assessments_come_sorted_and_no_more_than_asked_for(call, server):
    done = await call("assessments", "--sort", "name", "--order", "asc")
    assert done.exit_code == 0, done.output
    assert [row["name"] for row in tsv(done.stdout)] == ["Aptitude Test", "Coding Test"]
    assert tsv(done.stdout)[0]["created_at"].endswith("Z")
    assert done.stderr == ""
    before = server.sandbox.stats.requests
    few = json.loads((await call("assessments", "--limit", 1, "--json")).stdout)
    assert (len(few), server.sandbox.stats.requests - before) == (1, 1)
    assert few[0]["id"] in server.sandbox.assessments


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_schedules_are_those_of_the_account_or_of_one_assessment(call, server, version):
    second = list(server.sandbox.assessments.values())[1]
    server.sandbox.add_schedule("Zweiter\tTermin", assessment=second)
    every = tsv((await call("schedules", "--version", version)).stdout)
    assert {row["access_key"] for row in every} == set(server.sandbox.schedules)
    assert "Zweiter Termin" in {row["name"] for row in every}
    one = await call("schedules", "--assessment", second.id, "--json")
    assert [row["name"] for row in json.loads(one.stdout)] == ["Zweiter\tTermin"]
    assert len(tsv((await call("schedules", "--limit", 1)).stdout)) == 1


def csv_rows(text):
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return {row["email"]: row for row in rows}, list(rows[0])


async def test_results_are_one_row_a_candidate_with_sections_as_columns(call, server):
    done = await call("results", server.access_key)
    assert done.exit_code == 0, done.output
    rows, columns = csv_rows(done.stdout_bytes.decode())
    assert set(rows) == {email for email, _, _ in PEOPLE}
    assert columns[0] == "email"
    assert columns[-4:] == [
        "Section #1 marks",
        "Section #1 max",
        "Section #2 marks",
        "Section #2 max",
    ]
    asha, zoe, todo = (rows[email] for email, _, _ in PEOPLE)
    assert (asha["status"], asha["overall_status"]) == ("Completed", "Completed")
    assert asha["detailed_status"] == "Test-taker Completed"
    assert asha["start_time"] < asha["end_time"]
    assert asha["end_time"].endswith("Z")
    parts = float(asha["Section #1 marks"]) + float(asha["Section #2 marks"])
    assert parts == float(asha["total_marks"])
    assert asha["max_marks"] == "29"
    assert asha["pdf_report"].startswith(server.base_url)
    assert asha["Last Name"] == "राव"
    assert asha["Phone Number"] == "'+91 98450"  # no formula
    assert (zoe["status"], zoe["end_time"], zoe["total_marks"]) == ("InProgress", "", "")
    assert zoe["Last Name"] == "Müller␊Sr."  # no control character
    assert (todo["status"], todo["start_time"], todo["First Name"]) == ("ToBeTaken", "", "'=1+1")


async def test_columns_of_all_candidates_come_in_order_of_first_appearance(call, server, read):
    assessment = server.sandbox.add_assessment(
        "Fields", (RegistrationField("status"), RegistrationField("City"))
    )
    schedule = server.sandbox.add_schedule("Fields", assessment=assessment)
    keys = Credentials(
        public_key=server.credentials.public_key, private_key=server.credentials.private_key
    )
    async with MettlClient(keys, base_url=server.base_url) as client:
        await client.candidates.register(
            schedule.access_key,
            [
                Candidate(email="a@x.org", first_name="A", fields={"City": "Kochi"}),
                Candidate(email="b@x.org", first_name="B", fields={"status": "married"}),
            ],
        )
    done = await call("results", schedule.access_key, "--out", "r.csv")
    assert done.exit_code == 0, done.output
    assert done.stdout == "results     2\nfile        r.csv\n"
    rows = {row["email"]: row for row in read(Path("r.csv"))}
    assert rows["a@x.org"]["City"] == "Kochi"
    assert rows["a@x.org"]["status (2)"] == ""
    assert rows["b@x.org"]["status"] == "ToBeTaken"
    assert rows["b@x.org"]["status (2)"] == "married"
    assert mode_of("r.csv") == 0o600
    assert files() == ["r.csv"]


async def test_json_lines_hold_all_data_by_the_librarys_names(call, server, read):
    done = await call(
        "results", server.access_key, "--out", "r.jsonl", "--question-responses",
        "--evaluation", "--recommendation", "--response-style", "--essay-answers",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = {row["email"]: row for row in read(Path("r.jsonl"))}
    asha, zoe, todo = (rows[email] for email, _, _ in PEOPLE)
    status = asha["test_status"]
    assert status["status"] == "Completed"
    assert status["start_time"].endswith("Z")
    assert status["result"]["section_marks"][0]["question_responses"][0]["is_attempted"] in (
        True,
        False,
    )
    assert status["analysis"]["recommendations"][0]["type"] == "Performance Category"
    assert asha["registration"]["Last Name"] == "राव"
    assert zoe["test_status"]["result"] is None
    assert todo["registration"]["First Name"] == "=1+1"
    assert "राव" in text_of("r.jsonl")


async def test_recommendations_are_columns_where_they_were_asked_for(call, server):
    done = await call("results", server.access_key, "--recommendation")
    rows, columns = csv_rows(done.stdout_bytes.decode())
    asha = rows["asha@example.org"]
    assert asha["recommendation"] == asha["performance_category"]
    assert columns.index("recommendation") < columns.index("Section #1 marks")


@pytest.mark.parametrize("limit", [None, 1, 2])
async def test_json_is_one_document(call, server, limit):
    wanted = () if limit is None else ("--limit", limit)
    done = await call("results", server.access_key, "--json", *wanted)
    found = json.loads(done.stdout_bytes)
    assert len(found) == (limit or 3)
    assert {one["email"] for one in found} <= {email for email, _, _ in PEOPLE}


async def test_a_schedule_without_candidates_is_no_error(call, server):
    empty = server.sandbox.add_schedule("Empty")
    assert json.loads((await call("results", empty.access_key, "--json")).stdout) == []
    done = await call("results", empty.access_key)
    assert (done.exit_code, done.stdout.startswith("email,status,")) == (0, True)


async def test_several_pages_are_read_and_each_candidate_comes_once(call, server, read):
    await register(server, [(f"p{i}@example.org", "P", {}) for i in range(120)])
    done = await call("results", server.access_key, "--out", "r.csv")
    assert done.exit_code == 0, done.output
    assert len({row["email"] for row in read(Path("r.csv"))}) == 123


async def test_the_report_is_saved_for_its_owner_only(call, server):
    done = await call("report", server.access_key, "asha@example.org", "--out", "asha.pdf")
    assert (done.exit_code, done.stdout) == (0, "report      asha.pdf\n")
    assert text_of("asha.pdf").startswith("%PDF-")
    assert mode_of("asha.pdf") == 0o600
    again = await call("report", server.access_key, "asha@example.org", "--out", "asha.pdf")
    assert again.exit_code == 2
    assert "exists already; pass --overwrite" in again.stderr
    more = ("--out", "asha.pdf", "--overwrite")
    assert (await call("report", server.access_key, "asha@example.org", *more)).exit_code == 0


@pytest.mark.parametrize("links_first", [True, False])
async def test_a_report_that_is_not_there_in_time_is_missing(call, server, links_first):
    server.sandbox.pace.report_delay = 600
    server.sandbox.pace.links_first = links_first
    more = ("--out", "asha.pdf", "--timeout", 1)
    done = await call("report", server.access_key, "asha@example.org", *more)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert "report" in done.stderr
    assert files() == []


async def test_a_report_that_comes_while_one_waits_is_saved(call, server):
    server.sandbox.pace.report_delay = 600
    more = ("--out", "asha.pdf", "--timeout", 60)
    asked = asyncio.create_task(call("report", server.access_key, "asha@example.org", *more))
    before = server.sandbox.stats.requests
    while server.sandbox.stats.requests == before:  # noqa: ASYNC110 - the other side is a thread
        await asyncio.sleep(0.01)
    server.sandbox.clock.advance(601)
    assert (await asked).exit_code == 0
    assert files() == ["asha.pdf"]


@pytest.mark.parametrize("email", ["zoë@example.org", "todo@example.org"])
async def test_waiting_for_the_report_of_an_unfinished_test_is_no_use(call, server, email):
    before = server.sandbox.stats.requests
    done = await call("report", server.access_key, email, "--out", "r.pdf")
    assert done.exit_code == 1
    assert "the test is not finished" in done.stderr
    assert email not in done.stderr
    assert server.sandbox.stats.requests == before + 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["results", "unknown1"], "E404"),
        (["results", "a b"], "is no access key"),
        (["results", "KEY", "--out", "r.txt"], "neither CSV"),
        (["results", "KEY", "--out", "no/r.csv"], "there is no directory"),
        (["results", "KEY", "--out", "r.csv", "--json"], "--json is for stdout"),
        (["results", "KEY", "--out", "there.csv"], "exists already; pass --overwrite"),
        (["results", "KEY", "--out", "folder.csv", "--overwrite"], "is not a file"),
        (["report", "KEY", "nobody@example.org", "--out", "r.pdf"], "reading the result: "),
        (["report", "KEY", "nobody", "--out", "r.pdf"], "is not an email address"),
        (["report", "KEY", "asha@example.org", "--out", "no/r.pdf"], "there is no directory"),
        (["schedules", "--assessment", "4711"], "E404"),
        (["schedules", "--version", "v3"], "exists in v1 and v2 only"),
        (["account", "--region", "eu", "--base-url", "https://x.org"], "keep one"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line_and_2(call, server, arguments, words):
    write("there.csv", "mine")
    make_folder("folder.csv")
    key = server.access_key
    done = await call(*(key if one == "KEY" else one for one in arguments))
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "@example" not in done.stderr
    assert files() == ["folder.csv", "there.csv"]
    assert text_of("there.csv") == "mine"


@pytest.mark.parametrize("command", [["account"], ["assessments"], ["schedules"], ["results", "k"]])
def test_missing_keys_are_said_before_anything_is_sent(mettl, command):
    done = mettl(*command)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("mettl: ")
    assert "METTL_PUBLIC_KEY is not set; " in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_a_failure_half_way_leaves_no_file_and_keeps_the_old_one(call, server):
    await register(server, [(f"p{i}@example.org", "P", {}) for i in range(60)])
    write("r.csv")
    server.sandbox.faults.script([None, *["server_error"] * 20])
    done = await call("results", server.access_key, "--out", "r.csv", "--overwrite")
    assert (done.exit_code, done.stdout) == (2, "")
    assert text_of("r.csv") == "old"
    assert files() == ["r.csv"]
    for more in ((), ("--json",)):  # nor half a document
        server.sandbox.faults.script([None, *["server_error"] * 20])
        half = await call("results", server.access_key, *more)
        assert (half.exit_code, half.stdout) == (2, "")


async def test_the_target_of_a_link_is_replaced_and_the_link_stays(call, server):
    write("real.csv")
    link("link.csv", "real.csv")
    done = await call("results", server.access_key, "--out", "link.csv", "--overwrite")
    assert done.exit_code == 0, done.output
    assert is_link("link.csv")
    assert text_of("real.csv").lstrip("\ufeff").startswith("email,")


async def test_rows_that_cannot_be_read_are_said_to_be_missing(call, server):
    list(server.sandbox.candidates)[2].candidate.email = None
    done = await call("results", server.access_key, "--out", "r.csv")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, "results     2")
    assert done.stderr.startswith("mettl: 1 row is missing: ")
    assert files() == ["r.csv"]
