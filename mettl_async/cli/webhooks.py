"""The commands of ``mettl webhooks``: wiring only, like ``app``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from mettl_async.cli import listening, sending
from mettl_async.cli.passwords import basic_auth, signed_context
from mettl_async.cli.problems import CommandError, told
from mettl_async.cli.target import MOST_PORT

_MOST_EVENTS: Final = 100_000

_PasswordEnv = Annotated[
    str | None,
    typer.Option(
        help="Name of the environment variable with its password; asked for on a terminal.",
        metavar="VARIABLE",
    ),
]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    help="See events come, and send samples, while you build a receiver.",
)


@app.command()
def listen(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=MOST_PORT)] = 8080,
    path: Annotated[str, typer.Option(help="Where events are expected.")] = "/webhooks/mettl",
    user: Annotated[
        str | None, typer.Option(help="Name in the credentials of the schedule.", metavar="NAME")
    ] = None,
    password_env: _PasswordEnv = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Believe anybody, instead of --user.")
    ] = False,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Do not mask who it is about.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for each event, in one line.")
    ] = False,
) -> None:
    """Print the events that come, once each, until Ctrl-C; what is refused is told on stderr.

    Exit code: 0 ended by Ctrl-C, 2 nothing could be done, or stdout could not be written.
    """
    with told("nothing came"):
        if no_auth and user is not None:
            raise CommandError("give --user or --no-auth, not both")
        auth = basic_auth(user, password_env)
        if auth is None and not no_auth:
            raise CommandError(
                "say whom to believe: --user and --password-env, or --no-auth for anybody"
            )
        if not path.startswith("/") or not path.isascii() or set(path) & set("?# %"):
            raise CommandError("--path: give one such as /webhooks/mettl")
        job = listening.Job(
            host=host,
            port=port,
            path=path,
            auth=auth,
            as_json=as_json,
            personal=show_personal,
        )
        raise typer.Exit(listening.listen(job))


@app.command()
def send(
    kind: Annotated[
        sending.Kind, typer.Argument(help="Which event.", case_sensitive=False, metavar="EVENT")
    ],
    *,
    to: Annotated[str, typer.Option(help="Of the receiver.", metavar="URL")],
    user: Annotated[
        str | None, typer.Option(help="Name to send credentials for.", metavar="NAME")
    ] = None,
    password_env: _PasswordEnv = None,
    access_key: Annotated[str, typer.Option(help="Of the schedule.", metavar="KEY")] = "0x0x0x0x0x",
    email: Annotated[
        str, typer.Option(help="Of the candidate; further ones get +2, +3, ... in it.")
    ] = "candidate@example.com",
    own_id: Annotated[
        str | None,
        typer.Option(
            help="Id of yours to sign into context_data, with --context-env.", metavar="ID"
        ),
    ] = None,
    context_env: Annotated[
        str | None,
        typer.Option(
            help="Name of the environment variable with the secret of your ContextSigner.",
            metavar="VARIABLE",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(help="So many candidates.", min=1, max=_MOST_EVENTS, metavar="N")
    ] = 1,
    duplicate: Annotated[
        bool, typer.Option("--duplicate", help="Send each a second time, byte for byte.")
    ] = False,
) -> None:
    """Send a made-up event to a receiver, as Mettl would.

    EVENT is TestStarted, TestFinished, TestGraded or TestResumeEnabled. Exit code: 0 all were
    answered with 2xx, 1 some were not, 2 nothing could be done, 130 interrupted.
    """
    with told("some may have been sent"):
        job = sending.Job(
            kind=kind,
            context=signed_context(own_id, context_env),
            to=to,
            auth=basic_auth(user, password_env),
            access_key=access_key,
            email=email,
            count=count,
            duplicate=duplicate,
        )
        raise typer.Exit(sending.send(job))
