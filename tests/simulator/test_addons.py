"""Addons that are created, forked, deleted, paused and restored into."""

from typing import Any
from uuid import UUID

import aiohttp
import pytest
from northflank import _types as official

from northflank_async.simulator import Downloads, Provisioning
from northflank_async.simulator.addons import VERSIONS
from tests.support.simulated_api import ADDON, Api, simulated_api

PROJECTS = "/v1/projects"
SCRATCH = f"{PROJECTS}/checkout/addons"
BILLING = {"deploymentPlan": "nf-compute-20", "storage": 16_777_216, "replicas": 2}
SOURCE = f"{PROJECTS}/billing/addons/billing-database"
BLANK = {"name": "Drill One", "type": "postgresql", "version": "latest", "billing": BILLING}
FORK = {**BLANK, "version": "16"}


def names(kind: Any) -> set[str]:
    return set(kind.__annotations__)


async def snapshot(api: Api, addon: str = SOURCE, **settings: Any) -> str:
    """Create a snapshot and wait until it is completed; return its id."""
    backup = await api.data("POST", f"{addon}/backups", settings)
    api.advance(20)
    backup_id: str = backup["id"]
    return backup_id


def source(backup_id: str, **changes: str) -> dict[str, str]:
    return {"projectId": "billing", "addonId": "billing-database", "backupId": backup_id, **changes}


async def create(api: Api, **changes: Any) -> str:
    """Create an addon in the scratch project; return its path."""
    return f"{SCRATCH}/{(await api.data('POST', SCRATCH, {**BLANK, **changes}))['id']}"


async def status(api: Api, addon: str) -> str:
    found: str = (await api.get(addon))["status"]
    return found


async def test_a_new_addon_comes_up_step_by_step_and_is_listed() -> None:
    async with simulated_api() as api:
        before = await api.all(SCRATCH, "addons")
        answer = await api.data("POST", SCRATCH, {**BLANK, "tags": ["drill"], "description": "A drill"})
        path = f"{SCRATCH}/{answer['id']}"
        seen = [answer["status"]]
        for seconds in (3, 3, 10, 10):
            api.advance(seconds)
            seen.append(await status(api, path))
        listed = await api.all(SCRATCH, "addons", per_page=1)
        details = await api.get(path)
        project = await api.get(f"{PROJECTS}/checkout")
    assert seen == ["preDeployment", "triggerAllocation", "allocating", "postDeployment", "running"]
    assert answer["id"] == "drill-one"
    assert (
        names(official.CreateAddonResponseBilling)
        >= set(answer)
        >= {"id", "appId", "status", "name", "type", "version"}
    )
    assert answer["version"] == details["spec"]["config"]["versionTag"] == "16.4.0"
    assert listed == [
        {key: details[key] for key in listed[0] if key != "spec"} | {"spec": {"type": "postgresql"}},
        *before,
    ]
    assert details["tags"] == ["drill"]
    assert details["spec"]["config"]["deployment"] == {
        "replicas": 2, "storageClass": "ssd", "storageSize": 16_777_216, "planId": "nf-compute-20",
        "region": project["deployment"]["region"],
    }  # fmt: skip
    assert [addon["id"] for addon in project["addons"]] == [addon["id"] for addon in listed]


async def test_a_new_addon_has_no_backups_restores_or_schedules_but_those_it_was_created_with() -> None:
    schedule = {
        "scheduling": {"interval": "daily", "minute": [5], "hour": [3]}, "backupType": "dump", "retentionTime": 7,
    }  # fmt: skip
    async with simulated_api() as api:
        plain, scheduled = await create(api), await create(api, backupSchedules=[schedule])
        for path in (plain, scheduled):
            assert await api.all(f"{path}/backups", "backups") == []
            assert await api.all(f"{path}/restores", "restores") == []
        assert await api.all(f"{plain}/backup-schedules", "schedules") == []
        [kept] = await api.all(f"{scheduled}/backup-schedules", "schedules")
    assert kept["scheduling"] == schedule["scheduling"]


