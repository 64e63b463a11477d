"""The commands of ``mettl webhooks``: their parameters only, like ``app``."""

from typing import Annotated, Final

import typer

from mettl_async.cli.helping import Group
from mettl_async.cli.option_fields import MOST_PORT, command
from mettl_async.cli.problems import CommandError
from mettl_async.models import EVENTS

_MAX_EVENTS: Final = 100_000
_CLASSES: Final = {cls.__name__.casefold(): cls for cls in EVENTS}
_NAMES: Final = ", ".join(cls.__name__ for cls in EVENTS)

_PasswordEnv = Annotated[
    str | None,
    typer.Option(
        help="Name of the environment variable with its password; asked for on a terminal.",
        metavar="VARIABLE",
    ),
]

app = typer.Typer(
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    help="See events come, and send samples, while you build a receiver.",
)


@command(
    app,
    "mettl webhooks listen --no-auth",
    "mettl webhooks listen --user acme --password-env HOOK_PASSWORD",
    interrupted="nothing came",
)
def listen(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.", metavar="HOST")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="0 takes a free one.", min=0, max=MOST_PORT, metavar="N")
    ] = 8080,
    path: Annotated[
        str, typer.Option(help="Where events are expected.", metavar="PATH")
    ] = "/webhooks/mettl",
    user: Annotated[
        str | None, typer.Option(help="Name in the credentials of the schedule.", metavar="NAME")
    ] = None,
    password_env: _PasswordEnv = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Accept anybody, instead of --user.")
    ] = False,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Do not mask candidates.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for each event, in one line.")
    ] = False,
) -> int:
    """Print the events that come, once each, until Ctrl-C; stderr has a line for each refusal.

    Exit code: 0 ended by Ctrl-C, 2 nothing could be done, or stdout could not be written.
    """
    from mettl_async.cli.listening import Listener
    from mettl_async.cli.passwords import basic_auth

    if no_auth and user is not None:
        raise CommandError("give --user or --no-auth, not both")
    auth = basic_auth(user, password_env)
    if auth is None and not no_auth:
        raise CommandError("give --user and --password-env, or --no-auth to accept anybody")
    if not path.startswith("/") or not path.isascii() or set(path) & set("?# %"):
        raise CommandError("--path: give one such as /webhooks/mettl")
    Listener(path=path, auth=auth, as_json=as_json, personal=show_personal).listen(host, port)
    return 0


@command(
    app,
    "mettl webhooks send TestGraded --to http://127.0.0.1:8080/webhooks/mettl",
    "mettl webhooks send TestStarted --to https://hr.example/hook --count 5",
    interrupted="some may have been sent",
)
def send(
    event: Annotated[str, typer.Argument(help=f"One of {_NAMES}.", metavar="EVENT")],
    *,
    to: Annotated[str, typer.Option(help="URL of the receiver.", metavar="URL")],
    user: Annotated[
        str | None, typer.Option(help="Name to send credentials for.", metavar="NAME")
    ] = None,
    password_env: _PasswordEnv = None,
    access_key: Annotated[
        str, typer.Option(help="Key of the schedule.", metavar="KEY")
    ] = "0x0x0x0x0x",
    email: Annotated[
        str,
        typer.Option(
            help="Address of the candidate; further ones get +2, +3, ... in it.", metavar="EMAIL"
        ),
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
        int, typer.Option(help="Number of candidates.", min=1, max=_MAX_EVENTS, metavar="N")
    ] = 1,
    duplicate: Annotated[
        bool, typer.Option("--duplicate", help="Send each a second time, byte for byte.")
    ] = False,
) -> int:
    """Send a made-up event to a receiver, as Mettl would.

    Exit code: 0 all were answered with 2xx, 1 some were not, 2 nothing could be done, 130 interrupted.
    """
    from mettl_async.cli import sending
    from mettl_async.cli.passwords import basic_auth, signed_context

    cls = _CLASSES.get(event.casefold())
    if cls is None:
        raise CommandError(f"EVENT: give one of {_NAMES}")
    auth = basic_auth(user, password_env)
    bodies = sending.bodies(
        cls,
        access_key=access_key,
        email=email,
        count=count,
        duplicate=duplicate,
        context=signed_context(own_id, context_env),
    )
    return sending.send(bodies, to=to, auth=auth, name=cls.__name__)


@command(
    app,
    "mettl webhooks replay --db postgresql://ats@db.example/ats",
    "mettl webhooks replay 17 18",
    "mettl webhooks replay --all",
    interrupted="some may have been replayed",
)
def replay(
    ids: Annotated[
        list[int] | None,
        typer.Argument(help="Numbers of dead letters; without any they are listed.", metavar="ID"),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Replay all of them.")] = False,
    db: Annotated[
        str | None,
        typer.Option(
            help="URL of the inbox's database; with a password it is better kept in the environment.",
            envvar="METTL_WEBHOOKS_DB",
            show_envvar=True,
            metavar="URL",
        ),
    ] = None,
    table: Annotated[
        str, typer.Option(help="Name of the inbox's table.", metavar="NAME")
    ] = "mettl_inbox",
    as_json: Annotated[
        bool, typer.Option("--json", help="List them as one JSON document.")
    ] = False,
) -> int:
    """List events that kept failing, or let the workers of the inbox handle them again.

    The list has no personal data. What is replayed is tried as often as an event that has just come.

    Exit code: 0 done, 1 some of the numbers are no dead letters, 2 nothing could be done.
    """
    if db is None:
        raise CommandError("give --db, or set METTL_WEBHOOKS_DB")
    if ids and every:
        raise CommandError("give numbers or --all, not both")
    from mettl_async.cli import replaying

    if ids or every:
        return replaying.replay(db, table, ids or None)
    return replaying.show(db, table, as_json=as_json)
