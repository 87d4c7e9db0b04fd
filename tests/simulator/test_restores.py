"""Restores that are started and aborted: their statuses and their listings."""

import pytest

from tests.support.simulated_api import ADDON, BACKUPS, OTHER, Api, simulated_api

EXAMPLE = f"{BACKUPS}/example-backup"
SOURCE = {"sourceProjectId": "default-project", "sourceAddonId": "example-addon"}


async def newest(api: Api, path: str) -> dict[str, str]:
    restores: list[dict[str, str]] = (await api.get(f"{path}/restores"))["restores"]
    return restores[0]


async def test_a_restore_is_scheduled_then_in_progress_then_completed() -> None:
    async with simulated_api() as api:
        restore_id = (await api.data("POST", f"{EXAMPLE}/restore"))["restoreId"]
        seen = []
        for seconds in (0, 5, 20):
            api.advance(seconds)
            restore = await newest(api, EXAMPLE)
            seen.append((restore["status"], "completedAt" in restore))
            assert restore["id"] == restore_id
            assert (await api.get(EXAMPLE))["lastRestore"] == {k: v for k, v in restore.items() if k != "id"}
            assert await newest(api, ADDON) == {**restore, "backupId": "example-backup"}
    assert seen == [("scheduled", False), ("in-progress", False), ("completed", True)]


async def test_only_a_completed_backup_can_be_restored() -> None:
    async with simulated_api() as api:
        path = f"{BACKUPS}/{(await api.data('POST', BACKUPS))['id']}"
        for seconds, status in ((0, "scheduled"), (5, "in-progress")):
            api.advance(seconds)
            assert status in (await api.error(409, "POST", f"{path}/restore"))["message"]
        await api.data("POST", f"{path}/abort")
        api.advance(5)
        assert "aborted" in (await api.error(409, "POST", f"{path}/restore"))["message"]


async def test_a_backup_can_be_restored_into_another_addon() -> None:
    async with simulated_api() as api:
        before = await api.all(f"{OTHER}/restores", "restores")
        own = await api.all(f"{ADDON}/restores", "restores")
        path = f"{OTHER}/backups/example-backup"
        await api.error(404, "POST", f"{path}/restore")
        await api.error(400, "POST", f"{path}/restore", sourceProjectId="default-project")
        restore_id = (await api.data("POST", f"{path}/restore", **SOURCE))["restoreId"]
        assert (await newest(api, OTHER))["id"] == (await newest(api, EXAMPLE))["id"] == restore_id
        assert await api.all(f"{OTHER}/restores", "restores") == [await newest(api, OTHER), *before]
        assert await api.all(f"{ADDON}/restores", "restores") == own
        assert (await api.all(f"{path}/restores", "restores", **SOURCE))[0]["id"] == restore_id
        await api.error(404, "POST", f"{path}/abort-restore", {"restoreId": restore_id})
        await api.data("POST", f"{path}/abort-restore", {"restoreId": restore_id}, **SOURCE)
        api.advance(2)
        assert (await newest(api, OTHER))["status"] == (await newest(api, EXAMPLE))["status"] == "aborted"


async def test_restores_are_listed_in_the_order_of_their_backups() -> None:
    async with simulated_api() as api:
        backups = [item for item in await api.all(BACKUPS, "backups") if item["status"] == "completed"]
        older = backups[len(backups) // 2]["id"]
        before = await api.all(f"{ADDON}/restores", "restores")
        ids = []
        for _ in range(2):
            api.advance(1)
            ids.append((await api.data("POST", f"{BACKUPS}/{older}/restore"))["restoreId"])
        after = await api.all(f"{ADDON}/restores", "restores", per_page=3)
        order = [item["id"] for item in await api.all(BACKUPS, "backups")]
        places = [order.index(item["backupId"]) for item in after]
    assert places == sorted(places)
    assert [item for item in after if item["id"] not in ids] == before
    assert [item["id"] for item in after if item["backupId"] == older][:2] == ids[::-1]


@pytest.mark.parametrize("seconds", [0.0, 6.0])
async def test_a_running_restore_can_be_aborted_once(seconds: float) -> None:
    async with simulated_api() as api:
        body = {"restoreId": (await api.data("POST", f"{EXAMPLE}/restore"))["restoreId"]}
        api.advance(seconds)
        assert await api.data("POST", f"{EXAMPLE}/abort-restore", body) == {}
        assert (await newest(api, EXAMPLE))["status"] == "aborting"
        await api.error(409, "POST", f"{EXAMPLE}/abort-restore", body)
        api.advance(2)
        ended = await newest(api, EXAMPLE)
        assert (ended["status"], "completedAt" in ended) == ("aborted", True)
        await api.error(409, "POST", f"{EXAMPLE}/abort-restore", body)


async def find_running(api: Api) -> tuple[str, dict[str, str]]:
    """The path of an addon, and a computed restore of it that has not ended."""
    for project in await api.all("/v1/projects", "projects"):
        for addon in await api.all(f"/v1/projects/{project['id']}/addons", "addons"):
            path = f"/v1/projects/{project['id']}/addons/{addon['id']}"
            for restore in await api.all(f"{path}/restores", "restores"):
                if restore["status"] in ("scheduled", "in-progress"):
                    return path, restore
    raise AssertionError("there is none")


async def test_a_computed_restore_in_progress_can_be_aborted() -> None:
    async with simulated_api() as api:
        addon, restore = await find_running(api)
        backup = f"{addon}/backups/{restore['backupId']}"
        await api.data("POST", f"{backup}/abort-restore", {"restoreId": restore["id"]})
        api.advance(2)
        ended = await newest(api, backup)
        assert (ended["id"], ended["status"]) == (restore["id"], "aborted")
        assert (await api.get(backup))["lastRestore"]["status"] == "aborted"
        assert {**ended, "backupId": restore["backupId"]} in await api.all(f"{addon}/restores", "restores")


async def test_aborting_a_restore_needs_its_id() -> None:
    async with simulated_api() as api:
        for body, field in (({}, "restoreId"), ({"restoreId": 5}, "restoreId"), ({"id": "x"}, "restoreId")):
            assert field in (await api.error(400, "POST", f"{EXAMPLE}/abort-restore", body))["details"]
        await api.error(404, "POST", f"{EXAMPLE}/abort-restore", {"restoreId": "66845073ce75649ad18635f0"})
        dump = await api.dump()
        restore_id = (await api.data("POST", f"{dump}/restore"))["restoreId"]
        await api.error(404, "POST", f"{EXAMPLE}/abort-restore", {"restoreId": restore_id})


async def test_an_aborted_restore_does_not_appear_under_another_backup() -> None:
    async with simulated_api() as api:
        restore_id = (await api.data("POST", f"{EXAMPLE}/restore"))["restoreId"]
        await api.data("POST", f"{EXAMPLE}/abort-restore", {"restoreId": restore_id})
        backup_id = (await api.data("POST", BACKUPS))["id"]
        await api.data("POST", f"{BACKUPS}/{backup_id}/abort")
        await api.error(404, "GET", f"{BACKUPS}/{backup_id}/restores/{restore_id}/logs")
        await api.error(404, "GET", f"{EXAMPLE}/restores/{backup_id}/logs")


async def test_a_restore_of_a_deleted_backup_is_a_404() -> None:
    async with simulated_api() as api:
        dump = await api.dump()
        restore_id = (await api.data("POST", f"{dump}/restore"))["restoreId"]
        await api.data("DELETE", dump)
        await api.error(404, "GET", f"{dump}/restores/{restore_id}/logs")
        await api.error(404, "POST", f"{dump}/abort-restore", {"restoreId": restore_id})
