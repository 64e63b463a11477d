"""``mettl register`` from end to end against the sandbox, in this process."""

from pathlib import Path

import pytest

from mettl_async.cli import looking
from mettl_async.cli import run as running
from mettl_async.sandbox import RegistrationField

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize("name", ["candidates.csv", "candidates.jsonl"])
@pytest.mark.parametrize("out", ["out.csv", "out.ndjson"])
def test_everyone_of_the_sample_gets_a_link_of_their_own(mettl, sandbox, read, name, out):
    done = mettl("register", DATA / name, "--sandbox", "--out", out)
    assert done.exit_code == 0, done.output
    rows = read(Path(out)) if out.endswith("csv") else read(Path(out).rename("out.jsonl"))
    assert len(rows) == 25
    for row in rows:
        assert sandbox.owner_of(row["link"]) == row["Email Address"]
    asha = next(iter(sandbox.candidates)).candidate
    assert asha.fields["Phone Number"] == "+91 98450 00001"
    assert asha.context_data == "autumn-1"
    assert [one.candidate.compensatory_time for one in sandbox.candidates][2] == "15"


def test_the_summary_is_on_stdout_and_progress_on_stderr(mettl, sandbox):
    done = mettl("register", "--sandbox", "--generate", 50)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[:4] == ["registered  50", "rejected     0", "failed       0", "unknown      0"]
    assert lines[4].startswith("seconds     ")
    assert lines[5:] == [
        "links       links.csv",
        "journal     links.csv.journal is what --resume goes on from",
    ]
    assert "50/50" in done.stderr
    assert "nothing leaves this machine" in done.stderr
    assert sandbox.credentials.private_key not in done.output


def test_made_up_people_are_all_different(mettl, sandbox):
    assert mettl("register", "--sandbox", "--generate", 500).exit_code == 0
    assert len(sandbox.candidates) == 500


def test_options_reach_the_server(mettl, sandbox):
    sandbox.assessments[min(sandbox.assessments)].registration_fields = (
        RegistrationField("City", required=True),
    )
    common = ("register", "--sandbox", "--generate", 45, "--overwrite")
    assert mettl(*common).exit_code == 1
    done = mettl(
        *common,
        "--allow-missing-mandatory-registration-fields",
        "--show-custom-instructions",
        *("--time-limit-in-sec", 3600, "--batch-size", 7, "--concurrency", 2),
        *("--post-parameters", "form", "--version", "v1"),
    )
    assert done.exit_code == 0, done.output
    assert all(
        one.candidate.show_custom_instructions and one.candidate.expires_at
        for one in sandbox.candidates
    )
    last = sandbox.stats.calls[-1]
    assert (last.sent_in, last.version) == ("form", "v1")


def test_those_who_get_no_link_are_told_apart_and_the_exit_code_is_1(mettl, sandbox, read, people):
    people(30, "p.csv")
    assert mettl("register", "p.csv", "--sandbox").exit_code == 0
    sandbox.candidates[sandbox.access_key, "p7@example.org"].finish()
    done = mettl("register", "p.csv", "--sandbox", "--out", "again.csv")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1] == "rejected     1  Completed 1"
    [rejected] = [row for row in read(Path("again.csv")) if row["status"] == "rejected"]
    assert (rejected["Email Address"], rejected["code"]) == ("p7@example.org", "Completed")


def test_a_refusal_of_the_account_stops_the_run_and_is_told_once(mettl, sandbox, read):
    sandbox.account.registration_limit = 100
    done = mettl("register", "--sandbox", "--generate", 1000, "--concurrency", 2)
    assert done.exit_code == 2
    [stop] = [line for line in done.stdout.splitlines() if line.startswith("stopped by")]
    assert "E607" in stop
    rows = read(Path("links.csv"))
    assert len(rows) == 1000
    assert sum(row["status"] == "registered" for row in rows) == 100
    assert sandbox.stats.requests < 12


