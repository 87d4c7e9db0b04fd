"""Scenarios: what an account's backups look like that are healthy, or have one kind of fault."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import attrs
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async.simulator import Simulator, Tenant
from northflank_async.simulator.inventory import DAY, HOUR, Inventory, Project, milliseconds
from northflank_async.simulator.scenarios import AUDIT, SCENARIOS, addon_maker, fault_of
from tests.simulator.test_documents import strict
from tests.simulator.test_tenants import serving
from tests.support.simulated_api import Api, simulated_api

START = datetime(2026, 3, 29, 1, 17, tzinfo=UTC)
SINGLE = [name for name in SCENARIOS if name not in ("audit", "unreadable")]


@attrs.frozen
class Read:
    """An addon as a client reads it: its backups and restores from the newest on."""

    id: str
    status: str
    type: str
    created: datetime
    schedules: list[dict[str, Any]]
    backups: list[dict[str, Any]]
    restores: list[dict[str, Any]]

    @property
    def completed(self) -> list[dict[str, Any]]:
        return [backup for backup in self.backups if backup["status"] == "completed"]

    @property
    def dumps(self) -> list[int]:
        """The sizes of the completed dumps."""
        return [
            int(item["config"]["size"]) for item in self.completed if item["config"]["source"]["type"] != "snapshot"
        ]


async def read(api: Api, project: str, addon: str) -> Read:
    path = f"/v1/projects/{project}/addons/{addon}"
    details = await api.get(path)
    return Read(
        id=addon,
        status=details["status"],
        type=details["spec"]["type"],
        created=datetime.fromisoformat(details["createdAt"]),
        schedules=await api.all(f"{path}/backup-schedules", "schedules"),
        backups=await api.all(f"{path}/backups", "backups", per_page=100),
        restores=await api.all(f"{path}/restores", "restores", per_page=100),
    )


async def read_all(api: Api) -> list[Read]:
    return [
        await read(api, project["id"], addon["id"])
        for project in await api.all("/v1/projects", "projects")
        for addon in await api.all(f"/v1/projects/{project['id']}/addons", "addons")
    ]


async def addons_of(scenario: str) -> list[Read]:
    """Ten addons of a scenario, which have every combination of schedules."""
    async with simulated_api(scenario=scenario, start=START, projects=2, addons=5) as api:
        return await read_all(api)


def age(time: str) -> timedelta:
    return START - datetime.fromisoformat(time)


def matches(backup: dict[str, Any], schedule: dict[str, Any]) -> bool:
    """Whether the schedule can have made the backup."""
    time, times = datetime.fromisoformat(backup["createdAt"]), schedule["scheduling"]
    return (
        (backup["config"]["source"]["type"] == "snapshot") is (schedule["backupType"] == "snapshot")
        and time.minute in times["minute"]
        and time.hour in times.get("hour", range(24))
        and time.weekday() in times.get("day", range(7))
    )


def period(schedule: dict[str, Any]) -> timedelta:
    times = schedule["scheduling"]
    return {"hourly": timedelta(hours=1), "weekly": timedelta(days=7)}.get(
        times["interval"], timedelta(days=1) / len(times.get("hour", [0]))
    )


async def test_healthy_addons_have_a_backup_at_each_time_of_their_schedules_for_ninety_days() -> None:
    for addon in await addons_of("healthy"):
        assert addon.status == "running"
        assert addon.schedules
        for schedule in addon.schedules:
            times = [age(backup["createdAt"]) for backup in addon.backups if matches(backup, schedule)]
            assert timedelta(0) < times[0] < period(schedule)
            steps = {round((older - newer) / period(schedule), 1) for newer, older in pairwise(times)}
            assert steps == {1.0}
            kept = timedelta(days=7 if schedule["scheduling"]["interval"] == "hourly" else 90)
            assert kept - 2 * period(schedule) < times[-1] <= kept
        assert all(any(matches(backup, schedule) for schedule in addon.schedules) for backup in addon.backups)


async def test_healthy_addons_have_completed_backups_and_restores_and_growing_dumps() -> None:
    for addon in await addons_of("healthy"):
        assert [backup["status"] for backup in addon.backups[:10]] == ["completed"] * 10
        assert len(addon.completed) > 0.9 * len(addon.backups)
        assert {restore["status"] for restore in addon.restores} == {"completed"}
        assert all(age(restore["restoreTimestamp"]) < timedelta(days=90) for restore in addon.restores)
        assert addon.dumps[0] > addon.dumps[-1] > addon.dumps[0] * 0.7
        usual = median(addon.dumps[:7])
        assert all(0.9 * usual < size < 1.1 * usual for size in addon.dumps[:7])
        assert len(set(addon.dumps)) > 1


async def test_the_schedules_of_an_addon_obey_the_limits_of_the_platform() -> None:
    for addon in await addons_of("healthy"):
        kinds = [(schedule["scheduling"]["interval"], schedule["backupType"]) for schedule in addon.schedules]
        assert len(kinds) == len(set(kinds)) <= 3
        for schedule in addon.schedules:
            assert (
                7
                <= schedule["retentionTime"]
                <= {"hourly": 7, "daily": 60, "weekly": 120}[schedule["scheduling"]["interval"]]
            )
            assert ("backupCompressionType" in schedule) is (schedule["backupType"] == "dump")


async def test_stale_addons_miss_the_last_backups_of_each_schedule() -> None:
    for addon in await addons_of("stale"):
        assert addon.backups[0]["status"] == "completed"
        for schedule in addon.schedules:
            newest = min(age(backup["createdAt"]) for backup in addon.backups if matches(backup, schedule))
            assert newest > max(3 * period(schedule), timedelta(days=4))


async def test_failing_addons_have_failed_three_times_in_a_row() -> None:
    for addon in await addons_of("failing"):
        for schedule in addon.schedules:
            runs = [backup["status"] for backup in addon.backups if matches(backup, schedule)]
            assert runs[:4] == ["failed"] * 3 + ["completed"]


async def test_stuck_addons_have_a_backup_in_progress_for_hours() -> None:
    for addon in await addons_of("stuck"):
        [stuck] = [backup for backup in addon.backups if backup["status"] == "in-progress"]
        runs = [
            datetime.fromisoformat(backup["completedAt"]) - datetime.fromisoformat(backup["createdAt"])
            for backup in addon.completed
        ]
        assert age(stuck["createdAt"]) > max(timedelta(hours=1), 5 * sorted(runs)[len(runs) // 2])
        assert "completedAt" not in stuck
        assert addon.status == "backup"


@pytest.mark.parametrize(("scenario", "share"), [("shrinking", 0.3), ("empty", 0)])
async def test_shrinking_addons_have_a_last_dump_that_is_too_small(scenario: str, share: float) -> None:
    for addon in await addons_of(scenario):
        newest, *others = addon.dumps
        assert newest / median(others[:7]) == pytest.approx(share, abs=0.05)
        assert min(others) > 0


async def test_unscheduled_addons_have_recent_backups_and_no_schedule() -> None:
    for addon in await addons_of("unscheduled"):
        assert addon.schedules == []
        assert age(addon.backups[0]["createdAt"]) < timedelta(hours=24)
        assert len(addon.completed) == len(addon.backups) >= 10


async def test_untested_addons_have_no_restores() -> None:
    assert [addon.restores for addon in await addons_of("untested")] == [[]] * 10


async def test_unbacked_addons_have_a_schedule_and_no_backup() -> None:
    for addon in await addons_of("unbacked"):
        assert addon.schedules
        assert addon.backups == addon.restores == []


async def test_few_means_one_completed_backup() -> None:
    for addon in await addons_of("few"):
        assert len(addon.completed) == len(addon.backups) == len(addon.restores) == 1
        assert START - addon.created < timedelta(hours=24)


async def test_a_short_retention_is_of_three_days() -> None:
    for addon in await addons_of("short-retention"):
        assert {schedule["retentionTime"] for schedule in addon.schedules} == {3}
        assert all(age(backup["createdAt"]) <= timedelta(days=3) for backup in addon.backups)
        assert len(addon.completed) >= 2
        assert len(addon.restores) == 1


async def test_the_last_restore_failed() -> None:
    for addon in await addons_of("restore-failed"):
        by_time = sorted(addon.restores, key=lambda restore: restore["restoreTimestamp"])
        assert [restore["status"] for restore in by_time] == ["completed", "failed"]


async def test_paused_addons_have_no_recent_backups() -> None:
    for addon in await addons_of("paused"):
        assert addon.status == "paused"
        assert age(addon.backups[0]["createdAt"]) >= timedelta(days=20)


async def test_unreadable_addons_are_listed_and_refused() -> None:
    async with simulated_api(scenario="unreadable", start=START) as api:
        path = "/v1/projects/billing/addons"
        addons = await api.all(path, "addons")
        assert len(addons) == 4
        for rest in ("", "/backups", "/backup-schedules", "/restores"):
            await api.error(403, "GET", f"{path}/{addons[0]['id']}{rest}")


async def test_the_audit_scenario_has_healthy_addons_and_one_of_each_fault() -> None:
    counts = Counter(fault_of("audit", number) for number in range(20))
    assert counts.pop("healthy") == 8
    assert set(counts.values()) == {1}
    assert set(counts) == set(SCENARIOS) - {"audit", "healthy", "unreadable"}
    assert fault_of("audit", 1000) == "healthy"
    async with simulated_api(scenario="audit", start=START) as api:
        addons = await read_all(api)
    statuses = {number: addon.status for number, addon in enumerate(addons)}
    assert statuses.pop(next(number for number, fault in AUDIT.items() if fault == "paused")) == "paused"
    assert statuses.pop(next(number for number, fault in AUDIT.items() if fault == "stuck")) == "backup"
    assert set(statuses.values()) == {"running"}


@pytest.mark.slow
@given(
    scenario=st.sampled_from(SINGLE),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    seed=st.integers(0, 2**31),
    number=st.integers(0, 39),
)
def test_times_are_in_order_and_ids_unique_in_every_scenario(
    scenario: str, start: datetime, seed: int, number: int
) -> None:
    now = milliseconds(start.isoformat())
    inventory = Inventory(seed=seed, project_count=1, addon_count=40, now=now, make_addon=addon_maker(scenario))
    addon = Project(inventory, 0).addon_at(number)
    backups = [addon.backup_at(age) for age in range(addon.backup_count)]
    assert len({backup.id for backup in backups}) == len(backups)
    assert [backup.created for backup in backups] == sorted((backup.created for backup in backups), reverse=True)
    for backup in backups:
        assert addon.created < backup.created < now
        assert backup.status == "in-progress" or backup.created < backup.completed < now
        assert backup.size >= 0
        found = addon.backup(backup.id)
        assert found is not None
        assert found.age == backup.age
    for index in range(addon.restores.length):
        restore = addon.restores.item(index)
        assert milliseconds(restore["completedAt"]) < now
    for schedule in addon.schedules:
        assert schedule["createdAt"] == addon.schedules[0]["createdAt"]
    assert all(backup.created >= now - 90 * DAY - HOUR for backup in backups)


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ("", "get-addon"),
        ("/backups", "list-addon-backups"),
        ("/restores", "list-addon-restores"),
        ("/backup-schedules", "get-addon-backup-schedules"),
    ],
)
async def test_the_answers_of_a_scenario_are_as_documented(path: str, fact: str) -> None:
    schema = strict(fact)
    if path == "/backups":  # a running backup has no end
        schema["properties"]["data"]["properties"]["backups"]["items"]["required"].remove("completedAt")
    async with simulated_api(scenario="audit", start=START) as api:
        for project in await api.all("/v1/projects", "projects"):
            for addon in await api.all(f"/v1/projects/{project['id']}/addons", "addons"):
                _, body = await api.request("GET", f"/v1/projects/{project['id']}/addons/{addon['id']}{path}")
                jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())


async def test_deleting_backups_and_schedules_works_as_elsewhere() -> None:
    async with simulated_api(scenario="healthy", start=START) as api:
        path = "/v1/projects/billing/addons/billing-database"
        before = await read(api, "billing", "billing-database")
        restored = before.restores[0]["backupId"]
        await api.data("DELETE", f"{path}/backups/{restored}")
        await api.data("DELETE", f"{path}/backup-schedules/{before.schedules[-1]['id']}")
        after = await read(api, "billing", "billing-database")
    assert [backup["id"] for backup in after.backups] == [
        backup["id"] for backup in before.backups if backup["id"] != restored
    ]
    assert after.restores == before.restores[1:]
    assert after.schedules == before.schedules[:-1]


async def test_a_scenario_starts_at_the_current_time() -> None:
    async with simulated_api(scenario="healthy") as api:
        path = "/v1/projects/billing/addons/billing-database/backups"
        newest = (await api.get(path))["backups"][0]
        created = datetime.fromisoformat((await api.data("POST", path))["createdAt"])
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=10)
    assert datetime.now(UTC) - datetime.fromisoformat(newest["createdAt"]) < timedelta(days=2)


async def test_the_same_start_gives_the_same_backups() -> None:
    first, second = await addons_of("audit"), await addons_of("audit")
    assert first == second


async def test_an_account_without_a_scenario_can_start_at_another_time() -> None:
    async with simulated_api(start=START) as api:
        created = datetime.fromisoformat(
            (await api.data("POST", "/v1/projects/default-project/addons/example-addon/backups"))["createdAt"]
        )
        backups = await api.all("/v1/projects/billing/addons/billing-database/backups", "backups")
    assert created == START
    assert all(datetime.fromisoformat(backup["createdAt"]) < START for backup in backups)


async def test_tenants_have_scenarios_of_their_own() -> None:
    good = Tenant(name="good", token="a", scenario="healthy", projects=1, addons=1)
    bad = Tenant(name="bad", token="b", scenario="unscheduled", projects=1, addons=1)
    async with serving(good, bad, start=START) as (a, b):
        assert (await read_all(a))[0].schedules
        assert not (await read_all(b))[0].schedules


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenario": "fine"}, "unknown scenario 'fine'; choose from audit, healthy, stale"),
        ({"start": datetime(2026, 1, 1)}, "start must have a time zone"),
    ],
)
def test_an_unknown_scenario_or_a_naive_start_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Simulator(**options)
