"""An aiohttp app that receives the events of Mettl at /webhooks/mettl.

Run it with ``python -m aiohttp.web aiohttp_app:make_app``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
"""

import os
from collections.abc import Sequence

from aiohttp import web

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)
scores: dict[str, float | None] = {}


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result."""
    scores[event.email] = event.marks_scored


async def mettl_events(request: web.Request) -> web.Response:
    """Give the request to the receiver, and its answer to Mettl."""
    status, headers, body = await receiver.respond(
        request.method, request.headers, request.content.iter_any(), request.remote
    )
    return web.Response(status=status, headers=headers, body=body)


async def score(request: web.Request) -> web.Response:
    """Serve any other page of the app."""
    return web.json_response({"score": scores.get(request.match_info["email"])})


def make_app(_arguments: Sequence[str] = ()) -> web.Application:
    """Make the app."""
    app = web.Application()
    app.router.add_post("/webhooks/mettl", mettl_events)
    app.router.add_get("/scores/{email}", score)
    return app
