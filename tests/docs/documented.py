"""What is public, and the examples of its docstrings."""

import ast
import inspect
import re
import sys
import textwrap

import mettl_async
import mettl_async.jobs
import mettl_async.models
import mettl_async.sandbox
import mettl_async.webhooks
from mettl_async import otel, redis_limiter, sql_backend
from mettl_async.api.account import Account
from mettl_async.api.assessments import Assessments
from mettl_async.api.candidates import Candidates
from mettl_async.api.pbts import Pbts
from mettl_async.api.results import Results
from mettl_async.api.schedules import Schedules
from mettl_async.bulk import sql_journal
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.sandbox import candidates, clock, deliveries
from mettl_async.webhooks import sql_inbox, sql_seen_events

PUBLIC = (mettl_async, mettl_async.jobs, mettl_async.models, mettl_async.sandbox, mettl_async.webhooks,
          otel, redis_limiter, sql_inbox, sql_journal, sql_seen_events)  # fmt: skip
RESOURCES = (Account, Pbts, Assessments, Schedules, Candidates, Results)
OF_THE_SANDBOX = (candidates.Candidates, deliveries.Deliveries, clock.SandboxClock)
PROTOCOLS = (
    mettl_async.Journal,
    mettl_async.webhooks.SeenEvents,
    mettl_async.webhooks.EventStore,
    mettl_async.jobs.WorkerObserver,
)
BY_THE_LIBRARY = {  # who calls them is the library itself, not its users
    "FileJournal.read", "FileJournal.count", "FileJournal.has_answers",
    "EventHandlers.has", "EventHandlers.call", "SqlClaims.complete",
    "SqlEventInbox.take", "SqlEventInbox.give_back", "SqlEventInbox.try_again", "SqlEventInbox.give_up",
    "Simulation.furnish", "Simulation.settle", "Simulation.person_of", "Candidates.person",
    "Deliveries.add", "Deliveries.restore", "Deliveries.attempted", "Deliveries.sending",
    "SandboxClock.now", "Faults.draw", "Faults.wait", "Pace.graded", "Pace.reported",
    "Stats.began", "Stats.ended", "Account.schedules", "Schedule.admits", "Schedule.invite",
}  # fmt: skip


def public_names():
    """What users import: lists of names, or what a module defines."""
    for module in PUBLIC:
        listed = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and str(getattr(value, "__module__", "")).startswith(module.__name__)
        ]
        yield from (
            (module.__name__, name)
            for name in listed
            if not name.startswith("_") and not isinstance(getattr(module, name), type(sys))
        )


def public_objects():
    """Give each public class and function once."""
    named = [getattr(sys.modules[module], name) for module, name in public_names()]
    found = (*RESOURCES, *named, *OF_THE_SANDBOX, sql_backend.pgbouncer_options)
    return list(
        {id(one): one for one in found if inspect.isclass(one) or inspect.isfunction(one)}.values()
    )


def methods():
    """Give the classes and names that users call, by the class that defines each."""
    found = {}
    for cls in filter(inspect.isclass, public_objects()):
        for base in cls.__mro__:
            if not base.__module__.startswith("mettl_async") or base is OpenStrEnum:
                continue
            for name, value in vars(base).items():
                is_method = inspect.isfunction(value) or isinstance(
                    value, classmethod | staticmethod
                )
                if is_method and not name.startswith("_"):
                    found.setdefault(f"{base.__name__}.{name}", (cls, base, name))
    return {name: one for name, one in found.items() if name not in BY_THE_LIBRARY}


def implements(cls, name):
    """Tell whether a method is one that a protocol describes, by whose example it is shown."""
    for protocol in PROTOCOLS:
        own = {
            one
            for one, value in vars(protocol).items()
            if inspect.isfunction(value) and not one.startswith("_")
        }
        if cls is not protocol and name in own and all(hasattr(cls, one) for one in own):
            return True
    return False


def example_of(documented):
    """Give the literal block that follows ``Example::`` in a docstring; empty if there is none."""
    text = f"{inspect.getdoc(documented) or ''}\n"
    found = re.search(r"^Example::\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return textwrap.dedent(found[1]) if found else ""


def shown(source):
    """Give what an example calls as ``something.name`` or defines."""
    tree = ast.parse(source)
    return {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)} | {
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def everything():
    """Give each public class, function and method by name."""
    found = {one.__qualname__: one for one in public_objects()}
    return found | {name: getattr(base, method) for name, (_, base, method) in methods().items()}


def with_examples():
    """Give those that have an example, by name."""
    return {name: one for name, one in everything().items() if example_of(one)}


def names_for(documented):
    """Give what an example need not import: public names, those of its own package first."""
    own = [one for one in PUBLIC if documented.__module__.startswith(f"{one.__name__}.")]
    return {
        name: getattr(module, name)
        for module in (*PUBLIC, sql_backend, *sorted(own, key=lambda one: len(one.__name__)))
        for name in getattr(module, "__all__", dir(module))
        if not name.startswith("_")
    }


def section(documented, title):
    """Give the lines of a section of a docstring, such as ``Raises``, without their indentation."""
    found = re.search(
        rf"^{title}:\n((?:    .*\n|\n)+)", f"{inspect.getdoc(documented) or ''}\n", re.MULTILINE
    )
    return textwrap.dedent(found[1]).splitlines() if found else []
