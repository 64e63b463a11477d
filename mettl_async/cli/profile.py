"""The commands of ``mettl profile``: their parameters only, like ``app``."""

from typing import Annotated

import typer

from mettl_async.cli.helping import Group
from mettl_async.cli.option_fields import command
from mettl_async.cli.options import Json, ProfileName
from mettl_async.config import ApiVersion, Region

app = typer.Typer(
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    help="Keep several accounts under names, for --profile.",
)


@command(app, "mettl profile list", interrupted="nothing was changed")
def list_(*, as_json: Json = False) -> int:
    """List the profiles."""
    from mettl_async.cli import profile_store

    profile_store.show_all(as_json=as_json)
    return 0


@command(
    app,
    "mettl profile add eu --region eu",
    "mettl profile add acme --private-key-env ACME_PRIVATE_KEY",
    "mettl profile add acme --private-key-command 'pass show mettl/acme'",
    interrupted="nothing was changed",
)
def add(
    name: Annotated[str, typer.Argument(help="Name for the profile.", metavar="NAME")],
    *,
    region: Annotated[
        Region | None, typer.Option(help="Region of the account; by default india.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Address of the API, instead of a region.", metavar="URL")
    ] = None,
    version: Annotated[
        ApiVersion | None, typer.Option(help="Version of the API; by default v2.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option(help="Public key; by default asked for.", metavar="KEY")
    ] = None,
    private_key_env: Annotated[
        str | None,
        typer.Option(
            help="Name of the variable of the environment that has the private key.",
            metavar="VARIABLE",
        ),
    ] = None,
    private_key_file: Annotated[
        str | None,
        typer.Option(
            help="File with the private key, which its owner alone can read.", metavar="FILE"
        ),
    ] = None,
    private_key_command: Annotated[
        str | None,
        typer.Option(help="Command that prints the private key.", metavar="COMMAND"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a profile of this name.")
    ] = False,
) -> int:
    """Add a profile; its private key is asked for, and kept in the system's keyring.

    The key itself never stands on a command line or in a history. Without a keyring, say where the
    key is with one of --private-key-...; it is fetched each time that it is needed.
    """
    from mettl_async.cli import profile_store

    profile_store.add(
        name,
        region=region,
        base_url=base_url,
        version=version,
        public_key=public_key,
        sources={
            "private_key_env": private_key_env,
            "private_key_file": private_key_file,
            "private_key_command": private_key_command,
        },
        overwrite=overwrite,
    )
    return 0


@command(app, "mettl profile remove eu", interrupted="nothing was changed")
def remove(name: ProfileName) -> int:
    """Remove a profile, and its private key from the keyring."""
    from mettl_async.cli import profile_store

    profile_store.remove(name)
    return 0


@command(app, "mettl profile show eu", interrupted="nothing was changed")
def show(name: ProfileName) -> int:
    """Show what a profile has, but for its private key."""
    from mettl_async.cli import profile_store

    profile_store.show(name)
    return 0
