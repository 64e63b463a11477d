"""Each public method is shown by an example in its docstring or that of its class, and the examples run."""

import ast
import asyncio
import inspect
import pydoc
import re
import sys
from base64 import b64encode
from collections.abc import Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import documented
import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.routing import Route

import mettl_async
from mettl_async import Candidate, MettlClient
from mettl_async.jobs import run_worker
from mettl_async.webhooks import (
    MemorySeenEvents,
    TestGraded,
    WebhookReceiver,
    parse_event,
    sample_event,
)
from mettl_async.webhooks.sql_inbox import SqlEventInbox

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))
from pretended_engine import Dispatch

PASSWORD = f"Basic {b64encode(b'mettl:secret').decode()}"
FUNCTIONS = [one for one in documented.public_objects() if inspect.isfunction(one)]
ERRORS = {
    name: one
    for module in (*documented.PUBLIC, mettl_async.errors)
    for name, one in vars(module).items()
    if inspect.isclass(one)
}
LIBRARIES = {
    one.__name__: one
    for one in (asyncio, httpx, Mapping, AsyncSession, Path, Route, Session, Starlette)
}


def test_each_public_method_is_shown_by_an_example():
    missing = [
        name
        for name, (cls, base, method) in documented.methods().items()
        if not documented.implements(cls, method)
        and not any(
            method in documented.shown(documented.example_of(one))
            for one in (getattr(base, method), base, cls)
        )
    ]
    assert not missing, "add a block that begins with Example::, or call it in that of its class"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_each_public_function_is_shown_by_an_example(function):
    assert f"{function.__name__}(" in documented.example_of(function)


def test_arguments_and_errors_are_real_and_what_is_returned_can_be_read():
    for name, one in documented.everything().items():
        for line in documented.section(one, "Raises"):
            if line and not line.startswith(" "):
                cls, colon, _ = line.partition(":")
                assert colon, f"{name}: {line}"
                assert issubclass(ERRORS.get(cls) or pydoc.locate(cls), BaseException), name
        named = {
            line.partition(":")[0].lstrip("*")
            for line in documented.section(one, "Args")
            if line and not line.startswith(" ")
        }
        assert named <= set(inspect.signature(one).parameters if named else ()), name
        # Sphinx would take the words before a colon for a type.
        returns = [*documented.section(one, "Returns"), ""][0]
        assert ": " not in re.sub("``.*?``", "", f"{returns} "), name


async def test_each_example_runs(server, quick_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable, value in (
        ("PUBLIC_KEY", server.credentials.public_key),
        ("PRIVATE_KEY", server.credentials.private_key),
        ("BASE_URL", server.base_url),
    ):
        monkeypatch.setenv(f"METTL_{variable}", value)
    # DBOS needs a second to begin; what it does is tested elsewhere.
    quick = partial(run_worker.Worker, make_engine=Dispatch().make_engine)
    monkeypatch.setattr(run_worker, "Worker", quick)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    client = partial(
        MettlClient, server.credentials, base_url=server.base_url, options=quick_options
    )
    async with own_database(tmp_path) as database:
        async with client() as mettl:
            await take_tests(server, mettl)
        given = {
            "server": server,
            "ACCESS_KEY": server.access_key,
            "ASSESSMENT_ID": next(iter(server.sandbox.assessments)),
            **database,
            "receiver": WebhookReceiver(auth=None),
            "request_headers": {"authorization": PASSWORD},
            "request_body": sample_event(TestGraded),
        }
        for number, (name, one) in enumerate(documented.with_examples().items()):
            async with client() as mettl:
                mine = await with_claim({**given, "mettl": mettl, "people": people(number)})
                await run_example(name, one, mine)


async def take_tests(server, client):
    for name in ("asha", "dana", "ravi"):
        email = f"{name}@example.org"
        await client.candidates.register(
            server.access_key, [Candidate(email=email, first_name=name)]
        )
        server.sandbox.candidates[email].start()
        server.sandbox.candidates[email].finish()


def people(number):
    emails = (f"c{number}.{index}@example.org" for index in range(21))
    return [Candidate(email=email, first_name="C") for email in emails]


@asynccontextmanager
async def own_database(path):
    """Give an inbox, and a table that handlers write to."""
    url = f"sqlite+aiosqlite:///{path}/service.db"
    engine = create_async_engine(url, hide_parameters=True)
    sync_engine = sa.create_engine(url.replace("+aiosqlite", ""), hide_parameters=True)
    scores = sa.Table("scores", sa.MetaData(), sa.Column("marks", sa.Double))
    inbox = SqlEventInbox(engine)
    await inbox.create_table()
    async with engine.begin() as connection:
        await connection.run_sync(scores.create)
    made = [engine]

    def create(*args, **options):
        made.append(create_async_engine(*args, **options))
        return made[-1]

    yield {
        "engine": engine,
        "sync_engine": sync_engine,
        "create_async_engine": create,
        "scores": scores,
        "inbox": inbox,
    }
    sync_engine.dispose()
    for one in made:
        await one.dispose()


async def with_claim(given):
    """Add an event that a worker has, and its claim; and a store of events."""
    event = parse_event(sample_event(TestGraded, email=given["people"][0].email))
    await given["inbox"].add(event)
    (taken,) = await given["inbox"].take(1)
    stop = anyio.Event()
    stop.set()
    return {**given, "event": event, "claim": taken.claim, "seen": MemorySeenEvents(), "stop": stop}


async def run_example(name, one, given):
    names = {**LIBRARIES, **documented.names_for(one), **given}
    source = documented.example_of(one).replace("port=8080", "port=0")  # whichever is free
    code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    try:
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, names)  # noqa: S307 - our own docstrings
        else:  # some block, or begin an event loop of their own
            await asyncio.to_thread(exec, code, names)
    except Exception as error:
        raise AssertionError(f"the example of {name} fails") from error
