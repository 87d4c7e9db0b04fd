"""Exports through every mix of faults: resumed after each failure, each ends with the whole inventory."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from northflank_async import DecodeError, Northflank, RateLimited, ServerError, TransportError
from northflank_async.inventory.export import export
from northflank_async.simulator import Faults, Simulator
from tests.support.campaigns import SCALE
from tests.support.clocks import FastClock

pytestmark = pytest.mark.slow

RUNS = 80 * SCALE
CHUNK = 20
KINDS = ("errors", "html", "drops", "truncations", "bursts", "slow")
EXPECTED_ERRORS = ServerError, TransportError, RateLimited, DecodeError
MAX_STARTS = 20


def faults(seed: int) -> Faults:
    """Pick some kinds of faults, from rare to one request in two."""
    random = Random(seed)
    kinds = random.sample(KINDS, random.randint(1, len(KINDS)))
    most = random.choice([0.05, 0.2, 0.5]) / len(kinds)
    rates: dict[str, Any] = {kind: random.uniform(0, most) for kind in kinds}
    return Faults(seed=seed, jitter=random.choice([0, 0.002]), slow_seconds=0.01, **rates)


async def run(seed: int, out: Path) -> int:
    """Export in a window of a few requests, a thousand times as fast as real time. Returns how many starts it took."""
    random = Random(-seed)
    clock = FastClock()
    inventory: dict[str, Any] = {"seed": seed, "projects": 2, "addons": 2, "backups": random.choice([5, 90])}
    concurrency = random.choice([1, 3, 16])
    async with (
        Simulator(**inventory, rate_limit=random.choice([4, 9, 1000]), window=20, clock=clock.time,
                  faults=faults(seed)) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, timeout=random.choice([0.02, 5])) as nf,
    ):  # fmt: skip
        starts = 0
        while not out.exists():
            starts += 1
            assert starts <= MAX_STARTS
            with suppress(*EXPECTED_ERRORS):
                await export(str(out), nf, concurrency=concurrency, strict=True)
    async with Simulator(**inventory) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        expected = [
            {"project": project.id, "addon": addon.id, "addonType": addon.spec and addon.spec.type, "backup": backup}
            async for project in nf.projects()
            async for addon in nf.project(project.id).addons()
            async for backup in nf.project(project.id).addon(addon.id).backups().raw()
        ]
    expected.sort(key=lambda line: (line["project"], line["addon"], line["backup"]["id"]))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    accounts = {line.pop("account", None) for line in lines}
    assert lines == expected
    assert accounts in ({sim.identity.entity_id}, {None}), "a fault of GET /v1/auth leaves the account unknown"
    return starts


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
async def test_an_export_through_faults_ends_with_the_whole_inventory(first: int, tmp_path: Path) -> None:
    starts = Counter[int]()
    for seed in range(first, first + CHUNK):
        async with asyncio.timeout(60):  # none hangs
            starts[await run(seed, tmp_path / f"{seed}.jsonl")] += 1
    assert starts[1] > 0
    assert {path.suffix for path in tmp_path.iterdir()} == {".jsonl"}
