"""Restores that are started and aborted: how they go, and where they are listed."""

import pytest

from tests.support.api import ADDON, BACKUPS, OTHER, Api, simulated

EXAMPLE = f"{BACKUPS}/example-backup"
SOURCE = {"sourceProjectId": "default-project", "sourceAddonId": "example-addon"}


async def newest(api: Api, path: str) -> dict[str, str]:
    restores: list[dict[str, str]] = (await api.get(f"{path}/restores"))["restores"]
    return restores[0]


async def test_a_restore_is_scheduled_then_in_progress_then_completed() -> None:
    async with simulated() as api:
        restore_id = (await api.done("POST", f"{EXAMPLE}/restore"))["restoreId"]
        seen = []
        for seconds in (0, 5, 20):
            api.after(seconds)
            restore = await newest(api, EXAMPLE)
            seen.append((restore["status"], "completedAt" in restore))
            assert restore["id"] == restore_id
            assert (await api.get(EXAMPLE))["lastRestore"] == {k: v for k, v in restore.items() if k != "id"}
            assert await newest(api, ADDON) == {**restore, "backupId": "example-backup"}
    assert seen == [("scheduled", False), ("in-progress", False), ("completed", True)]


async def test_only_a_backup_that_is_complete_can_be_restored() -> None:
    async with simulated() as api:
        path = f"{BACKUPS}/{(await api.done('POST', BACKUPS))['id']}"
        for seconds, status in ((0, "scheduled"), (5, "in-progress")):
            api.after(seconds)
            assert status in (await api.refused(409, "POST", f"{path}/restore"))["message"]
        await api.done("POST", f"{path}/abort")
        api.after(5)
        assert "aborted" in (await api.refused(409, "POST", f"{path}/restore"))["message"]


async def test_a_backup_of_another_addon_is_restored_into_this_one() -> None:
    async with simulated() as api:
        before = await api.all(f"{OTHER}/restores", "restores")
        own = await api.all(f"{ADDON}/restores", "restores")
        path = f"{OTHER}/backups/example-backup"
        await api.refused(404, "POST", f"{path}/restore")
        await api.refused(400, "POST", f"{path}/restore", sourceProjectId="default-project")
        restore_id = (await api.done("POST", f"{path}/restore", **SOURCE))["restoreId"]
        assert (await newest(api, OTHER))["id"] == (await newest(api, EXAMPLE))["id"] == restore_id
        assert await api.all(f"{OTHER}/restores", "restores") == [await newest(api, OTHER), *before]
        assert await api.all(f"{ADDON}/restores", "restores") == own
        assert (await api.all(f"{path}/restores", "restores", **SOURCE))[0]["id"] == restore_id
        await api.refused(404, "POST", f"{path}/abort-restore", {"restoreId": restore_id})
        await api.done("POST", f"{path}/abort-restore", {"restoreId": restore_id}, **SOURCE)
        api.after(2)
        assert (await newest(api, OTHER))["status"] == (await newest(api, EXAMPLE))["status"] == "aborted"


async def test_restores_of_an_older_backup_come_where_that_backup_stands() -> None:
    async with simulated() as api:
        backups = [item for item in await api.all(BACKUPS, "backups") if item["status"] == "completed"]
        older = backups[len(backups) // 2]["id"]
        before = await api.all(f"{ADDON}/restores", "restores")
        ids = []
        for _ in range(2):
            api.after(1)
            ids.append((await api.done("POST", f"{BACKUPS}/{older}/restore"))["restoreId"])
        after = await api.all(f"{ADDON}/restores", "restores", per_page=3)
        order = [item["id"] for item in await api.all(BACKUPS, "backups")]
        places = [order.index(item["backupId"]) for item in after]
    assert places == sorted(places)
    assert [item for item in after if item["id"] not in ids] == before
    assert [item["id"] for item in after if item["backupId"] == older][:2] == ids[::-1]


@pytest.mark.parametrize("seconds", [0.0, 6.0])
async def test_a_restore_is_aborted_while_it_runs_and_then_no_more(seconds: float) -> None:
    async with simulated() as api:
        body = {"restoreId": (await api.done("POST", f"{EXAMPLE}/restore"))["restoreId"]}
        api.after(seconds)
        assert await api.done("POST", f"{EXAMPLE}/abort-restore", body) == {}
        assert (await newest(api, EXAMPLE))["status"] == "aborting"
        await api.refused(409, "POST", f"{EXAMPLE}/abort-restore", body)
        api.after(2)
        ended = await newest(api, EXAMPLE)
        assert (ended["status"], "completedAt" in ended) == ("aborted", True)
        await api.refused(409, "POST", f"{EXAMPLE}/abort-restore", body)


async def under_way(api: Api) -> tuple[str, dict[str, str]]:
    """An addon's path, and a computed restore of it that has not ended."""
    for project in await api.all("/v1/projects", "projects"):
        for addon in await api.all(f"/v1/projects/{project['id']}/addons", "addons"):
            path = f"/v1/projects/{project['id']}/addons/{addon['id']}"
            for restore in await api.all(f"{path}/restores", "restores"):
                if restore["status"] in ("scheduled", "in-progress"):
                    return path, restore
    raise AssertionError("there is none")


async def test_a_computed_restore_under_way_can_be_aborted() -> None:
    async with simulated() as api:
        addon, restore = await under_way(api)
        backup = f"{addon}/backups/{restore['backupId']}"
        await api.done("POST", f"{backup}/abort-restore", {"restoreId": restore["id"]})
        api.after(2)
        ended = await newest(api, backup)
        assert (ended["id"], ended["status"]) == (restore["id"], "aborted")
        assert (await api.get(backup))["lastRestore"]["status"] == "aborted"
        assert {**ended, "backupId": restore["backupId"]} in await api.all(f"{addon}/restores", "restores")


async def test_aborting_a_restore_needs_its_id() -> None:
    async with simulated() as api:
        for body, field in (({}, "restoreId"), ({"restoreId": 5}, "restoreId"), ({"id": "x"}, "restoreId")):
            assert field in (await api.refused(400, "POST", f"{EXAMPLE}/abort-restore", body))["details"]
        await api.refused(404, "POST", f"{EXAMPLE}/abort-restore", {"restoreId": "66845073ce75649ad18635f0"})
        dump = await api.dump()
        restore_id = (await api.done("POST", f"{dump}/restore"))["restoreId"]
        await api.refused(404, "POST", f"{EXAMPLE}/abort-restore", {"restoreId": restore_id})


async def test_what_was_aborted_is_no_restore_of_another_backup() -> None:
    async with simulated() as api:
        restore_id = (await api.done("POST", f"{EXAMPLE}/restore"))["restoreId"]
        await api.done("POST", f"{EXAMPLE}/abort-restore", {"restoreId": restore_id})
        backup_id = (await api.done("POST", BACKUPS))["id"]
        await api.done("POST", f"{BACKUPS}/{backup_id}/abort")
        await api.refused(404, "GET", f"{BACKUPS}/{backup_id}/restores/{restore_id}/logs")
        await api.refused(404, "GET", f"{EXAMPLE}/restores/{backup_id}/logs")


async def test_a_restore_of_a_deleted_backup_can_no_longer_be_asked_for() -> None:
    async with simulated() as api:
        dump = await api.dump()
        restore_id = (await api.done("POST", f"{dump}/restore"))["restoreId"]
        await api.done("DELETE", dump)
        await api.refused(404, "GET", f"{dump}/restores/{restore_id}/logs")
        await api.refused(404, "POST", f"{dump}/abort-restore", {"restoreId": restore_id})