async def test_equal_names_get_different_ids_and_uids() -> None:
    async with simulated_api() as api:
        paths = [await create(api) for _ in range(3)]
        assert [path.rpartition("/")[2] for path in paths] == ["drill-one", "drill-one-2", "drill-one-3"]
        assert len({(await api.get(path))["uid"] for path in paths}) == 3


async def test_a_deleted_addon_is_deleting_and_then_gone() -> None:
    async with simulated_api() as api:
        before = await api.all(SCRATCH, "addons")
        path = await create(api)
        api.advance(30)
        await api.data("POST", f"{path}/backups", {"name": "kept"})
        assert await api.data("DELETE", path) == {}
        assert await status(api, path) == "deleting"
        await api.data("DELETE", path)
        await api.error(409, "POST", f"{path}/backups")
        api.advance(3)
        for suffix in ("", "/backups", "/credentials"):
            await api.error(404, "GET", path + suffix)
        assert await api.all(SCRATCH, "addons") == before
        assert await create(api) == path
        assert await api.all(f"{path}/backups", "backups") == []


async def test_an_addon_of_the_inventory_can_be_deleted() -> None:
    async with simulated_api() as api:
        before = await api.all(f"{PROJECTS}/billing/addons", "addons")
        await api.data("DELETE", SOURCE)
        await api.error(404, "GET", SOURCE)
        after = await api.all(f"{PROJECTS}/billing/addons", "addons")
        assert [addon["id"] for addon in before if addon["id"] != "billing-database"] == [
            addon["id"] for addon in after
        ]
        assert "billing-database" not in {addon["id"] for addon in (await api.get(f"{PROJECTS}/billing"))["addons"]}


@pytest.mark.parametrize(
    ("outcome", "at"), [("errorAllocating", 14), ("failed", 20), ("error", 20), ("allocating", 1000)]
)
async def test_new_addons_fail_on_demand_one_after_the_other(outcome: str, at: int) -> None:
    async with simulated_api(provisioning=Provisioning(addons=["running", outcome])) as api:
        first, second, third = [await create(api) for _ in range(3)]
        api.advance(at - 1)
        assert await status(api, second) in ("allocating", "postDeployment")
        api.advance(2000)
        assert [await status(api, path) for path in (first, second, third)] == ["running", outcome, "running"]
        await api.error(409, "GET", f"{second}/credentials")


async def test_an_addon_takes_as_long_as_wanted() -> None:
    async with simulated_api(provisioning=Provisioning(seconds=600, deletion=60)) as api:
        path = await create(api)
        api.advance(599)
        assert await status(api, path) != "running"
        api.advance(1)
        assert await status(api, path) == "running"
        await api.data("DELETE", path)
        api.advance(59)
        assert await status(api, path) == "deleting"


async def test_a_snapshot_is_forked_into_another_project_of_its_region() -> None:
    async with simulated_api(scenario="healthy", addon_size=5_000_000) as api:
        backup_id = await snapshot(api)
        uid = (await api.get(f"{SOURCE}/backups/{backup_id}"))["uid"]
        for origin in (source(backup_id), {"backupUid": uid}, source(backup_id, backupType="snapshot")):
            answer = await api.data("POST", SCRATCH, {**FORK, "source": origin})
            assert answer["source"] == origin
        api.advance(20)
        path = f"{SCRATCH}/{answer['id']}"
        backup = f"{path}/backups/{await snapshot(api, path)}"
        assert int((await api.get(backup))["config"]["size"]) == pytest.approx(5_000_000, rel=0.05)


