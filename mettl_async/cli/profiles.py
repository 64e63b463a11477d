"""Profiles: accounts with a name, kept in one file of the user's.

What beats what: options of the command beat the profile, and a profile is a whole account. Where one is
chosen, by ``--profile`` or else by METTL_PROFILE, the variables of one account (METTL_PUBLIC_KEY,
METTL_PRIVATE_KEY, METTL_REGION, METTL_BASE_URL) are not looked at: keys of one account never meet the
address of another.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.secret_sources import SOURCES, Source, check_private, in_keyring
from mettl_async.cli.wording import BASE_URL_WORDS, words
from mettl_async.config import ApiVersion, Credentials, Region, normalise_base_url
from mettl_async.errors import ConfigurationError

PROFILE_VARIABLE: Final = "METTL_PROFILE"
FOLDER_VARIABLE: Final = "METTL_CONFIG_DIR"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_PLAIN: Final = ("region", "base_url", "version", "public_key")


@frozen(kw_only=True)
class Profile:
    """One account.

    Attributes:
        name: Its name.
        public_key: Public key.
        region: Region; None where ``base_url`` says it, or for India.
        base_url: Address of the API instead of a region.
        version: Version of the API.
        source: Where its private key is.
    """

    name: str
    public_key: str = field(repr=False)
    region: Region | None = None
    base_url: str | None = None
    version: ApiVersion | None = None
    source: Source = field(repr=False)

    def credentials(self) -> Credentials:
        """Fetch the private key from where it is.

        Raises:
            CommandError: It is not there, or is no key.
        """
        private_key = self.source.read()
        try:
            return Credentials(public_key=self.public_key, private_key=private_key)
        except ConfigurationError as error:
            which = "private" if str(error).startswith("private") else "public"
            raise CommandError(
                f"profile {self.name!r}: its {which} key is not one; copy it from the API settings "
                "of the Mettl account, without spaces or line ends"
            ) from None


def profiles_file() -> Path:
    """Say where the profiles are: in the user's folder of settings, unless METTL_CONFIG_DIR says another.

    Raises:
        CommandError: The package that knows the folder is missing.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        return Path(folder) / "profiles.toml"
    try:
        from platformdirs import user_config_path  # noqa: PLC0415 - needs the extra
    except ImportError:
        raise CommandError(
            'profiles need one more package: pip install "mettl-async[cli]"'
        ) from None
    return user_config_path("mettl", appauthor=False) / "profiles.toml"


def read_profiles(path: Path) -> dict[str, Profile]:
    """Read all profiles; none where there is no file.

    Raises:
        CommandError: The file cannot be read, is wrong, or has keys that others can read.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {os_reason(error)}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path}: is not UTF-8; save it as UTF-8") from None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (.*)\)$", str(error))
        where = f" at {place[1]}" if place else ""
        raise CommandError(f"{path}: is not TOML{where}; correct it there") from None
    if any(isinstance(one, dict) and "private_key" in one for one in tables.values()):
        check_private(path)
    return {name: _profile(path, name, table) for name, table in tables.items()}


def find_profile(name: str, path: Path) -> Profile:
    """Find the profile of a name.

    Raises:
        CommandError: There is none, or the file cannot be used.
    """
    known = read_profiles(path)
    if name not in known:
        others = f"there are {', '.join(known)}" if known else "there are none yet"
        raise CommandError(
            f"no profile {name!r} in {path}, {others}; make it with: mettl profile add {_shown(name)}"
        )
    return known[name]


def chosen_profile(name: str | None) -> Profile | None:
    """Find the profile that was asked for by ``--profile``, or else by METTL_PROFILE; None without both.

    Raises:
        CommandError: There is no such profile, or the file cannot be used.
    """
    name = name or os.environ.get(PROFILE_VARIABLE) or None
    return None if name is None else find_profile(name, profiles_file())


def check_name(name: str) -> None:
    """Refuse a name that would have to be quoted somewhere.

    Raises:
        CommandError: It is one.
    """
    if not _NAME.fullmatch(name):
        raise CommandError(
            "NAME: give up to 40 letters without accents, digits, - and _, such as eu or acme-test"
        )


def names_completed(incomplete: str) -> list[str]:
    """Complete the name of a profile."""
    try:
        return [one for one in read_profiles(profiles_file()) if one.startswith(incomplete)]
    except CommandError:
        return []


def table_of(profile: Profile) -> dict[str, Any]:
    """Write a profile as the table of its name in the file."""
    values = {name: getattr(profile, name) for name in _PLAIN}
    table: dict[str, Any] = {name: str(one) for name, one in values.items() if one is not None}
    if profile.source.kind is not None:
        table[profile.source.kind] = profile.source.value
    return table


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "NAME"


def _profile(path: Path, name: str, table: object) -> Profile:
    where = f"{path}: profile {name!r}"
    if not _NAME.fullmatch(name) or not isinstance(table, dict):
        raise CommandError(
            f"{path}: {name!r} is not the name of a profile; a profile begins with a line such as [eu]"
        )
    unknown = [one for one in table if one not in _PLAIN and one not in SOURCES]
    if unknown:
        raise CommandError(
            f"{where}: {unknown[0]!r} is not known; it takes {', '.join((*_PLAIN, *SOURCES))}"
        )
    values: dict[str, Any] = {one: _text(where, table, one) for one in _PLAIN}
    if values["public_key"] is None:
        raise CommandError(f"{where}: has no public_key")
    if values["region"] and values["base_url"]:
        raise CommandError(f"{where}: has both region and base_url; keep one of them")
    try:
        values["region"] = values["region"] and Region(values["region"].lower())
        values["version"] = values["version"] and ApiVersion(values["version"])
        values["base_url"] = values["base_url"] and normalise_base_url(values["base_url"])
    except ConfigurationError as error:
        raise CommandError(f"{where}: {words(error).replace(BASE_URL_WORDS, 'base_url')}") from None
    except ValueError:
        raise CommandError(
            f"{where}: region is one of {', '.join(Region)}, version one of {', '.join(ApiVersion)}"
        ) from None
    return Profile(name=name, source=_source(path, where, name, table), **values)


def _source(path: Path, where: str, name: str, table: Mapping[str, object]) -> Source:
    given = [one for one in SOURCES if one in table]
    if len(given) > 1:
        raise CommandError(f"{where}: has {' and '.join(given)}; keep one of them")
    if not given:
        return in_keyring(name)
    kind = given[0]
    value: str | Sequence[str] | None
    if kind == "private_key_command":
        parts = table[kind]
        if (
            not isinstance(parts, list)
            or not parts
            or not all(isinstance(one, str) for one in parts)
        ):
            raise CommandError(
                f'{where}: write {kind} as a list, such as ["pass", "show", "mettl"]'
            )
        value = tuple(parts)
    else:
        value = _text(where, table, kind)
    return Source(name=name, kind=kind, value=value, home=path.parent)


def _text(where: str, table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise CommandError(f'{where}: write {key} as a text in quotes, such as {key} = "..."')
    return value
