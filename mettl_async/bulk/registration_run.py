"""A bulk run as its caller holds it: awaited for a report, or iterated for outcomes."""

import warnings
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, suppress
from typing import Any, Self

import anyio

from mettl_async.bulk.outcomes import JournalError, Outcome, RegistrationReport, RunInterruptedError
from mettl_async.bulk.progress import Progress
from mettl_async.bulk.run_workers import RunWorkers
from mettl_async.core.frames import forgetful
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.errors import ConfigurationError


class RegistrationRun:
    """One bulk registration, made by ``mettl.candidates.register_many()``; nothing is sent before it is used.

    ``await run`` gives the report in the order of the input. ``async for outcome in run`` gives each
    outcome as soon as its batch has finished. ``async with run`` ends the run where such a loop is left
    early; trio needs it, because it warns of generators that are left to the garbage collector.

    A run is used once, in one of these ways. The calls belong to the client and not to the caller: who
    leaves early or is cancelled waits for nothing. Then nothing more is read, calls in flight that are
    answered within 5 seconds are recorded, and the others are given up: their candidates are
    unknown to the journal, so that a run which is resumed asks again. Closing the client waits for that.

    Example::

        report = await mettl.candidates.register_many(ACCESS_KEY, people)

        task = asyncio.create_task(mettl.candidates.register_many(ACCESS_KEY, people).collect())
        report = await task

        run = mettl.candidates.register_many(ACCESS_KEY, people)
        async for outcome in run:
            if not isinstance(outcome, Registered):
                break
        await run.aclose()
    """

    def __init__(self, make: Callable[[], RunWorkers], lifecycle: Lifecycle) -> None:
        self._make, self._lifecycle = make, lifecycle
        self._outcomes: AsyncGenerator[Outcome] | None = None
        self._run: RunWorkers | None = None
        self._used = False

    def __await__(self) -> Generator[Any, None, RegistrationReport]:
        return self.collect().__await__()

    @forgetful
    async def collect(self) -> RegistrationReport:
        """Do the whole run, as ``await run`` does; a coroutine, for ``asyncio.create_task()``.

        Returns:
            Every outcome in the order of the input. Candidates that were not registered raise nothing;
            ``report.raise_for_failures()`` does. Memory grows with the input.

        Raises:
            RunInterruptedError: The input, the journal or a hook failed; ``.report`` has what was
                registered until then, recorded or not. If nothing was, the failure itself is raised.
            ConfigurationError: The run was used before.
            ClientClosedError: The client was closed.
        """
        found: list[Outcome] = []
        try:
            async with aclosing(aiter(self)) as outcomes:
                async for outcome in outcomes:
                    found.append(outcome)  # noqa: PERF401 - what was found outlives an exception
        except Exception as exc:
            found += exc.unrecorded if isinstance(exc, JournalError) else ()
            if found:
                raise RunInterruptedError(RegistrationReport(found), exc) from exc
            raise
        return RegistrationReport(found)

    def __aiter__(self) -> AsyncGenerator[Outcome]:
        """Begin the run, and give its outcomes.

        Raises:
            JournalError: The journal cannot be used, or no longer; ``.unrecorded`` has the outcomes that
                could not be recorded.
            ConfigurationError: The run was used before.
            ClientClosedError: The client was closed.
            Exception: What the input or a hook raised, after everything read before it was reported.
        """
        if self._used:
            raise ConfigurationError(
                "a registration run is used once; call register_many() again for another"
            )
        self._used = True
        self._lifecycle.check()
        self._run = self._make()
        self._outcomes = _outcomes(self._run, self._lifecycle)
        return self._outcomes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def progress(self) -> Progress | None:
        """Progress at this moment; None before the run is used."""
        return None if self._run is None else self._run.progress

    async def aclose(self) -> None:
        """End the run: read nothing more; calls in flight have 5 seconds more in the background.

        A loop in another task ends with a `ClientClosedError` that says so.
        """
        self._used = True
        if self._run is not None and self._outcomes is not None:
            self._run.leave()
            if not self._outcomes.ag_running:  # type: ignore[attr-defined]
                await self._outcomes.aclose()

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(
                "register_many() was neither awaited nor iterated: nobody was registered",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )


async def _outcomes(run: RunWorkers, lifecycle: Lifecycle) -> AsyncGenerator[Outcome]:
    # No method: who leaves a loop early leaves nothing that holds itself, so the run ends at once.
    lifecycle.start(run.work(), run.abandon)
    try:
        with suppress(anyio.ClosedResourceError):
            async for outcomes in run.outcomes:
                for outcome in outcomes:
                    yield outcome
        run.raise_failure()
    finally:
        run.leave()
