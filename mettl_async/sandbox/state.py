"""What the sandbox remembers: accounts, assessments, schedules, candidates.

Plain values and the few steps that change them. Nothing here knows of HTTP or JSON envelopes.
Personal values and keys stay out of reprs.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from mettl_async.sandbox.blueprint import DEFAULT_SECTIONS, Section
from mettl_async.sandbox.changes import Changes, noted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

ACCESS_KEY_LENGTH: Final = 10
_ALPHANUMERICS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"

# Names and numbers as the vendor's page of Add PBTs has them.
PBTS: Final = {
    1151: "Mettl Test for Critical Thinking",
    1176: "Mettl Managerial Potential Assessment",
    1255: "Mettl High Potential Assessment",
    1336: "Mettl Leadership Assessment",
}


def same_person(email: str) -> str:
    """Fold an email so that two spellings of one address are one candidate ([assumed])."""
    return email.strip().lower()


@frozen(kw_only=True)
class SandboxCredentials:
    """A made-up pair of keys of the sandbox; not a secret of anyone."""

    public_key: str
    private_key: str = field(repr=False)


@frozen
class RegistrationField:
    """A field that candidates fill in when they register.

    ``values`` are the choices of a ``SelectBox``; empty for a ``TextBox``.
    """

    name: str
    required: bool = field(default=False, kw_only=True)
    type: str = field(default="TextBox", kw_only=True)
    values: tuple[str, ...] = field(default=(), kw_only=True)


@define(kw_only=True, eq=False, on_setattr=noted)
class Account:
    """One customer.

    Attributes:
        credentials: Its keys.
        client_id: Its number, as in webhooks.
        registration_limit: How many candidates it may register in all; None means no limit.
        registrations: How many it has registered.
        may_white_label: Whether it may change its white label; only some accounts may [doc].
        logo: The picture that was uploaded last.
        white_label: The ``wl`` that was sent last.
        support_numbers: The ``sn`` that was sent last.
        favicon: The file ``fav`` that was sent last.
        cover: The file ``cov`` that was sent last.
    """

    credentials: SandboxCredentials
    client_id: int = 0
    registration_limit: int | None = None
    registrations: int = 0
    added_pbts: set[int] = field(factory=set)
    may_white_label: bool = True
    logo: bytes | None = field(default=None, repr=False)
    white_label: Mapping[str, str] | None = None
    support_numbers: tuple[str, ...] = ()
    favicon: bytes | None = field(default=None, repr=False)
    cover: bytes | None = field(default=None, repr=False)
    assessments: dict[int, Assessment] = field(factory=dict, repr=False)
    changes: Changes | None = field(default=None, repr=False)

    def schedules(self) -> Iterator[Schedule]:
        """Walk over the schedules of all assessments."""
        for assessment in self.assessments.values():
            yield from assessment.schedules.values()


@define(kw_only=True, eq=False, on_setattr=noted)
class Assessment:
    """One assessment of an account; ``duration`` in minutes."""

    id: int
    name: str
    account: Account = field(repr=False)
    registration_fields: tuple[RegistrationField, ...] = ()
    sections: tuple[Section, ...] = DEFAULT_SECTIONS
    duration: int = 30
    instructions: str = ""
    allow_copy_paste: bool = False
    exit_redirection_url: str | None = None
    show_report_on_exit: bool = False
    on_screen_calculator: bool = False
    created_at: float = 0.0
    tests_taken: int = 0
    schedules: dict[str, Schedule] = field(factory=dict, repr=False)
    changes: Changes | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Invited:
    """Someone who was added to a schedule's list of invited candidates."""

    email: str = field(repr=False)
    name: str = field(repr=False)
    fields: Mapping[str, Any] = field(repr=False)


