"""Exports through every mix of faults: each either has exactly the inventory, or ends with the right error."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from northflank_async import DecodeError, Northflank, RateLimited, ServerError, TransportError
from northflank_async.inventory import export
from northflank_async.simulator import Faults, Simulator
from tests.clocks import FastClock

RUNS = 600
CHUNK = 20
KINDS = ("errors", "html", "drops", "truncations", "bursts", "slow")
RIGHT_ERRORS = (ServerError, TransportError, RateLimited, DecodeError)


def faults(seed: int) -> Faults:
    """Some kinds of faults, from rare to one request in two."""
    random = Random(seed)
    kinds = random.sample(KINDS, random.randint(1, len(KINDS)))
    most = random.choice([0.05, 0.2, 0.5]) / len(kinds)
    rates: dict[str, Any] = {kind: random.uniform(0, most) for kind in kinds}
    return Faults(seed=seed, jitter=random.choice([0, 0.002]), slow_seconds=0.01, **rates)


async def run(seed: int, out: Path) -> str:
    """One export, in a window of a few requests at a thousand times the speed; what came of it."""
    random = Random(-seed)
    clock = FastClock()
    inventory = {"seed": seed, "projects": 2, "addons": 2, "backups": random.choice([5, 90])}
    async with (
        Simulator(**inventory, rate_limit=random.choice([4, 9, 1000]), window=20, clock=clock.time,
                  faults=faults(seed)) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, timeout=random.choice([0.02, 5])) as nf,
    ):  # fmt: skip
        try:
            done = await export(nf, out)
        except RIGHT_ERRORS as error:
            assert error.attempts == 5
            assert not out.exists()
            return type(error).__name__
        assert done.unreadable == []
    async with Simulator(**inventory) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        expected = [
            backup
            async for project in nf.projects()
            async for addon in nf.project(project.id).addons()
            async for backup in nf.project(project.id).addon(addon.id).backups().raw()
        ]
    assert [json.loads(line)["backup"] for line in out.read_text().splitlines()] == expected
    return "complete"


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
async def test_an_export_through_faults_is_whole_or_fails_as_it_should(first: int, tmp_path: Path) -> None:
    outcomes = Counter[str]()
    for seed in range(first, first + CHUNK):
        async with asyncio.timeout(30):  # none hangs
            outcomes[await run(seed, tmp_path / f"{seed}.jsonl")] += 1
    assert outcomes["complete"] > 0
    assert len(list(tmp_path.iterdir())) == outcomes["complete"]
