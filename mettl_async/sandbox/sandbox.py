"""The sandbox: one fake Mettl, with its state, faults and counters."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from mettl_async.sandbox.blueprint import DEFAULT_SECTIONS, Section
from mettl_async.sandbox.candidates import Candidates, SandboxPerson
from mettl_async.sandbox.clock import SandboxClock
from mettl_async.sandbox.course import Course
from mettl_async.sandbox.deliveries import Deliveries, DeliveryRules
from mettl_async.sandbox.delivery_http import Deliverer
from mettl_async.sandbox.faults import Faults
from mettl_async.sandbox.in_process import InProcessTransport, StubTransport
from mettl_async.sandbox.injection import FaultLayer
from mettl_async.sandbox.life import Pace
from mettl_async.sandbox.pages.app import PagesApp
from mettl_async.sandbox.routes import make_app
from mettl_async.sandbox.server import listening
from mettl_async.sandbox.state import (
    Account,
    Assessment,
    Invited,
    RegistrationField,
    SandboxCredentials,
    Schedule,
    State,
)
from mettl_async.sandbox.stats import Stats
from mettl_async.sandbox.storage import Saving, Storage

if TYPE_CHECKING:
    import os
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
        webhook_transport: What webhooks are sent through, such as ``httpx.ASGITransport(app)`` in
            tests; never closed here. By default sockets.
        db: File to remember everything in, and to go on from: a SQLite database, made when it is not
            there. Only one sandbox at a time can have it, until `close`. Keys, links, schedules,
            candidates, results, deliveries and the clock's advances are kept; faults, rules and
            counters are not. By default all is in memory.

    Raises:
        StorageError: The file is in use, damaged, of another kind or of another version.

    Attributes:
        clock: The `SandboxClock`: ``now()`` and ``advance(seconds)``.
        candidates: Those registered, by email or access key and email, each with ``start()``,
            ``finish()`` and more: see `Candidates` and `SandboxPerson`.
        deliveries: What webhooks were told, or are to be: see `Deliveries`.
        faults: The `Faults` in force.
        stats: The `Stats` so far.
        state: Everything remembered; `schedules` and ``candidates`` are the usual ways to look.
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
        webhook_transport: httpx.AsyncBaseTransport | None = None,
        db: str | os.PathLike[str] | None = None,
    ) -> None:
        self._storage = None if db is None else Storage(db)
        self.pace = Pace()
        self.stats = Stats()
        self.state = State(Random(f"keys {seed}"))  # noqa: S311 - repeatable on purpose
        self.clock = SandboxClock(
            clock, skew=lambda: self.faults.clock_skew, advanced=self._advanced
        )
        now = self.clock.now
        self.deliveries = Deliveries(
            random=Random(f"deliveries {seed}"),  # noqa: S311 - repeatable on purpose
            now=now,
            send=self._send_webhooks,
        )
        self._course = Course(self.state, self.deliveries, pace=lambda: self.pace, now=now)
        self.candidates = Candidates(self.state, self._course, now=now)
        self._deliverer = Deliverer(
            self.deliveries, transport=webhook_transport, now=now, settle=self.settle
        )
        self.timestamp_ahead = TIMESTAMP_AHEAD
        self._error_http_status = error_http_status
        self._layer = FaultLayer(
            make_app(self),
            faults=faults or Faults(),
            stats=self.stats,
            random=Random(f"faults {seed}"),  # noqa: S311 - repeatable on purpose
            now=now,
            error_http_status=error_http_status,
        )
        self._pages = PagesApp(self, self._layer)
        try:
            self._begin()
        except BaseException:
            if self._storage is not None:
                self._storage.abandon()
            raise
        self._account = next(iter(self.state.accounts.values()))
        self._ready = next(iter(self.state.schedules.values()))

    def _begin(self) -> None:
        if self._storage is not None and self._storage.attach(
            self.state, self.deliveries, self.clock
        ):
            self._course.watch_all()
        else:
            self._furnish()
        self.save()

    def _furnish(self) -> None:
        account = self.add_account(READY_CREDENTIALS)
        aptitude = self.add_assessment(
            "Aptitude Test",
            (RegistrationField("Last Name"), RegistrationField("Phone Number")),
            account=account,
        )
        self.add_assessment(
            "Coding Test",
            (RegistrationField("Gender", values=("Female", "Male")),),
            account=account,
        )
        self.add_schedule("Ready schedule", assessment=aptitude)

    def save(self) -> None:
        """Write what changed to the file; nothing without one.

        Needed only where no event loop runs: otherwise each change is written by itself, and before the
        answer to the request that made it.

        Raises:
            StorageError: It cannot be written.
        """
        if self._storage is not None:
            self._storage.save()

    def close(self) -> None:
        """Give the file of ``db`` free, with everything in it; nothing without one.

        Raises:
            StorageError: What is left cannot be written; the file is free all the same.
        """
        if self._storage is not None:
            self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        """The ASGI app, pages and faults included."""
        return self._pages if self._storage is None else Saving(self._pages, self._storage)

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

    @property
    def delivery_rules(self) -> DeliveryRules:
        """How webhooks are delivered; may be changed or replaced while the sandbox runs."""
        return self.deliveries.rules

    @delivery_rules.setter
    def delivery_rules(self, rules: DeliveryRules) -> None:
        self.deliveries.rules = rules

    def settle(self) -> None:
        """Make happen what is due by the sandbox's clock: tests end, results are graded.

        Called before each request, by ``clock.advance``, and all the time while it is served.
        """
        self._course.settle()

    def _advanced(self) -> None:
        self.settle()
        if self._storage is not None:
            self._storage.changes.soon()

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
            owner, name, tuple(registration_fields), now=self.clock.now(), sections=tuple(sections)
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
        schedule = self.state.add_schedule(
            home, name, access_type, properties, now=self.clock.now()
        )
        for email in invited:
            schedule.invite(Invited(email=email, name=email, fields={}))
        return schedule

    def owner_of(self, link: str) -> str | None:
        """Tell whose link this is: the email as first registered, or None for no link of ours."""
        person = self.person_of(parse_qs(urlsplit(link).query).get("ecc", [""])[0])
        return None if person is None else person.email

    def person_of(self, ecc: str) -> SandboxPerson | None:
        """Find the candidate whose link has this ``ecc``; None for no link of ours."""
        return self.candidates.owner(ecc)

    async def _send_webhooks(self, seconds: float, skip_waits: bool) -> None:  # noqa: FBT001 - called in one place
        await self._deliverer.drain(seconds, skip_waits)

    def transport(self, *, stub: bool = False) -> httpx.AsyncBaseTransport:
        """Make a transport for ``httpx.AsyncClient(transport=...)``: no socket, any base URL.

        Faults work here too. With ``stub`` it answers every registration with links as fast as it
        can: no checks, no faults, nothing remembered but counters; made for millions of candidates.
        """
        return StubTransport(self.stats) if stub else InProcessTransport(self.app)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
        """Serve on a socket while the block runs; port 0 takes a free one.

        Webhooks are sent meanwhile, and time passes: what is due happens by itself. No signal
        handlers, no access log. At the end every connection is cut at once, also those
        that are in the middle of a request.

        Raises:
            OSError: The address can't be bound.
        """
        async with listening(self.app, host, port) as base_url, self._deliverer.running():
            yield Server(
                base_url=base_url,
                credentials=self.credentials,
                access_key=self.access_key,
                sandbox=self,
            )
