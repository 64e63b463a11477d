"""A FastAPI app that receives the events of Mettl at /webhooks/mettl.

Run it with ``uvicorn fastapi_app:app``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
METTL_CONTEXT_SECRET     16 bytes or more; it signs your own ids
"""

import os

from fastapi import FastAPI
from starlette.routing import Route

from mettl_async.webhooks import (
    BasicAuth,
    ContextSigner,
    TestEvent,
    TestGraded,
    UnknownEvent,
    WebhookReceiver,
)

receiver = WebhookReceiver(
    # What Webhooks(basic_auth=...) said when the schedule was made. In a change of password: both.
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
    # What signed the context_data at registration; it becomes event.context.
    context=ContextSigner([os.environ["METTL_CONTEXT_SECRET"]]),
)
scores: dict[str, float | None] = {}
journal: list[str] = []


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result. If it raises, Mettl is told 503 and the event may come again."""
    own_id = event.context.own_id if event.context else event.email
    scores[own_id] = event.marks_scored


@receiver.on(TestEvent)
async def note(event: TestEvent) -> None:
    """Run for each of the four known events."""
    journal.append(type(event).__name__)


@receiver.on(UnknownEvent)
async def look_at(event: UnknownEvent) -> None:
    """Run for what Mettl may add one day."""
    journal.append(f"unknown: {event.event_type}")


app = FastAPI()
# A route, not app.mount(): a mounted app lives at /webhooks/mettl/, and a POST without the last
# slash is answered with a redirect, which nobody says Mettl follows.
app.router.routes.append(Route("/webhooks/mettl", receiver))


@app.get("/scores/{own_id}")
async def score(own_id: str) -> dict[str, float | None]:
    """Any other page of the app."""
    return {"score": scores.get(own_id)}
