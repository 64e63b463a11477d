"""A Starlette app that receives the events of Mettl at /webhooks/mettl.

Run it with ``uvicorn starlette_app:app``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
"""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)
scores: dict[str, float | None] = {}


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result."""
    scores[event.email] = event.marks_scored


async def score(request: Request) -> JSONResponse:
    """Serve any other page of the app."""
    return JSONResponse({"score": scores.get(request.path_params["email"])})


app = Starlette(
    routes=[
        # The receiver is an ASGI app. A route, not a Mount: a mount answers a POST without the last slash
        # with a redirect, which nobody says Mettl follows.
        Route("/webhooks/mettl", receiver),
        Route("/scores/{email}", score),
    ]
)
