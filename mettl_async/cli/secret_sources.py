"""Where the private key of a profile is: it never stands on a command line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from mettl_async.bulk.files import belongs_to_another
from mettl_async.cli.problems import CommandError, os_reason

SOURCES: Final = ("private_key_env", "private_key_file", "private_key_command", "private_key")
"""Names in the file of profiles; a profile with none of them has its key in the system's keyring."""

_SERVICE: Final = "mettl"
_OTHERS: Final = 0o077
_LONGEST: Final = 10_000  # characters; a key has 128 at most
_NO_KEYRING: Final = (
    "the system's keyring cannot be used ({}): run pip install keyring, or name another place with "
    "--private-key-env, --private-key-file or --private-key-command"
)


@frozen(kw_only=True)
class Source:
    """Where one private key is.

    Attributes:
        name: Name of the profile.
        kind: One of `SOURCES`; None for the keyring.
        value: What stands there: a variable's name, a file, the words of a command, the key itself.
        home: Folder that a file is looked for in.
    """

    name: str
    kind: str | None
    value: str | Sequence[str] | None = field(default=None, repr=False)
    home: Path = Path()

    def __str__(self) -> str:
        match self.kind:
            case "private_key_env":
                return f"variable {self.value}"
            case "private_key_file":
                return f"file {self.value}"
            case "private_key_command":
                return f"command {self._words[0]}"
            case "private_key":
                return "the file of profiles"
        return "keyring"

    def read(self) -> str:
        """Fetch the key.

        Raises:
            CommandError: It is not there, or others can read it.
        """
        match self.kind:
            case "private_key_env":
                key = os.environ.get(str(self.value), "")
                missing = f"the variable {self.value} is not set"
            case "private_key_file":
                key = self._from_file(self.home / Path(str(self.value)).expanduser())
                missing = f"the file {self.value} is empty"
            case "private_key_command":
                key = self._from_command()
                missing = f"the command {self._words[0]!r} printed nothing"
            case "private_key":
                key, missing = str(self.value), ""
            case _:
                key = self._from_keyring()
                missing = (
                    f"it is not in the keyring; run: mettl profile add {self.name} --overwrite"
                )
        if not key:
            raise self._problem(missing)
        return key

    def store(self, key: str) -> None:
        """Keep the key in the keyring.

        Raises:
            CommandError: There is no keyring.
        """
        keyring = _keyring()
        try:
            keyring.set_password(_SERVICE, self.name, key)
        except Exception as error:  # noqa: BLE001 - each keyring raises what it likes
            raise CommandError(_NO_KEYRING.format(_first_line(error))) from None

    def forget(self) -> None:
        """Remove the key from the keyring, if that is where it is."""
        if self.kind is None:
            with suppress(Exception):  # there is none, or no keyring
                _keyring().delete_password(_SERVICE, self.name)

    @property
    def _words(self) -> Sequence[str]:
        return () if self.value is None or isinstance(self.value, str) else self.value

    def _problem(self, what: str) -> CommandError:
        return CommandError(f"profile {self.name!r} has no private key: {what}")

    def _from_file(self, path: Path) -> str:
        check_private(path)
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(_LONGEST).strip()
        except OSError as error:
            raise self._problem(f"{path} cannot be read: {os_reason(error)}") from None
        except UnicodeDecodeError:
            raise self._problem(f"{path} is not text") from None

    def _from_command(self) -> str:
        try:
            # Its stderr and stdin are the terminal's: it may ask for a password of its own.
            done = subprocess.run(self._words, stdout=subprocess.PIPE, check=False)  # noqa: S603 - the user's own
        except OSError as error:
            raise self._problem(
                f"the command {self._words[0]!r} cannot be run: {os_reason(error)}"
            ) from None
        if done.returncode:
            raise self._problem(
                f"the command {self._words[0]!r} ended with exit code {done.returncode}"
            )
        return done.stdout[:_LONGEST].decode("utf-8", "replace").strip()

    def _from_keyring(self) -> str:
        keyring = _keyring()
        try:
            return keyring.get_password(_SERVICE, self.name) or ""
        except Exception as error:  # noqa: BLE001 - each keyring raises what it likes
            raise self._problem(f"the keyring did not give it: {_first_line(error)}") from None


def in_keyring(name: str) -> Source:
    """Name the keyring as the place of a profile's key."""
    return Source(name=name, kind=None)


def check_private(path: Path) -> None:
    """Refuse a file with a key that is somebody else's, or that others can read.

    Raises:
        CommandError: It is.
    """
    if os.name == "nt":
        return  # its permissions are not in these bits
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {os_reason(error)}") from None
    if belongs_to_another(path):
        raise CommandError(f"{path}: has a private key, and belongs to another user")
    if mode & _OTHERS:
        raise CommandError(
            f"{path}: has a private key, and others can read it; run: chmod 600 {path}"
        )


def check_keyring() -> None:
    """Refuse to go on without a keyring, before a key is asked for.

    Raises:
        CommandError: There is none, with what to do.
    """
    backend = _keyring().get_keyring()
    if type(backend).__module__ in {"keyring.backends.fail", "keyring.backends.null"}:
        raise CommandError(_NO_KEYRING.format("there is none on this machine"))


def _keyring() -> Any:
    try:
        return import_module("keyring")
    except ImportError:
        raise CommandError(_NO_KEYRING.format("its package is not installed")) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or "no reason was given"
