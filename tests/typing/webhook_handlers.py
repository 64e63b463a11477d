"""Handlers of webhooks as users write them, right and wrong; checked by mypy --strict and pyright, never run.

Each ignore is a mistake that both must see: an ignore that is not needed is an error.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncIterator
from typing import BinaryIO, assert_type

from asgiref.sync import sync_to_async
from starlette.datastructures import Headers

from mettl_async.webhooks import (
    Claim,
    Event,
    HttpAnswer,
    TestEvent,
    TestFinished,
    TestGraded,
    UnknownEvent,
    WebhookReceiver,
    run_sync,
)

receiver = WebhookReceiver(auth=None, max_age=3600, strict=True)


@receiver.on(TestGraded)
async def graded(event: TestGraded) -> None:
    assert_type(event.marks_scored, float | None)


@receiver.on(TestGraded)
async def graded_with_claim(event: TestGraded, claim: Claim) -> None:
    assert_type(claim.key, str)


@receiver.on(TestGraded)
async def of_a_base(event: TestEvent) -> None:
    assert_type(event.email, str)


@receiver.on(UnknownEvent)
async def of_any(event: Event) -> None:
    assert_type(event.context_data, str | None)


@receiver.on(TestGraded)
@sync_to_async
def with_the_orm(event: TestGraded) -> None: ...


class Service:
    async def store(self, event: TestGraded) -> None: ...

    async def __call__(self, event: TestGraded, claim: Claim) -> None: ...


receiver.on(TestGraded)(Service().store)
receiver.on(TestGraded)(Service())


# --- mistakes ---------------------------------------------------------------------------------------


@receiver.on(TestGraded)  # type: ignore[arg-type]
def not_async(event: TestGraded) -> None: ...


@receiver.on(TestGraded)  # type: ignore[arg-type]
async def of_another_class(event: TestFinished) -> None: ...


@receiver.on(TestEvent)  # type: ignore[arg-type]
async def of_one_class_only(event: TestGraded) -> None: ...


@receiver.on(TestGraded)  # type: ignore[arg-type]
async def without_the_event() -> None: ...


@receiver.on(TestGraded)  # type: ignore[arg-type]
async def with_too_much(event: TestGraded, claim: Claim, more: int) -> None: ...


@receiver.on(TestGraded)  # type: ignore[arg-type]
async def with_something_else(event: TestGraded, claim: str) -> None: ...


@receiver.on(dict)  # type: ignore[type-var]
async def of_no_event(event: dict[str, str]) -> None: ...


# --- any framework ----------------------------------------------------------------------------------


async def answers(parts: AsyncIterator[bytes], file: BinaryIO, headers: Headers) -> None:
    status, answered, body = await receiver.respond("POST", headers, parts, "127.0.0.1")
    assert_type(status, int)
    assert_type(answered, dict[str, str])
    assert_type(body, bytes)
    assert_type(await receiver.respond("POST", {"a": "b"}, b"", None), HttpAnswer)
    await receiver.respond("POST", [(b"a", b"b")], file)
    await receiver.respond("POST", {}, "text")  # type: ignore[arg-type]


def answers_sync(parts: AsyncIterator[bytes], file: BinaryIO, headers: Headers) -> None:
    assert_type(receiver.respond_sync("POST", headers, file), HttpAnswer)
    receiver.respond_sync("POST", headers, parts)  # type: ignore[arg-type]
    assert_type(receiver.verify_and_parse(headers, b""), Event)

    async def number(of: str) -> int:
        return len(of)

    assert_type(run_sync(number, "a"), int)
