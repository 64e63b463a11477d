"""What workers tell of themselves: a probe, and metrics without personal data."""

import http.client
import json
import socket

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from pretended_engine import Dispatch
from worked import Worked

from mettl_async.jobs import Backlog, Jobs, WorkerHealth, WorkerObserver
from mettl_async.jobs.metrics import JobMetrics
from mettl_async.jobs.observing import COUNT_EVERY, Counting, count
from mettl_async.jobs.worker import Worker


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def worked(jobs_file_url):
    worked = Worked(jobs_file_url, dispatch=Dispatch())
    yield worked
    await worked.aclose()


def asked(address, method="GET", path="/"):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if body else None


def test_a_worker_is_well_for_a_lease_after_it_was_heard(clock):
    health = WorkerHealth(clock=clock)
    assert (health.is_well, health.silent) == (False, None)
    health.began("here-1", 30.0)
    assert not health.is_well
    health.beat()
    clock.now += 29
    assert (health.is_well, health.silent) == (True, 29)
    clock.now += 1
    assert not health.is_well
    health.beat()
    assert health.is_well


def test_the_probe_answers_200_or_503_on_each_path_and_ends_with_its_block(clock):
    health = WorkerHealth(clock=clock)
    health.began("here-1", 30.0)
    with health.listening() as address:
        assert address[0] == "127.0.0.1"
        unheard = {"status": "unavailable", "worker": "here-1", "seconds_since_heartbeat": None}
        assert asked(address) == (503, unheard)
        health.beat()
        clock.now += 2.5
        well = {"status": "ok", "worker": "here-1", "seconds_since_heartbeat": 2.5}
        assert asked(address, path="/healthz?a=b") == (200, well)
        assert asked(address, "HEAD") == (200, None)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(address, timeout=1):
        pass


class Told(WorkerObserver):
    def __init__(self):
        self.told = []

    def began(self, worker, lease):
        self.told.append(("began", lease))

    def beat(self):
        self.told.append(("beat",))

    def answered(self, account, outcome):
        self.told.append(("answered", account, outcome))


async def test_a_worker_tells_its_observers_what_it_does(worked):
    told, quiet = Told(), WorkerObserver()
    await worked.submit(3)
    async with worked.working(observers=[told, quiet]):
        await worked.until("done")
    assert told.told[:2] == [("began", 2.0), ("beat",)]
    assert told.told.count(("answered", "acme", "registered")) == 3


async def test_a_heartbeat_that_was_not_written_is_not_told():
    class Away:
        async def run(self, _):
            raise ConnectionError

    told = Told()
    worker = Worker(backend=Away(), url=None, clients={}, observers=[told])
    with pytest.raises(ConnectionError):
        await worker._say_alive()
    assert told.told == []


async def test_jobs_give_their_observers_to_the_worker(jobs_file_url, monkeypatch):
    made = []

    class Made:
        def __init__(self, **given):
            made.append(given)

        async def run(self, stop):
            pass

    monkeypatch.setattr("mettl_async.jobs.run_worker.Worker", Made)
    told = Told()
    async with Jobs(jobs_file_url) as jobs:
        await jobs.run_worker(accounts={"acme": None}, observers=[told])
    assert made[0]["observers"] == [told]
    assert made[0]["further"][-1].__self__.observers == [told]


async def test_what_there_is_to_do_is_counted_by_account_without_what_nobody_waits_for(worked):
    await worked.submit(25)
    await worked.submit(10, number=2)
    await worked.submit(10, number=3, account="other")
    await worked.submit(10, number=4, account="paused", state="paused")
    await worked.lease("worker:one", "one")
    backlogs, workers = await count(worked.backend)
    assert {account: one.chunks for account, one in backlogs.items()} == {"acme": 4, "other": 1}
    assert all(one.oldest > 1e9 for one in backlogs.values())  # handed in in 1970
    assert workers == 1


async def test_it_is_counted_now_and_then_only(worked, clock):
    counted = []

    class Seen(WorkerObserver):
        def counted(self, backlogs, workers):
            counted.append((dict(backlogs), workers))

    counting = Counting(worked.backend, [Seen()], clock)
    await counting.step()
    await counting.step()
    assert counted == [({}, 0)]
    clock.now += COUNT_EVERY
    await counting.step()
    assert len(counted) == 2


def exported(reader):
    """Figures by name and attributes."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        (metric.name, *sorted(point.attributes.items())): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_metrics_have_what_is_listed_and_nothing_else(clock):
    reader = InMemoryMetricReader()
    metrics = JobMetrics(
        meter_provider=MeterProvider([reader], shutdown_on_exit=False), clock=clock
    )
    assert exported(reader) == {}
    acme = ("mettl.account", "acme")
    metrics.counted({"acme": Backlog(chunks=7, oldest=12.5)}, 3)
    metrics.answered("acme", "registered")
    metrics.answered("acme", "registered")
    metrics.answered("acme", "asha@example.org")
    assert exported(reader) == {
        ("mettl.jobs.chunks", acme): 7,
        ("mettl.jobs.oldest", acme): 12.5,
        ("mettl.jobs.workers",): 3,
        ("mettl.jobs.outcomes", acme, ("mettl.outcome", "registered")): 2,
        ("mettl.jobs.outcomes", acme, ("mettl.outcome", "_OTHER")): 1,
    }
    # Work that is done is 0, and who does not lead any more says nothing.
    metrics.counted({}, 3)
    assert exported(reader)["mettl.jobs.chunks", acme] == 0
    clock.now += 3 * COUNT_EVERY
    assert {name for name, *_ in exported(reader)} == {"mettl.jobs.outcomes"}
