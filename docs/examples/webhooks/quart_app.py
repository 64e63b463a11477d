"""A Quart app that receives the events of Mettl at /webhooks/mettl.

Run it with ``hypercorn quart_app:app``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
"""

import os

from quart import Quart, Response, request

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)
scores: dict[str, float | None] = {}
app = Quart(__name__)


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result."""
    scores[event.email] = event.marks_scored


@app.post("/webhooks/mettl")
async def mettl_events() -> Response:
    """Give the request to the receiver, and its answer to Mettl."""
    status, headers, body = await receiver.respond(
        request.method, request.headers, request.body, request.remote_addr
    )
    return Response(body, status, headers)


@app.get("/scores/<email>")
async def score(email: str) -> dict[str, float | None]:
    """Serve any other page of the app."""
    return {"score": scores.get(email)}
