"""A sandbox with a file: its snapshot survives its end, however it ends."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from datetime import timedelta

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
from mettl_async.sandbox import Sandbox, SnapshotError
from mettl_async.sandbox.deliveries import Attempt

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
        hidden = {"account", "assessment", "assessments", "schedule", "schedules", "candidates"}
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
        "deliveries": list(sandbox.deliveries),
        "ahead": sandbox.clock.ahead,
        "secret": state.secret,
        "numbers": dict(state.numbers),
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
    first, second = sandbox.deliveries[:2]
    sandbox.deliveries.attempted(first, Attempt(at=1.5, status=503))
    sandbox.deliveries.attempted(first, Attempt(at=3.0, status=200))
    sandbox.deliveries.attempted(second, Attempt(at=4.0, problem="ConnectError"))
    return made.access_key


async def test_everything_is_there_again_and_goes_on(db):
    with Sandbox(db=db) as first:
        key = await lively(first)
        before, links = remembered(first), {one.email: one.link for one in first.candidates.of(key)}
    with Sandbox(db=db, seed=99) as second:
        assert remembered(second) == before
        assert {one.email: one.link for one in second.candidates.of(key)} == links
        assert second.access_key == next(iter(second.schedules))
        # What was to be sent still is, in order.
        assert [one.event_type for one in second.deliveries] == [
            one.event_type for one in before["deliveries"]
        ]
        assert any(one.open for one in second.deliveries)
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


async def test_it_is_written_by_save_and_whole(db):
    with Sandbox(db=db) as sandbox:
        before = db.read_bytes()
        async with client_of(sandbox) as client:
            await client.candidates.register(sandbox.access_key, [ASHA])
        assert db.read_bytes() == before
        sandbox.save()
        found = json.loads(db.read_bytes())
        assert (found["format"], found["version"]) == ("mettl-async sandbox", 1)
        assert ASHA.email in json.dumps(found)
        written = db.stat()
        sandbox.save()
        assert db.stat() == written  # nothing changed
    assert sorted(one.name for one in db.parent.iterdir()) == [db.name, f"{db.name}-lock"]


async def test_it_is_written_from_time_to_time_while_served(db, monkeypatch):
    monkeypatch.setattr("mettl_async.sandbox.sandbox.SNAPSHOT_SECONDS", 0.01)
    with Sandbox(db=db) as sandbox:
        async with sandbox.serve():
            sandbox.add_schedule("One more")
            async with asyncio.timeout(10):
                while b"One more" not in db.read_bytes():  # noqa: ASYNC110 - as users look
                    await asyncio.sleep(0.01)


def test_half_a_surrogate_pair_is_text_like_any_other(db):
    with Sandbox(db=db) as sandbox:
        schedule = sandbox.add_schedule("name \udfff", settings={"note": "\ud800"})
        sandbox.state.candidate(schedule, "x@example.org").fields = {"First Name": "\ud800"}
    with Sandbox(db=db) as again:
        assert list(again.schedules.values())[-1].name == "name \udfff"
        assert list(again.schedules.values())[-1].settings["note"] == "\ud800"
        assert again.candidates["x@example.org"].candidate.fields == {"First Name": "\ud800"}


def test_a_renamed_schedule_and_the_ready_one_keep_their_places(db):
    with Sandbox(db=db) as sandbox:
        _, coding = sandbox.assessments.values()
        sandbox.add_schedule("In the other", assessment=coding)
        sandbox.add_schedule("In the first")
        sandbox.state.rename(sandbox.schedules[sandbox.access_key], "Renamed")
        order = list(sandbox.schedules)
    with Sandbox(db=db) as again:
        assert list(again.schedules) == order


def test_only_the_owner_can_read_the_files(db):
    with Sandbox(db=db):
        beside = list(db.parent.iterdir())
        assert len(beside) == 2
        assert [one.name for one in beside if one.stat().st_mode & 0o077] == []


def test_a_changed_default_is_kept(db):
    with Sandbox(db=db) as sandbox:
        sandbox.account.registration_limit = 7
        sandbox.account.may_white_label = False
        sandbox.account.added_pbts.add(1151)
    with Sandbox(db=db) as again:
        assert again.account.registration_limit == 7
        assert not again.account.may_white_label
        again.account.registration_limit = None
        again.account.added_pbts.clear()
    with Sandbox(db=db) as third:
        assert (third.account.registration_limit, third.account.added_pbts) == (None, set())


def test_a_link_to_the_file_stays_a_link(db, tmp_path):
    other_name = tmp_path / "link"
    other_name.symlink_to(db)
    Sandbox(db=other_name).close()
    assert other_name.is_symlink()
    assert json.loads(db.read_bytes())["format"] == "mettl-async sandbox"


def test_a_second_sandbox_on_the_file_is_refused_until_the_first_is_closed(db, tmp_path):
    other_name = tmp_path / "link"
    other_name.symlink_to(db)
    with Sandbox(db=db):
        for name in (db, other_name):
            with pytest.raises(SnapshotError, match="another sandbox uses it"):
                Sandbox(db=name)
    with Sandbox(db=other_name) as sandbox:
        assert len(sandbox.schedules) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"shopping list",
        b"[]",
        b'{"format": "other", "version": 1}',
        b"SQLite format 3\x00",
        b"\xff",
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_as_it_was(db, content):
    db.write_bytes(content)
    with pytest.raises(SnapshotError, match="is not a snapshot of the sandbox"):
        Sandbox(db=db)
    assert db.read_bytes() == content


@pytest.mark.parametrize("version", [2, 0, None])
def test_another_version_is_refused_in_words_and_frees_the_file(db, version):
    Sandbox(db=db).close()
    db.write_text(json.dumps(json.loads(db.read_text()) | {"version": version}))
    for _ in range(2):
        with pytest.raises(SnapshotError, match=f"has version {version}, of another version"):
            Sandbox(db=db)


@pytest.mark.parametrize(
    "damage",
    [
        {"accounts": []},
        {"accounts": [{}]},
        {"accounts": None},
        {"secret": 7},
        {"numbers": 7},
        {"deliveries": [{"number": 1}]},
    ],
)
def test_a_damaged_file_is_said_and_freed(db, damage):
    Sandbox(db=db).close()
    damaged = json.dumps(json.loads(db.read_text()) | damage)
    db.write_text(damaged)
    for _ in range(2):
        with pytest.raises(SnapshotError, match="is damaged"):
            Sandbox(db=db)
    assert db.read_text() == damaged


def test_a_place_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(SnapshotError, match="No such file or directory"):
        Sandbox(db=tmp_path / "nowhere" / "x.json")
    with pytest.raises(SnapshotError, match="Is a directory"):
        Sandbox(db=tmp_path)


async def test_what_cannot_be_written_is_logged_and_written_later(db, monkeypatch, caplog):
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr("mettl_async.sandbox.sandbox.SNAPSHOT_SECONDS", 0.01)

    def full(_):
        raise OSError(28, "No space left on device")

    with Sandbox(db=db) as sandbox:
        before = db.read_bytes()
        async with sandbox.serve():
            with monkeypatch.context() as broken:
                broken.setattr("mettl_async.sandbox.snapshot.os.fsync", full)
                sandbox.add_schedule("New")
                async with asyncio.timeout(10):
                    while not caplog.records:  # noqa: ASYNC110 - nothing tells when
                        await asyncio.sleep(0.01)
                with pytest.raises(SnapshotError, match="No space left"):
                    sandbox.save()
                assert db.read_bytes() == before
            assert len(list(db.parent.iterdir())) == 2  # no temporary file is left
    assert "No space left on device" in caplog.text
    with Sandbox(db=db) as again:
        assert len(again.schedules) == 2


def test_what_cannot_be_written_at_the_end_is_raised_and_frees_the_file(db, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    sandbox = Sandbox(db=db)
    sandbox.add_schedule("New")
    with monkeypatch.context() as broken:
        broken.setattr("mettl_async.sandbox.snapshot.os.fsync", full)
        with pytest.raises(SnapshotError, match="No space left"):
            sandbox.close()
    sandbox.close()  # a second time does nothing
    with Sandbox(db=db) as again:
        assert len(again.schedules) == 1


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
async def test_a_kill_loses_only_what_came_after_the_last_snapshot(db, environment):
    process, keys, said = await served(db, environment)
    access_key = re.search(r"--schedule (\S+)", said)[1]
    async with MettlClient(
        Credentials(public_key=keys["PUBLIC_KEY"], private_key=keys["PRIVATE_KEY"]),
        base_url=keys["BASE_URL"],
    ) as client:
        (asha,) = await client.candidates.register(access_key, [ASHA])
        async with asyncio.timeout(30):  # the next snapshot comes within seconds
            while ASHA.email.encode() not in db.read_bytes():  # noqa: ASYNC110 - as users look
                await asyncio.sleep(0.05)
        await client.candidates.register(access_key, [BORIS])
    process.kill()
    await process.communicate()
    assert process.returncode == -signal.SIGKILL
    with Sandbox(db=db) as again:
        assert again.access_key == access_key
        assert again.owner_of(asha.url) == ASHA.email


async def test_the_command_says_what_is_wrong_with_the_file_in_one_line(db, environment):
    with Sandbox(db=db):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mettl_async", "sandbox", "--port", "0", "--db", str(db)),
            env=environment, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.decode() == f"mettl: {db}: another sandbox uses it\n"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_an_end_in_order_leaves_one_whole_file(db, environment, ending):
    process, keys, said = await served(
        db, environment, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    access_key = re.search(r"--schedule (\S+)", said)[1]
    async with MettlClient(
        Credentials(public_key=keys["PUBLIC_KEY"], private_key=keys["PRIVATE_KEY"]),
        base_url=keys["BASE_URL"],
    ) as client:
        (asha,) = await client.candidates.register(access_key, [ASHA])
    process.send_signal(ending)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert sorted(one.name for one in db.parent.iterdir()) == [db.name, f"{db.name}-lock"]
    with Sandbox(db=db) as again:
        assert again.owner_of(asha.url) == ASHA.email
