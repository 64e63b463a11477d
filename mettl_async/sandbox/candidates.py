"""The people registered in a sandbox, and what a test or a page may let them do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import wraps
from typing import Concatenate, Final, ParamSpec

from attrs import field, frozen

from mettl_async.sandbox import events, lifecycle_rules
from mettl_async.sandbox.lifecycle import Lifecycle
from mettl_async.sandbox.state import SandboxCandidate, Schedule, State, fold_email

P = ParamSpec("P")

TAKE_TEST: Final = "/v2/take-test"


def candidate_link(base_url: str, ecc: str) -> str:
    """Make a candidate's link; its form is [seen] in a test script only, so it is opaque."""
    return f"{base_url}{TAKE_TEST}?ecc={ecc}"


@frozen(kw_only=True)
class PersonView:
    """What a candidate may do now, and how much time is left.

    Attributes:
        minutes: The time allowed, compensatory minutes included; 0 for no limit.
        can_start: Whether the link starts the test now.
        can_finish: Whether the test runs and is connected, so that it can end or lose its connection.
        can_reconnect: Whether the connection is lost and the test can go on.
        can_resume: Whether an administrator may let it go on.
        seconds_left: Of the time allowed; None for no limit. Stands still while disconnected.
        reconnect_seconds: How long the test may still go on after a lost connection; None otherwise.
        why_not: Why nothing can be done, for the candidate to read; empty if something can be.
    """

    minutes: int
    can_start: bool
    can_finish: bool
    can_reconnect: bool
    can_resume: bool
    seconds_left: float | None
    reconnect_seconds: float | None
    why_not: str


