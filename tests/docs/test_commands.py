"""The commands on the pages exist, with these options; those that need no keys of Mettl's run as written."""

import asyncio
import re
import shlex
import subprocess
from functools import cache

from running_pages import ROOT
from typer.testing import CliRunner

from mettl_async import Candidate, MettlClient
from mettl_async.cli.app import app
from mettl_async.sandbox import Sandbox

PAGES = (
    "README.md",
    *sorted(f"docs/{one.relative_to(ROOT / 'docs')}" for one in (ROOT / "docs").rglob("*.md")),
)
NOT_RUN = {
    "mettl sandbox": "serves until it is stopped",
    "mettl webhooks listen": "listens until it is stopped",
    "mettl webhooks replay": "needs an inbox; tests/cli/test_cli_replay.py",
    "mettl jobs": "needs workers; tests/cli/test_cli_jobs*.py",
    "mettl profile": "asks for keys; tests/cli/test_cli_profiles.py",
    "mettl register candidates.csv --profile": "needs a profile; the same",
}


def commands(page, program="mettl"):
    """Give each line of a console block that calls a program."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^\$ ({program} .*)$", "".join(blocks).replace("\\\n", " "), re.MULTILINE)


COMMANDS = sorted({one for page in PAGES for one in commands(page)})
MAKE_FILES = [one for page in PAGES for one in commands(page, "python3 -c")]
RUN = [one for one in COMMANDS if not one.startswith(tuple(NOT_RUN))]


def call(words, **more):
    return CliRunner().invoke(app, words, prog_name="mettl", **more)


@cache
def known_options(*words):
    done = call([*words, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.output))


def test_each_command_has_the_options_that_its_page_gives_it():
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        group = 2 if words[0] in {"jobs", "profile", "webhooks"} else 1
        group += words[:2] == ["jobs", "schedule"]
        given = {one for one in words if re.match(r"--?[a-z]", one)}
        assert given <= known_options(*words[:group]), command


def test_commands_that_need_no_keys_run_as_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    people = "Email Address,First Name\nravi@example.org,Ravi\n"
    (tmp_path / "candidates.csv").write_text(people, encoding="utf-8")
    for line in MAKE_FILES:
        subprocess.run(line.replace("5000", "40"), shell=True, check=True)  # noqa: S602 - our own pages
    with Sandbox().serve_in_thread() as server:
        for name, value in (
            ("PUBLIC_KEY", server.credentials.public_key),
            ("PRIVATE_KEY", server.credentials.private_key),
            ("BASE_URL", server.base_url),
        ):
            monkeypatch.setenv(f"METTL_{name}", value)
        asha = Candidate(email="asha@example.org", first_name="Asha")
        asyncio.run(register(server, asha))
        server.sandbox.candidates[asha.email].start()
        server.sandbox.candidates[asha.email].finish()
        for command in RUN:
            for name in ("links.csv", "links.csv.journal"):
                (tmp_path / name).unlink(missing_ok=True)
            written = command.replace("ACCESS_KEY", server.access_key).replace("5000", "40")
            written = written.replace(".xlsx", ".csv")
            done = call(shlex.split(written)[1:], input="")
            assert done.exit_code == 0, f"{command}\n{done.output}"
    assert {one.name for one in tmp_path.glob("*.pdf")} == {"asha.pdf"}


async def register(server, person):
    async with MettlClient(server.credentials, base_url=server.base_url) as mettl:
        await mettl.candidates.register(server.access_key, [person])
