"""Drills that are cancelled, also while they clean up, or killed; and sweeps, which remove what is left."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import evolve

from northflank_async import Addon, ConfigurationError, Northflank
from northflank_async.drill import DrillOutcome, Leftover, find_leftovers, remove_leftover
from northflank_async.drill.cancellation import complete
from northflank_async.drill.scratch import PREFIX, Mark
from northflank_async.inventory import Inventory
from northflank_async.simulator import Provisioning
from tests.drill.stage import DUMPED, SCRATCH, SNAPSHOTS, Stage, stage
from tests.support.clocks import FastClock

STEPS = {
    "creating": ("POST", f"/projects/{SCRATCH}/addons"),
    "importing": ("POST", "/import"),
    "restoring": ("POST", "/restore"),
    "checking": ("GET", "/containers"),
    "removing": ("DELETE", ""),
}


async def reach(at: Stage, step: str) -> None:
    """Wait until the request of a step has arrived."""
    while not at.sent(*STEPS[step]):
        await asyncio.sleep(0)


@pytest.mark.parametrize("cancellations", [1, 2, 5])
@pytest.mark.parametrize("step", STEPS)
async def test_a_cancelled_drill_removes_its_addon_and_keeps_the_evidence(
    step: str, cancellations: int, tmp_path: Path
) -> None:
    async with stage(latency=0.002) as at, Inventory(tmp_path / "inventory.db") as inventory:
        running = asyncio.create_task(
            at.drill(DUMPED, inventory=inventory, keep=True)
            if step != "removing"
            else at.drill(DUMPED, inventory=inventory)
        )
        await reach(at, step)
        for _ in range(cancellations):
            running.cancel()
            await asyncio.sleep(0.003)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert at.scratch_addons() == []
        [stored] = await inventory.drills()
    assert stored.ended_at is not None
    if step == "removing":
        assert stored.outcome == DrillOutcome.PASSED
    else:
        assert (stored.outcome, stored.is_kept) == (DrillOutcome.INTERRUPTED, False)
    assert len(at.sent("POST", f"/projects/{SCRATCH}/addons")) == 1


async def test_an_addon_whose_creation_was_cancelled_is_found_by_its_name() -> None:
    """The server acts only after the client has left."""
    async with stage(latency=0.05) as at:
        running = asyncio.create_task(at.drill())
        await reach(at, "creating")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert at.scratch_addons() == []
        assert len(at.sent("DELETE")) == 1


async def test_a_drill_that_waits_for_the_rate_limit_to_create_its_addon_ends_at_once() -> None:
    async with stage() as at:
        at.simulator.tenants[0].spend_window(8)  # enough to read what is needed
        running = asyncio.create_task(at.drill())
        while at.nf.budget.reset_wait is None:
            await asyncio.sleep(0.001)
        assert at.sent("POST") == []
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_work_is_completed_in_a_loop_that_is_being_closed() -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append(True)

    running = asyncio.create_task(complete(work))
    await asyncio.sleep(0)
    for _ in range(3):
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.001)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert done == [True]


async def test_work_that_fails_is_not_repeated() -> None:
    calls = []

    async def work() -> None:
        calls.append(True)
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await complete(work)
    assert calls == [True]


# Sweeps


def mark(**changes: Any) -> Mark:
    now = datetime.now(UTC).replace(microsecond=0)
    return evolve(Mark(id="0123456789abcdef", started_at=now - timedelta(hours=2), timeout=3600.0), **changes)


@pytest.mark.parametrize("timeout", [None, 1.0, 3600.0])
def test_a_mark_is_read_as_it_was_written(timeout: float | None) -> None:
    written = mark(timeout=timeout)
    addon = Addon(id="a", name=written.name, description=written.description)
    read = Mark.of(addon)
    assert read is not None
    assert (read.id, read.started_at) == (written.id, written.started_at)
    assert read.timeout is None if timeout is None else timeout <= (read.timeout or 0) <= timeout + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"description": None},
        {"description": "Restore drills"},
        {"description": mark().description + " "},
        {"description": mark(id="0123456789abcdee").description},
        {"description": mark().description.replace("2026", "20x6").replace("started 2", "started 9", 1)},
        {"name": None},
        {"name": PREFIX},
        {"name": PREFIX + "0123456789abcdee"},
        {"name": "My " + mark().name},
        {"name": mark().name + "-2"},
    ],
)
def test_an_addon_without_the_complete_mark_is_not_of_a_drill(changes: dict[str, Any]) -> None:
    addon = Addon(id="a", **{"name": mark().name, "description": mark().description, **changes})
    assert Mark.of(addon) is None


async def create(at: Stage, name: str, description: str | None, project: str = SCRATCH) -> str:
    settings: dict[str, Any] = {"version": "8.4.2", "deployment_plan": "nf-compute-20", "storage": 4096}
    created = await at.nf.project(project).create_addon(
        name=name, description=description, addon_type="mysql", **settings
    )  # fmt: skip
    return created.id


async def leave(at: Stage, project: str = SCRATCH, **changes: Any) -> str:
    made = mark(**changes)
    return await create(at, made.name, made.description, project)


async def test_a_sweep_finds_what_killed_drills_left_and_nothing_else() -> None:
    now = datetime.now(UTC)
    async with stage(start=now - timedelta(hours=3)) as at:
        abandoned = await leave(at, id="0" * 16)
        await leave(at, "billing", id="1" * 16)
        running = await leave(at, id="2" * 16, started_at=now)
        kept = await leave(at, id="3" * 16, timeout=None)
        others = [
            await create(at, "restore-drill-of-the-team", mark().description),
            await create(at, PREFIX + "4" * 16, "made by hand"),
            await create(at, PREFIX + "5" * 16, mark(id="6" * 16).description),
        ]
        found = {leftover.addon_id: leftover for leftover in await find_leftovers(at.nf, [SCRATCH])}
        everywhere = await find_leftovers(at.nf)
        for leftover in found.values():
            if leftover.is_abandoned:
                await remove_leftover(at.nf, leftover)
        remaining = at.scratch_addons()
    assert {name: leftover.is_abandoned for name, leftover in found.items()} == {
        abandoned: True, running: False, kept: False,
    }  # fmt: skip
    assert found[running].may_be_running
    assert found[kept].is_kept
    assert {leftover.project_id for leftover in everywhere} == {SCRATCH, "billing"}
    assert len(everywhere) == 4
    assert set(others) | {running, kept} <= set(remaining)
    assert len(remaining) == len(others) + 3


async def test_an_addon_that_has_lost_its_mark_since_it_was_found_is_left_alone() -> None:
    async with stage() as at:
        other = await create(at, PREFIX + "4" * 16, "made by hand")
        leftover = Leftover(project_id=SCRATCH, addon_id=other, drill_id="4" * 16, created_at=datetime.now(UTC))
        with pytest.raises(ConfigurationError, match="does not have the mark of a drill"):
            await remove_leftover(at.nf, leftover)
        assert at.sent("DELETE") == []


async def test_a_leftover_that_is_gone_is_removed() -> None:
    async with stage() as at:
        leftover = Leftover(project_id=SCRATCH, addon_id="gone", drill_id="4" * 16, created_at=datetime.now(UTC))
        await remove_leftover(at.nf, leftover)


def moments(count: int) -> Iterator[tuple[Random, str]]:
    for seed in range(count):
        random = Random(seed)
        yield random, random.choice([SNAPSHOTS, DUMPED])


@pytest.mark.slow
async def test_nothing_is_left_by_a_hundred_drills_killed_at_random_moments_and_one_sweep() -> None:
    """Most are cancelled; every fourth dies without a chance to clean up, as if its process were killed."""
    provisioning = Provisioning(addons=["running", "failed", "allocating"] * 30)
    async with stage(provisioning=provisioning, latency=0.001, rate_limit=10**6) as at:
        before = {addon.id for addon in at.simulator.tenants[0].account.addons.all()}
        killed = 0
        for number, (random, addon_id) in enumerate(moments(100)):
            clock = FastClock()
            async with Northflank(at.simulator.token, base_url=at.simulator.url, clock=clock) as nf:
                running = asyncio.create_task(Stage(at.simulator, nf).drill(addon_id, timeout=200))
                await asyncio.sleep(random.uniform(0.0, 0.12))
                if number % 4 == 0:
                    await nf.close()  # every request fails from now on
                    killed += 1
                else:
                    running.cancel()
                    await asyncio.sleep(random.uniform(0.0, 0.01))
                    running.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await running
        left = await find_leftovers(at.nf)
        assert 0 < len(left) <= killed
        for leftover in left:
            assert leftover.may_be_running
            await remove_leftover(at.nf, leftover)
        await asyncio.sleep(0.01)  # ten seconds: what is being deleted is gone
        assert {addon.id for addon in at.simulator.tenants[0].account.addons.all()} == before
