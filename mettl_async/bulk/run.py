"""One bulk run: a reader, workers, and an outcome for every candidate.

Nothing in flight is ever cancelled, by a failing sibling or by a caller who stopped listening: a
cancelled registration would be one whose fate nobody knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import anyio
from attrs import frozen

from mettl_async.bulk.batches import Batch, Entry, cut, halves
from mettl_async.bulk.outcomes import (
    DUPLICATE_EMAIL,
    Failed,
    Outcome,
    Registered,
    Rejected,
    Unknown,
)
from mettl_async.bulk.seen import SeenEmails
from mettl_async.core.retry import is_transient
from mettl_async.errors import (
    ApiError,
    AuthenticationError,
    CallError,
    CallFacts,
    ConfigurationError,
    MettlDecodeError,
    MettlError,
    NotFoundError,
    PermissionDeniedError,
    RegistrationLimitError,
    TimestampError,
)
from mettl_async.models import Registration

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from anyio.streams.memory import (
        MemoryObjectReceiveStream,
        MemoryObjectSendStream,
    )

    from mettl_async.models import Candidate

STOPS_THE_RUN = (
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    RegistrationLimitError,
    TimestampError,
)
"""About the account, the schedule or this machine: every further call would fail the same way."""

_REDIRECT, _CLIENT_ERROR, _WRONG_METHOD = 300, 400, 405


@frozen
class Answered:
    """What one call came to: the server's items, and how many requests it took."""

    registrations: Sequence[Registration]
    attempts: int


Send = Callable[[Sequence[Entry]], Awaitable[Answered]]


