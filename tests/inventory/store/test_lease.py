"""The only writer of an inventory, and transactions that are committed once."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, func, insert, select, text

from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.lease import Writer, lock_file, open_store
from northflank_async.inventory.store.ownership import Schema
from northflank_async.inventory.store.target import Target
from tests.inventory.store.conftest import ServerDatabase
from tests.support.clocks import wait_until
from tests.support.cutting_proxy import cutting_proxy

pytestmark = pytest.mark.slow

metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("text", Text, nullable=False))
SCHEMA = Schema(metadata, 1)

LEASE = "northflank.lease"
ELSEWHERE = f"UPDATE {LEASE} SET holder = 'them', host = 'web-1', machine = 'web-1', pid = 7, expires_at = now()"


def add(connection: Connection, note: str = "note") -> str:
    connection.execute(insert(notes), {"text": note})
    return note


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(notes)).scalar_one()


@asynccontextmanager
async def written(target: Target, **options: Any) -> AsyncIterator[Writer]:
    async with (
        Database(target) as database,
        open_store(database, SCHEMA, **options) as store,
        store.writing("acme") as writer,
    ):
        yield writer


async def test_a_writer_creates_the_tables_and_writes(target: Target) -> None:
    async with Database(target) as database:
        async with open_store(database, SCHEMA) as store, store.writing("acme") as writer:
            assert await writer.transaction(add) == "note"
            assert await database.read(count) == 1
        async with open_store(database, SCHEMA) as store, store.writing("acme") as writer:
            await writer.transaction(add)
        assert await database.read(count) == 2


async def test_a_second_writer_is_refused_and_changes_nothing(target: Target) -> None:
    async with written(target) as first:
        await first.transaction(add)
        with pytest.raises(BlockingIOError, match="another export is writing to it") as caught:
            async with written(target):
                pytest.fail("two writers")
        assert caught.value.filename == str(target)
        await first.transaction(add)
        assert await first.transaction(count) == 2
    async with written(target) as second:
        assert await second.transaction(count) == 2


async def test_a_writer_that_fails_lets_the_next_one_write(target: Target) -> None:
    with pytest.raises(KeyError):
        async with written(target) as first:
            await first.transaction(add)
            raise KeyError
    async with written(target) as second:
        assert await second.transaction(count) == 1


async def test_a_writer_that_is_cancelled_lets_the_next_one_write(target: Target) -> None:
    entered = asyncio.Event()

    async def write() -> None:
        async with written(target):
            entered.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(write())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with written(target) as second:
        await second.transaction(add)


async def test_a_writer_continues_after_work_that_failed(target: Target) -> None:
    def fail(connection: Connection) -> None:
        add(connection)
        raise KeyError

    async with written(target) as writer:
        await writer.transaction(add)
        for _ in range(2):
            with pytest.raises(KeyError):
                await writer.transaction(fail)
        with pytest.raises(OSError, match=r"(?i)null"):
            await writer.transaction(lambda c: c.execute(insert(notes), {"text": None}).close())
        await asyncio.gather(*(writer.transaction(add) for _ in range(5)))
        assert await writer.transaction(count) == 6


# Files


async def test_two_spellings_of_a_file_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to("real.db")
    (tmp_path / "folder").mkdir()
    spellings = ["real.db", "link.db", "./real.db", "folder/../link.db", str(tmp_path / "real.db")]
    for first in spellings:
        async with written(Target.parse(first)):
            for second in spellings:
                with pytest.raises(BlockingIOError):
                    async with written(Target.parse(second)):
                        pytest.fail("two writers")
    assert {path.name for path in tmp_path.iterdir()} == {"real.db", "real.db.lock", "link.db", "folder"}
    assert (tmp_path / "link.db").is_symlink()


async def test_a_finished_file_needs_no_log(tmp_path: Path) -> None:
    target = Target.parse(tmp_path / "x.db")
    async with written(target) as writer:
        await writer.transaction(add)
        assert (tmp_path / "x.db-wal").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"x.db", "x.db.lock"}
    assert (tmp_path / "x.db").read_bytes()[18:20] == b"\1\1"  # the header says that no log is used
    (tmp_path / "x.db.lock").unlink(missing_ok=True)
    async with Database(target) as database:
        assert await database.read(count) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


async def test_a_file_whose_lock_the_caller_holds_is_not_locked_again(tmp_path: Path) -> None:
    target = Target.parse(tmp_path / "x.db")
    assert target.path
    with lock_file(target.path, "x.jsonl"):
        async with written(target, locked=True) as writer:
            await writer.transaction(add)
        with pytest.raises(BlockingIOError, match=r"x\.jsonl"), lock_file(target.path, "x.jsonl"):
            pytest.fail("two writers")


# The lease


async def test_a_lease_that_another_machine_renews_is_refused(direct: ServerDatabase) -> None:
    target = Target.parse(direct.url)
    async with written(target):
        pass
    direct.query(f"{ELSEWHERE} + interval '20 s'")
    looks = 0

    async def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            direct.query(f"{ELSEWHERE} + interval '30 s'")

    with pytest.raises(BlockingIOError, match=r"process 7 on web-1"):
        async with written(target, sleep=sleep):
            pytest.fail("two writers")
    assert looks == 3
    assert direct.query(f"SELECT holder FROM {LEASE}") == ["them"]


async def test_a_lease_that_another_machine_writes_under_is_refused(direct: ServerDatabase) -> None:
    target = Target.parse(direct.url)
    async with written(target):
        pass
    direct.query(f"{ELSEWHERE} + interval '20 s'")

    async def sleep(seconds: float) -> None:
        direct.query(f"UPDATE {LEASE} SET transactions = transactions + 1")

    with pytest.raises(BlockingIOError, match=r"process 7 on web-1"):
        async with written(target, sleep=sleep):
            pytest.fail("two writers")


async def test_an_expired_lease_is_taken_over(server_database: ServerDatabase) -> None:
    target = Target.parse(server_database.url)
    async with written(target) as writer:
        await writer.transaction(add)
    server_database.query(ELSEWHERE)
    async with written(target) as writer:
        assert await writer.transaction(count) == 1
    assert server_database.query(f"SELECT holder IS NULL FROM {LEASE}") == ["t"]


async def test_a_lease_is_waited_for_until_it_expires(direct: ServerDatabase) -> None:
    target = Target.parse(direct.url)
    async with written(target):
        pass
    direct.query(f"{ELSEWHERE} + interval '500 ms'")
    looks = 0

    async def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if seconds == 10.0:  # a heartbeat
            await asyncio.sleep(3600)
        await wait_until(lambda: direct.query(f"SELECT expires_at < now() FROM {LEASE}") == ["t"])

    async with written(target, sleep=sleep) as writer:
        await writer.transaction(add)
    assert looks >= 1


async def test_a_lease_that_expires_too_late_is_not_waited_for_longer_than_leases_are_valid(
    direct: ServerDatabase,
) -> None:
    target = Target.parse(direct.url)
    async with written(target):
        pass
    direct.query(f"{ELSEWHERE} + interval '1 day'")  # then the server's clock was set back
    waited = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal waited
        if seconds == 10.0:  # a heartbeat
            await asyncio.sleep(3600)
        waited += seconds

    async with written(target, ttl=5.0, poll=1.0, sleep=sleep) as writer:
        await writer.transaction(add)
    assert waited == 5.0
    assert direct.query(f"SELECT holder IS NULL FROM {LEASE}") == ["t"]


async def test_the_lease_of_a_process_that_has_ended_on_this_machine_is_taken_over(
    server_database: ServerDatabase, tmp_path: Path
) -> None:
    script = tmp_path / "writer.py"
    script.write_text(
        "import asyncio, sys\n"
        "from northflank_async.inventory.store.target import Target\n"
        "from tests.inventory.store.test_lease import add, written\n"
        "async def main():\n"
        "    async with written(Target.parse(sys.argv[1])) as writer:\n"
        "        await writer.transaction(add)\n"
        "        print('written', flush=True)\n"
        "        await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    url = server_database.url
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), url, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout
    assert await process.stdout.readline() == b"written\n"
    with pytest.raises(BlockingIOError, match=f"process {process.pid} on"):
        async with written(Target.parse(url)):
            pytest.fail("two writers")
    process.kill()
    await process.communicate()
    async with written(Target.parse(url)) as writer:
        assert await writer.transaction(count) == 1


async def test_a_process_id_that_was_used_again_is_not_the_holder(direct: ServerDatabase) -> None:
    target = Target.parse(direct.url)
    async with written(target):
        direct.query(f"UPDATE {LEASE} SET process_started = '1'")
        async with written(target) as second:
            await second.transaction(add)


async def test_a_writer_whose_lease_was_taken_over_writes_nothing(server_database: ServerDatabase) -> None:
    target = Target.parse(server_database.url)
    async with written(target) as first:
        await first.transaction(add)
        server_database.query(f"UPDATE {LEASE} SET expires_at = now()")
        async with written(target) as second:
            for _ in range(2):
                with pytest.raises(BlockingIOError, match="taken over"):
                    await first.transaction(add)
            await second.transaction(add)
        with pytest.raises(BlockingIOError, match="taken over"):
            await first.transaction(add)
    assert server_database.query("SELECT count(*) FROM northflank.notes") == ["2"]


async def test_a_writer_renews_its_lease_between_transactions_without_holding_a_connection(
    direct: ServerDatabase,
) -> None:
    beats: asyncio.Queue[float] = asyncio.Queue()
    beat = asyncio.Event()

    async def sleep(seconds: float) -> None:
        beats.put_nowait(seconds)
        await beat.wait()
        beat.clear()

    async with (
        Database(Target.parse(direct.url), idle=0.01) as database,
        open_store(database, SCHEMA, sleep=sleep) as store,
        store.writing("acme") as writer,
    ):
        assert await beats.get() == 10.0
        for _ in range(2):
            direct.query(f"UPDATE {LEASE} SET expires_at = now()")
            beat.set()
            await beats.get()
            assert direct.query(f"SELECT expires_at > now() + interval '25 s' FROM {LEASE}") == ["t"]
            await wait_until(lambda: direct.sessions() == 0)
        await writer.transaction(add)
        direct.query(f"UPDATE {LEASE} SET holder = 'them'")
        beat.set()
        await wait_until(lambda: direct.sessions() == 0)
        assert beats.empty()  # the lease is lost, and not renewed
    assert direct.query(f"SELECT holder FROM {LEASE}") == ["them"]


# Once


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("cuts", [1, 3])
async def test_a_transaction_whose_commit_is_cut_is_committed_once(
    server_database: ServerDatabase, before: bool, cuts: int
) -> None:
    _, _, place = server_database.url.rpartition("@")
    port = int(place.partition("/")[0].partition(":")[2])
    runs = 0

    def work(connection: Connection) -> int:
        nonlocal runs
        runs += 1
        add(connection)
        return runs

    async with cutting_proxy(port) as proxy:
        url = f"postgresql://northflank@127.0.0.1:{proxy.own_port}/{server_database.name}?sslmode=disable"
        async with written(Target.parse(url)) as writer:
            await writer.transaction(add)
            proxy.cuts, proxy.before = cuts, before
            result = await writer.transaction(work)
            assert not proxy.cuts
            assert result == runs == (cuts + 1 if before else 1)
            await writer.transaction(add)
            assert await writer.transaction(count) == 3
    assert server_database.query("SELECT count(*) FROM northflank.notes") == ["3"]


async def test_sessions_that_end_at_any_moment_lose_nothing_and_repeat_nothing(server_database: ServerDatabase) -> None:
    moments = random.Random(12)
    async with written(Target.parse(server_database.url)) as writer:
        for number in range(40):
            moment = moments.choice(["before", "during", "at the end", "never"])
            runs = 0

            def work(connection: Connection, number: int = number, moment: str = moment) -> int:
                nonlocal runs
                runs += 1
                if (moment, runs) == ("before", 1):
                    server_database.terminate_sessions()
                add(connection, str(number))
                if (moment, runs) == ("during", 1):
                    server_database.terminate_sessions()
                rows = count(connection)
                if (moment, runs) == ("at the end", 1):
                    server_database.terminate_sessions()
                return rows

            assert await writer.transaction(work) == number + 1
    assert server_database.query("SELECT text FROM northflank.notes ORDER BY id") == [str(n) for n in range(40)]


async def test_sessions_that_end_while_transactions_run_lose_nothing_and_repeat_nothing(
    server_database: ServerDatabase,
) -> None:
    pauses = random.Random(12)
    done = 0

    async def terminate() -> int:
        times, before = 0, -1
        while done < 300:
            if done > before:  # otherwise, a slow machine would never get a transaction done
                before = done
                await asyncio.to_thread(server_database.terminate_sessions)
                times += 1
            await asyncio.sleep(pauses.uniform(0, 0.03))
        return times

    async with written(Target.parse(server_database.url)) as writer:
        terminating = asyncio.create_task(terminate())
        for number in range(300):
            await writer.transaction(lambda connection, note=str(number): add(connection, note))  # type: ignore[misc]
            done += 1
        assert await terminating > 1
    assert server_database.query("SELECT text FROM northflank.notes ORDER BY id") == [str(n) for n in range(300)]


async def test_an_abandoned_transaction_is_counted_by_the_next_one(direct: ServerDatabase) -> None:
    async with (
        Database(Target.parse(direct.url), patience=0.01) as database,
        open_store(database, SCHEMA) as store,
        store.writing("acme") as writer,
    ):
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(connection: Connection) -> None:
            add(connection)
            loop.call_soon_threadsafe(begun.set)
            connection.execute(text("SELECT pg_sleep(600)"))

        task = asyncio.create_task(writer.transaction(slow))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await writer.transaction(add)
        assert await writer.transaction(count) == 1


async def test_no_lock_or_state_remains_in_the_pooled_sessions(pooled: ServerDatabase) -> None:
    for _ in range(3):
        async with written(Target.parse(pooled.url)) as writer:
            for _ in range(10):
                await writer.transaction(add)
        assert pooled.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ["0"]
    direct = f"postgresql://northflank@127.0.0.1:{pooled.server.port}/{pooled.name}"
    async with written(Target.parse(direct)) as writer:
        assert await writer.transaction(count) == 30
