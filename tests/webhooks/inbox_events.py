"""Events for an inbox, and the end of its work."""

from __future__ import annotations

import anyio

from mettl_async.webhooks import EventHandlers, TestEvent, TestGraded, parse_event, sample_event


def event_of(kind=TestGraded, number=0, **given):
    return parse_event(sample_event(kind, **{"email": f"c{number}@example.org", **given}))


def handling(work, kind=TestEvent):
    handlers = EventHandlers()
    handlers.on(kind)(work)
    return handlers


async def until_empty(inbox):
    with anyio.fail_after(30):
        while await inbox.waiting():  # noqa: ASYNC110 - workers empty it
            await anyio.sleep(0.01)