class Run:
    """Reads, sends and reports; `work` does it, `outcomes` receives lists of outcomes."""

    def __init__(
        self,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        send: Send,
        *,
        concurrency: int,
        batch_size: int,
        room: int | None,
    ) -> None:
        self._candidates, self._send = candidates, send
        self._concurrency, self._size, self._room = concurrency, batch_size, room
        self._reading = anyio.CancelScope()
        self._stopped_by: MettlError | None = None
        self._fruitless = 0
        self._report: MemoryObjectSendStream[list[Outcome]]
        self.outcomes: MemoryObjectReceiveStream[list[Outcome]]
        # As many lists as workers: a slow listener slows the workers, and memory stays flat.
        self._report, self.outcomes = anyio.create_memory_object_stream[list[Outcome]](concurrency)
        self.broken: Exception | None = None
        self.finished = False

    async def work(self) -> None:
        """Do the whole run; whatever the input raised is in ``broken`` afterwards."""
        send, receive = anyio.create_memory_object_stream[Batch](0)
        async with self._report:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, send)
                async with receive:
                    for _ in range(self._concurrency):
                        group.start_soon(self._worker, receive.clone())
            self.finished = True

    def abandon(self) -> None:
        """Nobody listens any more: read nothing further, let what is in flight finish."""
        self._reading.cancel()
        self.outcomes.close()

    async def _read(self, batches: MemoryObjectSendStream[Batch]) -> None:
        async with batches:
            with self._reading:
                try:
                    async for batch in cut(
                        self._candidates, size=self._size, room=self._room, seen=SeenEmails()
                    ):
                        await batches.send(batch)
                except anyio.BrokenResourceError:
                    pass  # the workers went away, because nobody listens
                except Exception as exc:  # noqa: BLE001 - raised to the listener after the drain
                    self.broken = exc

    async def _worker(self, batches: MemoryObjectReceiveStream[Batch]) -> None:
        async with batches:
            async for batch in batches:
                outcomes = [_duplicate(one) for one in batch.duplicates]
                outcomes += await self._register(batch.entries)
                try:
                    await self._report.send(outcomes)
                except anyio.BrokenResourceError:
                    return

    async def _register(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Send a batch, splitting it as long as one of its candidates makes the whole call fail."""
        outcomes: list[Outcome] = []
        waiting = [(entries, 0)] if entries else []
        while waiting:
            part, attempts = waiting.pop()
            if self._stopped_by is not None:
                outcomes += _each(Failed, part, attempts, self._stopped_by)
                continue
            try:
                answered = await self._send(part)
            except CallError as error:
                attempts += error.attempts
                if len(part) > 1 and _is_call_wide(error):
                    waiting += ((half, attempts) for half in reversed(halves(part)))
                else:
                    outcomes += self._after_failure(part, attempts, error)
            except MettlError as error:
                if isinstance(error, ConfigurationError):
                    self._stopped_by = self._stopped_by or error
                outcomes += _each(Failed, part, attempts, error)
            except Exception as exc:  # noqa: BLE001 - a middleware's or a bug: siblings still finish
                self.broken = self.broken or exc
                self._reading.cancel()
                outcomes += _each(Unknown, part, attempts, _unexpected(exc))
            else:
                self._fruitless = 0
                attempts += answered.attempts
                done, missing = _match(part, answered.registrations, attempts)
                outcomes += done
                if 0 < len(missing) < len(part):
                    waiting.append((missing, attempts))
                else:
                    outcomes += _each(Unknown, missing, attempts, _not_mentioned())
        return outcomes

    def _after_failure(
        self, part: Sequence[Entry], attempts: int, error: CallError
    ) -> list[Outcome]:
        if _stops_the_run(error):
            self._stopped_by = self._stopped_by or error
            return _each(Failed, part, attempts, error)
        if _is_call_wide(error):
            return [_refused(one, attempts, error) for one in part]
        # A server that is gone stops the run, when as many batches as there are workers have used up
        # all patience and none got an answer meanwhile.
        self._fruitless += 1
        if self._fruitless >= self._concurrency:
            self._stopped_by = self._stopped_by or error
        kind = Unknown if error.may_have_been_handled else Failed
        return _each(kind, part, attempts, error)


def _is_call_wide(error: CallError) -> bool:
    """Whether one candidate may have made the call fail for all, as E028 does [seen]."""
    refused = isinstance(error, ApiError) and not is_transient(error)
    return refused and not _stops_the_run(error)


def _stops_the_run(error: CallError) -> bool:
    status = error.http_status or 0
    elsewhere = _REDIRECT <= status < _CLIENT_ERROR or status == _WRONG_METHOD
    return isinstance(error, STOPS_THE_RUN) or elsewhere or error.code == "E405"


def _unexpected(exc: Exception) -> MettlError:
    # Only its type: the exception itself is raised at the end of the run, unwrapped.
    return CallError(
        f"{type(exc).__name__} was raised while sending",
        CallFacts(operation="candidates.register", sent=True, may_have_been_handled=True),
    )


def _not_mentioned() -> MettlError:
    return MettlDecodeError(
        "the server's answer does not mention this candidate",
        CallFacts(operation="candidates.register", sent=True, safe_to_repeat=True),
    )


def _each(
    kind: type[Failed | Unknown], entries: Iterable[Entry], attempts: int, error: MettlError
) -> list[Outcome]:
    return [
        kind(index=one.index, candidate=one.candidate, attempts=attempts, error=error)
        for one in entries
    ]


def _duplicate(one: Entry) -> Outcome:
    return Rejected(
        index=one.index,
        candidate=one.candidate,
        attempts=0,
        reason="the same email came earlier in this run; not sent",
        code=DUPLICATE_EMAIL,
    )


def _refused(one: Entry, attempts: int, error: CallError) -> Outcome:
    return Rejected(
        index=one.index,
        candidate=one.candidate,
        attempts=attempts,
        reason=error.server_message or error.problem,
        code=error.code or f"HTTP {error.http_status}",
    )


def _match(
    entries: Sequence[Entry], registrations: Iterable[Registration], attempts: int
) -> tuple[list[Outcome], list[Entry]]:
    """Give each candidate the answer with its own email, whatever the order of the answer."""
    answers: dict[str, Registration] = {}
    for one in registrations:
        key = one.email.strip().lower()
        if key not in answers or answers[key].url is None:
            answers[key] = one
    outcomes: list[Outcome] = []
    missing: list[Entry] = []
    for entry in entries:
        answer = answers.get(entry.candidate.email.strip().lower())
        if answer is None:
            missing.append(entry)
        elif answer.url is not None:
            outcomes.append(
                Registered(
                    index=entry.index,
                    candidate=entry.candidate,
                    attempts=attempts,
                    url=answer.url,
                    status=answer.status,
                )
            )
        else:
            # SUCCESS is no proof of a usable link [seen]: Completed and InValid come without one.
            outcomes.append(
                Rejected(
                    index=entry.index,
                    candidate=entry.candidate,
                    attempts=attempts,
                    reason=answer.message,
                    code=str(answer.status),
                )
            )
    return outcomes, missing
