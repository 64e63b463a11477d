"""What the sandbox keeps: accounts, assessments, schedules and candidates.

Plain values, and the steps that add, rename and delete them. Nothing here knows HTTP, envelopes or the
time. Personal values and keys stay out of reprs. `snapshot` writes these classes to a file as they are:
a reference back to the owner is therefore no argument of a class, and `State` sets it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from attrs import define, field, frozen

# Names and numbers as the vendor's page "Add PBTs" has them.
PBTS: Final = {
    1151: "Mettl Test for Critical Thinking",
    1176: "Mettl Managerial Potential Assessment",
    1255: "Mettl High Potential Assessment",
    1336: "Mettl Leadership Assessment",
}


def fold_email(email: str) -> str:
    """Fold an email so that two spellings of one address are one candidate ([assumed])."""
    return email.strip().lower()


@frozen(kw_only=True)
class SandboxCredentials:
    """A made-up pair of keys of the sandbox; nobody's secret."""

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


def complete_section(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what a section, as on the wire, leaves out."""
    skill = {
        "level": "EASY",
        "questionCount": 1,
        "questionType": "AllType",
        "correctGrade": 1.0,
        "incorrectGrade": 0.0,
        "questionPooling": False,
    }
    return {
        "duration": 0,
        "instructions": "",
        "randomizeQuestions": False,
        "allQuestionsMandatory": False,
        **sent,
        "skills": [{**skill, **one} for one in sent["skills"]],
    }


def max_marks(sections: Iterable[Mapping[str, Any]]) -> float:
    """Add up the marks of right answers to all questions."""
    skills = (skill for section in sections for skill in section["skills"])
    return float(sum(skill["questionCount"] * skill["correctGrade"] for skill in skills))


_MCQ: Final = {"questionType": "MCQ", "incorrectGrade": -0.0, "questionPooling": True}
DEFAULT_SECTIONS: Final = (
    {
        "name": "Section #1",
        "skills": [
            {**_MCQ, "name": "Quantitative Aptitude", "questionCount": 6},
            {
                **_MCQ,
                "name": "Quantitative Aptitude",
                "level": "MEDIUM",
                "questionCount": 4,
                "correctGrade": 2.0,
                "incorrectGrade": -0.5,
            },
            {**_MCQ, "name": "Logical Reasoning", "questionCount": 3, "questionType": "MCA"},
        ],
    },
    {
        "name": "Section #2",
        "skills": [
            {**_MCQ, "name": "Vocabulary", "questionCount": 2, "questionType": "SHORT_ANSWER"},
            {
                **_MCQ,
                "name": "Written Communication",
                "level": "DIFFICULT",
                "questionType": "LONG_ANSWER",
                "correctGrade": 10.0,
            },
        ],
    },
)


@define(kw_only=True, eq=False)
class Account:
    """One customer.

    Attributes:
        credentials: Its keys.
        client_id: Its number, as in webhooks.
        registration_limit: Most candidates that it may register in all; None means no limit.
        registrations: Number of candidates registered so far.
        may_white_label: Whether it may change its white label; only some accounts may [doc].
        white_label: The ``wl`` that was sent last.
        support_numbers: The ``sn`` that was sent last.
        files: The pictures ``logo``, ``fav`` and ``cov`` that were sent last.
    """

    credentials: SandboxCredentials
    client_id: int
    registration_limit: int | None = None
    registrations: int = 0
    added_pbts: set[int] = field(factory=set)
    may_white_label: bool = True
    white_label: Mapping[str, str] | None = None
    support_numbers: tuple[str, ...] = ()
    files: dict[str, bytes] = field(factory=dict, repr=False)
    assessments: dict[int, Assessment] = field(factory=dict, repr=False)

    def schedules(self) -> Iterator[Schedule]:
        """Walk over the schedules of all assessments."""
        for assessment in self.assessments.values():
            yield from assessment.schedules.values()


@define(kw_only=True, eq=False)
class Assessment:
    """One assessment of an account.

    Attributes:
        sections: As on the wire.
        duration: Minutes; 0 for no limit.
        schedules: By name.
    """

    id: int
    name: str
    account: Account = field(init=False, repr=False)
    registration_fields: tuple[RegistrationField, ...] = ()
    sections: list[dict[str, Any]]
    duration: int = 30
    instructions: str = ""
    allow_copy_paste: bool = False
    exit_redirection_url: str | None = None
    show_report_on_exit: bool = False
    on_screen_calculator: bool = False
    created_at: float = 0.0
    schedules: dict[str, Schedule] = field(factory=dict, repr=False)

    @property
    def tests_taken(self) -> int:
        """Number of tests that were started."""
        return sum(schedule.tests_taken for schedule in self.schedules.values())


@frozen(kw_only=True)
class Invited:
    """Someone on a schedule's list of invited candidates."""

    email: str = field(repr=False)
    name: str = field(repr=False)


@define(kw_only=True, eq=False)
class SandboxCandidate:
    """Someone registered in a schedule; `lifecycle_rules` has the steps from one status to the next.

    Attributes:
        schedule: Where they are registered.
        email: As first registered.
        ecc: The opaque part of the link.
        fields: The registration fields as last sent.
        status: ``ToBeTaken``, ``InProgress``, ``Completed`` or ``AccessRevoked``.
        context_data: Text of the caller.
        compensatory_time: Minutes as text.
        expires_at: When an unused link expires, in seconds of the sandbox's clock like all times here;
            None if it never does.
        show_custom_instructions: As sent.
        started_at: When the test was first started; None also for someone blocked before that.
        session_at: When the current or last sitting began or was continued.
        disconnected_at: When its connection was lost; None while there is one.
        finished_at: When it was finished; None again after a resume.
        finish_mode: How it was finished, a key of `lifecycle_rules.ENDINGS`.
        seconds: Time spent in all finished sittings, and in this one up to a lost connection.
        resumable: Whether an expired test may be resumed and was not yet.
        instance_id: Number of the attempt, ``candidate_instance_id`` in webhooks; None before the
            start. A resumed test keeps it [assumed].
        graded_told: Whether the webhook of the result was queued.
        base_url: Scheme and host that the last registration was sent to, for links.
    """

    schedule: Schedule = field(init=False, repr=False)
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

    @property
    def access_key(self) -> str:
        """Key of the schedule."""
        return self.schedule.access_key

    @property
    def name(self) -> str:
        """As Mettl writes it: a space follows the first name even without a last one [doc]."""
        return f"{self.fields.get('First Name', '')} {self.fields.get('Last Name', '')}"


@define(kw_only=True, eq=False)
class Schedule:
    """One test link.

    Attributes:
        settings: What was sent in ``sc``, except ``name`` and ``access``.
        invited: The list of invited candidates, by folded email.
        candidates: The registrations, by folded email.
        deleted: Number of deleted registrations by folded email.
    """

    id: int
    access_key: str
    name: str
    assessment: Assessment = field(init=False, repr=False)
    settings: dict[str, Any] = field(repr=False)
    access_type: str
    send_email: bool = False
    prefilled: bool = False
    created_at: float = 0.0
    status: str = "ACTIVE"
    invited: dict[str, Invited] = field(factory=dict, repr=False)
    candidates: dict[str, SandboxCandidate] = field(factory=dict, repr=False)
    deleted: Counter[str] = field(factory=Counter, repr=False)

    @property
    def tests_taken(self) -> int:
        """Number of tests that were started."""
        return sum(one.started_at is not None for one in self.candidates.values())

    def admits(self, email: str) -> bool:
        """Tell whether this email may register here."""
        return self.access_type == "OpenForAll" or fold_email(email) in self.invited

    def invite(self, person: Invited) -> None:
        """Add someone to the list, or replace their entry."""
        self.invited[fold_email(person.email)] = person


class State:
    """All that one sandbox keeps; keys and links follow from its secret.

    Attributes:
        secret: What keys and links are derived from.
        numbers: The next number of each kind of thing.
        owners: The candidates by ``ecc``.
    """

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.numbers = {
            "assessment": 756452,
            "schedule": 10000,
            "client": 51001,
            "instance": 40_000_001,
        }
        self.accounts: dict[str, Account] = {}
        self.assessments: dict[int, Assessment] = {}
        self.schedules: dict[str, Schedule] = {}
        self.owners: dict[str, SandboxCandidate] = {}

    def derive(self, text: str, size: int) -> bytes:
        """Derive so many bytes that nobody can guess from a text."""
        return blake2b(text.encode(), key=self.secret, digest_size=size).digest()

    def next_number(self, what: str) -> int:
        """Take the next number of a kind."""
        self.numbers[what] += 1
        return self.numbers[what] - 1

    def add_assessment(self, account: Account, assessment: Assessment) -> Assessment:
        """Add an assessment to its account."""
        assessment.account = account
        self.assessments[assessment.id] = account.assessments[assessment.id] = assessment
        return assessment

    def add_schedule(self, assessment: Assessment, schedule: Schedule) -> Schedule:
        """Add a schedule; the caller has checked that its name is unique in the assessment."""
        schedule.assessment = assessment
        self.schedules[schedule.access_key] = assessment.schedules[schedule.name] = schedule
        return schedule

    def restore(self, accounts: Iterable[Account]) -> None:
        """Fill the tables from accounts with all that they own; numbers give the order."""
        self.accounts = {one.credentials.public_key: one for one in accounts}
        owned = [
            (home, one) for home in self.accounts.values() for one in home.assessments.values()
        ]
        for account, assessment in sorted(owned, key=lambda pair: pair[1].id):
            self.add_assessment(account, assessment)
        made = [
            (home, one) for home in self.assessments.values() for one in home.schedules.values()
        ]
        for assessment, schedule in sorted(made, key=lambda pair: pair[1].id):
            self.add_schedule(assessment, schedule)
            for candidate in schedule.candidates.values():
                candidate.schedule = schedule
                self.owners[candidate.ecc] = candidate

    def rename(self, schedule: Schedule, name: str) -> None:
        """Give a schedule another name; the caller has checked that it is unique."""
        del schedule.assessment.schedules[schedule.name]
        schedule.name = name
        schedule.assessment.schedules[name] = schedule

    def candidate(self, schedule: Schedule, email: str) -> SandboxCandidate:
        """Find the registration of this email, or make it: one link for each (schedule, email)."""
        person = fold_email(email)
        candidate = schedule.candidates.get(person)
        if candidate is None:
            text = f"{schedule.access_key}\n{person}"
            if schedule.deleted[person]:
                # [assumed]: the link of a deleted attempt is dead, and the next one differs
                text += f"\n{schedule.deleted[person]}"
            ecc = self.derive(text, 20).hex()
            candidate = SandboxCandidate(email=email, ecc=ecc)
            candidate.schedule = schedule
            self.owners[ecc] = schedule.candidates[person] = candidate
            schedule.assessment.account.registrations += 1
        return candidate

    def delete(self, candidate: SandboxCandidate) -> None:
        """Delete a registration and its result."""
        schedule = candidate.schedule
        person = fold_email(candidate.email)
        del schedule.candidates[person], self.owners[candidate.ecc]
        schedule.deleted[person] += 1

    def all_candidates(self) -> Iterator[SandboxCandidate]:
        """Walk over the candidates of all schedules."""
        for schedule in self.schedules.values():
            yield from schedule.candidates.values()
