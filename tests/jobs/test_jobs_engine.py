"""What the rest of jobs relies on in the engine; on SQLite, and where it differs on PostgreSQL."""

import asyncio
import inspect
import logging
import sys
import threading

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.errors import ConfigurationError
from mettl_async.jobs.engine import ChunkEngine, HandedOnError, Known, Ticket, _sync_url

FIRST, SECOND = Ticket(1, 0, 1), Ticket(1, 1, 1)


class Taken(list):
    """Tickets that an engine gave to this process, and the futures that end them."""

    def __init__(self):
        super().__init__()
        self._came = asyncio.Event()

    def accept(self, ticket, ended):
        self.append((ticket, ended))
        self._came.set()

    async def until(self, count):
        while len(self) < count:
            self._came.clear()
            await self._came.wait()

    def let_go(self):
        for _, ended in self:
            if not ended.done():
                ended.set_exception(HandedOnError())


@pytest.fixture(params=["sqlite"])
def url(request):
    return request.getfixturevalue(
        f"jobs_{'file' if request.param == 'sqlite' else 'postgres'}_url"
    )


on_both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def engine_of(url):
    """Launch the engine as a process would, one after the other; the last one is closed."""
    opened = []

    async def launch(executor="a", *, accounts=("acme",), at_once=2, **more):
        if opened:
            await close()
        taken = Taken()
        engine = ChunkEngine(
            url=make_url(url), executor=executor, accounts=accounts, at_once=at_once,
            idle=0.02, accept=taken.accept, **more,
        )  # fmt: skip
        await engine.launch()
        opened.append((engine, taken))
        return engine, taken

    async def close():
        engine, taken = opened.pop()
        taken.let_go()
        await engine.close()

    launch.close = close
    yield launch
    if opened:
        engine, _ = opened[-1]
        await engine.forget(await engine.taken())
        await engine.sweep()
        await close()


async def until(asked, wanted):
    async with asyncio.timeout(20):
        while (found := await asked()) != wanted:  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.01)
    return found


@on_both
async def test_a_ticket_is_given_once_and_known_until_it_ends(engine_of):
    engine, taken = await engine_of()
    await engine.enqueue("acme", [FIRST])
    await engine.enqueue("acme", [FIRST])
    await taken.until(1)
    assert await engine.find([FIRST, SECOND]) == {FIRST: Known("a", "mettl-jobs-1")}
    assert await engine.taken("a") == await engine.taken() == {FIRST: Known("a", "mettl-jobs-1")}
    assert await engine.taken("b") == {}
    taken[0][1].set_result(None)
    await until(lambda: engine.find([FIRST]), {})
    await engine.enqueue("acme", [FIRST])
    await engine.sweep()
    assert [ticket for ticket, _ in taken] == [FIRST]


async def test_a_worker_takes_only_what_its_accounts_have_and_as_much_as_it_may(engine_of):
    engine, taken = await engine_of(at_once=2)
    third, of_beta = Ticket(1, 2, 1), Ticket(2, 0, 1)
    await engine.enqueue("beta", [of_beta])
    await engine.enqueue("acme", [FIRST, SECOND, third])
    await taken.until(2)
    assert await engine.find([FIRST, SECOND, third, of_beta]) == {
        FIRST: Known("a", "mettl-jobs-1"),
        SECOND: Known("a", "mettl-jobs-1"),
        third: Known(None, "mettl-jobs-1"),
        of_beta: Known(None, "mettl-jobs-1"),
    }
    taken[0][1].set_result(None)
    await taken.until(3)
    await engine.forget([of_beta])
    assert await engine.find([of_beta]) == {}


async def test_more_tickets_are_found_and_forgotten_than_a_statement_can_name(
    engine_of, monkeypatch
):
    monkeypatch.setattr("mettl_async.jobs.engine._NAMED_AT_ONCE", 1)
    engine, _ = await engine_of()
    await engine.enqueue("nobody", [FIRST, SECOND])
    assert set(await engine.find([FIRST, SECOND])) == {FIRST, SECOND}
    await engine.forget([FIRST, SECOND])
    assert await engine.find([FIRST, SECOND]) == {}


async def test_work_that_is_handed_on_leaves_no_result(engine_of):
    engine, taken = await engine_of("a")
    await engine.enqueue("acme", [FIRST])
    await taken.until(1)
    engine, taken = await engine_of("b")
    assert await engine.find([FIRST]) == {FIRST: Known("a", "mettl-jobs-1")}
    assert taken == []


@on_both
async def test_what_waits_for_another_version_is_known_as_such_and_given_to_nobody(engine_of):
    engine, _ = await engine_of("a", accounts=["beta"], version="mettl-jobs-0")
    await engine.enqueue("acme", [FIRST])
    engine, taken = await engine_of("b")
    await engine.enqueue("acme", [SECOND])
    await taken.until(1)
    assert taken[0][0] == SECOND
    assert await engine.find([FIRST]) == {FIRST: Known(None, "mettl-jobs-0")}
    await engine.forget([FIRST])


