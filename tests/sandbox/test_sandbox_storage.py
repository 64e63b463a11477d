"""A sandbox with a file: what it remembers survives its end, however it ends."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from datetime import timedelta

import httpx
import pytest
from in_process import client_of

from mettl_async import Candidate, Credentials, MettlClient
from mettl_async.models import (
    Access,
    BasicAuth,
    Logo,
    NewSchedule,
    TestFinished,
    TestGraded,
    TestStarted,
    Webhooks,
)
from mettl_async.sandbox import Sandbox, StorageError
from mettl_async.sandbox.deliveries import Attempt
from mettl_async.sandbox.storage import Storage

PIPE = asyncio.subprocess.PIPE
ASHA, BORIS, CHIARA = (
    Candidate(
        email=f"{name}@example.org",
        first_name=name.title(),
        context_data=f"own id of {name}",
        compensatory_time=timedelta(minutes=5),
    )
    for name in ("asha", "boris", "chiara")
)
HOOKS = Webhooks(
    urls={
        TestStarted: "https://hooks.example.org/start",
        TestFinished: "https://hooks.example.org/finish",
        TestGraded: "https://hooks.example.org/graded",
    },
    basic_auth=BasicAuth(username="mettl", password="secret"),
)


def remembered(sandbox):
    """Everything, as plain values that can be compared."""
    state = sandbox.state

    def told(thing):
        hidden = {"account", "assessment", "assessments", "schedules", "candidates", "changes"}
        names = [one.name for one in type(thing).__attrs_attrs__]
        return {name: getattr(thing, name) for name in names if name not in hidden}

    return {
        "accounts": [told(one) for one in state.accounts.values()],
        "assessments": [told(one) for one in state.assessments.values()],
        "homes": [(one.id, one.account.client_id) for one in state.assessments.values()],
        "schedules": [told(one) for one in state.schedules.values()],
        "names": [list(one.schedules) for one in state.assessments.values()],
        "candidates": [told(one) for one in state.all_candidates()],
        "owners": sorted(state.owners),
        "deleted": dict(state.deleted),
        "deliveries": list(sandbox.deliveries),
        "ahead": sandbox.clock.ahead,
        "keys": state.keys(),
        "numbers": state.numbers(),
    }


async def lively(sandbox):
    """Do a little of everything that is remembered."""
    account = sandbox.add_account(registration_limit=7)
    sandbox.add_assessment("Elsewhere", account=account)
    sandbox.add_schedule("Of my own", access_type="ByInvitation", invited=["x@y.org"])
    async with client_of(sandbox) as client:
        await client.account.update_logo(
            Logo(content=b"\x89PNG\r\n\x1a\nlogo", filename="logo.png")
        )
        pbts = await client.pbts.list().collect()
        await client.pbts.add([pbts[0].pbt_id])
        made = await client.schedules.create(
            next(iter(sandbox.assessments)),
            NewSchedule(
                name="Herbst \N{SNOWMAN}",
                source_app="acme",
                access=Access.open_for_all(),
                webhooks=HOOKS,
            ),
        )
        await client.candidates.register(made.access_key, [ASHA, BORIS, CHIARA])
        people = sandbox.candidates
        people[made.access_key, ASHA.email].start()
        sandbox.clock.advance(60)
        people[made.access_key, ASHA.email].finish()
        people[made.access_key, BORIS.email].start()
        people[made.access_key, BORIS.email].disconnect()
        people[made.access_key, CHIARA.email].finish()
        await client.results.get(made.access_key, ASHA.email)
        await client.results.delete(made.access_key, CHIARA.email)
        await client.candidates.register(made.access_key, [CHIARA])
    sandbox.deliveries.attempted(1, Attempt(at=1.5, status=503))
    sandbox.deliveries.attempted(1, Attempt(at=3.0, status=200))
    sandbox.deliveries.attempted(2, Attempt(at=4.0, problem="ConnectError"))
    return made.access_key


async def test_everything_is_there_again_and_goes_on(db):
    with Sandbox(db=db) as first:
        key = await lively(first)
        before, links = remembered(first), {one.email: one.link for one in first.candidates.of(key)}
        fresh = first.state.keys()
    with Sandbox(db=db, seed=99) as second:
        assert remembered(second) == before
        assert {one.email: one.link for one in second.candidates.of(key)} == links
        assert second.access_key == next(iter(second.schedules))
        assert second.state.keys() == fresh
        # What was to be sent still is, in order.
        assert [one.event_type for one in second.deliveries] == [
            one.event_type for one in before["deliveries"]
        ]
        assert not second.deliveries.quiet
        # What was under way still is: a lost connection expires.
        second.clock.advance(31 * 60)
        assert second.candidates[key, BORIS.email].candidate.finish_mode == "TestExpired"
        async with client_of(second) as client:
            again = await client.candidates.register(key, [CHIARA])
            assert again[0].url == links[CHIARA.email]
        new = second.add_schedule("New")
        assert new.access_key not in {one["access_key"] for one in before["schedules"]}
        assert new.id not in {one["id"] for one in before["schedules"]}
        after = remembered(second)
    with Sandbox(db=db) as third:
        assert remembered(third) == after


async def test_changes_are_on_disk_without_closing_before_the_next_turn_of_the_loop(db):
    with Sandbox(db=db) as sandbox:
        async with client_of(sandbox) as client:
            await client.candidates.register(sandbox.access_key, [ASHA])
        person = sandbox.candidates[ASHA.email]
        person.start()
        sandbox.clock.advance(5)
        await asyncio.sleep(0)
        with sqlite3.connect(db) as outside:
            [row] = outside.execute("SELECT email, status, instance_id FROM candidates").fetchall()
            [ahead] = outside.execute(
                "SELECT value FROM sandbox WHERE name = 'clock_ahead'"
            ).fetchone()
        outside.close()
    assert row == (ASHA.email, "InProgress", person.candidate.instance_id)
    assert float(ahead) == 5.0


async def test_only_what_changed_is_written(db):
    statements = []
    with Sandbox(db=db) as sandbox:
        async with client_of(sandbox) as client:
            await client.candidates.register(
                sandbox.access_key,
                [Candidate(email=f"p{i}@x.org", first_name="P") for i in range(20)],
            )
            sandbox._storage._database.set_trace_callback(statements.append)
            await client.results.list(sandbox.access_key).collect()
            assert statements == []
            await client.candidates.register(sandbox.access_key, [ASHA])
            sandbox._storage._database.set_trace_callback(None)
    assert sum("INTO candidates" in one for one in statements) == 1
    assert not any("INTO schedules" in one or "'keys'" in one for one in statements)


def test_without_an_event_loop_it_is_written_by_save(db):
    with Sandbox(db=db) as sandbox:
        sandbox.add_schedule("One more")
        sandbox.save()
        sandbox._storage.abandon()
    with Sandbox(db=db) as again:
        assert len(again.schedules) == 2


def test_half_a_surrogate_pair_is_text_like_any_other(db):
    with Sandbox(db=db) as sandbox:
        schedule = sandbox.add_schedule("name \udfff", settings={"note": "\ud800"})
        sandbox.state.candidate(schedule, "x@example.org").fields = {"First Name": "\ud800"}
    with Sandbox(db=db) as again:
        assert list(again.schedules.values())[-1].name == "name \udfff"
        assert list(again.schedules.values())[-1].settings["note"] == "\ud800"
        assert again.candidates["x@example.org"].candidate.fields == {"First Name": "\ud800"}


def test_only_the_owner_can_read_the_files(db):
    with Sandbox(db=db):
        beside = list(db.parent.iterdir())
        assert len(beside) >= 2
        assert [one.name for one in beside if one.stat().st_mode & 0o077] == []


def test_a_second_sandbox_on_the_file_is_refused_until_the_first_is_closed(db, tmp_path):
    other_name = tmp_path / "link"
    other_name.symlink_to(db)
    with Sandbox(db=db):
        for name in (db, other_name):
            with pytest.raises(StorageError, match="another sandbox uses it"):
                Sandbox(db=name)
    with Sandbox(db=other_name) as sandbox:
        assert len(sandbox.schedules) == 1


def test_a_file_of_another_kind_is_refused_and_left_as_it_was(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("shopping list, long enough to be looked at")
    with pytest.raises(StorageError, match="is not a database of the sandbox"):
        Sandbox(db=text)
    assert text.read_text().startswith("shopping list")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.txt"]


def test_a_database_of_another_program_is_refused_and_left_as_it_was(db):
    with sqlite3.connect(db) as other:
        other.execute("CREATE TABLE accounts (money INTEGER)")
    other.close()
    before = db.read_bytes()
    with pytest.raises(StorageError, match="is not a database of the sandbox"):
        Sandbox(db=db)
    assert db.read_bytes() == before


@pytest.mark.parametrize(("version", "whose"), [(2, "a newer"), (0, "an older")])
def test_another_schema_is_refused_in_words_and_frees_the_file(db, version, whose):
    Sandbox(db=db).close()
    with sqlite3.connect(db) as outside:
        outside.execute(f"PRAGMA user_version = {version}")
    outside.close()
    for _ in range(2):
        with pytest.raises(StorageError, match=f"schema {version}, of {whose} version"):
            Sandbox(db=db)


def test_a_damaged_file_is_said_and_freed(db):
    Sandbox(db=db).close()
    with sqlite3.connect(db) as outside:
        outside.execute("UPDATE schedules SET data = '{}'")
    outside.close()
    for _ in range(2):
        with pytest.raises(StorageError, match="is damaged"):
            Sandbox(db=db)


def test_a_place_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(StorageError, match="No such file or directory"):
        Sandbox(db=tmp_path / "nowhere" / "x.sqlite3")
    with pytest.raises(StorageError, match="Is a directory"):
        Sandbox(db=tmp_path)


async def test_what_cannot_be_written_is_not_answered_and_is_written_later(db, all_logs):
    with Sandbox(db=db) as sandbox:
        async with httpx.AsyncClient(transport=sandbox.transport()) as raw:
            sandbox._storage._database.execute("PRAGMA query_only = ON")
            sandbox.add_schedule("New")
            answer = await raw.get("https://api.mettl.com/v2/account")
            assert (answer.status_code, answer.content) == (500, b"")
            assert any("not written" in line for line in all_logs)
            sandbox._storage._database.execute("PRAGMA query_only = OFF")
            assert (await raw.get("https://api.mettl.com/v2/account")).status_code == 200
    with Sandbox(db=db) as again:
        assert len(again.schedules) == 2


def test_closing_twice_is_fine_and_the_repr_shows_no_more_than_the_path(db):
    sandbox = Sandbox(db=db)
    sandbox.close()
    sandbox.close()
    storage = Storage(db)
    assert repr(storage) == f"Storage({str(db)!r})"
    storage.close()


# ---- killed


@pytest.fixture
def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


async def served(db, environment, **more):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mettl_async", "sandbox", "--port", "0", "--db", str(db)),
        env=environment, stdout=PIPE, stderr=PIPE, **more,
    )  # fmt: skip
    said = ""
    while "mettl register" not in said:
        line = (await process.stdout.readline()).decode()
        assert line, (await process.stderr.read()).decode()
        said += line
    return process, dict(re.findall(r"^export METTL_(\w+)=(\S+)$", said, re.MULTILINE)), said


@pytest.mark.slow
@pytest.mark.parametrize("kill_after", [3, 40])
async def test_a_kill_in_the_middle_loses_nothing_that_was_answered(db, environment, kill_after):
    process, keys, said = await served(db, environment)
    access_key = re.search(r"--schedule (\S+)", said)[1]
    answered = {}
    async with MettlClient(
        Credentials(public_key=keys["PUBLIC_KEY"], private_key=keys["PRIVATE_KEY"]),
        base_url=keys["BASE_URL"],
    ) as client:
        people = [Candidate(email=f"p{i}@x.org", first_name="P") for i in range(5000)]
        calls = 0

        async def register(batch):
            nonlocal calls
            try:
                done = await client.candidates.register(access_key, batch)
            except Exception:  # noqa: BLE001 - it was killed
                return
            answered.update({one.email: one.url for one in done})
            calls += 1
            if calls == kill_after:
                process.kill()

        batches = [people[i : i + 20] for i in range(0, len(people), 20)]
        for group in range(0, len(batches), 8):
            if process.returncode is not None or calls >= kill_after:
                break
            await asyncio.gather(*map(register, batches[group : group + 8]))
    await process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(answered) >= 20 * kill_after
    with sqlite3.connect(db) as outside:
        assert outside.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    outside.close()
    with Sandbox(db=db) as again:
        assert again.access_key == access_key
        known = {one.email: one.candidate.ecc for one in again.candidates}
    assert {email: url.partition("ecc=")[2] for email, url in answered.items()}.items() <= (
        known.items()
    )
    assert len(known) < 5000


async def test_the_command_says_what_is_wrong_with_the_file_in_one_line(db, environment):
    with Sandbox(db=db):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mettl_async", "sandbox", "--port", "0", "--db", str(db)),
            env=environment, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.decode() == f"mettl: {db}: another sandbox uses it\n"


async def test_ctrl_c_leaves_one_whole_file(db, environment):
    process, _, _ = await served(
        db, environment, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert sorted(one.name for one in db.parent.iterdir()) == [db.name, f"{db.name}-lock"]
    with sqlite3.connect(db) as outside:
        [text] = outside.execute("SELECT data FROM schedules").fetchone()
    outside.close()
    assert json.loads(text)["settings"]["sourceApp"] == "sandbox"
