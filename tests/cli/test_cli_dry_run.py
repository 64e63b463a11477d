"""``--dry-run``: how a file is read and what would be sent, without a network or a file."""

from pathlib import Path

import pytest

TEXT = (
    "E-mail;First Name;City;context_data;compensatory_time;Age\n"
    "asha@example.org;Asha;Pune;a-1;15;31\n"
    "zoe@example.org;Zoë;;;;32\n"
    "li@example.org;\u674e;\u5317\u4eac;;;33\n"
    "ada@example.org;Ada;Rome;;;33\n"
)
SHOWN = """\
p.csv: CSV, UTF-8, delimiter semicolon, header in line 1, 4 rows

Column of the file  Sent as
E-mail              Email Address
First Name          First Name
City                City
context_data        context_data
compensatory_time   compensatory_time
Age                 left out

The first 3, as they are sent:

line 2
Email Address      asha@example.org
First Name         Asha
City               Pune
context_data       a-1
compensatory_time  15 minutes

line 3
Email Address  zoe@example.org
First Name     Zo\u00eb

line 4
Email Address  li@example.org
First Name     \u674e
City           \u5317\u4eac

Dry run: nothing was sent. 4 people would be registered.
"""


@pytest.fixture
def look(mettl):
    def run(*more, text=TEXT, name="p.csv"):
        Path(name).write_text(text, "utf-8")
        options = ("--map", "E-mail=Email Address", "--drop", "Age")
        return mettl("register", name, *options, "--dry-run", *more)

    return run


def test_it_shows_how_the_file_is_read_and_three_people_without_keys(look):
    done = look()
    assert (done.exit_code, done.stdout, done.stderr) == (0, SHOWN, "")
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


def test_with_a_schedule_all_is_checked_that_a_run_needs(look):
    done = look("--schedule", "ab12")
    assert done.exit_code == 2
    assert "METTL_PUBLIC_KEY is not set" in done.stderr
    assert "no access key" in look("--schedule", "a b").stderr


def test_nothing_is_asked_of_the_server(look, mettl, sandbox, monkeypatch):
    monkeypatch.setenv("METTL_PUBLIC_KEY", "public")
    monkeypatch.setenv("METTL_PRIVATE_KEY", "private")
    done = look("--schedule", "ab12", "--base-url", "http://127.0.0.1:1", "--out", "l.csv")
    assert done.exit_code == 0
    assert "4 people would be registered in schedule ab12." in done.stdout
    assert "\nAccount: http://127.0.0.1:1\n" in done.stdout
    done = look("--sandbox")
    assert done.exit_code == 0
    done = mettl("register", "--sandbox", "--generate", 7, "--dry-run")
    assert done.exit_code == 0
    assert "7 people would be registered." in done.stdout
    assert sandbox.stats.requests == 0
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


@pytest.mark.parametrize("way", ["--profile", "METTL_PROFILE"])
def test_the_account_is_named(look, monkeypatch, tmp_path, way):
    (tmp_path / "settings").mkdir()
    profiles = tmp_path / "settings" / "profiles.toml"
    profiles.write_text('[work]\nregion = "eu"\npublic_key = "p"\nprivate_key_env = "KEY"\n')
    profiles.chmod(0o600)
    monkeypatch.setenv("METTL_CONFIG_DIR", str(profiles.parent))
    monkeypatch.setenv("KEY", "private")
    if way == "METTL_PROFILE":
        monkeypatch.setenv(way, "work")
    done = look("--schedule", "ab12", *([way, "work"] if way == "--profile" else []))
    assert done.exit_code == 0, done.output
    [account] = [line for line in done.stdout.splitlines() if line.startswith("Account: ")]
    assert account == "Account: https://api.mercermettl.eu, profile work"


def test_an_output_that_is_there_is_refused_as_in_a_run(look):
    Path("l.csv").write_text("x")
    done = look("--out", "l.csv")
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert look().exit_code == 0


def test_bad_rows_decide_the_exit_code(look):
    text = TEXT + "nobody;N\n\nASHA@example.org;A;;;;\n"
    done = look(text=text)
    assert done.exit_code == 2
    assert "header in line 1, 6 rows\n" in done.stdout
    assert "Note: 1 row cannot be sent." in done.stdout
    assert "Note: 1 row repeats the email of a row before." in done.stdout
    assert done.stdout.endswith("Nobody would be registered.\n")
    assert "pass --skip-bad" in done.stderr
    done = look("--skip-bad", "bad.csv", text=text)
    assert done.exit_code == 1
    assert "Note: these would be written to bad.csv." in done.stdout
    assert done.stdout.endswith("4 people would be registered.\n")
    assert look("--skip-bad", "bad.csv", text="E-mail,First Name,Age\nx,A,1\n").exit_code == 2
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


def test_a_doubt_is_told_with_its_answers(mettl):
    Path("p.csv").write_bytes("Email Address,First Name\na@x.org,Zo\u00eb\n".encode("cp1252"))
    done = mettl("register", "p.csv", "--dry-run")
    assert done.exit_code == 2
    assert "  --encoding cp1252\n      line 2: Zo\u00eb\n" in done.stderr
    assert done.stdout == ""


def test_a_file_of_one_person(mettl):
    Path("p.jsonl").write_text(
        '{"Email Address": "a@x.org", "First Name": "A", "\\u001b[1m": "\\u001b[2J"}'
    )
    done = mettl("register", "p.jsonl", "--dry-run")
    assert done.exit_code == 2  # for the escape sequence, which never reaches the terminal
    assert "\x1b" not in done.output
    Path("p.jsonl").write_text('{"Email Address": "a@x.org", "First Name": "A", "\\u001b[1m": 1.0}')
    done = mettl("register", "p.jsonl", "--dry-run")
    assert "p.jsonl: JSON Lines, UTF-8, 1 row\n" in done.stdout
    assert "As it is sent:\n" in done.stdout
    assert "[1m            1\n" in done.stdout
    assert done.stdout.endswith("1 person would be registered.\n")


def test_what_cannot_be_seen_is_shown_as_it_is_sent(mettl):
    text = 'Email Address,First Name,Note\na@x.org,Zo\u00eb,"a  \u200bb\u202e\nc\u0628\u200c\u0628 \u2764\ufe0f"\n'
    Path("p.csv").write_text(text, encoding="utf-8")
    done = mettl("register", "p.csv", "--dry-run")
    assert done.exit_code == 0
    assert "Note           a  \\u200bb\\u202e\\nc\u0628\u200c\u0628 \u2764\ufe0f\n" in done.stdout


def test_columns_and_cells_without_end_are_cut(mettl):
    names = [f"F{n}" for n in range(80)]
    header = ",".join(["Email Address", "First Name", *names])
    Path("p.csv").write_text(f"{header}\na@x.org,A{',x' * 79},{'y' * 5000}\n")
    done = mettl("register", "p.csv", "--dry-run")
    assert done.exit_code == 0
    assert "... and 32 more\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 250
