"""The sandbox: one fake Mettl, with its state, faults and counters."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from mettl_async.sandbox import grading, life
from mettl_async.sandbox.blueprint import DEFAULT_SECTIONS, Section
from mettl_async.sandbox.faults import Faults
from mettl_async.sandbox.injection import FaultLayer
from mettl_async.sandbox.routes import make_app
from mettl_async.sandbox.server import listening
from mettl_async.sandbox.state import (
    Account,
    Assessment,
    Invited,
    RegistrationField,
    SandboxCandidate,
    SandboxCredentials,
    Schedule,
    State,
    same_person,
)
from mettl_async.sandbox.stats import Stats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    import httpx
    from starlette.types import ASGIApp

# Made up for the sandbox, the same in each: not secrets.
READY_CREDENTIALS: Final = SandboxCredentials(
    public_key="5a4db0c5-0000-4000-8000-70b11c000001",
    private_key="5a4db0c5-0000-4000-8000-5ec2e7000001",
)
TIMESTAMP_AHEAD: Final = 24 * 3600.0  # [assumed]: nobody says how far ahead a clock may be


@frozen(kw_only=True)
class Server:
    """A sandbox that listens: ``base_url`` is such as ``http://127.0.0.1:8765``."""

    base_url: str
    credentials: SandboxCredentials
    access_key: str
    sandbox: Sandbox = field(repr=False)


