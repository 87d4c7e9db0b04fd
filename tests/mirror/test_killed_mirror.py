"""Mirrors that are killed at random moments and restarted until they are complete."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from northflank_async import Northflank
from northflank_async.mirror import verify
from northflank_async.simulator import Downloads, Simulator
from tests.support.dumps import check_folder, files_in, links_of
from tests.support.mirror_process import start_mirror, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 30
CONCURRENCY = 2
SIZE = 3_000_000


async def dumps_of(sim: Simulator) -> dict[str, str]:
    """The uids of all completed dumps, by their ids."""
    async with Northflank(sim.token, base_url=sim.url) as nf, nf.scan() as scan:
        found = [each.backup async for each in scan if each.backup.status == "completed"]
    return {
        backup.id: backup.uid or ""
        for backup in found
        if backup.config and backup.config.source and backup.config.source.type != "snapshot"
    }


async def request_of(sim: Simulator, after: int) -> None:
    while len(sim.requests) == after:
        await asyncio.sleep(0.002)


async def run(sim: Simulator, folder: Path, random: Random | None = None) -> bool:
    """Run a mirror, and kill it at a random moment if there is a source of those; return whether it was killed."""
    before = len(sim.requests)
    process = start_mirror(str(folder), sim.token, sim.url, CONCURRENCY)
    if random:
        await asyncio.wait_for(request_of(sim, before), 60)
        if not await wait_for(process, random.uniform(0.0, 0.5)):
            process.kill()
    await wait_for(process)
    assert process.exitcode in ((0, -9) if random else (0,))
    return process.exitcode == -9


async def test_a_mirror_killed_30_times_is_whole_and_takes_one_request_for_each_dump(tmp_path: Path) -> None:
    random = Random(16)
    faults = Downloads(size=SIZE, cut_after=[900_000, 2_000_000] * 3, refused=2, rate=20_000_000)
    async with Simulator(projects=2, addons=3, backups=25, rate_limit=10**6, downloads=faults) as sim:
        uids = await dumps_of(sim)
        kills = 0
        while kills < KILLS and await run(sim, tmp_path, random):
            kills += 1
        await run(sim, tmp_path)
        links = links_of(sim)
        assert len(links) <= len(uids) + kills * CONCURRENCY + faults.refused
        await run(sim, tmp_path)
        assert links_of(sim) == links
    assert kills >= 10, "the dumps are copied too fast for this test"
    check_folder(tmp_path, uids, SIZE)
    assert (await verify(str(tmp_path))).is_intact
    assert not [path for path in files_in(tmp_path) if path.endswith((".part", ".state", ".pending"))]
    print(f"{len(uids)} dumps, {kills} kills, {len(links)} links")
