"""How far a crawl is, and when it ends."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from northflank_async import Northflank
from northflank_async.inventory import Inventory, Progress, Query, Scan
from northflank_async.simulator import Faults, Simulator
from tests.support.clocks import ManualClock
from tests.support.fake_account import FakeAccount, backups


async def progress_of_each_backup(scan: Scan) -> list[Progress]:
    async with scan:
        return [scan.progress async for _ in scan]


async def test_a_scan_that_has_ended_has_found_and_read_everything(nf: Northflank) -> None:
    seen = await progress_of_each_backup(scan := nf.scan())
    ended = scan.progress
    assert (ended.projects, ended.projects_found, ended.found_all_projects) == (5, 5, True)
    assert (ended.addons, ended.addons_expected, ended.addons_done) == (20, 20, 20)
    assert (ended.listings, ended.listings_done, ended.backups) == (20, 20, 3000)
    assert (ended.requests, ended.retries, ended.done_at) == (46, 0, None)
    assert all(one.addons_done <= one.addons <= one.addons_expected for one in seen)
    assert all(one.projects <= one.projects_found for one in seen)


async def test_totals_are_estimated_until_everything_is_found(nf: Northflank) -> None:
    seen = await progress_of_each_backup(nf.scan(concurrency=1))
    assert {one.addons_expected for one in seen} == {20}  # 4 in each project
    assert seen[0].addons == 4
    assert seen[-1].addons == 20


async def test_more_projects_may_follow_until_their_listing_has_ended() -> None:
    async with (
        Simulator(projects=120, addons=1, backups=2) as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
    ):
        seen = await progress_of_each_backup(nf.scan(concurrency=1))
    assert [one.projects_found for one in seen if not one.found_all_projects] == [
        100 for one in seen if not one.found_all_projects
    ]
    assert seen[-1].projects_found == 120
    assert seen[-1].found_all_projects


async def test_retries_are_counted() -> None:
    async with (
        Simulator(faults=Faults(errors=0.2, seed=7)) as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
    ):
        scan = nf.scan()
        await progress_of_each_backup(scan)
    failed = sum(request.status >= 500 for request in sim.requests)
    assert failed > 0
    assert (scan.progress.retries, scan.progress.requests) == (failed, 46 + failed)


async def test_what_cannot_be_read_counts_as_done() -> None:
    account = FakeAccount({"p/a": backups(3), "q/b": backups(2)}, faults={"q#0": 403, "p/a#0": 403})
    async with account.serve() as nf:
        scan = nf.scan()
        await progress_of_each_backup(scan)
    ended = scan.progress
    assert (ended.projects, ended.projects_found) == (1, 2)
    assert (ended.addons, ended.addons_expected, ended.addons_done) == (1, 1, 1)
    assert (ended.listings, ended.listings_done, ended.done_at) == (1, 1, None)


async def test_restores_are_listings_of_their_own(nf: Northflank, tmp_path: Path) -> None:
    async with Inventory(tmp_path / "inventory.db") as inventory:
        outcome = await inventory.sync(Query(nf, restores=True))
    assert (outcome.progress.addons, outcome.progress.listings, outcome.progress.listings_done) == (20, 40, 40)


async def test_the_end_is_estimated_from_the_requests_so_far(sim: Simulator) -> None:
    clock = ManualClock()
    async with Northflank(sim.token, base_url=sim.url, clock=clock) as nf:
        scan = nf.scan(concurrency=1)
        estimates = []
        async with scan:
            async for _ in scan:
                clock.advance(0.1)  # 300 s in all
                if scan.progress.done_at:
                    estimates.append((scan.progress.done_at - datetime.now(UTC), scan.progress))
    half = next(left for left, progress in estimates if progress.addons_done == 10)
    assert timedelta(seconds=75) < half < timedelta(seconds=300)
    assert min(left for left, _ in estimates) < timedelta(seconds=30)


@pytest.mark.parametrize(("rate_limit", "hours"), [(40, 0), (20, 1), (15, 2), (10, 3)])
async def test_the_estimate_includes_waits_for_the_rate_limit(rate_limit: int, hours: int) -> None:
    clock = ManualClock()
    async with (
        Simulator(backups=40, rate_limit=rate_limit, clock=clock.time) as sim,  # 26 requests
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
    ):
        for _ in range(5):
            await nf.request("GET", "/v1/projects")
        async with nf.scan(concurrency=1) as scan:
            await anext(scan)
            while scan.progress.done_at is None:
                await anext(scan)
            left = scan.progress.done_at - datetime.now(UTC)
    assert abs(left - timedelta(hours=hours)) < timedelta(minutes=1)