async def test_a_computed_snapshot_is_found_by_its_uid() -> None:
    async with simulated_api(scenario="healthy") as api:
        backups = await api.all(f"{SOURCE}/backups", "backups")
        found = next(item for item in backups if item["config"]["source"]["type"] == "snapshot")
        await api.data("POST", SCRATCH, {**FORK, "source": {"backupUid": found["uid"]}})
        await api.error(404, "POST", SCRATCH, {**FORK, "source": {"backupUid": str(UUID(int=0))}})


async def test_the_source_is_in_the_same_project_by_default() -> None:
    async with simulated_api() as api:
        backup_id = await snapshot(api)
        fork = {**FORK, "source": {"addonId": "billing-database", "backupId": backup_id}}
        await api.data("POST", f"{PROJECTS}/billing/addons", fork)
        await api.error(404, "POST", SCRATCH, fork)


async def test_a_global_backup_is_forked_into_another_region_and_no_other_backup() -> None:
    copy: dict[str, Any] = {"additionalDestinations": [{"destinationId": "offsite-bucket", "type": "custom"}]}
    async with simulated_api() as api:
        ordinary, stored = await snapshot(api), await snapshot(api, **copy)
        assert "region" in (await api.error(400, "POST", SCRATCH, {**FORK, "source": source(stored)}))["message"]
        error = await api.error(400, "POST", SCRATCH, {**FORK, "source": source(ordinary, backupType="global")})
        assert "not in a backup destination" in error["message"]
        await api.data("POST", SCRATCH, {**FORK, "source": source(stored, backupType="global")})


async def test_a_fork_needs_a_completed_snapshot_of_its_type_version_and_storage() -> None:
    async with simulated_api(scenario="healthy") as api:
        good = await snapshot(api)
        dump = (await api.dump(SOURCE)).rpartition("/")[2]
        open_ = (await api.data("POST", f"{SOURCE}/backups"))["id"]
        small = {**BILLING, "storage": 1024}
        for code, word, changes in (
            (400, "dump", {"source": source(dump)}),
            (409, "scheduled", {"source": source(open_)}),
            (404, "no-such", {"source": source("no-such")}),
            (404, "nowhere", {"source": source(good, projectId="nowhere")}),
            (400, "type postgresql, not mysql", {"type": "mysql", "version": "latest", "source": source(good)}),
            (400, "version 16.4.0, not 15.8.0", {"version": "15", "source": source(good)}),
            (400, "storage must be at least", {"billing": small, "source": source(good)}),
            (400, "cannot be forked", {"type": "redis", "version": "latest", "source": source(good)}),
        ):
            error = await api.error(code, "POST", SCRATCH, {**FORK, **changes})
            assert word in error["message"]
        assert "drill-one" not in {addon["id"] for addon in await api.all(SCRATCH, "addons")}


async def test_only_databases_can_be_forked_according_to_the_addon_types() -> None:
    async with simulated_api() as api:
        types = (await api.get("/v1/addon-types"))["addonTypes"]
    assert {kind["type"] for kind in types} == set(VERSIONS)
    assert {kind["type"] for kind in types if kind["features"]["forkAddon"]} == {"postgresql", "mongodb", "mysql"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "1x"}, "name"),
        ({"type": "oracle"}, "type"),
        ({"version": "9.9"}, "version"),
        ({"billing": {**BILLING, "replicas": 0}}, "billing.replicas"),
        ({"billing": {"replicas": 1, "storage": 4096}}, "billing.deploymentPlan"),
        ({"source": {"backupId": "b"}}, "source.addonId"),
        ({"source": {"backupUid": "x"}}, "source.backupUid"),
        ({"colour": "red"}, "colour"),
        ({"backupSchedules": [{"backupType": "dump", "retentionTime": 7}]}, "scheduling"),
    ],
)
async def test_an_invalid_body_is_a_400_that_names_the_field(changes: dict[str, Any], field: str) -> None:
    async with simulated_api() as api:
        error = await api.error(400, "POST", SCRATCH, {**BLANK, **changes})
    assert any(field in name for name in error["details"])