@define(kw_only=True, eq=False, on_setattr=noted)
class SandboxCandidate:
    """Someone registered in a schedule; `life` has the steps from one status to the next.

    Attributes:
        access_key: Key of the schedule.
        email: As first registered.
        ecc: The opaque part of the link.
        fields: The registration fields as last sent.
        status: ``ToBeTaken``, ``InProgress``, ``Completed`` or ``AccessRevoked``.
        context_data: Text of the caller.
        compensatory_time: Minutes as text.
        expires_at: When a link that started nothing expires; None if it never does. All times here
            are in seconds of the sandbox's clock.
        show_custom_instructions: As sent.
        started_at: When the test was first started; None also for someone blocked before that.
        session_at: When the sitting that runs, or ran last, was started or went on.
        disconnected_at: When its connection was lost; None while there is one.
        finished_at: When it was finished; None again after a resume.
        finish_mode: How it was finished, a key of `life.ENDINGS`.
        seconds: Time spent in all finished sittings, and in this one up to a lost connection.
        resumable: Whether an expired test may be resumed and was not yet.
        instance_id: Number of the attempt, ``candidate_instance_id`` in webhooks; None before the
            start. A resumed test keeps it [assumed].
        graded_told: Whether the webhook heard of the result.
        base_url: Scheme and host that the last registration was sent to, for links.
        result: What was graded, kept between requests; `grading` makes it.
    """

    access_key: str
    email: str = field(repr=False)
    ecc: str = field(repr=False)
    fields: Mapping[str, str] = field(factory=dict, repr=False)
    status: str = "ToBeTaken"
    context_data: str | None = field(default=None, repr=False)
    compensatory_time: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    show_custom_instructions: bool = False
    started_at: float | None = None
    session_at: float | None = None
    finished_at: float | None = None
    finish_mode: str | None = None
    disconnected_at: float | None = None
    seconds: float = 0.0
    resumable: bool = False
    instance_id: int | None = None
    graded_told: bool = False
    base_url: str = ""
    result: dict[str, Any] | None = field(default=None, init=False, repr=False)
    changes: Changes | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """As Mettl writes it: a space follows the first name even without a last one [doc]."""
        return f"{self.fields.get('First Name', '')} {self.fields.get('Last Name', '')}"


@define(kw_only=True, eq=False, on_setattr=noted)
class Schedule:
    """One test link; ``settings`` holds what was sent in ``sc``, except ``name`` and ``access``."""

    id: int
    access_key: str
    name: str
    assessment: Assessment = field(repr=False)
    settings: dict[str, Any] = field(repr=False)
    access_type: str
    send_email: bool = False
    prefilled: bool = False
    created_at: float = 0.0
    status: str = "ACTIVE"
    invited: dict[str, Invited] = field(factory=dict, repr=False)
    candidates: dict[str, SandboxCandidate] = field(factory=dict, repr=False)
    changes: Changes | None = field(default=None, repr=False)

    def admits(self, email: str) -> bool:
        """Tell whether this email may register here."""
        return self.access_type == "OpenForAll" or same_person(email) in self.invited

    def invite(self, person: Invited) -> None:
        """Put someone on the list, or replace what is there of them."""
        self.invited[same_person(person.email)] = person
        self.invited = self.invited  # so that the change is noted

    def uninvite(self, email: str) -> None:
        """Take someone off the list; what becomes of a registration is up to `life.revoke`."""
        self.invited.pop(same_person(email), None)
        self.invited = self.invited  # so that the change is noted