def test_trouble_on_the_way_is_ridden_out(mettl, sandbox):
    sandbox.faults.script(["throttle:E509", "reset_after", "server_error", "html", "empty"])
    sandbox.faults.retry_after = 0
    done = mettl("register", "--sandbox", "--generate", 400)
    assert done.exit_code == 0, done.output
    assert sandbox.stats.requests == 25


def test_bad_rows_are_told_and_nothing_is_sent(mettl, sandbox):
    Path("p.csv").write_text("Email Address,First Name\na@x.org,A\nsecret,B\nA@x.org,C\n")
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[0].startswith("p.csv:3: Email Address: is not an email")
    assert done.stderr.splitlines()[1].startswith(
        "p.csv:4: Email Address: is the same as in line 2"
    )
    assert "nothing was sent" in done.stderr
    assert "secret" not in done.output
    assert sandbox.stats.requests == 0
    assert not Path("links.csv").exists()


def test_what_was_checked_is_what_is_sent_whatever_becomes_of_the_file(
    mettl, sandbox, monkeypatch, people, read
):
    people(3, "p.csv")
    check = looking.check_file

    def check_and_change(*arguments):
        checked = check(*arguments)
        Path("p.csv").write_text("Email Address,First Name\nother@x.org,\n")
        return checked

    monkeypatch.setattr(looking, "check_file", check_and_change)
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 0, done.output
    assert [row["Email Address"] for row in read(Path("links.csv"))] == [
        f"p{i}@example.org" for i in range(3)
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--out is missing"),
        (["p.csv", "--out", "l.csv"], "--schedule is missing"),
        (["p.csv", "--out", "l.csv", "--schedule", "a b"], "no access key"),
        (["--out", "l.csv", "--schedule", "abc"], "give either a FILE or"),
        (["p.csv", "--sandbox", "--generate", "3"], "give either a FILE or"),
        (["--generate", "3", "--out", "l.csv"], "needs --sandbox"),
        (["p.csv", "--sandbox", "--region", "eu"], "leave out"),
        (["p.csv", "--out", "l.csv", "--schedule", "abc"], "METTL_PUBLIC_KEY is not set"),
        (["p.csv", "--sandbox", "--out", "p.csv", "--overwrite"], "is the input itself"),
        (["p.csv", "--sandbox", "--out", "l.txt"], "neither CSV"),
        (["p.csv", "--sandbox", "--concurrency", "0"], "--concurrency"),
        (["p.csv", "--sandbox", "--batch-size", "21"], "--batch-size"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_2(mettl, sandbox, people, arguments, words):
    people(1, "p.csv")
    done = mettl("register", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert sandbox.stats.requests == 0
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


def test_insecure_addresses_and_two_addresses_are_refused(mettl, people):
    people(1, "p.csv")
    env = {"METTL_PUBLIC_KEY": "public", "METTL_PRIVATE_KEY": "private-text"}
    common = ("register", "p.csv", "--schedule", "abc", "--out", "l.csv")
    for arguments in (
        ["--base-url", "http://api.mettl.com"],
        ["--base-url", "https://x.org", "--region", "eu"],
    ):
        done = mettl(*common, *arguments, env=env)
        assert done.exit_code == 2
        assert len(done.stderr.splitlines()) == 1
        assert "private-text" not in done.output


def test_the_version_is_shown(mettl):
    assert mettl("--version").stdout.startswith("mettl-async ")


@pytest.mark.parametrize(("count", "transport"), [(5, "aiohttp"), (4, "httpx")])
def test_a_long_trial_run_takes_the_faster_transport(
    mettl, sandbox, people, monkeypatch, count, transport
):
    pytest.importorskip("aiohttp")
    taken = []

    class Client(running.MettlClient):
        def __init__(self, *keys, **options):
            taken.append(options["transport"])
            super().__init__(*keys, **options)

    monkeypatch.setattr(running, "MettlClient", Client)
    monkeypatch.setattr(running, "MANY", 5)
    people(count, "p.csv")
    assert mettl("register", "p.csv", "--sandbox").exit_code == 0
    assert taken == [transport]
    assert len(sandbox.candidates) == count
