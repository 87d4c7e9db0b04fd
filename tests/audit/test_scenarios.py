"""Each fault that the simulator injects is found, and nothing else; and each fix is accepted by the API."""

import json
import shlex
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from northflank_async import Northflank
from northflank_async.audit import audit
from northflank_async.inventory import Inventory, Query
from northflank_async.simulator import SCENARIOS, Simulator
from tests.support.command import invoke, reaching
from tests.support.threads import in_thread

pytestmark = pytest.mark.slow

STARTS = (
    datetime(2024, 2, 29, 0, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 17, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
)
EVERY_ADDON = {
    "healthy": (),
    "stale": (("stale", "critical"),),
    "failing": (("stale", "critical"), ("failing", "critical")),
    "stuck": (("stuck", "high"), ("stale", "medium")),
    "shrinking": (("size", "medium"),),
    "empty": (("size", "critical"),),
    "unscheduled": (("no-schedule", "high"),),
    "untested": (("untested", "low"),),
    "unbacked": (("no-backup", "critical"), ("few", "medium"), ("untested", "low")),
    "few": (("few", "medium"),),
    "short-retention": (("retention", "medium"),),
    "restore-failed": (("restore-failed", "medium"),),
    "paused": (),
    "unreadable": (("unreadable", "high"),),
}
"""The rules and severities of the findings of every addon in a scenario."""
FIXED = {"unscheduled": ("no-schedule", 0), "short-retention": ("retention", 0), "untested": ("untested", 2)}
"""Scenarios whose fix has an effect at once, its rule, and how many of five addons this still finds: those whose type
no drill can restore."""


def test_every_scenario_has_its_findings_here() -> None:
    assert {"audit", *EVERY_ADDON} == set(SCENARIOS)


@pytest.mark.parametrize("start", STARTS, ids=str)
@pytest.mark.parametrize("scenario", EVERY_ADDON)
async def test_every_addon_has_the_findings_of_its_fault(scenario: str, start: datetime, tmp_path: Path) -> None:
    async with (
        Simulator(scenario=scenario, start=start, projects=2, addons=5, seed=start.day) as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
        Inventory(tmp_path / "inventory.db") as inventory,
    ):
        await inventory.sync(Query(nf, restores=True, schedules=True))
        report = await audit(inventory, now=start)
    assert len(report.addons) == 10
    for addon in report.addons:
        found = [each for each in report.findings if each.addon_id == addon.addon_id]
        assert [(each.rule, each.severity) for each in found] == list(EVERY_ADDON[scenario]), addon.addon_id
        assert all(each.status == "open" and each.evidence and each.fix for each in found)
    assert report.complete is (scenario != "unreadable")


def find() -> list[dict[str, Any]]:
    """Sync an inventory, and find what is wrong with it."""
    invoke("export", "inventory.db", "--restores", "--schedules")
    found: list[dict[str, Any]] = json.loads(invoke("audit", "inventory.db", "-o", "json").stdout)["findings"]
    return found


@pytest.mark.parametrize("scenario", EVERY_ADDON)
def test_every_fix_can_be_pasted(scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with in_thread(Simulator(scenario=scenario, projects=1, addons=5, addon_size=1000, speed=20.0)) as sim:
        for name, value in reaching(sim).items():
            monkeypatch.setenv(name, value)
        before = find()
        for command in [part for finding in before for part in finding["fix"].split(" && ")]:
            words = shlex.split(command)[1:]
            result = invoke(*words, *(["--yes"] if words[0] in ("delete", "drill") else []))
            assert result.exit_code == (4 if scenario == "unreadable" else 0), (command, result.stderr)
        after = Counter(finding["rule"] for finding in find())
    assert len(before) == 5 * len(EVERY_ADDON[scenario])
    if scenario in FIXED:
        rule, left = FIXED[scenario]
        assert after[rule] == left
