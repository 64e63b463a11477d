"""One bulk run: a reader, workers, and an outcome for every candidate.

Nothing in flight is ever cancelled, by a failing sibling or by a caller who stopped listening: a
cancelled registration would be one whose fate nobody knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import anyio
from attrs import frozen

from mettl_async.bulk.batches import Batch, Entry, cut
from mettl_async.bulk.outcomes import DUPLICATE_EMAIL, Outcome, Rejected
from mettl_async.bulk.part import Part
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

REFUSED_ALIKE = 60
"""Candidates refused in a row with one code, none registered between them, that stop a run."""

SPARE_WORKERS = 2
"""More than may send at once: these encode a batch, or tell of one, while the others' calls are out."""

LEAST_FRUITLESS = 3
"""Batches in a row without any answer that stop a run, however few workers it has."""

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
        self._sending = anyio.Semaphore(concurrency, fast_acquire=True)
        self._reading = anyio.CancelScope()
        self._stopped_by: MettlError | None = None
        self._fruitless = self._refused_alike = 0
        self._last_refusal: str | None = None
        self._everything = anyio.CancelScope()  # the task group's, once it runs
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
                self._everything = group.cancel_scope
                group.start_soon(self._read, send)
                async with receive:
                    for _ in range(self._concurrency + SPARE_WORKERS):
                        group.start_soon(self._worker, receive.clone())
            self.finished = not group.cancel_scope.cancel_called

    def abandon(self) -> None:
        """Nobody listens any more: read and send nothing further, let what is in flight finish."""
        if self._stopped_by is None:
            self._stopped_by = ConfigurationError("the run was left before its end")
        self._reading.cancel()
        self.outcomes.close()

    def _break(self, exc: BaseException) -> None:
        """Something that is not about candidates went wrong: raise it when the drain is over."""
        # A cancellation that is not ours came out of somebody's code, and would look like ours.
        foreign = isinstance(exc, anyio.get_cancelled_exc_class())
        wrapped = ConfigurationError(
            "cancelled from inside: by the input, a middleware or credentials"
        )
        self.broken = self.broken or (wrapped if foreign or not isinstance(exc, Exception) else exc)
        self._reading.cancel()

    async def _read(self, batches: MemoryObjectSendStream[Batch]) -> None:
        source = cut(self._candidates, size=self._size, room=self._room, seen=SeenEmails())
        async with batches:
            with self._reading:
                try:
                    async for batch in source:
                        await batches.send(batch)
                except anyio.BrokenResourceError:
                    pass  # the workers went away, because nobody listens
                except anyio.get_cancelled_exc_class() as exc:
                    if self._reading.cancel_called or self._everything.cancel_called:
                        raise
                    self._break(exc)
                except Exception as exc:  # noqa: BLE001 - raised to the listener after the drain
                    self._break(exc)
            with anyio.CancelScope(shield=True):
                await source.aclose()

    async def _worker(self, batches: MemoryObjectReceiveStream[Batch]) -> None:
        async with batches:
            async for batch in batches:
                outcomes = [_duplicate(one) for one in batch.duplicates]
                outcomes += await self._register(batch.entries)
                try:
                    await self._report.send(outcomes)
                except anyio.BrokenResourceError:
                    return

    async def _register(  # noqa: C901, PLR0912 - one branch for each way in which a call can end
        self, entries: Sequence[Entry]
    ) -> list[Outcome]:
        """Send a batch, splitting it as long as one of its candidates makes the whole call fail."""
        outcomes: list[Outcome] = []
        waiting = [Part(entries)] if entries else []
        while waiting:
            part = waiting.pop()
            try:
                async with self._sending:
                    if self._stopped_by is not None:
                        outcomes += part.unsettled(self._stopped_by)
                        continue
                    answered = await self._send(part.entries)
            except CallError as error:
                part = part.after(error.attempts, handled=error.may_have_been_handled)
                if len(part.entries) > 1 and _is_call_wide(error):
                    waiting += reversed(part.halves())
                else:
                    outcomes += self._after_failure(part, error)
            except MettlError as error:
                if isinstance(error, ConfigurationError):
                    self._stopped_by = self._stopped_by or error
                outcomes += part.unsettled(error)
            except anyio.get_cancelled_exc_class() as exc:
                if self._everything.cancel_called:
                    raise
                self._break(exc)
                outcomes += part.after(0, handled=True).unsettled(_unexpected(exc))
            except Exception as exc:  # noqa: BLE001 - a middleware's or a bug: siblings still finish
                self._break(exc)
                outcomes += part.after(0, handled=True).unsettled(_unexpected(exc))
            else:
                self._fruitless = self._refused_alike = 0
                done, missing = part.after(answered.attempts, handled=True).match(
                    answered.registrations
                )
                outcomes += done
                if 0 < len(missing.entries) < len(part.entries):
                    waiting.append(missing)
                else:
                    outcomes += missing.unsettled(_not_mentioned())
        return outcomes

    def _after_failure(self, part: Part, error: CallError) -> list[Outcome]:
        if _stops_the_run(error):
            self._stopped_by = self._stopped_by or error
            return part.unsettled(error)
        if _is_call_wide(error):
            self._fruitless = 0
            # E028 is about a candidate's image; anything else that refuses everybody is about the
            # schedule, and finding that out twice per candidate helps nobody.
            alike = error.code == self._last_refusal and error.code != "E028"
            self._refused_alike = self._refused_alike + 1 if alike else 1
            self._last_refusal = error.code
            if self._refused_alike >= REFUSED_ALIKE:
                self._stopped_by = self._stopped_by or error
            return part.refused(error)
        # A server that is gone stops the run, when as many batches as there are workers have used up
        # all patience and none got an answer meanwhile.
        self._fruitless += 1
        if self._fruitless >= max(self._concurrency, LEAST_FRUITLESS):
            self._stopped_by = self._stopped_by or error
        return part.unsettled(error)


def _is_call_wide(error: CallError) -> bool:
    """Whether one candidate may have made the call fail for all, as E028 does [seen]."""
    refused = isinstance(error, ApiError) and not is_transient(error)
    return refused and not _stops_the_run(error)


def _stops_the_run(error: CallError) -> bool:
    status = error.http_status or 0
    if isinstance(error, (PermissionDeniedError, NotFoundError)):
        # Without a code of Mettl's it may be a firewall that dislikes one candidate's name.
        return error.code is not None
    elsewhere = _REDIRECT <= status < _CLIENT_ERROR or status == _WRONG_METHOD
    return isinstance(error, STOPS_THE_RUN) or elsewhere or error.code == "E405"


def _unexpected(exc: BaseException) -> MettlError:
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


def _duplicate(one: Entry) -> Outcome:
    return Rejected(
        index=one.index,
        candidate=one.candidate,
        attempts=0,
        reason="the same email came earlier in this run; not sent",
        code=DUPLICATE_EMAIL,
    )
