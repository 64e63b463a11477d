"""A whole service: it invites candidates, receives the events of Mettl, and keeps the results.

Run ``python set_up.py`` once, then ``uvicorn service:app --workers 2``. The environment has:

METTL_PUBLIC_KEY         keys of the account; METTL_REGION or METTL_BASE_URL too, where they are needed
METTL_PRIVATE_KEY
METTL_ACCESS_KEY         key of the schedule, which set_up.py prints
METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
METTL_CONTEXT_SECRET     16 bytes or more; it signs your own ids, which come back with the events
DATABASE_URL             such as postgresql+asyncpg://...; without it the file service.sqlite3
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.routing import Route

from mettl_async import Candidate, InvalidInputError, MettlClient, MettlError
from mettl_async.webhooks import BasicAuth, Claim, ContextSigner, TestGraded, WebhookReceiver
from mettl_async.webhooks.sql_inbox import SqlEventInbox

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///service.sqlite3")
AUTH = BasicAuth(username="mettl", password=os.environ["METTL_WEBHOOK_PASSWORD"])

# The values of statements are people's data: hide_parameters keeps them out of logs and errors.
engine = create_async_engine(DATABASE_URL, hide_parameters=True)
metadata = sa.MetaData()
results = sa.Table(
    "results",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("application", sa.String(112), index=True),
    sa.Column("status", sa.String(40)),
    sa.Column("marks", sa.Double),
)
signer = ContextSigner([os.environ["METTL_CONTEXT_SECRET"]])
inbox = SqlEventInbox(engine)
# It commits each event to the inbox, and then answers 200.
receiver = WebhookReceiver(auth=AUTH, context=signer, require_context=True, store=inbox)


@receiver.on(TestGraded)
async def store_result(event: TestGraded, claim: Claim) -> None:
    """Fetch a result and store it. If anything here raises, it is tried again later."""
    mettl: MettlClient = app.state.mettl
    # The API has the last word. Ask before the transaction: nobody should wait for a lock meanwhile.
    found = await mettl.results.get(event.access_key, event.email)
    status = found.test_status
    row = {
        "application": event.context.own_id if event.context else None,
        "status": status.status if status else None,
        "marks": status.result.total_marks if status and status.result else None,
    }
    # The row and the mark that the event is done: both are committed, or neither is.
    async with inbox.transaction(claim) as connection:
        await connection.execute(results.insert(), row)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one client for this process, and handle events as long as it serves."""
    app.state.access_key = os.environ["METTL_ACCESS_KEY"]
    async with MettlClient() as app.state.mettl, inbox.working(receiver.handlers):
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
# A route, not app.mount(): that would answer a POST without the last slash with a redirect.
app.router.routes.append(Route("/webhooks/mettl", receiver))


class Person(BaseModel):
    """Who is invited."""

    email: str
    first_name: str


@app.post("/applications/{application}/invitation")
async def invite(application: str, person: Person) -> dict[str, str]:
    """Register a candidate, and give the link to the test. Protect this as your other routes."""
    mettl: MettlClient = app.state.mettl
    access_key: str = app.state.access_key
    try:
        # Your own id travels with the candidate, signed for this schedule and this address.
        context = signer.sign(application, access_key=access_key, email=person.email)
        candidate = Candidate(
            email=person.email, first_name=person.first_name, context_data=context
        )
        (registered,) = await mettl.candidates.register(access_key, [candidate])
    except InvalidInputError as error:
        raise HTTPException(422, str(error)) from error
    except MettlError as error:
        raise HTTPException(502, str(error)) from error
    if registered.url is None:
        raise HTTPException(409, f"no link: {registered.status}")
    return {"link": registered.url}


@app.get("/applications/{application}/results")
async def results_of(application: str) -> list[dict[str, str | float | None]]:
    """Give what is stored, one row for each test that was graded."""
    query = sa.select(results.c.status, results.c.marks).order_by(results.c.id)
    async with engine.connect() as connection:
        rows = await connection.execute(query.where(results.c.application == application))
        return [dict(row) for row in rows.mappings()]