async def test_it_runs_once_in_a_process_and_leaves_no_thread(engine_of, url):
    before = set(threading.enumerate())

    def another():
        return ChunkEngine(
            url=make_url(url), executor="b", accounts=["acme"], at_once=1, idle=1.0, accept=print
        )

    ends = await asyncio.gather(engine_of(), another().launch(), return_exceptions=True)
    with pytest.raises(ConfigurationError, match="one process for each worker"):
        await another().launch()
    assert [type(end) for end in ends] == [tuple, ConfigurationError]
    (engine, _), _ = ends
    assert await engine.taken() == {}
    await engine_of.close()
    await until(lambda: asyncio.sleep(0, set(threading.enumerate()) - before), set())


async def test_a_role_that_may_not_make_its_tables_is_told_so(jobs_postgres_url, engine_of):
    boss = create_async_engine(jobs_postgres_url)
    async with boss.begin() as connection:
        await connection.exec_driver_sql("create role poor login")
    try:
        poor = ChunkEngine(
            url=make_url(jobs_postgres_url).set(username="poor"), executor="b", accounts=["acme"],
            at_once=1, idle=1.0, accept=print,
        )  # fmt: skip
        with pytest.raises(ConfigurationError, match=r"DBOS cannot begin: .*permission denied"):
            await poor.launch()
        await engine_of()  # and nothing of it is left
    finally:
        async with boss.begin() as connection:
            await connection.exec_driver_sql("drop role poor")
        await boss.dispose()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("sqlite+aiosqlite:///jobs.db", "sqlite:///jobs.db"),
        ("sqlite+aiosqlite:///file:a.db?uri=true", "sqlite:///file:a.db?uri=true"),
        ("postgresql+psycopg://a:b@h/d?sslmode=require", "postgresql://a:b@h/d?sslmode=require"),
        (
            "postgresql+asyncpg://a:b@h:7/d?ssl=require&prepared_statement_cache_size=0",
            "postgresql://a:b@h:7/d?sslmode=require",
        ),
    ],
)
def test_it_gets_the_url_of_its_own_drivers(ours, theirs):
    assert _sync_url(make_url(ours)) == make_url(theirs)


async def test_its_log_is_ours_at_debug(engine_of, capfd, caplog):
    theirs = logging.getLogger("dbos")
    before = theirs.handlers[:], theirs.filters[:], theirs.level, theirs.propagate
    with caplog.at_level(logging.DEBUG):
        await engine_of()
        await engine_of.close()
    assert capfd.readouterr() == ("", "")
    ours = [one for one in caplog.records if one.name.startswith(("dbos", "mettl_async"))]
    assert {(one.name, one.levelno) for one in ours} == {("mettl_async.jobs", logging.DEBUG)}
    assert "mettl-jobs-1" in caplog.text
    assert before == (theirs.handlers, theirs.filters, theirs.level, theirs.propagate)


async def test_the_loop_can_use_its_own_threads_afterwards(engine_of):
    engine, _ = await engine_of()
    await engine.enqueue("acme", [FIRST])
    await engine.forget([FIRST])
    await engine_of.close()
    assert await asyncio.to_thread(lambda: 1) == 1


@on_both
async def test_idle_it_has_two_connections_and_looks_for_nothing_that_we_do_not_use(engine_of, url):
    engine, taken = await engine_of()
    await engine.enqueue("acme", [FIRST, SECOND])
    await taken.until(2)
    await engine.sweep()
    # Its attributes have no public names; where one is gone, idle workers cost twice as much again.
    for thread in threading.enumerate():
        if thread.name == "dbos-background-jobs":  # told to end; it may be in the middle of a look
            await asyncio.to_thread(thread.join, 10.0)
    names = {thread.name for thread in threading.enumerate()}
    assert "dbos-background-jobs" not in names
    database = sys.modules["dbos._dbos"]._dbos_global_instance._sys_db
    assert "retry_connection_errors" in inspect.signature(type(database).create).parameters
    assert database._retry_connection_errors is False
    if url.startswith("postgresql"):
        with database.engine.connect() as connection:
            ask = "select count(*) from pg_stat_activity where application_name = 'mettl-jobs'"
            for _ in range(100):  # the server takes a moment to let go those of the test before
                if (found := connection.exec_driver_sql(ask).scalar()) <= 2:
                    break
                connection.rollback()  # what it says stays the same within a transaction
                await asyncio.sleep(0.05)
            assert found <= 2


def test_it_looks_often_at_its_queues_only_while_it_has_something():
    engine = ChunkEngine(
        url=None, executor="a", accounts=["acme"], at_once=1, idle=2.0, busy=0.2, accept=print
    )
    waits = []
    stop = threading.Event()
    vars(stop)["wait"] = waits.append
    engine._look_often(stop)

    def wait_in(name, seconds):
        thread = threading.Thread(target=stop.wait, args=[seconds], name=name)
        thread.start()
        thread.join()

    wait_in("queue-worker-mettl/acme", 120.0)  # what DBOS has come to after many conflicts
    engine._given.add(FIRST)
    wait_in("queue-worker-mettl/acme", 120.0)
    wait_in("queue-worker-mettl/acme", 0.1)
    wait_in("queue-worker-another", 120.0)
    assert waits == [2.0, 0.2, 0.1, 120.0]