def _alone(
    step: Callable[Concatenate[SandboxPerson, P], None],
) -> Callable[Concatenate[SandboxPerson, P], None]:
    """Let nothing else happen to tests during a step, where the sandbox is served in another thread."""

    @wraps(step)
    def locked(person: SandboxPerson, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with person._lifecycle.lock:  # noqa: SLF001 - a method of its own
            step(person, *args, **kwargs)

    return locked


@frozen(kw_only=True, eq=False)
class SandboxPerson:
    """A registered candidate, to take the test with; the repr shows no personal data.

    Every step raises ValueError if it is not possible now or the registration was deleted, and notifies
    the schedule's webhooks, whose deliveries are in ``sandbox.deliveries``. What is due by the
    sandbox's clock happens first.

    Example::

        await mettl.candidates.register(ACCESS_KEY, people[:1])
        person = server.sandbox.candidates[people[0].email]
        person.start()
        person.disconnect()
        person.reconnect()
        person.finish("TestExpired")
        person.resume()
        person.start()
        person.finish()

    Attributes:
        candidate: All that is kept of them; read-only.
    """

    candidate: SandboxCandidate = field(repr=False)
    _lifecycle: Lifecycle = field(repr=False)

    @property
    def email(self) -> str:
        """As first registered."""
        return self.candidate.email

    @property
    def schedule(self) -> Schedule:
        """Where they are registered."""
        return self.candidate.schedule

    @property
    def access_key(self) -> str:
        """Key of the schedule."""
        return self.candidate.access_key

    @property
    def status(self) -> str:
        """``ToBeTaken``, ``InProgress``, ``Completed`` or ``AccessRevoked``, as of now."""
        self._lifecycle.settle()
        return self.candidate.status

    @property
    def link(self) -> str:
        """The registration link, as the last registration gave it."""
        return candidate_link(self.candidate.base_url, self.candidate.ecc)

    @_alone
    def start(self) -> None:
        """Start the test, or go on with an expired one that may be resumed."""
        candidate, now = self.candidate, self._lifecycle.prepare(self.candidate)
        problem = lifecycle_rules.why_not_start(candidate, now)
        if problem:
            raise ValueError(f"can't be started: {problem}")
        candidate.status = "InProgress"
        candidate.resumable = False
        candidate.session_at = now
        # [assumed]: going on with a resumed test is no start that the webhook hears of
        if candidate.started_at is None:
            candidate.started_at = now
            self._lifecycle.begun(candidate, now)
        self._lifecycle.watch(candidate)

    @_alone
    def finish(self, mode: str = "NormalSubmission") -> None:
        """End the test, which is ``Completed`` and has no link from then on.

        A test that was not started counts as begun a while ago, unless ``Blocked``. The result and the
        reports are there at once, unless `Pace` says otherwise;
        marks follow from the assessment and the email. A test that was ``Blocked`` is never graded
        [assumed].

        Args:
            mode: How it ends: ``NormalSubmission``, ``TimeExpired``, ``Blocked``,
                ``BrowsingToleranceExceeded``, ``TestExpired`` (can be resumed), ``ParentFinish``,
                ``ProctoredFinish``, ``SuspiciousSoftwareFinish`` or ``CandidateClosed``.
        """
        self._lifecycle.end(self.candidate, mode, self._lifecycle.prepare(self.candidate))
        self._lifecycle.watch(self.candidate)

    @_alone
    def disconnect(self) -> None:
        """Lose the connection: after 30 minutes of the sandbox's clock the test ends as ``TestExpired``."""
        now = self._lifecycle.prepare(self.candidate)
        if not lifecycle_rules.connected(self.candidate):
            raise ValueError("only a test that runs can lose its connection")
        lifecycle_rules.disconnect(self.candidate, now)

    @_alone
    def reconnect(self) -> None:
        """Reconnect within 30 minutes, and go on from the point where the connection was lost."""
        now = self._lifecycle.prepare(self.candidate)
        if not lifecycle_rules.running(self.candidate) or self.candidate.disconnected_at is None:
            raise ValueError("only a test that lost its connection can be reconnected")
        self.candidate.disconnected_at = None
        self.candidate.session_at = now

    @_alone
    def resume(self) -> None:
        """Allow a test that ended as ``TestExpired`` to go on, as an administrator does.

        The same link works again, and the result is gone until the next end [assumed].
        """
        candidate, now = self.candidate, self._lifecycle.prepare(self.candidate)
        if not lifecycle_rules.may_resume(candidate):
            raise ValueError("only an expired test can be resumed")
        candidate.status = "InProgress"  # [assumed]
        candidate.resumable = True
        candidate.finished_at = candidate.finish_mode = None
        self._lifecycle.notify(events.RESUMED, candidate, now)

    @property
    def view(self) -> PersonView:
        """What may be done now, for a page."""
        self._lifecycle.settle()
        candidate, now = self.candidate, self._lifecycle.now()
        allowed = lifecycle_rules.allowed_seconds(candidate)
        lost = candidate.disconnected_at if lifecycle_rules.running(candidate) else None
        can_start = not lifecycle_rules.why_not_start(candidate, now)
        return PersonView(
            minutes=int(allowed // 60),
            can_start=can_start,
            can_finish=lifecycle_rules.connected(candidate),
            can_reconnect=lost is not None,
            can_resume=lifecycle_rules.may_resume(candidate),
            seconds_left=lifecycle_rules.seconds_left(candidate, now) if allowed else None,
            reconnect_seconds=None
            if lost is None
            else lost + lifecycle_rules.RECONNECT_SECONDS - now,
            why_not="" if can_start or lifecycle_rules.running(candidate) else _excuse(candidate),
        )


def _excuse(candidate: SandboxCandidate) -> str:
    if lifecycle_rules.may_resume(candidate):
        return "The test has expired. Only an administrator can let you go on."
    if candidate.status == "Completed":
        return "This link was used: the test is over."
    if candidate.status == "AccessRevoked":
        return "You no longer have access to this test."
    return "This link has expired."


class Candidates(Collection[SandboxPerson]):
    """All registered candidates, in order of schedules and registration.

    ``candidates[access_key, email]`` is one of them, and so is ``candidates[email]`` for a person who is
    registered in one schedule only. Emails are found in either case.

    Example::

        for person in server.sandbox.candidates.of(ACCESS_KEY):
            print(person.candidate.status)
    """

    def __init__(self, state: State, lifecycle: Lifecycle) -> None:
        self._state = state
        self._lifecycle = lifecycle

    def __len__(self) -> int:
        return sum(len(schedule.candidates) for schedule in self._state.schedules.values())

    def __iter__(self) -> Iterator[SandboxPerson]:
        self._lifecycle.settle()
        return map(self.person, tuple(self._state.all_candidates()))

    def __contains__(self, key: object) -> bool:
        """Tell whether a key is registered, or a `SandboxPerson` still is."""
        if isinstance(key, SandboxPerson):
            return self._state.owners.get(key.candidate.ecc) is key.candidate
        return bool(self._found(key))

    def __getitem__(self, key: str | tuple[str, str]) -> SandboxPerson:
        """Find a candidate.

        Raises:
            KeyError: No such schedule or candidate, or an email registered in several schedules; the
                email is not in the message.
        """
        found = self._found(key)
        if not found:
            raise KeyError("no such candidate")
        if len(found) > 1:
            raise KeyError(
                "registered in several schedules: ask with candidates[access_key, email]"
            )
        return self.person(found[0])

    def of(self, access_key: str) -> tuple[SandboxPerson, ...]:
        """List the candidates of one schedule, in order of registration.

        Raises:
            KeyError: No such schedule.
        """
        self._lifecycle.settle()
        return tuple(map(self.person, self._state.schedules[access_key].candidates.values()))

    def _found(self, key: object) -> list[SandboxCandidate]:
        # An email, or an access key and an email.
        access_key, email = key if isinstance(key, tuple) and len(key) == 2 else (None, key)  # noqa: PLR2004
        if not isinstance(email, str):
            return []
        person = fold_email(email)
        return [
            schedule.candidates[person]
            for schedule in self._state.schedules.values()
            if person in schedule.candidates and access_key in (None, schedule.access_key)
        ]

    def person(self, candidate: SandboxCandidate) -> SandboxPerson:
        """Return the `SandboxPerson` that controls a registered candidate."""
        return SandboxPerson(candidate=candidate, lifecycle=self._lifecycle)
