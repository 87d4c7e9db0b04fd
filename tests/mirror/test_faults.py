"""Mirrors of a simulated account whose API and storage service fail in every way that they can."""

from pathlib import Path
from typing import Any

import pytest

from northflank_async import Northflank
from northflank_async.mirror import mirror, verify
from northflank_async.simulator import Downloads, Faults, Simulator
from tests.mirror.test_killed_mirror import dumps_of
from tests.support.dumps import check_folder, links_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SIZE = 2_500_000
API_FAULTS = Faults(errors=0.06, html=0.05, drops=0.06, truncations=0.06, bursts=0.04, slow=0.03, slow_seconds=0.02)
STORAGE_FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "cuts": {"cut_after": [0, 1, 1_100_000, 2_499_999] * 6},
    "cuts without ranges": {"cut_after": [1_100_000, 2_000_000] * 2, "ranges": False},
    "refusals": {"refused": 6},
    "cuts and refusals": {"cut_after": [1_500_000, 300_000] * 4, "refused": 3},
}


@pytest.mark.parametrize(
    ("storage", "faults"),
    [*((name, Faults()) for name in STORAGE_FAULTS), ("cuts and refusals", API_FAULTS)],
    ids=str,
)
async def test_a_mirror_is_whole_whatever_fails(tmp_path: Path, storage: str, faults: Faults) -> None:
    downloads = Downloads(size=SIZE, **STORAGE_FAULTS[storage])
    options: dict[str, Any] = {"projects": 2, "addons": 2, "backups": 15, "rate_limit": 10**6}
    async with Simulator(**options) as healthy:
        uids = await dumps_of(healthy)
    async with (
        Simulator(**options, faults=faults, downloads=downloads) as sim,
        Northflank(sim.token, base_url=sim.url, attempts=12) as nf,
    ):
        failures = 1
        for _ in range(5):
            outcome = await mirror(str(tmp_path), nf)
            failures = len(outcome.failures)
            if not failures:
                break
    assert not failures
    check_folder(tmp_path, uids, SIZE)
    assert (await verify(str(tmp_path))).is_intact
    if faults == Faults():
        assert len(links_of(sim)) == len(uids) + downloads.refused
