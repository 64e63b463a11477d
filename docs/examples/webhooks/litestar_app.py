"""A Litestar app that receives the events of Mettl at /webhooks/mettl.

Run it with ``uvicorn litestar_app:app``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
"""

import os
from typing import Any

from litestar import Litestar, Request, Response, get, post

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)
scores: dict[str, float | None] = {}


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result."""
    scores[event.email] = event.marks_scored


@post("/webhooks/mettl", request_max_body_size=None)  # the receiver has a bound of its own
async def mettl_events(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Give the request to the receiver, and its answer to Mettl."""
    peer = request.client.host if request.client else None
    status, headers, body = await receiver.respond(
        request.method, request.headers, request.stream(), peer
    )
    return Response(body, status_code=status, headers=headers)


@get("/scores/{email:str}")
async def score(email: str) -> dict[str, float | None]:
    """Serve any other page of the app."""
    return {"score": scores.get(email)}


app = Litestar([mettl_events, score])
