"""All names of webhooks at once, as in a notebook; checked by mypy --strict, never run."""

from typing import assert_type

from mettl_async.webhooks import *  # noqa: F403 - the point of this file

receiver = WebhookReceiver(auth=None)  # noqa: F405


@receiver.on(TestGraded)  # noqa: F405
async def graded(event: TestGraded, claim: Claim) -> None:  # noqa: F405
    assert_type(event.context, SignedContext | None)  # noqa: F405
