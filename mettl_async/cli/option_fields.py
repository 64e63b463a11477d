"""Commands whose options are the fields of values: what several commands take is declared once."""

from __future__ import annotations

import asyncio
import inspect
from functools import wraps
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
import typer
from attrs import frozen

from mettl_async.cli.helping import command_with
from mettl_async.cli.problems import exit_on_error
from mettl_async.cli.talk import Quiet, Verbose, talking
from mettl_async.config import ApiVersion, ClientOptions, Region

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mettl_async.client import MettlClient

    Function = Callable[..., int]

T = TypeVar("T")

MOST_PORT: Final = 65_535
SECTION: Final = ""


def command(
    app: typer.Typer, *examples: str, interrupted: str = "nothing was sent", talks: bool = False
) -> Callable[[Function], Function]:
    """Add a function to an app as a command; its result is the exit code.

    A parameter of type ``Annotated[Value, {field: help}]`` becomes one option for each field of the attrs
    class ``Value``, with the field's name, type and default. Instead of a help text the dict may have a
    ``typer.Option(...)``, or ``Annotated[type, typer.Option(...)]`` where the option's type is another one.
    ``SECTION`` in the dict is the heading that they stand under in the help.

    Args:
        app: The app.
        *examples: Command lines that stand at the end of its help.
        interrupted: What Ctrl-C means for the user.
        talks: Whether it takes ``--quiet`` and ``--verbose``.
    """

    def add(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        values: dict[str, type[Any]] = {}
        parameters: list[inspect.Parameter] = []
        for one in inspect.signature(function).parameters.values():
            hint = hints[one.name]
            if get_origin(hint) is Annotated and isinstance(hint.__metadata__[0], dict):
                value, options = get_args(hint)
                values[one.name] = value
                parameters += _parameters(value, options)
            else:
                parameters.append(one.replace(annotation=hint))

        if talks:
            parameters.extend(_flag(*one) for one in (("quiet", Quiet), ("verbose", Verbose)))

        @wraps(function)
        def run(**given: Any) -> None:
            quiet, verbose = given.pop("quiet", False), given.pop("verbose", False)
            with exit_on_error(interrupted), talking(quiet=quiet, verbose=verbose):
                for name, value in values.items():
                    fields = [one.name for one in attrs.fields(value)]
                    given[name] = value(**{field: given.pop(field) for field in fields})
                raise typer.Exit(function(**given))

        # What typer reads; the function that is wrapped has other parameters.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        del run.__wrapped__
        # The name of a function may have an underscore where a builtin has it without.
        name = function.__name__.strip("_")
        app.command(name, cls=command_with(examples))(run)
        return function

    return add


def _flag(name: str, annotation: Any) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=False, annotation=annotation)


def _parameters(value: type[Any], options: dict[str, Any]) -> Iterator[inspect.Parameter]:
    types = get_type_hints(value)
    for one in attrs.fields(value):
        if one.name not in options:
            raise TypeError(
                f"{value.__name__}.{one.name} has no help text in mettl_async/cli/options.py"
            )
        option = options[one.name]
        if isinstance(option, str):
            # Without the name, typer would add a "--no-..." to a flag.
            option = typer.Option(f"--{one.name.replace('_', '-')}", help=option)
        if get_origin(option) is not Annotated:
            option = Annotated[types[one.name], option]
        option.__metadata__[0].rich_help_panel = options.get(SECTION)
        yield inspect.Parameter(
            one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=option
        )


@frozen(kw_only=True)
class Target:
    """An account: that of a profile, or of the environment; options beat what they say."""

    profile: str | None = None
    region: Region | None = None
    base_url: str | None = None
    version: ApiVersion | None = None

    def client(self, options: ClientOptions | None = None) -> MettlClient:
        """Make a client; see `mettl_async.cli.profiles` for what beats what.

        Raises:
            CommandError: The profile cannot be used.
            ConfigurationError: A key is missing, or a value cannot work.
        """
        from mettl_async.cli.profiles import chosen_profile
        from mettl_async.client import MettlClient

        profile = chosen_profile(self.profile)
        region, base_url, version = self.region, self.base_url, self.version
        if profile is not None:
            if region is None and base_url is None:
                region, base_url = profile.region, profile.base_url
            if region is None and base_url is None:
                region = Region.INDIA  # else the environment would be asked
            version = version or profile.version
        return MettlClient(
            None if profile is None else profile.credentials(),
            region=region,
            base_url=base_url,
            version=version or ApiVersion.V2,
            options=options,
        )

    def ask(self, work: Callable[[MettlClient], Awaitable[T]]) -> T:
        """Run what needs a client, which is closed afterwards.

        Raises:
            KeyboardInterrupt: Ctrl-C; calls in flight were given up.
            MettlError: Of the client or the work.
        """
        client = self.client()

        async def whole() -> T:
            async with client:
                return await work(client)

        return asyncio.run(whole())
