"""A handler of a Django service, in a process of its own, for test_webhooks_own_database.py.

Arguments: URL of the database, name of a table. It prints what happened to each kind of store as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

import django
import sqlalchemy as sa
from asgiref.sync import sync_to_async
from django.conf import settings
from sqlalchemy.ext.asyncio import create_async_engine

URL, NAME = sys.argv[1:]
PARTS = sa.make_url(URL)
POSTGRESQL = PARTS.get_backend_name() == "postgresql"
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": f"django.db.backends.{'postgresql' if POSTGRESQL else 'sqlite3'}",
            "NAME": PARTS.database,
            **(
                {"USER": PARTS.username, "HOST": PARTS.host, "PORT": PARTS.port}
                if POSTGRESQL
                else {}
            ),
        }
    },
    USE_TZ=True,
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402 - after the set-up

from mettl_async.errors import ClaimLostError, ConfigurationError  # noqa: E402
from mettl_async.webhooks import Refused, TestGraded, parse_event, sample_event  # noqa: E402
from mettl_async.webhooks.sql_inbox import SqlEventInbox  # noqa: E402
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents  # noqa: E402


class Score(models.Model):  # noqa: DJ008 - nobody prints it
    """What the handler writes."""

    value = models.IntegerField()

    class Meta:
        app_label = "scores"
        db_table = f"django_{NAME}"


@sync_to_async
def make_table():
    with connection.schema_editor() as editor:
        editor.create_model(Score)


@sync_to_async
def handle(store, claim, *, fails):
    with transaction.atomic():
        Score.objects.create(value=7)
        store.mark_sync(claim, connection)
        if fails:
            raise RuntimeError


async def main():
    await make_table()
    engine = create_async_engine(URL)
    said = {kind: await marked(kind, engine) for kind in ("seen", "inbox")}
    await engine.dispose()
    print(json.dumps(said))  # noqa: T201 - what the test reads


async def marked(kind, engine):
    await Score.objects.all().adelete()
    if kind == "seen":
        store = SqlSeenEvents(engine, table=NAME)
        await store.create_table()
        claim = await store.claim("one")
    else:
        store = SqlEventInbox(engine, table=f"{NAME}_inbox")
        await store.create_table()
        await store.add(parse_event(sample_event(TestGraded)))
        (taken,) = await store.take(1)
        claim = taken.claim

    async def state():
        done = (
            await store.claim("one") is Refused.DONE
            if kind == "seen"
            else await store.waiting() == 0
        )
        return [await Score.objects.acount(), done]

    said = {}
    try:
        await handle(store, claim, fails=True)
    except RuntimeError:
        said["after a failure"] = await state()
    try:
        await sync_to_async(store.mark_sync)(claim, connection)
    except ConfigurationError as error:
        said["outside"] = str(error)
    await handle(store, claim, fails=False)
    said["after a success"] = await state()
    try:
        await handle(store, claim, fails=False)
    except ClaimLostError as error:
        said["a second time"] = type(error).__name__
    said["at the end"] = await state()
    absent = type(store)(engine, table=f"no_{NAME}")
    try:
        await handle(absent, claim, fails=False)
    except ConfigurationError as error:
        said["without the table"] = str(error).partition(": ")[0]
    return said


asyncio.run(main())
