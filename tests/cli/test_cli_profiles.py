"""Profiles: several accounts, whose private keys are never on a command line."""

import asyncio
import json
import os
import pty
import stat
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from typer.testing import CliRunner

from mettl_async.cli.app import app
from mettl_async.cli.profiles import profiles_file
from mettl_async.sandbox import Sandbox

SECRET = "the-private-key-of-eu"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("METTL_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.delenv("METTL_PROFILE", raising=False)
    return tmp_path / "settings"


@pytest.fixture
def keyring(monkeypatch):
    kept = {}
    fake = ModuleType("keyring")
    fake.get_keyring = object
    fake.set_password = lambda service, name, key: kept.__setitem__((service, name), key)
    fake.get_password = lambda service, name: kept.get((service, name))
    fake.delete_password = lambda service, name: kept.pop((service, name))
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return kept


@pytest.fixture
def no_keyring(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def at_terminal(monkeypatch):
    """Have a runner's stdin taken for a terminal, so that it is asked."""
    monkeypatch.setattr(
        "mettl_async.cli.profile_store.sys",
        SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)),
    )


def write(folder, text, mode=0o600):
    folder.mkdir(exist_ok=True)
    path = folder / "profiles.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def add(*options, answers=""):
    return CliRunner().invoke(app, ["profile", "add", *options], input=answers)


