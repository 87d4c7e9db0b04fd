"""Exports that are killed at random moments and restarted until they are complete."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from northflank_async.simulator import Simulator
from tests.support.campaigns import SCALE
from tests.support.command import reaching, start
from tests.support.postgresql import PostgreSQL

pytestmark = pytest.mark.slow

KILLS = 6
"""Kills for each test."""
CONCURRENCY = 8
INVENTORY: dict[str, Any] = {"projects": 4, "addons": 5, "backups": 150, "rate_limit": 10**6}
LEAST = 1 + 1 + 4 + 4 * 10
"""Requests of an undisturbed run: the account, projects, addons, and pages of backups."""

QUERIES = [
    "SELECT account_id, team_id, id, name, data, deleted_at FROM projects",
    "SELECT account_id, team_id, project_id, id, name, type, status, data, deleted_at FROM addons",
    "SELECT account_id, team_id, project_id, addon_id, id, name, uid, status, created_at, completed_at, source_type,"
    " size, compression_type, addon_version, custom_destination_id, data, deleted_at FROM backups",
    "SELECT id, projects, addons, addons_done, backups, pages, finished_at IS NOT NULL FROM sync_runs",
    "SELECT count(*) FROM listings WHERE is_open",
    "SELECT count(*) FROM seen_ids",
    "SELECT count(*) FROM failures",
]
FINISHED = "SELECT count(*) FROM sync_runs WHERE finished_at IS NOT NULL"
Ask = Callable[[str, str], list[str]]
"""Returns the rows of a query, and none of a table that does not exist yet."""


def ask_sqlite(target: str, query: str) -> list[str]:
    connection = sqlite3.connect(target)
    try:
        return sorted(map(repr, connection.execute(query)))
    except sqlite3.OperationalError as error:
        assert "no such table" in str(error)
        return []
    finally:
        connection.close()


async def export(target: str, sim: Simulator, moment: Callable[[], Coroutine[Any, Any, None]] | None = None) -> int:
    """Run the command, kill it at that moment unless it has ended, and return its exit code."""
    process = await start("export", target, "--concurrency", CONCURRENCY, **reaching(sim))
    if moment:
        ended = asyncio.create_task(process.wait())
        killing = asyncio.create_task(moment())
        await asyncio.wait([ended, killing], return_when=asyncio.FIRST_COMPLETED)
        killing.cancel()
        if not ended.done():
            process.kill()
        await ended
    _, err = await process.communicate()
    assert process.returncode is not None
    assert process.returncode in (0, -9), err.decode()
    return process.returncode


async def export_until_done(target: str, ask: Ask | None, sim: Simulator, random: Random) -> int:
    """Kill and restart the export until it is complete; return the number of kills.

    A kill after the file has appeared, or the database is complete, ends the export: a restart would be the next
    export, with all its requests.
    """
    kills = 0

    async def moment() -> None:
        """Wait for some requests, or for the last one, after which the file is written."""
        enough = len(sim.requests) + random.randint(0, 25) if random.random() < 0.7 else LEAST + kills
        while len(sim.requests) < enough:
            await asyncio.sleep(0.002)
        await asyncio.sleep(random.choice([0, 0.01, 0.1]) * random.random())

    while await export(target, sim, moment) != 0:
        kills += 1
        if ask is None and Path(target).exists():
            async with Simulator(**INVENTORY) as another:
                assert await export(target, another) == 0
            break
        if ask and ask(target, FINISHED) in (["(1,)"], ["1"]):
            break
    return kills


async def check(targets: Callable[[int], str], ask: Ask | None, seed: int) -> None:
    def read(target: str) -> list[list[str]]:
        if ask:
            return [ask(target, query) for query in QUERIES]
        return [Path(target).read_text(encoding="utf-8").splitlines()]

    async with Simulator(**INVENTORY) as sim:
        undisturbed = targets(0)
        assert await export(undisturbed, sim) == 0
        assert len(sim.requests) == LEAST
    random, killed, run = Random(seed), 0, 0
    while killed < KILLS:
        run += 1
        async with Simulator(**INVENTORY, latency=0.01) as sim:
            target = targets(run)
            kills = await export_until_done(target, ask, sim, random)
            assert read(target) == read(undisturbed)
            assert len(sim.requests) <= LEAST + kills * (CONCURRENCY + 1)
            killed += kills


@pytest.mark.parametrize("seed", range(SCALE))
async def test_a_killed_export_to_a_file_resumes_to_the_same_result(tmp_path: Path, seed: int) -> None:
    await check(lambda run: str(tmp_path / f"{run}.jsonl"), None, seed)
    assert all(path.suffix == ".jsonl" for path in tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(100, 100 + SCALE))
async def test_a_killed_export_to_sqlite_resumes_to_the_same_result(tmp_path: Path, seed: int) -> None:
    await check(lambda run: str(tmp_path / f"{run}.db"), ask_sqlite, seed)


@pytest.mark.parametrize("seed", range(200, 200 + SCALE))
async def test_a_killed_export_to_postgresql_resumes_to_the_same_result(postgresql: PostgreSQL, seed: int) -> None:
    def ask(target: str, query: str) -> list[str]:
        database = target.rsplit("/", 1)[1]
        if not postgresql.query(database, "SELECT 1 FROM pg_tables WHERE tablename = 'sync_runs'"):
            return []
        return sorted(postgresql.query(database, query.replace(" FROM ", " FROM northflank.")))

    await check(lambda run: postgresql.create(f"killed_{seed}_{run}"), ask, seed)