async def test_another_project_in_the_body_is_refused() -> None:
    async with simulated_api() as api:
        await api.error(400, "POST", SCRATCH, {**BLANK, "projectId": "billing"})
        await api.data("POST", SCRATCH, {**BLANK, "projectId": "checkout"})


async def test_a_dump_is_imported_into_a_blank_addon_and_restored() -> None:
    async with simulated_api(downloads=Downloads(size=12_345)) as api:
        link = (await api.get(f"{await api.dump(SOURCE)}/download-link"))["downloadLink"]
        path = await create(api)
        await api.error(409, "POST", f"{path}/import", {"importUrl": link})
        api.advance(20)
        backup = f"{path}/backups/{(await api.data('POST', f'{path}/import', {'importUrl': link}))['id']}"
        await api.error(409, "POST", f"{backup}/restore")
        api.advance(20)
        details = await api.get(backup)
        assert (details["status"], details["config"]["size"]) == ("completed", "12345")
        await api.data("POST", f"{backup}/restore")
        api.advance(20)
        [restore] = await api.all(f"{path}/restores", "restores")
    assert restore["status"] == "completed"


async def test_an_import_from_an_expired_or_changed_link_or_a_deleted_backup_fails() -> None:
    async with simulated_api() as api:
        dump = await api.dump(SOURCE)
        link = (await api.get(f"{dump}/download-link"))["downloadLink"]
        path = await create(api)
        api.advance(20)

        async def imported(url: str) -> str:
            backup = await api.data("POST", f"{path}/import", {"importUrl": url})
            api.advance(20)
            return str((await api.get(f"{path}/backups/{backup['id']}"))["status"])

        assert await imported(link) == "completed"
        assert await imported(link[:-1]) == "failed"
        assert await imported("https://example.com/some.dump") == "completed"
        api.advance(4000)
        assert await imported(link) == "failed"
        fresh = (await api.get(f"{dump}/download-link"))["downloadLink"]
        await api.data("DELETE", dump)
        assert await imported(fresh) == "failed"


async def test_imports_and_restores_end_on_demand() -> None:
    url = {"importUrl": "https://example.com/some.dump"}
    options = Provisioning(imports=["failed", "completed"], restores=["failed", "in-progress"])
    async with simulated_api(provisioning=options) as api:
        path = await create(api)
        api.advance(20)
        imports = [f"{path}/backups/{(await api.data('POST', f'{path}/import', url))['id']}" for _ in range(3)]
        api.advance(20)
        assert [(await api.get(backup))["status"] for backup in imports] == ["failed", "completed", "completed"]
        for _ in range(3):
            await api.data("POST", f"{imports[1]}/restore")
        api.advance(10_000)
        restores = await api.all(f"{path}/restores", "restores")
    assert [restore["status"] for restore in reversed(restores)] == ["failed", "in-progress", "completed"]


async def test_credentials_are_those_of_the_addon_once_it_runs() -> None:
    async with simulated_api() as api:
        one, other = await create(api), await create(api)
        await api.error(409, "GET", f"{one}/credentials")
        api.advance(20)
        first = await api.get(f"{one}/credentials")
        assert first == await api.get(f"{one}/credentials") != await api.get(f"{other}/credentials")
        assert first["secrets"]["password"] in first["secrets"]["POSTGRESQL_URI"]
        assert first["envs"]["PORT"] == "5432"
        assert (await api.get(f"{SOURCE}/credentials"))["secrets"]["password"] != first["secrets"]["password"]


async def test_credentials_can_be_those_of_a_real_database() -> None:
    real = {"secrets": {"password": "s3cret"}, "envs": {"HOST": "127.0.0.1"}}
    options = Provisioning(credentials=real)
    assert "s3cret" not in repr(options)
    async with simulated_api(provisioning=options) as api:
        assert await api.get(f"{SOURCE}/credentials") == real