class Sandbox:
    """A Mettl that runs on a laptop: real state, real signature checks, made-up people.

    It starts with one account, two assessments and one schedule ``OpenForAll``, and remembers what it
    is told until it is dropped. Use it in process with `transport`, on a socket with `serve`, or give
    `app` to any ASGI server. One event loop at a time; no threads.

    Args:
        clock: Gives the time in Unix seconds.
        faults: Faults to inject; none by default. Also reachable, and changeable, as ``.faults``.
        seed: Seed of keys, links and faults: the same seed gives the same ones.
        error_http_status: Answer errors with 4xx and 5xx instead of HTTP 200 ([assumed] against
            [seen]: a client must stand both).

    Attributes:
        faults: The `Faults` in force.
        stats: The `Stats` so far.
        state: Everything remembered; `schedules` and `candidates` are the usual ways to look.
        credentials: Keys of the first account.
        access_key: Access key of the ready schedule.
        pace: The `Pace` of grading, of which `grade_delay` and `report_delay` are the usual part.
        timestamp_ahead: Seconds that ``ts`` may be ahead of the sandbox's clock.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
        seed: int = 0,
        error_http_status: bool = False,
    ) -> None:
        self._clock = clock
        self._advanced = 0.0
        self.pace = life.Pace()
        self.stats = Stats()
        self.state = State(Random(f"keys {seed}"))  # noqa: S311 - repeatable on purpose
        self.timestamp_ahead = TIMESTAMP_AHEAD
        self._error_http_status = error_http_status
        self._layer = FaultLayer(
            make_app(self),
            faults=faults or Faults(),
            stats=self.stats,
            random=Random(f"faults {seed}"),  # noqa: S311 - repeatable on purpose
            now=self.now,
            error_http_status=error_http_status,
        )
        self._account = self.add_account(READY_CREDENTIALS)
        aptitude = self.add_assessment(
            "Aptitude Test", (RegistrationField("Last Name"), RegistrationField("Phone Number"))
        )
        self.add_assessment(
            "Coding Test", (RegistrationField("Gender", values=("Female", "Male")),)
        )
        self._ready = self.add_schedule("Ready schedule", assessment=aptitude)

    def __repr__(self) -> str:
        return f"Sandbox({len(self.state.schedules)} schedules, {self.stats.requests} requests)"

    @property
    def faults(self) -> Faults:
        """The faults in force; may be replaced while the sandbox runs."""
        return self._layer.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._layer.faults = faults

    @property
    def error_http_status(self) -> bool:
        """Whether errors are answered with 4xx and 5xx."""
        return self._error_http_status

    @property
    def app(self) -> ASGIApp:
        """The ASGI app, faults included."""
        return self._layer

    @property
    def credentials(self) -> SandboxCredentials:
        """Keys of the first account."""
        return self._account.credentials

    @property
    def access_key(self) -> str:
        """Access key of the ready schedule."""
        return self._ready.access_key

    @property
    def registration_limit(self) -> int | None:
        """How many candidates the first account may register in all; None for any number.

        Passing it is answered with E607. Other accounts have ``Account.registration_limit``.
        """
        return self._account.registration_limit

    @registration_limit.setter
    def registration_limit(self, limit: int | None) -> None:
        self._account.registration_limit = limit

    @property
    def grade_delay(self) -> float:
        """Seconds of the sandbox's clock from finishing until the result is there."""
        return self.pace.grade_delay

    @grade_delay.setter
    def grade_delay(self, seconds: float) -> None:
        self.pace.grade_delay = seconds

    @property
    def report_delay(self) -> float:
        """Seconds of the sandbox's clock from finishing until the reports are there."""
        return self.pace.report_delay

    @report_delay.setter
    def report_delay(self, seconds: float) -> None:
        self.pace.report_delay = seconds

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """All schedules by access key, read-only."""
        return MappingProxyType(self.state.schedules)

    @property
    def assessments(self) -> Mapping[int, Assessment]:
        """All assessments by id, read-only."""
        return MappingProxyType(self.state.assessments)

    def candidates(self, access_key: str | None = None) -> tuple[SandboxCandidate, ...]:
        """List the registered candidates of one schedule, or of all, in order of registration."""
        if access_key is None:
            return tuple(self.state.all_candidates())
        return tuple(self.state.schedules[access_key].candidates.values())

    def now(self) -> float:
        """Tell the time in Unix seconds as the sandbox sees it: advances and clock skew included."""
        return self._clock() + self._advanced + self.faults.clock_skew

    def advance(self, seconds: float) -> None:
        """Put the sandbox's clock forward, for good; nothing waits.

        A client whose own clock stays behind is refused with E504 after a day of it.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError("the clock can't go back")
        self._advanced += seconds

    def add_account(
        self,
        credentials: SandboxCredentials | None = None,
        *,
        registration_limit: int | None = None,
    ) -> Account:
        """Add an account; its keys are made up unless given."""
        return self.state.add_account(credentials, registration_limit)

    def add_assessment(
        self,
        name: str,
        registration_fields: Iterable[RegistrationField] = (),
        *,
        account: Account | None = None,
        sections: Iterable[Section] = DEFAULT_SECTIONS,
    ) -> Assessment:
        """Add an assessment, to the first account unless another is given.

        ``Email Address`` and ``First Name`` are always mandatory and need not be listed.
        """
        owner = account or self._account
        return self.state.add_assessment(
            owner, name, tuple(registration_fields), now=self.now(), sections=tuple(sections)
        )

    def add_schedule(
        self,
        name: str,
        *,
        assessment: Assessment | None = None,
        access_type: str = "OpenForAll",
        invited: Iterable[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> Schedule:
        """Add a schedule, to the first assessment unless another is given.

        Args:
            name: Unique in the assessment.
            assessment: Where to add it.
            access_type: ``OpenForAll`` or ``ByInvitation``.
            invited: Emails that may register when it is ``ByInvitation``.
            settings: Other properties of ``sc``, as on the wire; not checked.

        Raises:
            ValueError: The name is taken.
        """
        home = assessment or next(iter(self.state.assessments.values()))
        if name in home.schedules:
            raise ValueError(f"the assessment has a schedule named {name!r}")
        properties = {"sourceApp": "sandbox", "scheduleType": "AlwaysOn", **(settings or {})}
        schedule = self.state.add_schedule(home, name, access_type, properties, now=self.now())
        for email in invited:
            schedule.invited[same_person(email)] = Invited(email=email, name=email, fields={})
        return schedule

    def start(self, access_key: str, email: str) -> None:
        """Let a registered candidate start the test, or go on with one that may be resumed.

        Raises:
            KeyError: No such schedule or candidate; the email is not in the message.
            ValueError: The test runs, is finished or revoked, or its link has expired.
        """
        schedule, candidate = self._find(access_key, email)
        first = candidate.started_at is None
        life.start(candidate, self.now())
        schedule.assessment.tests_taken += first

    def finish(self, access_key: str, email: str, mode: str = "NormalSubmission") -> None:
        """End the test of a registered candidate, who is ``Completed`` and gets no link from then on.

        Whoever was not started counts as having begun a while ago. The result is there at once, and
        the reports with it, unless `grade_delay` and `report_delay` say otherwise. Marks follow from
        the assessment and the email.

        Args:
            access_key: Key of the schedule.
            email: Who.
            mode: How it ends: ``NormalSubmission``, ``TimeExpired``, ``Blocked``,
                ``BrowsingToleranceExceeded``, ``TestExpired`` (can be resumed), ``ParentFinish``,
                ``ProctoredFinish``, ``SuspiciousSoftwareFinish`` or ``CandidateClosed``.

        Raises:
            KeyError: No such schedule or candidate; the email is not in the message.
            ValueError: No such mode, or the test is finished or revoked.
        """
        schedule, candidate = self._find(access_key, email)
        first = candidate.started_at is None
        usual = grading.usual_seconds(schedule.assessment, candidate.email)
        life.finish(candidate, mode, self.now(), usual)
        schedule.assessment.tests_taken += first

    def resume(self, access_key: str, email: str) -> None:
        """Allow an expired test to go on, as an administrator does in Mettl's own pages.

        Raises:
            KeyError: No such schedule or candidate; the email is not in the message.
            ValueError: The test did not end as ``TestExpired``.
        """
        life.resume(self._find(access_key, email)[1])

    def _find(self, access_key: str, email: str) -> tuple[Schedule, SandboxCandidate]:
        schedule = self.state.schedules[access_key]
        candidate = schedule.candidates.get(same_person(email))
        if candidate is None:
            raise KeyError("no such candidate in this schedule")
        return schedule, candidate

    def owner_of(self, link: str) -> str | None:
        """Tell whose link this is: the email as first registered, or None for no link of ours."""
        eccs = parse_qs(urlsplit(link).query).get("ecc", [""])
        candidate = self.state.owners.get(eccs[0])
        return None if candidate is None else candidate.email

    def transport(self, *, stub: bool = False) -> httpx.AsyncBaseTransport:
        """Make a transport for ``httpx.AsyncClient(transport=...)``: no socket, any base URL.

        Faults work here too. With ``stub`` it answers every registration with links as fast as it
        can: no checks, no faults, nothing remembered but counters; made for millions of candidates.
        """
        # Imported here so that a sandbox on a socket needs no httpx.
        from mettl_async.sandbox.in_process import InProcessTransport, StubTransport  # noqa: PLC0415

        return StubTransport(self.stats) if stub else InProcessTransport(self.app)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
        """Serve on a socket while the block runs; port 0 takes a free one.

        No signal handlers, no access log. At the end every connection is cut at once, also those
        that are in the middle of a request.

        Raises:
            OSError: The address can't be bound.
        """
        async with listening(self.app, host, port) as base_url:
            yield Server(
                base_url=base_url,
                credentials=self.credentials,
                access_key=self.access_key,
                sandbox=self,
            )
