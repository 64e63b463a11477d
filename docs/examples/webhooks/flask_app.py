"""A Flask app that receives the events of Mettl at /webhooks/mettl.

Run it with ``gunicorn --threads 8 flask_app:app`` or ``waitress-serve flask_app:app``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
"""

import os

from flask import Flask, Response, request

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)
scores: dict[str, float | None] = {}
app = Flask(__name__)


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result, in the receiver's event loop; wrap sync code in sync_to_async."""
    scores[event.email] = event.marks_scored


@app.post("/webhooks/mettl")
def mettl_events() -> Response:
    """Give the request to the receiver, and its answer to Mettl."""
    status, headers, body = receiver.respond_sync(
        request.method, request.headers, request.stream, request.remote_addr
    )
    return Response(body, status, headers)


@app.get("/scores/<email>")
def score(email: str) -> dict[str, float | None]:
    """Serve any other page of the app."""
    return {"score": scores.get(email)}