def test_a_key_that_is_typed_goes_to_the_keyring_and_nowhere_else(
    mettl, folder, keyring, at_terminal
):
    done = add("eu", "--region", "eu", answers=f"the-public-key\n{SECRET}\n")
    assert done.exit_code == 0, done.output
    assert keyring == {("mettl", "eu"): SECRET}
    path = folder / "profiles.toml"
    assert tomllib.loads(path.read_text()) == {
        "eu": {"region": "eu", "public_key": "the-public-key"}
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = mettl("profile", "show", "eu").stdout + mettl("profile", "list").stdout
    assert "the-public-key" in shown
    assert "keyring" in shown
    assert SECRET not in done.output + shown + path.read_text()
    assert mettl("profile", "remove", "eu").exit_code == 0
    assert keyring == {}
    assert tomllib.loads(path.read_text()) == {}


def test_without_a_keyring_it_says_what_to_do_before_it_asks(folder, no_keyring, at_terminal):
    done = add("eu", answers=f"p\n{SECRET}\n")
    assert done.exit_code == 2
    assert "pip install keyring" in done.stderr
    assert "--private-key-file" in done.stderr
    assert "Public key" not in done.output
    assert not folder.exists()


def test_nothing_is_asked_where_there_is_no_terminal(folder, keyring):
    done = add("eu", "--public-key", "p")
    assert done.exit_code == 2
    assert "no terminal to ask on" in done.stderr
    assert not folder.exists()


def test_a_private_key_cannot_be_given_on_the_command_line(mettl):
    done = mettl("profile", "add", "eu", "--private-key", SECRET)
    assert done.exit_code == 2
    assert "No such option" in done.stderr


def test_a_key_that_is_typed_is_not_shown(folder, environment, tmp_path):
    class Nobody:
        base_url = ""

        class credentials:  # noqa: N801 - stands for an attribute
            public_key = private_key = ""

    (tmp_path / "keyring.py").write_text(
        "import pathlib\n"
        "def get_keyring(): return object()\n"
        "def set_password(*all): pathlib.Path('kept').write_text(repr(all))\n"
    )
    env = environment(Nobody)
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mettl_async", "profile", "add", "eu", "--public-key", "p"],
        env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"Private key" not in shown:
        shown += os.read(terminal, 1024)
    while termios.tcgetattr(terminal)[3] & termios.ECHO:  # what comes before is thrown away
        time.sleep(0.01)
    os.write(terminal, SECRET.encode() + b"\n")
    try:
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:
        pass  # how a pseudo-terminal says that the other side is gone
    assert process.wait() == 0, shown
    os.close(terminal)
    assert SECRET in Path("kept").read_text()
    assert SECRET.encode() not in shown


async def test_a_profile_is_the_account_whatever_the_environment_says(folder, mettl):
    async with Sandbox().serve() as server:
        write(
            folder,
            f'[mine]\nbase_url = "{server.base_url}"\n'
            f'public_key = "{server.credentials.public_key}"\nprivate_key_env = "MINE"\n',
        )
        env = {
            "METTL_BASE_URL": "http://127.0.0.1:9",
            "METTL_PUBLIC_KEY": "other",
            "METTL_PRIVATE_KEY": "other",
            "METTL_REGION": "mars",
            "MINE": server.credentials.private_key,
        }
        for options, more in [
            (("--profile", "mine"), {}),
            ((), {"METTL_PROFILE": "mine"}),
            (("--profile", "mine"), {"METTL_PROFILE": "unknown"}),
        ]:
            done = await asyncio.to_thread(
                mettl, "account", "--json", *options, env={**env, **more}
            )
            assert done.exit_code == 0, done.stderr
            assert "email" in json.loads(done.stdout)
        # Options beat the profile.
        done = mettl("account", "--profile", "mine", "--base-url", "http://127.0.0.1:9/v2", env=env)
        assert done.exit_code == 2
        assert "version" in done.stderr


def signed_with(mettl, profile="eu", **env):
    url = "https://api.mettl.com/v2/account"
    return mettl("sign", "GET", url, "--ts", "1", "--profile", profile, env=env)


def test_a_private_key_comes_from_a_variable_a_file_a_command_the_keyring_or_the_profile(
    mettl, folder, keyring
):
    keyring["mettl", "ring"] = SECRET
    tail = 'public_key = "p"\n'
    write(
        folder,
        f'[variable]\nprivate_key_env = "EU_KEY"\n{tail}[file]\nprivate_key_file = "eu.key"\n{tail}'
        f'[command]\nprivate_key_command = ["cat", "{folder}/eu.key"]\n{tail}[ring]\n{tail}'
        f'[inside]\nprivate_key = "{SECRET}"\n{tail}',
    )
    (folder / "eu.key").write_text(SECRET + "\n")
    (folder / "eu.key").chmod(0o600)
    names = ("variable", "file", "command", "ring", "inside")
    said = {signed_with(mettl, name, EU_KEY=SECRET).stdout for name in names}
    assert len(said) == 1
    assert "signature " in said.pop()
    listed = mettl("profile", "list", "--json").stdout
    assert [one["private_key"] for one in json.loads(listed)] == [
        "variable EU_KEY",
        "file eu.key",
        "command cat",
        "keyring",
        "the file of profiles",
    ]
    assert SECRET not in listed + mettl("profile", "show", "inside").stdout


@pytest.mark.skipif(os.name == "nt", reason="permissions are not in these bits")
def test_a_file_with_a_key_that_others_can_read_is_refused(mettl, folder):
    path = write(folder, f'[eu]\npublic_key = "p"\nprivate_key = "{SECRET}"\n', mode=0o640)
    for arguments in (("profile", "list"), ("account", "--profile", "eu")):
        done = mettl(*arguments)
        assert done.exit_code == 2
        assert f"others can read it; run: chmod 600 {path}" in done.stderr
        assert SECRET not in done.output
    write(folder, '[eu]\npublic_key = "p"\nprivate_key_file = "eu.key"\n', mode=0o644)
    (folder / "eu.key").write_text(SECRET)
    (folder / "eu.key").chmod(0o604)
    assert mettl("profile", "list").exit_code == 0  # no key in it
    assert "chmod 600" in signed_with(mettl).stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[eu\n", "is not TOML at line 1, column 4"),
        ('key = "x"\n', "a profile begins with a line such as [eu]"),
        ("[eu]\n", "has no public_key"),
        ("[eu]\npublic_key = 7\n", "write public_key as a text in quotes"),
        (
            '[eu]\npublic_key = "p"\nprivat_key = "x"\n',
            "'privat_key' is not known; it takes region",
        ),
        ('[eu]\npublic_key = "p"\nregion = "mars"\n', "region is one of india, eu"),
        ('[eu]\npublic_key = "p"\nbase_url = "mettl"\n', "needs a scheme and a host"),
        ('[eu]\npublic_key = "p"\nregion = "eu"\nbase_url = "https://x.org"\n', "keep one of them"),
        (
            '[eu]\npublic_key = "p"\nprivate_key_env = "A"\nprivate_key_file = "b"\n',
            "keep one of them",
        ),
        ('[eu]\npublic_key = "p"\nprivate_key_command = "pass"\n', 'as a list, such as ["pass"'),
        (
            '[eu]\npublic_key = "p"\nprivate_key_env = "NOT_SET"\n',
            "the variable NOT_SET is not set",
        ),
        ('[eu]\npublic_key = "p"\nprivate_key_file = "none"\n', "cannot be read: No such file"),
        ('[eu]\npublic_key = "p"\nprivate_key_command = ["false"]\n', "ended with exit code 1"),
        ('[eu]\npublic_key = "p"\nprivate_key_command = ["no-such"]\n', "cannot be run: No such"),
        ('[eu]\npublic_key = "p"\nprivate_key = "a b"\n', "its private key is not one; copy it"),
        ('[eu]\npublic_key = "p q"\nprivate_key = "a"\n', "its public key is not one; copy it"),
        ('[eu]\npublic_key = "p"\n', "pip install keyring"),
        ('[in]\npublic_key = "p"\n', "there are in; make it with: mettl profile add eu"),
        ("", "there are none yet; make it with: mettl profile add eu"),
    ],
)
def test_what_is_wrong_with_a_profile_is_said_in_one_line(text, words, mettl, folder, no_keyring):
    write(folder, text)
    done = signed_with(mettl)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_comments_and_other_profiles_stay(folder, mettl):
    ours = (
        '# of the whole team\n[india]  # the first one\npublic_key = "p"\nprivate_key_env = "A"\n'
    )
    path = write(folder, ours)
    assert add("eu", "--public-key", "q", "--private-key-env", "B").exit_code == 0
    assert add("eu", "--public-key", "q", "--private-key-env", "B").exit_code == 2
    command = "op read 'op://it/mettl eu'"
    again = add("eu", "--public-key", "q", "--private-key-command", command, "--overwrite")
    assert again.exit_code == 0, again.output
    assert path.read_text().startswith(ours)
    eu = tomllib.loads(path.read_text())["eu"]
    assert eu["private_key_command"] == ["op", "read", "op://it/mettl eu"]
    assert mettl("profile", "remove", "eu").exit_code == 0
    assert path.read_text().strip() == ours.strip()
    assert mettl("profile", "remove", "eu").exit_code == 2


