"""A simulated Mettl without HTTP: its state, clock, tests, webhooks, faults and counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from mettl_async.sandbox.candidates import Candidates, SandboxPerson
from mettl_async.sandbox.clock import SandboxClock
from mettl_async.sandbox.deliveries import Deliveries, DeliveryRules
from mettl_async.sandbox.faults import Faults
from mettl_async.sandbox.lifecycle import Lifecycle
from mettl_async.sandbox.lifecycle_rules import Pace
from mettl_async.sandbox.state import (
    DEFAULT_SECTIONS,
    Account,
    Assessment,
    Invited,
    RegistrationField,
    SandboxCredentials,
    Schedule,
    State,
    complete_section,
)
from mettl_async.sandbox.stats import Stats

ACCESS_KEY_LENGTH: Final = 10
_ALPHANUMERICS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
TIMESTAMP_AHEAD: Final = 24 * 3600.0  # [assumed]: nobody says how far ahead a clock may be


class Simulation:
    """What endpoints, pages and tests work on; `Sandbox` adds HTTP and documents the attributes."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
        seed: int = 0,
        error_http_status: bool = False,
        lenient_signatures: bool = False,
        webhook_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.pace = Pace()
        self.stats = Stats()
        self.timestamp_ahead = TIMESTAMP_AHEAD
        self.error_http_status = error_http_status
        self.lenient_signatures = lenient_signatures
        self.fault_random = Random(f"faults {seed}")  # noqa: S311 - repeatable on purpose
        self.state = State(Random(f"keys {seed}").randbytes(16))  # noqa: S311 - repeatable on purpose
        self.clock = SandboxClock(clock, skew=lambda: self.faults.clock_skew, settle=self.settle)
        now = self.clock.now
        self.deliveries = Deliveries(
            random=Random(f"deliveries {seed}"),  # noqa: S311 - repeatable on purpose
            now=now,
            settle=self.settle,
            transport=webhook_transport,
        )
        self.lifecycle = Lifecycle(self.state, self.deliveries, pace=lambda: self.pace, now=now)
        self.candidates = Candidates(self.state, self.lifecycle)

    def furnish(self, credentials: SandboxCredentials | None) -> None:
        """Add one account, two assessments and a ready schedule."""
        self.add_account(credentials)
        self.add_assessment(
            "Aptitude Test", (RegistrationField("Last Name"), RegistrationField("Phone Number"))
        )
        self.add_assessment(
            "Coding Test", (RegistrationField("Gender", values=("Female", "Male")),)
        )
        self.add_schedule("Ready schedule")

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({len(self.schedules)} schedules, {self.stats.requests} requests)"

    @property
    def account(self) -> Account:
        """The first account."""
        return next(iter(self.state.accounts.values()))

    @property
    def credentials(self) -> SandboxCredentials:
        """Keys of the first account."""
        return self.account.credentials

    @property
    def access_key(self) -> str:
        """Access key of the ready schedule."""
        return next(iter(self.schedules))

    @property
    def delivery_rules(self) -> DeliveryRules:
        """How webhooks are delivered; may be changed or replaced while the sandbox runs."""
        return self.deliveries.rules

    @delivery_rules.setter
    def delivery_rules(self, rules: DeliveryRules) -> None:
        self.deliveries.rules = rules

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """All schedules by access key, read-only."""
        return MappingProxyType(self.state.schedules)

    @property
    def assessments(self) -> Mapping[int, Assessment]:
        """All assessments by id, read-only."""
        return MappingProxyType(self.state.assessments)

    def settle(self) -> None:
        """Make happen what is due by the sandbox's clock: tests end, results are graded.

        Called before each request, by ``clock.advance``, and all the time while it is served.
        """
        self.lifecycle.settle()

    def add_account(
        self,
        credentials: SandboxCredentials | None = None,
        *,
        registration_limit: int | None = None,
    ) -> Account:
        """Add an account; its keys are random unless given.

        Args:
            credentials: Its keys.
            registration_limit: Most candidates that it may register; None means no limit.

        Example::

            account = server.sandbox.add_account(registration_limit=100)
            client = MettlClient(account.credentials, base_url=server.base_url)
            await client.aclose()
        """
        number = self.state.next_number("client")
        if credentials is None:
            credentials = SandboxCredentials(public_key=str(uuid4()), private_key=str(uuid4()))
        account = self.state.accounts[credentials.public_key] = Account(
            credentials=credentials, client_id=number, registration_limit=registration_limit
        )
        return account

    def add_assessment(
        self,
        name: str,
        registration_fields: Iterable[RegistrationField] = (),
        *,
        account: Account | None = None,
        sections: Iterable[Mapping[str, Any]] = DEFAULT_SECTIONS,
    ) -> Assessment:
        """Add an assessment, to the first account unless another is given.

        ``Email Address`` and ``First Name`` are always mandatory and need not be listed. Sections are
        as on the wire, not checked, and completed with defaults.

        Example::

            city = RegistrationField("City", values=("Delhi", "Pune"))
            assessment = server.sandbox.add_assessment("Python", [city])
        """
        assessment = Assessment(
            id=self.state.next_number("assessment"),
            name=name,
            registration_fields=tuple(registration_fields),
            sections=[complete_section(section) for section in sections],
            created_at=self.clock.now(),
        )
        return self.state.add_assessment(account or self.account, assessment)

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

        Example::

            schedule = server.sandbox.add_schedule(
                "Invited only", access_type="ByInvitation", invited=["asha@example.org"]
            )
            print(schedule.access_key)
        """
        home = assessment or next(iter(self.state.assessments.values()))
        if name in home.schedules:
            raise ValueError(f"the assessment has a schedule named {name!r}")
        number = self.state.next_number("schedule")
        letters = self.state.derive(f"schedule {number}", ACCESS_KEY_LENGTH)
        schedule = Schedule(
            id=number,
            access_key="".join(_ALPHANUMERICS[one % len(_ALPHANUMERICS)] for one in letters),
            name=name,
            access_type=access_type,
            settings={"sourceApp": "sandbox", "scheduleType": "AlwaysOn", **(settings or {})},
            created_at=self.clock.now(),
        )
        for email in invited:
            schedule.invite(Invited(email=email, name=email))
        return self.state.add_schedule(home, schedule)

    def owner_of(self, link: str) -> str | None:
        """Find the owner of a link: the email as first registered, or None for no link of ours.

        Example::

            link = await mettl.candidates.ensure_registered(ACCESS_KEY, people[0])
            assert server.sandbox.owner_of(link.url) == people[0].email
        """
        person = self.person_of(parse_qs(urlsplit(link).query).get("ecc", [""])[0])
        return None if person is None else person.email

    def person_of(self, ecc: str) -> SandboxPerson | None:
        """Find the candidate whose link has this ``ecc``; None for no link of ours."""
        candidate = self.state.owners.get(ecc)
        return None if candidate is None else self.candidates.person(candidate)
