"""Transactions over real connections: that end, are lost, are cut, and are cancelled."""

import asyncio
import gc
import math
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from northflank_async.inventory.store.connections import BACKOFF, Database, os_error
from northflank_async.inventory.store.target import Target
from tests.inventory.store.conftest import ServerDatabase
from tests.support.clocks import wait_until
from tests.support.cutting_proxy import cutting_proxy

pytestmark = pytest.mark.slow

metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("text", Text))


def create(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS northflank"))
    metadata.create_all(connection)


def add(connection: Connection) -> None:
    connection.execute(insert(notes), {"text": "note"})


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(notes)).scalar_one()


class Sleeps:
    """Records pauses, which take no time."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self.then = then

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.then()


async def test_a_transaction_is_committed_when_its_work_returns(database: Database) -> None:
    await database.transaction(create)
    await database.transaction(add)
    assert await database.transaction(count) == 1
    assert await database.read(count) == 1


async def test_a_transaction_is_rolled_back_when_its_work_fails(database: Database) -> None:
    await database.transaction(create)

    def fail(connection: Connection) -> None:
        add(connection)
        metadata.drop_all(connection)
        raise KeyError("work")

    with pytest.raises(KeyError, match="work"):
        await database.transaction(fail)
    assert await database.transaction(count) == 0


async def test_creating_tables_is_rolled_back_too(database: Database) -> None:
    def fail(connection: Connection) -> None:
        create(connection)
        raise KeyError

    with pytest.raises(KeyError):
        await database.transaction(fail)
    with pytest.raises(OSError, match="notes"):
        await database.read(count)


async def test_a_reader_cannot_write(database: Database) -> None:
    await database.transaction(create)
    with pytest.raises(OSError, match=r"read-?only"):
        await database.read(add)
    assert await database.read(count) == 0


async def test_transactions_at_the_same_time_run_one_after_the_other(database: Database) -> None:
    await database.transaction(create)
    await asyncio.gather(*(database.transaction(add) for _ in range(20)), *(database.read(count) for _ in range(20)))
    assert await database.read(count) == 20


async def test_reading_a_file_creates_nothing(tmp_path: Path) -> None:
    async with Database(Target.parse(tmp_path / "x.db")) as database:
        with pytest.raises(FileNotFoundError):
            await database.read(count)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE notes (id INTEGER)")
    connection.close()
    before = (tmp_path / "x.db").read_bytes()
    async with Database(Target.parse(tmp_path / "x.db")) as database:
        assert await database.read(count) == 0
        assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    assert (tmp_path / "x.db").read_bytes() == before


async def test_writing_into_a_missing_folder_or_a_removed_file_creates_nothing(tmp_path: Path) -> None:
    for name in ("missing/x.db", "x.db"):
        async with Database(Target.parse(tmp_path / name)) as database:
            with pytest.raises(FileNotFoundError) as caught:
                await database.transaction(create)
        assert caught.value.filename == str(tmp_path / name)
    assert not list(tmp_path.iterdir())


async def test_a_file_is_read_while_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    async with Database(Target.parse(tmp_path / "x.db")) as database:
        assert await database.set_journal_mode("WAL")
        await database.transaction(create)
        begun, may_end = threading.Event(), threading.Event()

        def slow(connection: Connection) -> None:
            add(connection)
            begun.set()
            may_end.wait()

        writing = asyncio.create_task(database.transaction(slow))
        await asyncio.to_thread(begun.wait)
        assert await database.read(count) == 0
        may_end.set()
        await writing
        assert await database.read(count) == 1
        assert await database.set_journal_mode("DELETE")
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


async def test_a_journal_mode_that_others_prevent_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    async with Database(Target.parse(tmp_path / "x.db")) as database:
        assert await database.set_journal_mode("WAL")
        await database.transaction(create)
        reader = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM notes").fetchall()
        assert not await database.set_journal_mode("DELETE")
        reader.close()
        assert await database.set_journal_mode("DELETE")


async def test_an_unused_connection_is_closed(server_database: ServerDatabase) -> None:
    async with Database(Target.parse(server_database.url), idle=0.01) as database:
        await database.transaction(create)
        assert await database.read(count) == 0
        await wait_until(lambda: not (database._writer._connection or database._reader._connection))
        await database.transaction(add)
        assert await database.read(count) == 1


async def test_no_session_is_left_when_a_database_is_idle_or_closed(direct: ServerDatabase) -> None:
    async with Database(Target.parse(direct.url), idle=0.01) as database:
        await database.transaction(create)
        await wait_until(lambda: direct.sessions() == 0)
    async with Database(Target.parse(direct.url), idle=3600) as database:
        await database.transaction(add)
        await database.read(count)
        assert direct.sessions() == 2
    await wait_until(lambda: direct.sessions() == 0)


async def test_a_session_that_the_server_ends_for_idling_is_replaced(server_database: ServerDatabase) -> None:
    server_database.query(f"ALTER DATABASE {server_database.name} SET idle_session_timeout = '1s'")
    async with Database(Target.parse(server_database.url), idle=3600) as database:
        await database.transaction(create)
        await wait_until(lambda: server_database.sessions() == 0)
        await database.transaction(add)
        await wait_until(lambda: server_database.sessions() == 0)
        assert await database.read(count) == 1


async def test_a_session_that_ends_in_a_transaction_has_the_work_run_again(server_database: ServerDatabase) -> None:
    runs: list[int] = []

    def work(connection: Connection) -> int:
        add(connection)
        runs.append(1)
        if len(runs) == 1:
            server_database.terminate_sessions()
        return count(connection)

    async with Database(Target.parse(server_database.url)) as database:
        await database.transaction(create)
        assert await database.transaction(work) == 1
        assert len(runs) == 2
        assert await database.read(count) == 1


async def test_a_session_whose_server_has_become_a_standby_is_replaced(direct: ServerDatabase) -> None:
    sessions: list[Any] = []

    def work(connection: Connection) -> None:
        sessions.append(connection.execute(text("SELECT pg_backend_pid()")).scalar())
        if len(sessions) < 3:
            connection.execute(text("SET TRANSACTION READ ONLY"))  # as after a failover
        add(connection)

    sleeps = Sleeps()
    async with Database(Target.parse(direct.url), sleep=sleeps) as database:
        await database.transaction(create)
        await database.transaction(work)
        assert await database.read(count) == 1
    assert len(sleeps.seconds) == 2
    assert len(set(sessions)) == 3


async def test_a_standby_is_reported_at_once(direct: ServerDatabase) -> None:
    direct.query(f"ALTER DATABASE {direct.name} SET default_transaction_read_only = on")
    sleeps = Sleeps()
    async with Database(Target.parse(direct.url), sleep=sleeps) as database:
        await database.read(lambda connection: None)
        with pytest.raises(OSError, match="read-only transaction"):
            await database.transaction(create)
    assert sleeps.seconds == []


async def test_transactions_inside_work_that_is_finished_end_with_its_patience(tmp_path: Path) -> None:
    begun = threading.Event()

    def work(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.create_function("begin", 0, begun.set)
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(begin()) FROM n"
        )

    async def call(task: "asyncio.Task[None]") -> None:
        await database.finish(task)

    (tmp_path / "x.db").touch()
    async with Database(Target.parse(tmp_path / "x.db"), patience=0.0) as database:
        shared = asyncio.create_task(database.finish(asyncio.create_task(database.transaction(work))))
        callers = [asyncio.create_task(call(shared)) for _ in range(3)]
        await asyncio.to_thread(begun.wait)
        for caller in callers:
            caller.cancel()
        results = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert await database.read(lambda connection: 1) == 1


async def test_a_server_that_stays_away_is_given_up_after_half_a_minute(direct: ServerDatabase) -> None:
    sleeps = Sleeps()
    async with cutting_proxy(direct.server.port) as proxy:
        url = f"postgresql://northflank:secret-password@127.0.0.1:{proxy.own_port}/{direct.name}?sslmode=disable"
        async with Database(Target.parse(url), idle=0.0, sleep=sleeps) as database:
            await database.transaction(create)
            await wait_until(lambda: not database._writer._connection)
            proxy.is_down = True
            with pytest.raises(OSError, match="closed the connection") as caught:
                await database.transaction(add)
            assert len(sleeps.seconds) == len(BACKOFF)
            assert sleeps.seconds[0] == 0
            assert 24 <= sum(sleeps.seconds) <= 37
            assert "secret-password" not in f"{caught.value} {caught.value!r}"
            sleeps.then = lambda: setattr(proxy, "is_down", len(sleeps.seconds) < 13)
            await database.transaction(add)
            assert await database.read(count) == 1


async def test_a_server_that_was_never_reached_is_reported_at_once(unused_tcp_port: int) -> None:
    sleeps = Sleeps()
    url = f"postgresql://user:secret-password@127.0.0.1:{unused_tcp_port}/x?sslmode=disable"
    async with Database(Target.parse(url), sleep=sleeps) as database:
        with pytest.raises(OSError, match="Connection refused") as caught:
            await database.read(count)
    assert not sleeps.seconds
    assert caught.value.filename == f"postgresql://user@127.0.0.1:{unused_tcp_port}/x"
    assert "\n" not in str(caught.value)
    assert "secret-password" not in f"{caught.value} {caught.value!r}"


async def test_a_lock_of_another_process_is_a_blocking_io_error(
    direct: ServerDatabase,
) -> None:
    async with Database(Target.parse(direct.url)) as one, Database(Target.parse(direct.url)) as other:
        await one.transaction(create)
        begun, may_end = threading.Event(), threading.Event()

        def hold(connection: Connection) -> None:
            connection.execute(text("LOCK TABLE northflank.notes"))
            begun.set()
            may_end.wait()

        def wait(connection: Connection) -> None:
            connection.execute(text("SET LOCAL lock_timeout = '10ms'"))
            add(connection)

        holding = asyncio.create_task(one.transaction(hold))
        await asyncio.to_thread(begun.wait)
        try:
            with pytest.raises(BlockingIOError, match="another process holds a lock"):
                await other.transaction(wait)
        finally:
            may_end.set()
        await holding


async def test_a_locked_file_is_a_blocking_io_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("northflank_async.inventory.store.connections._BUSY_TIMEOUT", 0.01)
    (tmp_path / "x.db").touch()
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    async with Database(Target.parse(tmp_path / "x.db")) as database:
        with pytest.raises(BlockingIOError, match=r"x\.db"):
            await database.transaction(create)
    other.close()


async def test_a_cancelled_transaction_stops_waiting_for_the_lock_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("northflank_async.inventory.store.connections._BUSY_TIMEOUT", math.inf)
    (tmp_path / "x.db").touch()
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    async with Database(Target.parse(tmp_path / "x.db"), patience=math.inf) as database:
        first, second = (asyncio.create_task(database.transaction(create)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not second.done()  # it may still get the lock
        other.rollback()
        other.close()
        await second


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("SELECT 1/0", "division by zero"),
        ("SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(60)", "statement timeout"),
        ("DO $$BEGIN RAISE 'wrong: secret-password'; END$$", r"wrong: \*\*\*"),
    ],
)
async def test_an_error_has_a_reason_and_shows_no_secret(direct: ServerDatabase, statement: str, says: str) -> None:
    url = direct.url.replace("no-password", "secret-password")
    async with Database(Target.parse(url)) as database:
        with pytest.raises(OSError, match=says) as caught:
            await database.transaction(lambda connection: connection.exec_driver_sql(statement).close())
    assert caught.value.strerror
    assert caught.value.filename == str(database.target)
    assert "secret-password" not in f"{caught.value} {caught.value!r}"


def test_an_error_without_a_message_still_has_a_reason() -> None:
    class LockNotAvailable(Exception):
        sqlstate = "55P04"

    target = Target.parse("postgresql://u@h/db")
    assert os_error(DBAPIError("", {}, LockNotAvailable()), target).strerror == "LockNotAvailable (SQLSTATE 55P04)"
    assert os_error(DBAPIError("", {}, TimeoutError()), target).strerror == "TimeoutError"


async def test_a_transaction_leaves_nothing_behind_in_a_pooled_session(pooled: ServerDatabase) -> None:
    async with Database(Target.parse(pooled.url), idle=0.0) as database:
        await database.transaction(create)
        for _ in range(20):
            await database.transaction(add)
            await database.read(count)
        await database.transaction(lambda c: c.execute(insert(notes), [{"text": str(n)} for n in range(2000)]).close())
        assert await database.read(count) == 2020
    async with Database(Target.parse(pooled.url)) as database:  # an own one would see its own settings
        for setting in ("lock_timeout", "idle_in_transaction_session_timeout"):
            outside = f"SELECT setting = reset_val FROM pg_settings WHERE name = '{setting}'"
            connection = database.target.connect(autocommit=True, prepare_threshold=None)
            try:
                assert connection.execute(outside).fetchall() == [(True,)]
                assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchall() == [(0,)]
            finally:
                connection.close()
    assert pooled.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ["0"]


# Cancellation


async def begin_and_cancel(work: Awaitable[object], begun: threading.Event) -> "asyncio.Future[object]":
    task = asyncio.ensure_future(work)
    await asyncio.to_thread(begun.wait)
    task.cancel()
    for _ in range(50):
        await asyncio.sleep(0)
    return task


async def test_a_cancelled_transaction_is_awaited(database: Database) -> None:
    await database.transaction(create)
    begun, may_end = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        may_end.wait()
        add(connection)

    task = await begin_and_cancel(database.transaction(slow), begun)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.read(count) == 1


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(600)",
}


def sleeping_sessions(target: Target) -> int:
    with closing(target.connect()) as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"
        return int(connection.execute(f"{running} AND datname = current_database()").fetchall()[0][0])


@pytest.mark.parametrize("twice", [True, False])
async def test_a_cancelled_transaction_that_does_not_end_is_interrupted_and_rolled_back(
    target: Target, twice: bool
) -> None:
    if target.path:
        target.path.touch()
    begun = threading.Event()

    def endless(connection: Connection) -> None:
        add(connection)
        begun.set()
        connection.exec_driver_sql(SLOW[connection.dialect.name])

    threads = threading.active_count()
    async with Database(target, patience=600 if twice else 0.05) as database:
        await database.transaction(create)
        task = await begin_and_cancel(database.transaction(endless), begun)
        await asyncio.sleep(0.1)
        if twice:
            assert not task.done()
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if not target.path:
            await wait_until(lambda: not sleeping_sessions(target))
        assert await database.read(count) == 0
        await database.transaction(add)
        assert await database.read(count) == 1
    await asyncio.get_running_loop().shutdown_default_executor()
    assert threading.active_count() <= threads


def count_directly(target: Target) -> int:
    driver: Any = sqlite3.connect(target.path) if target.path else target.connect()
    with closing(driver):
        rows = driver.execute(f"SELECT count(*) FROM {'' if target.path else 'northflank.'}notes").fetchall()
        return int(rows[0][0])


async def test_work_that_ignores_its_interruption_is_left_and_rolled_back(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("northflank_async.inventory.store.connections._GRACE", 0.01)
    if target.path:
        target.path.touch()
    begun, may_end = threading.Event(), threading.Event()

    def stuck(connection: Connection) -> None:
        add(connection)
        begun.set()
        may_end.wait()

    async with Database(target, patience=0.01) as database:
        await database.transaction(create)
        with pytest.raises(asyncio.CancelledError):
            await (await begin_and_cancel(database.transaction(stuck), begun))
        assert await database.read(count) == 0
        may_end.set()
        await database.transaction(add)
    await asyncio.get_running_loop().shutdown_default_executor()
    gc.collect()  # an open connection would warn
    assert count_directly(target) == 1


async def test_a_cancelled_wait_for_a_server_that_is_away_ends(direct: ServerDatabase) -> None:
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await asyncio.sleep(3600)

    async with cutting_proxy(direct.server.port) as proxy:
        url = f"postgresql://northflank@127.0.0.1:{proxy.own_port}/{direct.name}?sslmode=disable"
        async with Database(Target.parse(url), idle=0.0, sleep=sleep, patience=0.01) as database:
            await database.transaction(create)
            await wait_until(lambda: not database._writer._connection)
            proxy.is_down = True
            task = asyncio.create_task(database.transaction(add))
            await asleep.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