async def test_a_running_addon_has_a_container_for_each_replica() -> None:
    async with simulated_api() as api:
        path = await create(api)
        assert await api.all(f"{path}/containers", "containers") == []
        api.advance(16)
        assert {item["status"] for item in await api.all(f"{path}/containers", "containers")} == {"TASK_STARTING"}
        api.advance(4)
        containers = await api.all(f"{path}/containers", "containers", per_page=1)
        assert [item["status"] for item in containers] == ["TASK_RUNNING"] * 2
        assert len({item["name"] for item in containers}) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"containers": "TASK_FAILED"}, ["TASK_FAILED"] * 2),
        ({"addons": ["failed"]}, ["TASK_FAILED"] * 2),
        ({"addons": ["errorAllocating"]}, []),
    ],
)
async def test_containers_fail_on_demand(options: dict[str, Any], expected: list[str]) -> None:
    async with simulated_api(provisioning=Provisioning(**options)) as api:
        path = await create(api)
        api.advance(100)
        assert [item["status"] for item in await api.all(f"{path}/containers", "containers")] == expected


async def test_addons_are_paused_and_resumed() -> None:
    async with simulated_api() as api:
        new = await create(api)
        await api.error(409, "POST", f"{new}/pause")
        api.advance(20)
        for path in (ADDON, new):
            await api.error(409, "POST", f"{path}/resume")
            await api.data("POST", f"{path}/pause")
            assert await status(api, path) == "paused"
            assert await api.all(f"{path}/containers", "containers") == []
            listed = await api.all(path.rpartition("/")[0], "addons")
            assert [addon["status"] for addon in listed if path.endswith(f"/{addon['id']}")] == ["paused"]
            await api.data("POST", f"{path}/resume")
            assert await status(api, path) == "running"
        await api.data("POST", f"{new}/pause")
        await api.error(409, "POST", f"{new}/import", {"importUrl": "https://example.com/some.dump"})


async def test_restoring_a_backup_into_a_new_addon_shows_it_as_a_restore_of_the_backup() -> None:
    async with simulated_api() as api:
        backup_id = await snapshot(api)
        path = await create(api)
        api.advance(20)
        where = {"sourceProjectId": "billing", "sourceAddonId": "billing-database"}
        await api.data("POST", f"{path}/backups/{backup_id}/restore", **where)
        api.advance(20)
        [restore] = await api.all(f"{path}/restores", "restores")
        assert (restore["backupId"], restore["status"]) == (backup_id, "completed")
        await api.data("DELETE", path)
        api.advance(10)
        [kept] = await api.all(f"{SOURCE}/backups/{backup_id}/restores", "restores")
        assert kept["id"] == restore["id"]
        await api.data("DELETE", f"{SOURCE}/backups/{backup_id}")


async def test_sizes_of_the_data_can_be_chosen_and_downloads_have_them() -> None:
    async with simulated_api(scenario="healthy", addon_size=200_000) as api, aiohttp.ClientSession() as plain:
        contents = []
        for backup in await api.all(f"{SOURCE}/backups", "backups"):
            if backup["config"]["source"]["type"] == "snapshot" or backup["status"] != "completed":
                continue
            link = (await api.get(f"{SOURCE}/backups/{backup['id']}/download-link"))["downloadLink"]
            async with plain.get(link) as response:
                contents.append(await response.read())
            assert len(contents[-1]) == int(backup["config"]["size"])
    assert len(set(contents)) == len(contents) > 5
    assert all(150_000 < len(content) < 250_000 for content in contents)


@pytest.mark.parametrize(
    "options",
    [
        {"seconds": -1}, {"deletion": -1}, {"addons": ["exploded"]}, {"imports": "failed"},
        {"restores": ["running"]}, {"containers": "UP"},
    ],
)  # fmt: skip
def test_a_bad_option_is_an_error_that_names_it(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Provisioning(**options)
