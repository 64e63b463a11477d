"""The commands for those who write programs: ``sign`` and ``sandbox``; their parameters only, like ``app``."""

import time
from pathlib import Path
from typing import Annotated

import typer

from mettl_async.cli.helping import Group
from mettl_async.cli.option_fields import MOST_PORT, command
from mettl_async.cli.options import PROFILE_OPTION
from mettl_async.config import ApiVersion, Credentials

app = typer.Typer(cls=Group, rich_markup_mode=None, pretty_exceptions_show_locals=False)


@command(
    app,
    "mettl sign GET https://api.mettl.com/v2/account",
    "mettl sign POST https://api.mettl.com/v2/schedules -p key=value",
)
def sign(
    method: Annotated[str, typer.Argument(help="GET or POST.", metavar="METHOD")],
    url: Annotated[
        str, typer.Argument(help="URL as sent; its query is split off and decoded.", metavar="URL")
    ],
    *,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", help="A decoded parameter; can be repeated.", metavar="NAME=VALUE"
        ),
    ] = None,
    version: Annotated[
        ApiVersion | None, typer.Option(help="Version of the API; by default taken from the path.")
    ] = None,
    ts: Annotated[
        int | None,
        typer.Option(help="Time of signing in Unix seconds; by default now.", min=0, metavar="N"),
    ] = None,
    profile: Annotated[str | None, PROFILE_OPTION] = None,
) -> int:
    """Print the string to sign and the signature of a request: compare them on E401.

    Keys come from --profile, or METTL_PUBLIC_KEY and METTL_PRIVATE_KEY; ak and ts are added where they are missing.
    An asgn in the URL is compared with the signature.
    """
    from mettl_async.cli import sign as signing
    from mettl_async.cli.profiles import chosen_profile

    chosen = chosen_profile(profile)
    keys = Credentials.from_env() if chosen is None else chosen.credentials()
    text = signing.sign(
        method, url, parameters or (), version=version, ts=ts, now=time.time(), keys=keys
    )
    typer.echo(text)
    return 0


@command(
    app,
    "mettl sandbox",
    "mettl sandbox --port 9000 --db sandbox.json",
)
def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.", metavar="HOST")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="0 takes a free one.", min=0, max=MOST_PORT, metavar="N")
    ] = 8765,
    db: Annotated[
        Path | None,
        typer.Option(
            help="Keep everything in this file, and go on from it: sandbox.json. "
            "By default it is forgotten at the end.",
            metavar="FILE",
        ),
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            help="Made-up keys, for a new sandbox; random by default.", metavar="PUBLIC:PRIVATE"
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A further name that it may be asked under, such as that of a container. "
            "By default only names of this machine.",
            metavar="NAME",
        ),
    ] = None,
    lenient_signatures: Annotated[
        bool,
        typer.Option("--lenient-signatures", help="Take also an asgn that is encoded twice."),
    ] = False,
) -> int:
    """Run a made-up Mettl on this machine until Ctrl-C, for development without keys."""
    from mettl_async.cli import sandbox as sandboxing

    sandboxing.serve(
        host, port, db, keys=keys, hosts=allow_host or (), lenient_signatures=lenient_signatures
    )
    return 0
