"""Passwords for commands: from an environment variable or typed, never on the command line."""

import os
import sys

import typer

from mettl_async.cli.problems import CommandError
from mettl_async.models import BasicAuth
from mettl_async.webhooks import ContextSigner


def basic_auth(user: str | None, password_env: str | None) -> BasicAuth | None:
    """Read the password that belongs to a user; None without a user.

    Raises:
        CommandError: A name without a password, the other way round, or a control character in one.
        InvalidInputError: One of them is blank, or the name has a colon.
    """
    if user is None:
        if password_env is not None:
            raise CommandError("--password-env needs --user: whose password is it")
        return None
    if password_env is not None:
        password = _variable("--password-env", password_env)
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, err=True)
    else:
        raise CommandError(
            "--user needs --password-env: the name of an environment variable with the password"
        )
    auth = BasicAuth(username=user, password=password)
    if not (auth.username + auth.password).isprintable():
        raise CommandError("the credentials have a control character, perhaps the end of a line")
    return auth


def signed_context(own_id: str | None, context_env: str | None) -> tuple[str, ContextSigner] | None:
    """Read the secret that signs an id of the caller's; None without both.

    Raises:
        CommandError: One without the other, or no such variable.
        InvalidInputError: The secret is too short.
    """
    if own_id is None and context_env is None:
        return None
    if own_id is None or context_env is None:
        raise CommandError("--own-id and --context-env go together: what to sign, and with what")
    return own_id, ContextSigner([_variable("--context-env", context_env)])


def _variable(option: str, name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        # The name is not repeated: it may be the secret, given here by mistake.
        raise CommandError(
            f"{option}: there is no such environment variable; "
            "it takes the name of one, not the secret"
        )
    return value