class State:
    """Everything that one sandbox remembers; keys and links follow from the seed.

    Attributes:
        changes: Where changes are noted; None if nobody wants to know.
        deleted: How often a registration (access key, folded email) was deleted.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._link_key = random.randbytes(16)
        self._numbers = {
            "assessment": 756452,
            "schedule": 10000,
            "client": 51001,
            "instance": 40_000_001,
        }
        self.changes: Changes | None = None
        self.pbts: dict[int, str] = dict(PBTS)
        self.accounts: dict[str, Account] = {}
        self.assessments: dict[int, Assessment] = {}
        self.schedules: dict[str, Schedule] = {}
        self.owners: dict[str, SandboxCandidate] = {}
        self.deleted: Counter[tuple[str, str]] = Counter()

    def _next(self, what: str) -> int:
        number = self._numbers[what]
        self._numbers[what] += 1
        return number

    def keys(self) -> str:
        """Write down what future keys and links follow from; it changes with accounts and schedules."""
        return json.dumps([self._random.getstate(), self._link_key.hex()])

    def numbers(self) -> str:
        """Write down the next numbers."""
        return json.dumps(self._numbers)

    def restore(self, keys: str, numbers: str) -> None:
        """Go on where another state was when it wrote these.

        Raises:
            ValueError: They are damaged; also TypeError.
        """
        (version, inner, gauss), link_key = json.loads(keys)
        self._random.setstate((version, tuple(inner), gauss))
        self._link_key = bytes.fromhex(link_key)
        self._numbers |= json.loads(numbers)

    def adopt(self, entity: Account | Assessment | Schedule | SandboxCandidate) -> None:
        """Put something in its places: what it belongs to is there."""
        entity.changes = self.changes
        match entity:
            case Account():
                self.accounts[entity.credentials.public_key] = entity
            case Assessment():
                self.assessments[entity.id] = entity.account.assessments[entity.id] = entity
            case Schedule():
                self.schedules[entity.access_key] = entity
                entity.assessment.schedules[entity.name] = entity
            case SandboxCandidate():
                self.owners[entity.ecc] = entity
                schedule = self.schedules[entity.access_key]
                schedule.candidates[same_person(entity.email)] = entity
        if self.changes is not None:
            self.changes.note(entity)

    def add_account(self, credentials: SandboxCredentials | None, limit: int | None) -> Account:
        """Add a customer, with made-up keys unless some are given."""
        if credentials is None:
            public, private = (
                str(uuid.UUID(int=self._random.getrandbits(128), version=4)) for _ in range(2)
            )
            credentials = SandboxCredentials(public_key=public, private_key=private)
        account = Account(
            credentials=credentials, client_id=self._next("client"), registration_limit=limit
        )
        self.adopt(account)
        return account

    def add_assessment(
        self,
        account: Account,
        name: str,
        fields: tuple[RegistrationField, ...],
        *,
        now: float,
        sections: tuple[Section, ...] = DEFAULT_SECTIONS,
    ) -> Assessment:
        """Add an assessment to an account."""
        assessment = Assessment(
            id=self._next("assessment"),
            name=name,
            account=account,
            registration_fields=fields,
            sections=sections,
            created_at=now,
        )
        self.adopt(assessment)
        return assessment

    def add_schedule(
        self,
        assessment: Assessment,
        name: str,
        access_type: str,
        settings: dict[str, Any],
        *,
        now: float,
    ) -> Schedule:
        """Add a schedule; the caller has checked that the name is unique in the assessment."""
        key = "".join(self._random.choices(_ALPHANUMERICS, k=ACCESS_KEY_LENGTH))
        schedule = Schedule(
            id=self._next("schedule"),
            access_key=key,
            name=name,
            assessment=assessment,
            access_type=access_type,
            settings=settings,
            created_at=now,
        )
        self.adopt(schedule)
        return schedule

    def rename(self, schedule: Schedule, name: str) -> None:
        """Give a schedule another name; the caller has checked that it is unique."""
        del schedule.assessment.schedules[schedule.name]
        schedule.name = name
        schedule.assessment.schedules[name] = schedule

    def candidate(self, schedule: Schedule, email: str) -> SandboxCandidate:
        """Find the registration of this email, or make it: one link for each (schedule, email)."""
        person = same_person(email)
        candidate = schedule.candidates.get(person)
        if candidate is None:
            text = f"{schedule.access_key}\n{person}"
            deleted = self.deleted.get((schedule.access_key, person))
            if deleted:
                text += (
                    f"\n{deleted}"  # [assumed]: a deleted attempt's link is dead, the next differs
                )
            ecc = blake2b(text.encode(), key=self._link_key, digest_size=20).hexdigest()
            candidate = SandboxCandidate(access_key=schedule.access_key, email=email, ecc=ecc)
            self.adopt(candidate)
            schedule.assessment.account.registrations += 1
        return candidate

    def number_attempt(self, candidate: SandboxCandidate) -> None:
        """Give the attempt its number, unless it has one."""
        if candidate.instance_id is None:
            candidate.instance_id = self._next("instance")

    def delete(self, schedule: Schedule, candidate: SandboxCandidate) -> None:
        """Forget a registration and its result."""
        person = same_person(candidate.email)
        del schedule.candidates[person], self.owners[candidate.ecc]
        candidate.changes = None  # whoever still holds it must not write over the next registration
        if candidate.started_at is not None:
            schedule.assessment.tests_taken -= 1
        self.deleted[schedule.access_key, person] += 1
        if self.changes is not None:
            self.changes.note_deleted(candidate, (schedule.access_key, person))

    def all_candidates(self) -> Iterator[SandboxCandidate]:
        """Walk over the candidates of all schedules."""
        for schedule in self.schedules.values():
            yield from schedule.candidates.values()
