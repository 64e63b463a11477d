"""What ``mettl profile`` does to the file of profiles."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mettl_async.cli.outfile import private_files, whole_file
from mettl_async.cli.printing import print_json, print_table
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.profiles import (
    Profile,
    check_name,
    find_profile,
    profiles_file,
    read_profiles,
    table_of,
)
from mettl_async.cli.secret_sources import Source, check_keyring, in_keyring
from mettl_async.config import Credentials, Region

if TYPE_CHECKING:
    import tomlkit

    from mettl_async.config import ApiVersion


def add(
    name: str,
    *,
    region: Region | None,
    base_url: str | None,
    version: ApiVersion | None,
    public_key: str | None,
    sources: dict[str, str | None],
    overwrite: bool,
) -> None:
    """Add a profile; a key that is in no other place is asked for, and kept in the keyring.

    Args:
        name: Name of the profile.
        region: Region of the account.
        base_url: Address of the API instead.
        version: Version of the API.
        public_key: Public key; asked for where it is None.
        sources: Place of the private key by its kind; all None for the keyring.
        overwrite: Whether a profile of this name is replaced.

    Raises:
        CommandError: It cannot be added.
    """
    check_name(name)
    path = profiles_file()
    if name in read_profiles(path) and not overwrite:
        raise CommandError(f"profile {name!r} exists already; pass --overwrite, or another name")
    if region is not None and base_url is not None:
        raise CommandError("give --region or --base-url, not both")
    source = _source(name, sources, path)
    if source.kind is None:
        check_keyring()
    elif source.kind == "private_key_file":
        source.read()  # which refuses one that is not there, or not private
    public_key = public_key or _ask("Public key", "--public-key", hidden=False)
    profile = Profile(
        name=name,
        public_key=public_key,
        region=region,
        base_url=base_url,
        version=version,
        source=source,
    )
    if source.kind is None:
        key = _ask("Private key (not shown)", "--private-key-env", hidden=True)
        source.store(_checked(profile, key))
    document = _document(path)
    document[name] = table_of(profile)
    _write(path, document)
    typer.echo(f"profile     {name}, in {path}\ntry it      mettl account --profile {name}")


def remove(name: str) -> None:
    """Remove a profile, and its key from the keyring.

    Raises:
        CommandError: There is none, or it cannot be removed.
    """
    path = profiles_file()
    profile = find_profile(name, path)
    document = _document(path)
    del document[name]
    _write(path, document)
    profile.source.forget()
    typer.echo(f"removed     {name}")


def show(name: str) -> None:
    """Print what a profile has, but for its private key.

    Raises:
        CommandError: There is none.
    """
    path = profiles_file()
    profile = find_profile(name, path)
    lines = (
        ("profile", profile.name),
        ("address", _address(profile)),
        ("version", profile.version or "v2"),
        ("public key", profile.public_key),
        ("private key", f"in {profile.source}"),
        ("file", path),
    )
    typer.echo("\n".join(f"{what:<13}{value}" for what, value in lines))


def show_all(*, as_json: bool) -> None:
    """List the profiles.

    Raises:
        CommandError: The file cannot be used.
    """
    path = profiles_file()
    rows = [
        {
            "profile": one.name,
            "address": _address(one),
            "version": str(one.version or "v2"),
            "private_key": str(one.source),
        }
        for one in read_profiles(path).values()
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [list(one.values()) for one in rows])
    else:
        typer.echo(f"no profiles in {path}; make one with: mettl profile add NAME", err=True)


def _address(profile: Profile) -> str:
    return profile.base_url or str(profile.region or Region.INDIA)


def _source(name: str, sources: dict[str, str | None], path: Path) -> Source:
    given = {kind: value for kind, value in sources.items() if value is not None}
    if len(given) > 1:
        options = " and ".join(f"--{kind.replace('_', '-')}" for kind in given)
        raise CommandError(f"{options} are two places of one key; give one of them")
    for kind, value in given.items():
        if kind != "private_key_command":
            whole = str(Path(value).expanduser().absolute()) if kind.endswith("file") else value
            return Source(name=name, kind=kind, value=whole, home=path.parent)
        try:
            words = shlex.split(value)
        except ValueError:
            words = []
        if not words:
            raise CommandError("--private-key-command: give a command, such as 'pass show mettl'")
        return Source(name=name, kind=kind, value=words, home=path.parent)
    return in_keyring(name)


def _ask(what: str, option: str, *, hidden: bool) -> str:
    if not sys.stdin.isatty():
        raise CommandError(f"{option} is missing, and there is no terminal to ask on")
    answer: str = typer.prompt(what, hide_input=hidden, err=True)
    return answer.strip()


def _checked(profile: Profile, key: str) -> str:
    stand_in = Source(name=profile.name, kind="private_key", value=key)
    credentials: Credentials = Profile(
        name=profile.name, public_key=profile.public_key, source=stand_in
    ).credentials()
    return credentials.private_key


def _document(path: Path) -> tomlkit.TOMLDocument:
    try:
        import tomlkit  # noqa: PLC0415 - needs the extra
    except ImportError:
        raise CommandError(
            'profiles need one more package: pip install "mettl-async[cli]"'
        ) from None
    # Comments of the user's stay. What it reads was read before, so it is there and is TOML.
    return tomlkit.parse(path.read_text("utf-8") if path.exists() else "")


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    try:
        with private_files():
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{path.parent}: cannot be made: {os_reason(error)}") from None
    with whole_file(path, overwrite=True) as file:
        file.write(document.as_string().encode())
