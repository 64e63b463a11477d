"""The sandbox's counters, for tests that must prove something about a client."""

from collections import Counter, deque

from attrs import define, field


@define(kw_only=True)
class Call:
    """One request, without keys, signatures or candidate data; filled in while it is handled.

    Attributes:
        method: HTTP method.
        operation: Name of the endpoint, such as ``candidates.register``, or ``reports.pdf`` and
            ``reports.html``; empty for an unknown path.
        version: ``v1``, ``v2`` or ``v3``; empty for an unknown path and for reports.
        sent_in: Where the parameters were: ``query``, ``form``, ``multipart``, ``both`` (the query
            and a body) or empty.
        parameters: Names of the parameters, sorted.
        files: Names of the files of a multipart body, sorted.
        status: HTTP status that was answered; 0 if the connection was reset.
        outcome: What handling the request gave: ``SUCCESS``, ``ERROR`` (a partial result), a code
            such as ``E401``, for a report that was not given the HTTP status, or empty if it was not
            handled.
        fault: Fault that was injected, such as ``throttle``, or None.
    """

    method: str
    operation: str = ""
    version: str = ""
    sent_in: str = ""
    parameters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    status: int = 0
    outcome: str = ""
    fault: str | None = None


@define(kw_only=True, eq=False)
class Stats:
    """Counters of one sandbox since it was made; reset by assigning a new value to a field.

    Attributes:
        requests: All requests, also those that got a fault instead of an answer.
        statuses: How often each HTTP status was answered.
        outcomes: How often handling gave each outcome; see `Call.outcome`.
        faults: How often each kind of fault was injected.
        in_flight: Requests being handled now.
        max_in_flight: The most that ever were.
        largest_batch: The most candidates in one registration call, refused ones too.
        calls: The last calls, oldest first.
        registrations: How often (access key, email in lower case) was handled by a registration.
    """

    requests: int = 0
    statuses: Counter[int] = field(factory=Counter)
    outcomes: Counter[str] = field(factory=Counter)
    faults: Counter[str] = field(factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    largest_batch: int = 0
    calls: deque[Call] = field(factory=lambda: deque(maxlen=10_000), repr=False)
    registrations: Counter[tuple[str, str]] = field(factory=Counter, repr=False)

    def began(self) -> None:
        """Count a request that came in."""
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    @property
    def bad_signatures(self) -> int:
        """Number of requests refused with E401."""
        return self.outcomes["E401"]

    def ended(self, call: Call) -> None:
        """Keep the record of a finished request; status 0 is no answer at all."""
        self.in_flight -= 1
        if call.status:
            self.statuses[call.status] += 1
        if call.fault is not None:
            self.faults[call.fault] += 1
        self.calls.append(call)
