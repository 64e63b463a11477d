"""An AWS Lambda that receives the events of Mettl: by a function URL, or API Gateway (1.0 and 2.0).

Its handler is ``aws_lambda.handler``. Each copy of a function has a memory of its own, so give the receiver
a `SqlSeenEvents` as ``seen``, or keep handlers harmless to repeat.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
"""

import os
from base64 import b64decode
from typing import Any

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)
scores: dict[str, float | None] = {}


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Run once for each result."""
    scores[event.email] = event.marks_scored


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Give the request to the receiver, and its answer to Mettl."""
    where = event["requestContext"]
    if "http" in where:  # format 2.0, and function URLs
        method, peer = where["http"]["method"], where["http"]["sourceIp"]
    else:  # format 1.0
        method, peer = event["httpMethod"], where["identity"]["sourceIp"]
    # Format 1.0 has all values of a header that came twice in another property.
    headers = event.get("multiValueHeaders") or event.get("headers") or {}
    given = event.get("body") or ""
    content = b64decode(given) if event.get("isBase64Encoded") else given.encode()
    status, answered, body = receiver.respond_sync(method, headers, content, peer)
    return {"statusCode": status, "headers": answered, "body": body.decode()}
