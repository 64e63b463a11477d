"""The two blocks of docs/webhooks.md for other drivers run, with stand-ins for the drivers.

``tests/webhooks/test_webhooks_own_database.py`` has the real ones.
"""

import ast
import asyncio
import re
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest
from running_pages import ROOT
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.webhooks import TestGraded, WebhookReceiver, parse_event, sample_event
from mettl_async.webhooks.sql_inbox import SqlEventInbox

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
BLOCKS = [
    one
    for one in re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    if not one.startswith('"""')  # those are whole files, which have tests of their own
]
OF_ASYNCPG, OF_DJANGO = BLOCKS


@pytest.fixture
async def names(tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/inbox.db", hide_parameters=True)
    inbox = SqlEventInbox(engine)
    await inbox.create_table()
    event = parse_event(sample_event(TestGraded))
    await inbox.add(event)
    (taken,) = await inbox.take(1)
    yield {"inbox": inbox, "event": event, "claim": taken.claim}
    await engine.dispose()


async def test_the_block_of_asyncpg_runs(names):
    connection = MagicMock(
        spec=["execute", "fetchval", "is_in_transaction", "transaction"],
        execute=AsyncMock(return_value="UPDATE 1"),
        is_in_transaction=Mock(return_value=True),
        transaction=MagicMock(),
    )
    pool = MagicMock()
    pool.acquire.return_value.__aenter__.return_value = connection
    code = compile(OF_ASYNCPG, "webhooks.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, {**names, "pool": pool})  # noqa: S307 - our own page
    own, mark = connection.execute.await_args_list
    assert own.args[0].startswith("insert into scores")
    assert mark.args[0].startswith("UPDATE mettl_")


async def test_the_block_of_django_runs(names):
    connection = MagicMock(spec=["in_atomic_block", "cursor"], in_atomic_block=True)
    connection.cursor.return_value.__enter__.return_value.rowcount = 1
    django = {
        "TestGraded": TestGraded,
        "Claim": object,
        "receiver": WebhookReceiver(auth=None),
        "sync_to_async": lambda function: lambda *args: asyncio.to_thread(function, *args),
        "transaction": MagicMock(),
        "Score": MagicMock(),
        "connection": connection,
    }
    exec(OF_DJANGO.replace("@receiver.on(TestGraded)\n", ""), given := {**names, **django})  # noqa: S102 - same
    await given["store_score"](names["event"], names["claim"])
    django["Score"].objects.create.assert_called_once()
    assert connection.cursor.called
