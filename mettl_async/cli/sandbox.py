"""``mettl sandbox``: a Mettl on this machine until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mettl_async.cli.problems import CommandError, cannot_listen
from mettl_async.config import BASE_URL_VARIABLE, PRIVATE_KEY_VARIABLE, PUBLIC_KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mettl_async.sandbox import Sandbox, Server


def load_sandbox() -> type[Sandbox]:
    """Import the sandbox, which is an extra.

    Raises:
        CommandError: It is not installed.
    """
    try:
        from mettl_async.sandbox import Sandbox  # noqa: PLC0415 - needs the extra
    except ImportError:
        raise CommandError(
            'the sandbox needs more packages: pip install "mettl-async[sandbox]"'
        ) from None
    return Sandbox


def serve(
    host: str,
    port: int,
    db: Path | None = None,
    *,
    keys: str | None = None,
    hosts: Sequence[str] = (),
    lenient_signatures: bool = False,
) -> None:
    """Run the sandbox until Ctrl-C; ``keys`` are a public and a private one with a colon between.

    Raises:
        CommandError: The address, the file or the keys cannot be used, or the extra is missing.
    """
    make_sandbox = load_sandbox()
    from mettl_async.sandbox import SandboxCredentials, SnapshotError, run  # noqa: PLC0415 - needs the extra

    credentials = None
    if keys is not None:
        public, _, private = keys.partition(":")
        if not public or not private:
            raise CommandError("--keys: give a public and a private one, with a colon between")
        credentials = SandboxCredentials(public_key=public, private_key=private)
    try:
        run(
            host,
            port,
            sandbox=make_sandbox(
                credentials=credentials, db=db, hosts=hosts, lenient_signatures=lenient_signatures
            ),
            on_ready=lambda server: typer.echo(greeting(server, db)),
        )
    except SnapshotError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise cannot_listen(f"{host} port {port}", error) from None


def greeting(server: Server, db: Path | None = None) -> str:
    """Format what a user of the sandbox needs; its keys are made up, so they may be shown."""
    keys = server.credentials
    return f"""\
Sandbox of Mettl at {server.base_url}, until Ctrl-C. Keys and people are made up.

public key   {keys.public_key}
private key  {keys.private_key}
access key   {server.access_key}  (of a schedule that is open for all)
admin pages  {server.base_url}/admin  (candidates, webhooks, faults, clock)
remembers    {_remembers(server, db)}

In another terminal:

export {PUBLIC_KEY_VARIABLE}={keys.public_key}
export {PRIVATE_KEY_VARIABLE}={keys.private_key}
export {BASE_URL_VARIABLE}={server.base_url}
mettl register people.csv --schedule {server.access_key} --out links.csv
"""


def _remembers(server: Server, db: Path | None) -> str:
    if db is None:
        return "until its end; --db FILE for longer"
    ahead = server.sandbox.clock.ahead
    advanced = f"; its clock was advanced by {ahead:,.0f} s" if ahead else ""
    return f"in {db}{advanced}"