def test_a_sandbox_takes_no_profile(mettl):
    done = mettl("register", "--sandbox", "--generate", "1", "--profile", "eu")
    assert done.exit_code == 2
    assert "leave out --schedule, --profile" in done.stderr
    used = mettl("register", "--sandbox", "--generate", "1", env={"METTL_PROFILE": "unknown"})
    assert used.exit_code == 0, used.stderr


def test_the_file_is_in_the_platforms_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("METTL_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert profiles_file() == tmp_path / "mettl" / "profiles.toml"
    assert profiles_file().name == "profiles.toml"


def test_names_are_completed(folder, mettl):
    write(folder, '[eu]\npublic_key = "p"\n[india]\npublic_key = "p"\n')
    env = {
        "_ROOT_COMPLETE": "complete_bash",
        "COMP_WORDS": "root account --profile e",
        "COMP_CWORD": "3",
    }
    assert mettl(env=env).stdout.split() == ["eu"]


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (None, "", "eu.key: cannot be read: No such file"),
        (0o644, "k", "others can read it; run: chmod 600"),
        (0o600, "", "is empty"),
        (0o600, "k", ""),
    ],
)
def test_a_file_of_a_key_that_cannot_be_used_is_refused_at_once(mettl, mode, text, words):
    key = Path("eu.key")
    if mode is not None:
        key.write_text(text)
        key.chmod(mode)
    done = mettl("profile", "add", "eu", "--public-key", "p", "--private-key-file", key)
    assert done.exit_code == (2 if words else 0), done.output
    assert words in done.stderr
    assert ("eu" in mettl("profile", "list").stdout.split()) is not bool(words)
