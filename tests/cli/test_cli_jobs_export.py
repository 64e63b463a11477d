"""``mettl jobs export`` of jobs that change, or have people of every kind."""

from datetime import UTC, datetime

from mettl_async import Candidate, Failed, Registered, Rejected, Unknown
from mettl_async.cli.jobs_export import cells_of, texts, write
from mettl_async.cli.jobs_watch import table_of
from mettl_async.cli.jobs_words import Look
from mettl_async.jobs import Job, JobError, JobState, JobStatus
from mettl_async.jobs.outcome_rows import recorded_error
from mettl_async.models import RegistrationStatus

ASHA = Candidate(
    email="asha@example.org", first_name="Asha", fields={"City": "Pune"}, compensatory_time=15
)


def status(total, kind="register"):
    job = Job(
        id="autumn", kind=kind, account="acme", state=JobState.READY, problem="", total=total,
        chunk_size=10, submitted_at=datetime(2027, 1, 1, tzinfo=UTC), ended_at=None,
    )  # fmt: skip
    return JobStatus(
        job=job, chunks=1, chunks_done=0, chunks_in_work=1, workers=1,
        registered=0, rejected=0, failed=0, unknown=0,
    )  # fmt: skip


def registered(index, **fields):
    candidate = Candidate(email=f"p{index}@example.org", first_name="P", fields=fields)
    return Registered(
        index=index, candidate=candidate, attempts=0, url="https://m.example/t?ecc=1",
        status=RegistrationStatus.TO_BE_TAKEN,
    )  # fmt: skip


class Growing:
    """Jobs in which another person has an outcome each time that they are read."""

    def __init__(self, *outcomes):
        self.there = [*outcomes]
        self.read = 0

    async def status(self, _):
        return status(len(self.there))

    async def outcomes(self, _):
        self.read += 1
        for one in self.there[: self.read]:
            yield one


async def test_who_gets_an_outcome_meanwhile_is_left_out(read, tmp_path):
    jobs = Growing(registered(0, City="Pune"), registered(1, Other="x"))
    written = await write(jobs, "autumn", tmp_path / "links.csv", bom=None)
    assert (written.rows, written.links, written.code) == (1, 1, 1)
    [row] = read(tmp_path / "links.csv")
    assert (row["Email Address"], row["City"]) == ("p0@example.org", "Pune")
    assert "Other" not in row


async def test_columns_of_all_people_come_before_those_that_say_what_became_of_them(read, tmp_path):
    jobs = Growing(registered(0, City="Pune"), registered(1, Other="x"))
    jobs.read = 2
    await write(jobs, "autumn", tmp_path / "links.csv", bom=None)
    assert [list(one) for one in read(tmp_path / "links.csv")] == 2 * [
        ["Email Address", "First Name", "City", "Other", "status", "link", "code", "reason"]
    ]


def test_each_kind_of_outcome_is_written_as_register_writes_it():
    common = {"index": 0, "candidate": ASHA, "attempts": 0}
    lost = recorded_error("TransportTimeoutError", "timed out", may_have_been_handled=True)
    missing = recorded_error("E028", "City: is missing", may_have_been_handled=False)
    assert texts(registered(0)) == ("registered", "https://m.example/t?ecc=1", "", "")
    assert texts(Rejected(**common, code="Completed", reason="took it")) == (
        "rejected", "", "Completed", "took it",
    )  # fmt: skip
    assert texts(Failed(**common, error=missing))[:3] == ("failed", "", "E028")
    assert texts(Unknown(**common, error=lost))[:3] == ("unknown", "", "TransportTimeoutError")
    assert texts(Failed(**common, error=JobError("was not reached"))) == (
        "not sent", "", "", "was not reached",
    )  # fmt: skip
    assert cells_of(ASHA) == {
        "Email Address": "asha@example.org", "First Name": "Asha", "City": "Pune",
        "compensatory_time": "15",
    }  # fmt: skip


def test_of_what_is_pulled_nobody_has_a_link():
    heads = [
        [column.header for column in table_of([Look(status(1, kind))], wide=True).columns]
        for kind in ("register", "pull")
    ]
    assert ["No link" in one for one in heads] == [True, False]
    assert "Failed" in heads[1]
