"""Drills that run to their end: what is created, what the result says, and that nothing is left."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from northflank_async import ConfigurationError, NotFound
from northflank_async.audit import audit
from northflank_async.drill import Check, CheckStatus, DrillOutcome, drill
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.store.lease import lock_file
from northflank_async.simulator import Simulator
from northflank_async.simulator.addons import CreatedAddon
from tests.drill.stage import CACHE, DUMPED, PROJECT, SCRATCH, SNAPSHOTS, stage


def created(simulator: Simulator) -> list[CreatedAddon]:
    """The addons created since the start, also those that were deleted."""
    account = simulator.tenants[0].account
    return [entry.item for changes in account.addons._changes.values() for entry in changes.entries]


async def test_a_snapshot_is_forked_into_an_addon_like_its_source_and_the_addon_is_removed() -> None:
    async with stage() as at:
        backup_id = await at.newest(SNAPSHOTS, is_dump=False)
        source = await at.nf.project(PROJECT).addon(SNAPSHOTS).get()
        result = await at.drill(backup_id=backup_id)
        [addon] = created(at.simulator)
        assert at.scratch_addons() == []
    assert (result.outcome, result.method, result.backup_id) == (DrillOutcome.PASSED, "fork", backup_id)
    assert [check.name for check in result.checks] == ["restore", "containers"]
    assert {check.status for check in result.checks} == {CheckStatus.PASSED}
    assert result.notes == ()
    assert source.spec
    assert source.spec.config
    assert source.spec.config.deployment
    deployment = source.spec.config.deployment
    assert addon.settings == {
        "name": f"restore-drill-{result.id}",
        "description": addon.settings["description"],
        "type": "mysql",
        "version": "8.4.2",
        "billing": {
            "deploymentPlan": deployment.plan_id,
            "storageClass": deployment.storage_class,
            "storage": deployment.storage_size,
            "replicas": 1,
        },
        "source": {"projectId": PROJECT, "addonId": SNAPSHOTS, "backupId": backup_id},
        "tlsEnabled": True,
        "externalAccessEnabled": False,
    }
    assert result.id in addon.settings["description"]
    assert result.scratch_addon_id == addon.id
    assert result.left_behind is None


async def test_a_dump_is_imported_into_a_blank_addon_and_restored_there() -> None:
    async with stage() as at:
        result = await at.drill(DUMPED)
        [addon] = created(at.simulator)
        assert at.scratch_addons() == []
        expected = await at.newest(DUMPED, is_dump=True)
        assert "source" not in addon.settings
        assert len(at.sent("POST", "/import")) == len(at.sent("POST", "/restore")) == 1
    assert (result.outcome, result.method, result.backup_id) == (DrillOutcome.PASSED, "import", expected)


async def test_the_newest_completed_backup_is_drilled_by_default() -> None:
    async with stage(scenario="failing") as at:
        result = await at.drill(DUMPED)
        backups = await at.nf.project(PROJECT).addon(DUMPED).backups().all()
    assert [backup.status for backup in backups[:4]] == ["failed", "failed", "failed", "completed"]
    assert result.backup_id == backups[3].id
    assert result.backup_created_at == backups[3].created_at
    assert result.backup_age is not None
    assert 3 * 86400 < result.backup_age < 5 * 86400


async def test_the_time_to_restore_covers_all_from_the_request_to_the_data() -> None:
    async with stage() as at:
        fork, dump = await at.drill(), await at.drill(DUMPED)
    assert fork.restore_seconds is not None
    assert dump.restore_seconds is not None
    assert 20 <= fork.restore_seconds < dump.restore_seconds  # an import and a restore, each about ten seconds
    assert dump.restore_seconds >= 40
    assert fork.seconds is not None
    assert fork.seconds >= fork.restore_seconds


async def test_a_kept_addon_stays() -> None:
    async with stage() as at:
        result = await at.drill(keep=True)
        assert result.is_kept
        assert at.scratch_addons() == [result.scratch_addon_id]
        assert at.sent("DELETE") == []


async def test_a_team_has_drills() -> None:
    async with stage() as at:
        team = at.nf.team("acme")
        result = await drill(team, PROJECT, SNAPSHOTS, scratch_project_id=SCRATCH)
        assert (result.outcome, result.team_id) == (DrillOutcome.PASSED, "acme")
        paths = {sent.path for sent in at.simulator.requests} - {"/v1/addon-types"}
        assert {path.startswith("/v1/teams/acme/") for path in paths} == {True}


# What is refused before anything is created


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scratch_project_id": PROJECT}, "the project of the addon itself"),
        ({"scratch_project_id": "a/b"}, "the scratch project id"),
        ({"timeout": 0}, "timeout must be"),
        ({"check_timeout": -1}, "check_timeout must be"),
        ({"check": " "}, "check must be text"),
        ({"check_query": ""}, "check_query must be text"),
        ({"keep": 1}, "keep must be True or False"),
    ],
)
async def test_an_invalid_argument_is_refused_before_any_request(options: dict[str, Any], message: str) -> None:
    async with stage() as at:
        with pytest.raises(ConfigurationError, match=message):
            await at.drill(**options)
        assert at.simulator.requests == []


@pytest.mark.parametrize(
    ("addon_id", "options"),
    [
        ("no-such-addon", {}),
        (SNAPSHOTS, {"scratch_project_id": "no-such-project"}),
        (SNAPSHOTS, {"backup_id": "no-such-backup"}),
    ],
)
async def test_a_name_that_does_not_exist_is_an_error_and_no_drill(
    addon_id: str, options: dict[str, Any], tmp_path: Path
) -> None:
    async with stage() as at, Inventory(tmp_path / "inventory.db") as inventory:
        with pytest.raises(NotFound):
            await at.drill(addon_id, inventory=inventory, **options)
        assert at.sent("POST") == []
        with pytest.raises(FileNotFoundError):
            await inventory.drills()


async def test_the_source_project_can_be_allowed() -> None:
    async with stage() as at:
        result = await at.drill(scratch_project_id=PROJECT, allow_source_project=True)
        assert result.outcome == DrillOutcome.PASSED
        assert at.scratch_addons() == []


async def test_a_query_is_for_postgresql_only() -> None:
    async with stage() as at:
        with pytest.raises(ConfigurationError, match="on PostgreSQL only, not on mysql"):
            await at.drill(check_query="SELECT 1")
        assert at.sent("POST") == []


# What cannot be drilled, or is not known


async def test_a_type_that_cannot_be_forked_proves_nothing() -> None:
    async with stage() as at:
        result = await at.drill(CACHE)
        assert at.sent("POST") == []
    assert result.outcome == DrillOutcome.UNKNOWN
    assert "snapshots cannot be forked into another addon of the type redis" in result.reason


async def test_a_snapshot_in_another_region_proves_nothing_and_says_what_to_do() -> None:
    async with stage(scenario=None, seed=1) as at:  # every project has another region
        backup_id = (await at.nf.project(PROJECT).addon(SNAPSHOTS).create_backup()).id
        await at.nf.project(PROJECT).addon(SNAPSHOTS).backup(backup_id).wait()
        result = await at.drill()
        assert len(at.sent("POST")) == 1  # the backup
    assert (result.backup_id, result.outcome) == (backup_id, DrillOutcome.UNKNOWN)
    assert "in the region europe-west, and the scratch project in us-east: use a scratch project in" in result.reason


async def test_an_addon_without_a_completed_backup_fails() -> None:
    async with stage(scenario="unbacked") as at:
        result = await at.drill()
        assert at.sent("POST") == []
    assert (result.outcome, result.backup_id) == (DrillOutcome.FAILED, None)


async def test_facts_that_the_api_omits_are_noted_and_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("northflank_async.simulator.routes.addon_types.KINDS", ())
    async with stage() as at:
        result = await at.drill()
    assert result.outcome == DrillOutcome.PASSED
    assert result.notes == ("the API does not say whether the type mysql can do this (forkAddon)",)


async def test_a_deployment_that_the_api_omits_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("northflank_async.simulator.inventory.Addon._config", lambda _: {})
    async with stage() as at:
        result = await at.drill()
        assert at.sent("POST") == []
    assert (result.outcome, result.reason) == (
        DrillOutcome.UNKNOWN,
        "the API does not say the addon's deployment plan and storage size",
    )


# Evidence


async def test_the_result_is_in_the_inventory_and_outlasts_a_sync(database: str) -> None:
    started = datetime.now(UTC)
    async with stage() as at, Inventory(database) as inventory:
        passed = await at.drill(inventory=inventory)
        failed = await at.drill(CACHE, inventory=inventory)
        await inventory.sync(at.nf)
        stored = await inventory.drills()
        assert len([backup async for backup in inventory.backups()]) > 100
    assert stored == [passed, failed]
    assert {drill.account_id for drill in stored} == {"simulated-team"}
    assert passed.started_at >= started
    assert passed.ended_at is not None
    assert passed.ended_at >= passed.started_at
    assert all(isinstance(check, Check) for check in passed.checks)


async def test_drills_of_an_unknown_account_become_those_of_the_account(tmp_path: Path) -> None:
    async with stage() as at, Inventory(tmp_path / "inventory.db") as inventory:
        with pytest.MonkeyPatch.context() as patch:

            async def unknown(*_: object, **__: object) -> None:
                return None

            patch.setattr("northflank_async.inventory.inventory.identify", unknown)
            result = await at.drill(inventory=inventory)
        assert result.account_id is None
        await inventory.sync(at.nf)
        assert [drill.account_id for drill in await inventory.drills()] == ["simulated-team"]


async def test_a_drill_that_runs_is_in_the_inventory(tmp_path: Path) -> None:
    async with stage() as at, Inventory(tmp_path / "inventory.db") as inventory:

        async def look(*_: object) -> None:
            [running] = await inventory.drills()
            assert running.outcome == DrillOutcome.RUNNING
            assert running.ended_at is None
            raise NotFound("as if it were deleted", status=404)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("northflank_async.resources.AddonResource.wait", look)
            result = await at.drill(inventory=inventory)
        assert result.outcome == DrillOutcome.UNKNOWN
        assert [drill.outcome for drill in await inventory.drills()] == [DrillOutcome.UNKNOWN]


async def test_an_inventory_that_cannot_be_written_is_an_error_before_anything_is_created(tmp_path: Path) -> None:
    path = tmp_path / "inventory.db"
    async with stage() as at, Inventory(path) as first, Inventory(path) as second:
        await first.sync(at.nf)
        with lock_file(path, "inventory.db"), pytest.raises(BlockingIOError):  # as another export would
            await at.drill(inventory=second)
        assert at.sent("POST") == []


async def untested(inventory: Inventory) -> set[str]:
    """The addons of the project that an audit finds untested."""
    report = await audit(inventory)
    return {
        f"{finding.addon_id}"
        for finding in report.findings
        if finding.rule == "untested" and finding.project_id == PROJECT
    }


async def test_an_audit_accepts_a_drill_that_passed_as_a_test(database: str) -> None:
    async with stage(scenario="untested") as at, Inventory(database) as inventory:
        await inventory.sync(Query(at.nf, restores=True, schedules=True))
        before = await untested(inventory)
        await at.drill(inventory=inventory)
        failed = await at.drill(DUMPED, check="false", inventory=inventory)
        assert await untested(inventory) == before - {SNAPSHOTS}
    assert failed.outcome == DrillOutcome.FAILED
    assert {SNAPSHOTS, DUMPED} <= before
