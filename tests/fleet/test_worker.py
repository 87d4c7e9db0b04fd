"""Workers: what one does with its accounts, and what others do when it ends."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from procrastinate.jobs import Job

from northflank_async import ConfigurationError, Northflank
from northflank_async.errors import RateLimited, ServerError
from northflank_async.fleet import AccountEntry, load_accounts
from northflank_async.fleet.queue import AccountState, Queue
from northflank_async.fleet.worker import ENQUEUE, ENQUEUE_LOCK, Worker, _Retry, check_cron, cron_of
from northflank_async.http.redaction import Secret
from northflank_async.inventory import Inventory
from northflank_async.simulator import Simulator, Tenant
from tests.support import fleet_worker
from tests.support.accounts import write_accounts
from tests.support.fleet_worker import TIMING
from tests.support.pgbouncer import PgBouncer
from tests.support.pgbouncer import pgbouncer as pgbouncer
from tests.support.postgresql import PostgreSQL

YEARLY = "0 0 1 1 *"
"""A schedule that has only the time before the start of a worker."""


@pytest.mark.parametrize(
    ("span", "cron"),
    [
        ({"minutes": 1}, "*/1 * * * *"),
        ({"minutes": 15}, "*/15 * * * *"),
        ({"hours": 1}, "0 */1 * * *"),
        ({"hours": 6}, "0 */6 * * *"),
        ({"days": 1}, "0 0 * * *"),
        ({"days": 7}, "0 0 * * 0"),
    ],
)
def test_a_time_span_is_a_cron_expression(span: dict[str, int], cron: str) -> None:
    assert cron_of(timedelta(**span)) == cron
    check_cron(cron)


@pytest.mark.parametrize("span", [{"minutes": 7}, {"minutes": 90}, {"hours": 5}, {"days": 2}, {"seconds": 30}])
def test_a_time_span_that_no_schedule_has_is_refused(span: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="must divide an hour or a day"):
        cron_of(timedelta(**span))


@pytest.mark.parametrize("text", ["", "hourly", "@hourly", "* * *", "61 * * * *", "* * * * * * *"])
def test_what_is_not_a_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a cron expression"):
        Worker(url="postgresql://db/x", entries=[], cron=text)


@pytest.mark.parametrize(
    ("error", "attempts", "seconds"),
    [
        (ServerError("down"), 0, 60),
        (ServerError("down"), 3, 480),
        (ServerError("down"), 5, None),
        (asyncio.CancelledError(), 9, 0),
        (RateLimited("spent", retry_after=1800.0), 9, 1801),
        (RateLimited("too many"), 0, 60),
        (BlockingIOError("busy"), 9, 60),
    ],
)
def test_what_did_not_succeed_is_retried_in_time(error: BaseException, attempts: int, seconds: float | None) -> None:
    job = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="sync", attempts=attempts)
    assert _Retry(60.0, random=lambda: 1.0)._seconds(error, job.attempts) == seconds


@pytest.mark.parametrize("target", ["inventory.db", "postgresql:", "mysql://db/x"])
def test_a_queue_needs_postgresql(target: str) -> None:
    with pytest.raises(ConfigurationError):
        Queue(target)


def test_a_schema_whose_queue_would_have_too_long_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is too long"):
        Queue("postgresql://db/x", schema="x" * 58)


def test_the_url_of_a_worker_shows_no_password() -> None:
    assert "secret" not in repr(Worker(url="postgresql://u:secret@db/x", entries=[], cron=YEARLY))


# With a database


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(tenants=Tenant.many(2, projects=2, addons=3, backups=120)) as simulator:
        yield simulator


@pytest.fixture
def url(postgresql: PostgreSQL, request: pytest.FixtureRequest) -> str:
    return postgresql.create(f"fleet-{abs(hash(request.node.nodeid))}")


async def until(condition: Callable[[list[AccountState]], bool], queue: Queue) -> list[AccountState]:
    """Wait until the states of the accounts are as expected."""
    while True:
        try:
            states = await queue.states(stalled_after=TIMING.stalled_after)
        except FileNotFoundError:
            states = []
        if states and condition(states):
            return states
        await asyncio.sleep(0.05)


def are_idle(states: list[AccountState]) -> bool:
    return all(state.state == "idle" for state in states)


def have_succeeded(states: list[AccountState]) -> bool:
    return are_idle(states) and all(state.succeeded_at for state in states)


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def working(url: str, entries: list[AccountEntry], **options: Any) -> "asyncio.Task[None]":
    return asyncio.create_task(
        Worker(**{"url": url, "entries": entries, "cron": YEARLY, "timing": TIMING, **options}).run()
    )


@pytest.mark.slow
async def test_a_worker_syncs_each_account_when_it_starts(sim: Simulator, url: str, tmp_path: Path) -> None:
    entries, queue = load_accounts(write_accounts(tmp_path, sim)), Queue(url)
    worker = working(url, entries)
    states = await until(have_succeeded, queue)
    assert [(state.name, state.failures, state.unread, state.worker) for state in states] == [
        ("tenant-1", 0, 0, None), ("tenant-2", 0, 0, None),
    ]  # fmt: skip
    assert all(state.next_at and state.next_at.month == 1 for state in states)
    sent = len(sim.requests)
    second = working(url, entries)  # the time before its start is done already
    await asyncio.sleep(4 * TIMING.poll)
    await stop(worker)
    await stop(second)
    assert len(sim.requests) == sent


@pytest.mark.slow
async def test_postgresql_knows_how_many_jobs_were_enqueued(
    sim: Simulator, url: str, tmp_path: Path, postgresql: PostgreSQL
) -> None:
    queue = Queue(url)
    worker = working(url, load_accounts(write_accounts(tmp_path, sim)))
    await until(have_succeeded, queue)
    await stop(worker)
    known = "SELECT reltuples >= 0 FROM pg_class WHERE oid = 'northflank_queue.procrastinate_jobs'::regclass"
    assert postgresql.query(url.rpartition("/")[2], known) == ["t"]


@pytest.mark.slow
async def test_times_of_the_schedule_that_were_missed_are_made_up_for_once(
    sim: Simulator, url: str, tmp_path: Path
) -> None:
    entries, queue = load_accounts(write_accounts(tmp_path, sim)), Queue(url)
    await queue.create()
    async with queue.app.open_async():
        for _ in range(3):
            missed = queue.app.configure_task(ENQUEUE, queue="northflank", lock=ENQUEUE_LOCK)
            await missed.defer_async(timestamp=0)
    worker = working(url, entries)
    await until(have_succeeded, queue)
    await asyncio.sleep(4 * TIMING.poll)
    await stop(worker)
    assert [record.path for record in sim.requests].count("/v1/projects") == len(entries)


@pytest.mark.slow
async def test_the_queue_holds_no_token(sim: Simulator, url: str, tmp_path: Path, postgresql: PostgreSQL) -> None:
    sim.tenants[0].is_revoked = True
    queue = Queue(url)
    worker = working(url, load_accounts(write_accounts(tmp_path, sim)))
    await until(lambda states: any(state.failures for state in states), queue)
    dump = postgresql.run("pg_dump", "--dbname", url, "--inserts")
    await stop(worker)
    assert "tenant-1" in dump
    assert [tenant.token for tenant in sim.tenants if f"{tenant.token}'" in dump] == []


@pytest.mark.slow
async def test_a_failed_sync_is_retried_until_it_succeeds(sim: Simulator, url: str, tmp_path: Path) -> None:
    sim.tenants[1].outage = 503
    queue = Queue(url)
    worker = working(url, load_accounts(write_accounts(tmp_path, sim)), client_arguments={"attempts": 1})
    states = await until(lambda states: any(state.failures > 1 for state in states), queue)
    assert [state.failures > 1 for state in states] == [False, True]
    assert states[1].error is not None
    assert states[1].error.startswith("503 ")
    assert states[1].succeeded_at is None
    sim.tenants[1].outage = None
    states = await until(have_succeeded, queue)
    await stop(worker)
    assert [(state.failures, state.error) for state in states] == [(0, None)] * 2


@pytest.mark.slow
async def test_an_account_with_an_empty_hour_leaves_the_worker_to_others(
    sim: Simulator, url: str, tmp_path: Path
) -> None:
    sim.tenants[0].spend_window(3)
    queue = Queue(url)
    worker = working(url, load_accounts(write_accounts(tmp_path, sim)), concurrency=1)
    states = await until(
        lambda states: len(states) == 2 and states[0].state == "retrying" and states[1].succeeded_at is not None, queue
    )
    await stop(worker)
    assert states[0].failures == 0
    assert states[0].next_at is not None
    assert states[0].started_at is not None
    assert timedelta(minutes=55) < states[0].next_at - states[0].started_at < timedelta(minutes=61)


@pytest.mark.slow
async def test_a_worker_without_the_account_says_so(sim: Simulator, url: str, tmp_path: Path) -> None:
    entries, queue = load_accounts(write_accounts(tmp_path, sim)), Queue(url)
    worker = working(url, [AccountEntry(name="other", read_token=lambda: Secret("token"), base_url=sim.url)])
    await until(lambda states: states[0].failures > 0, queue)
    await queue.create()  # again, beside what is there
    async with queue.app.open_async():
        await queue.app.configure_task("sync", queue="northflank", lock="tenant-1").defer_async(account="tenant-1")
    states = await until(lambda states: len(states) == 2 and states[1].failures > 0, queue)
    assert states[1].error == "this worker has no account 'tenant-1': give all workers the same accounts"
    await stop(worker)
    worker = working(url, entries)
    await until(lambda states: states[-1].name == "tenant-1" and states[-1].succeeded_at is not None, queue)
    await stop(worker)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_another_worker_resumes_the_sync_of_one_that_ends(
    url: str, tmp_path: Path, number: signal.Signals
) -> None:
    async with Simulator(tenants=Tenant.many(1, projects=4, addons=5), latency=0.1) as sim:
        file, queue = write_accounts(tmp_path, sim), Queue(url)
        first = await fleet_worker.start(url, file)
        while len(sim.requests) < 25:
            await asyncio.sleep(0.02)
        second = await fleet_worker.start(url, file)
        first.send_signal(number)
        await first.wait()
        in_flight = 16
        (state,) = await until(have_succeeded, queue)
        second.terminate()
        await second.wait()
        assert state.failures == 0
        processes = list(dict.fromkeys(record.user_agent for record in sim.requests))
        assert processes == [f"worker/{first.pid}", f"worker/{second.pid}"]
        least = await requests_of_a_sync(sim.tenants[0], sim, tmp_path)
        identifications = 1
        assert len(sim.requests) - 2 * least <= in_flight + identifications


async def requests_of_a_sync(tenant: Tenant, sim: Simulator, folder: Path) -> int:
    """Sync an account into a file, and return the number of requests."""
    async with (
        Northflank(tenant.token, base_url=sim.url) as nf,
        Inventory(folder / f"{tenant.name}.db") as inventory,
    ):
        await inventory.sync(nf)
        return nf.budget.spent


@pytest.mark.slow
async def test_a_connection_pooler_is_refused(url: str, pgbouncer: PgBouncer) -> None:
    pooled = pgbouncer.url(url.rpartition("/")[2])
    with pytest.raises(ConfigurationError, match="is a connection pooler, which hides the notifications"):
        await Worker(url=pooled, entries=[], cron=YEARLY).run()


@pytest.mark.slow
async def test_a_database_that_cannot_be_reached_is_one_line(postgresql: PostgreSQL) -> None:
    missing = postgresql.create("there").replace("/there", "/not-there")
    with pytest.raises(OSError, match='database "not-there" does not exist') as caught:
        await Worker(url=missing, entries=[], cron=YEARLY).run()
    assert "\n" not in str(caught.value)
    assert "no-password" not in str(caught.value)


@pytest.mark.slow
async def test_a_queue_without_workers_is_told_apart(url: str) -> None:
    with pytest.raises(FileNotFoundError, match="there is no queue yet: start a worker"):
        await Queue(url).states()


@pytest.mark.slow
async def test_the_queue_of_an_older_procrastinate_is_migrated(url: str, postgresql: PostgreSQL) -> None:
    queue, database = Queue(url), url.rpartition("/")[2]
    await asyncio.gather(*(queue.create() for _ in range(4)))  # workers that start at the same time
    version = "SELECT obj_description('northflank_queue'::regnamespace, 'pg_namespace')"
    (newest,) = postgresql.query(database, version)
    postgresql.query(database, "COMMENT ON SCHEMA northflank_queue IS '03.04.00_01_pre_add_retry_failed_job_procedure'")
    await queue.create()
    assert postgresql.query(database, version) == [newest]


@pytest.mark.slow
async def test_a_worker_that_loses_its_database_ends_with_an_error(
    sim: Simulator, url: str, tmp_path: Path, postgresql: PostgreSQL
) -> None:
    queue, database = Queue(url), url.rpartition("/")[2]
    worker = working(url, load_accounts(write_accounts(tmp_path, sim)), timing=evolve(TIMING, patience=0.5))
    await until(have_succeeded, queue)
    postgresql.query("postgres", f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    postgresql.query("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    with pytest.raises(OSError, match=re.escape(str(queue))):
        await worker
