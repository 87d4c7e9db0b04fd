"""Backups that are started, aborted and deleted: their statuses and their listings."""

import tracemalloc
from typing import Any

import pytest

from northflank_async.simulator import Faults, RequestRecord, Simulator
from tests.support.simulated_api import ADDON, BACKUPS, OTHER, Api, simulated_api


async def statuses(api: Api, path: str, times: tuple[float, ...]) -> list[str]:
    found = []
    for time in times:
        api.advance(time)
        found.append((await api.get(path))["status"])
    return found


async def find_in_progress(api: Api) -> tuple[str, str]:
    """The path of a computed backup that is in progress, and its id."""
    for project in await api.all("/v1/projects", "projects"):
        for addon in await api.all(f"/v1/projects/{project['id']}/addons", "addons"):
            path = f"/v1/projects/{project['id']}/addons/{addon['id']}/backups"
            for backup in (await api.get(path, per_page=1))["backups"]:
                if backup["status"] == "in-progress":
                    return f"{path}/{backup['id']}", backup["id"]
    raise AssertionError("there is none")


async def test_a_backup_is_scheduled_then_in_progress_then_completed_with_its_size() -> None:
    async with simulated_api() as api:
        created = await api.data("POST", BACKUPS, {"name": "Before the migration"})
        assert (created["id"], created["name"]) == ("before-the-migration", "Before the migration")
        assert (created["status"], created["createdAt"]) == ("scheduled", "2026-11-01T12:00:00.000Z")
        assert created["config"] == {"source": {"type": "snapshot"}, "size": "0", "addonVersion": "7.0.14"}
        path = f"{BACKUPS}/{created['id']}"
        assert await statuses(api, path, (1, 3, 3, 20)) == ["scheduled", "in-progress", "in-progress", "completed"]
        ended = await api.get(path)
        assert int(ended["config"]["size"]) > 10**6
        assert "2026-11-01T12:00:09" < ended["completedAt"] < "2026-11-01T12:00:15"
        assert (await api.get(BACKUPS, per_page=1))["backups"][0]["config"]["size"] == ended["config"]["size"]


async def test_the_simulated_time_runs_at_the_given_speed() -> None:
    async with simulated_api(speed=100) as api:
        path = f"{BACKUPS}/{(await api.data('POST', BACKUPS))['id']}"
        assert await statuses(api, path, (0.01, 0.04, 0.2)) == ["scheduled", "in-progress", "completed"]


@pytest.mark.parametrize("speed", [-1, float("inf"), float("nan")])
def test_an_invalid_speed_is_an_error(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Simulator(speed=speed)


async def test_two_simulators_behave_alike() -> None:
    histories = []
    for _ in range(2):
        async with simulated_api(faults=Faults(runs=0.5, seed=3)) as api:
            for number in range(8):
                await api.data("POST", BACKUPS, {"name": f"Number {number}", "backupType": "dump"})
            api.advance(20)
            histories.append((await api.get(BACKUPS, per_page=8))["backups"])
    assert histories[0] == histories[1]
    assert {backup["status"] for backup in histories[0]} == {"completed", "failed"}


async def test_every_run_fails_at_a_rate_of_1() -> None:
    async with simulated_api(faults=Faults(runs=1)) as api:
        path = await api.dump()
        failed = await api.get(path)
        assert (failed["status"], failed["config"]["size"]) == ("failed", "0")
        assert failed["completedAt"]
        logs = await api.get(f"{path}/logs")
        assert "ERROR" in logs[0]["log"]
        await api.error(409, "POST", f"{path}/restore")
        restore = (await api.data("POST", f"{BACKUPS}/example-backup/restore"))["restoreId"]
        api.advance(20)
        newest = (await api.get(f"{BACKUPS}/example-backup/restores"))["restores"][0]
        assert (newest["id"], newest["status"]) == (restore, "failed")


@pytest.mark.parametrize("runs", [-0.1, 1.1])
def test_a_rate_of_failed_runs_outside_0_to_1_is_an_error(runs: float) -> None:
    with pytest.raises(ValueError, match="runs"):
        Faults(runs=runs)


def test_failed_runs_can_be_parsed_with_the_other_rates() -> None:
    assert Faults.parse("errors=1,runs=1") == Faults(errors=1.0, runs=1.0)


async def test_backups_list_the_settings_of_their_type() -> None:
    copies = [{"destinationId": "offsite-bucket", "retentionTime": 30, "type": "custom"}]
    async with simulated_api() as api:
        for settings in (
            {"backupType": "dump", "compressionType": "zstd", "customDestinationId": "offsite-bucket"},
            {"backupType": "dump"},
            {"backupType": "snapshot", "additionalDestinations": copies},
        ):
            await api.data("POST", BACKUPS, settings)
        snapshot, plain, dump = (await api.get(BACKUPS, per_page=3))["backups"]
    assert snapshot["config"]["additionalDestinations"] == copies
    assert "compressionType" not in snapshot["config"]
    assert plain["config"]["compressionType"] == "gz"
    assert (dump["config"]["compressionType"], dump["customDestinationId"]) == ("zstd", "offsite-bucket")


async def test_a_backup_without_a_name_is_named_after_the_time_and_ids_are_unique() -> None:
    async with simulated_api() as api:
        ids = [(await api.data("POST", BACKUPS))["id"] for _ in range(3)]
        ids.append((await api.data("POST", BACKUPS, {"name": "Example Backup"}))["id"])
        await api.data("DELETE", f"{BACKUPS}/{ids[0]}")
        again = await api.data("POST", BACKUPS)
    named = "backup-2026-11-01-12-00-00"
    assert ids == [named, f"{named}-2", f"{named}-3", "example-backup-2"]
    assert (again["id"], again["name"]) == (f"{named}-4", "Backup 2026-11-01 12:00:00")


@pytest.mark.parametrize(
    ("settings", "source", "compression"),
    [
        ({"importUrl": "https://example.com/dump.gz"}, "externalDump", "gz"),
        ({"connectionString": "mongodb://db.example.com:27017", "importAllDatabases": True}, "liveInstance", "gz"),
        ({"connectionString": "mongodb://db.example.com", "compressionType": "zstd"}, "liveInstance", "zstd"),
    ],
)
async def test_an_import_is_a_dump_that_names_its_source(settings: Any, source: str, compression: str) -> None:
    async with simulated_api() as api:
        imported = await api.data("POST", f"{ADDON}/import", {"name": "Imported", **settings})
        api.advance(20)
        listed = (await api.get(BACKUPS, per_page=1))["backups"][0]
        assert (listed["id"], listed["status"]) == (imported["id"], "completed")
        assert listed["config"]["source"] == {"type": source}
        assert listed["config"]["compressionType"] == compression
        assert await api.get(f"{BACKUPS}/imported/download-link")


PLACE = {"destinationId": "offsite-bucket", "type": "custom"}


@pytest.mark.parametrize(
    ("path", "settings", "field"),
    [
        ("backups", {"name": "ab"}, "name"),
        ("backups", {"name": "a" * 40}, "name"),
        ("backups", {"name": "no_underscores"}, "name"),
        ("backups", {"name": "ends with a space "}, "name"),
        ("backups", {"name": 5}, "name"),
        ("backups", {"name": None}, "name"),
        ("backups", {"backupType": "full"}, "backupType"),
        ("backups", {"backupType": "dump", "compressionType": "zip"}, "compressionType"),
        ("backups", {"compressionType": "gz"}, "compressionType"),
        ("backups", {"backupType": "snapshot", "customDestinationId": "offsite-bucket"}, "customDestinationId"),
        ("backups", {"backupType": "dump", "additionalDestinations": [PLACE]}, "additionalDestinations"),
        ("backups", {"additionalDestinations": PLACE}, "additionalDestinations"),
        ("backups", {"additionalDestinations": [{"type": "custom"}]}, "additionalDestinations[0].destinationId"),
        ("backups", {"additionalDestinations": [{**PLACE, "type": "x"}]}, "additionalDestinations[0].type"),
        *[
            ("backups", {"additionalDestinations": [{**PLACE, "retentionTime": days}]},
             "additionalDestinations[0].retentionTime")
            for days in (0, 121, 1.5, "7", True)
        ],
        ("backups", {"additionalDestinations": [PLACE, {**PLACE, "destinationId": "unknown"}]},
         "additionalDestinations[1].destinationId"),
        ("backups", {"backupType": "dump", "customDestinationId": "unknown"}, "customDestinationId"),
        ("backups", {"kind": "dump"}, "kind"),
        ("import", {}, "connectionString"),
        ("import", {"name": "Only a name"}, "connectionString"),
        ("import", {"connectionString": "no url"}, "connectionString"),
        ("import", {"connectionString": "mongodb://h", "importAllDatabases": "yes"}, "importAllDatabases"),
        ("import", {"importUrl": "ftp://example.com/x"}, "importUrl"),
        ("import", {"importUrl": "https://example.com/x", "compressionType": "gz"}, "compressionType"),
        ("import", {"importUrl": "https://example.com/x", "connectionString": "mongodb://h"}, "connectionString"),
        ("import", {"importUrl": "https://example.com/x", "customDestinationId": "unknown"}, "customDestinationId"),
    ],
)  # fmt: skip
async def test_an_invalid_body_is_a_400_that_names_the_field_and_starts_nothing(
    path: str, settings: Any, field: str
) -> None:
    async with simulated_api() as api:
        before = await api.get(BACKUPS)
        error = await api.error(400, "POST", f"{ADDON}/{path}", settings)
        assert list(error["details"]) == [field]
        assert field in error["message"]
        assert await api.get(BACKUPS) == before


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b"null", b"[" * 20000])
async def test_a_body_that_is_not_a_json_object_is_a_400(body: bytes) -> None:
    async with simulated_api() as api, api.http.post(BACKUPS, data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["message"]


@pytest.mark.parametrize("seconds", [0.0, 6.0])
async def test_a_running_backup_can_be_aborted_once(seconds: float) -> None:
    async with simulated_api() as api:
        path = f"{BACKUPS}/{(await api.data('POST', BACKUPS))['id']}"
        api.advance(seconds)
        assert await api.data("POST", f"{path}/abort") == {}
        assert await statuses(api, path, (0.5, 1)) == ["aborting", "aborted"]
        ended = await api.get(path)
        assert ended["completedAt"]
        assert ended["config"]["size"] == "0"
        await api.error(409, "POST", f"{path}/abort")
        assert await statuses(api, path, (60,)) == ["aborted"]


async def test_a_backup_that_has_ended_or_is_aborting_cannot_be_aborted() -> None:
    async with simulated_api() as api:
        dump = await api.dump()
        error = await api.error(409, "POST", f"{dump}/abort")
        assert "completed" in error["message"]
        await api.error(409, "POST", f"{BACKUPS}/example-backup/abort")
        path = f"{BACKUPS}/{(await api.data('POST', BACKUPS))['id']}"
        await api.data("POST", f"{path}/abort")
        assert "aborting" in (await api.error(409, "POST", f"{path}/abort"))["message"]


async def test_a_computed_backup_in_progress_stays_so_until_it_is_aborted() -> None:
    async with simulated_api() as api:
        path, backup_id = await find_in_progress(api)
        before = await api.get(path)
        api.advance(10**6)
        assert await api.get(path) == before
        await api.data("POST", f"{path}/abort")
        assert await statuses(api, path, (0.0, 2)) == ["aborting", "aborted"]
        listed = (await api.get(path.rpartition("/")[0], per_page=1))["backups"][0]
        assert (listed["id"], listed["status"]) == (backup_id, "aborted")
        assert "completedAt" in listed


async def test_retaining_a_backup_changes_nothing_visible() -> None:
    async with simulated_api() as api:
        before = await api.get(f"{BACKUPS}/example-backup")
        assert await api.data("POST", f"{BACKUPS}/example-backup/retain") == {}
        assert await api.get(f"{BACKUPS}/example-backup") == before


@pytest.mark.parametrize("is_computed", [True, False])
async def test_a_deleted_backup_disappears_with_its_restores(is_computed: bool) -> None:
    async with simulated_api() as api:
        path = f"{BACKUPS}/example-backup" if is_computed else await api.dump()
        backup_id = path.rpartition("/")[2]
        source = {"sourceProjectId": "default-project", "sourceAddonId": "example-addon"}
        await api.data("POST", f"{path}/restore")
        await api.data("POST", f"{OTHER}/backups/{backup_id}/restore", **source)
        listed, restored = await api.all(BACKUPS, "backups"), await api.all(f"{ADDON}/restores", "restores")
        elsewhere = await api.all(f"{OTHER}/restores", "restores")
        assert await api.data("DELETE", path) == {}
        await api.error(404, "DELETE", path)
        await api.error(404, "GET", path)
        await api.error(404, "GET", f"{path}/restores")
        assert await api.all(BACKUPS, "backups") == [item for item in listed if item["id"] != backup_id]
        for path, before in ((f"{ADDON}/restores", restored), (f"{OTHER}/restores", elsewhere)):
            after = await api.all(path, "restores")
            assert after == [item for item in before if item["backupId"] != backup_id] != before


async def test_created_backups_come_first_and_the_others_stay_unchanged() -> None:
    async with simulated_api() as api:
        computed = await api.all(BACKUPS, "backups")
        ids = []
        for number in range(3):
            api.advance(1)
            ids.append((await api.data("POST", BACKUPS, {"name": f"Number {number}"}))["id"])
        listed = await api.all(BACKUPS, "backups", per_page=2)
        assert [item["id"] for item in listed[:3]] == ids[::-1]
        assert listed[3:] == computed
        team = BACKUPS.replace("/v1", "/v1/teams/acme")
        assert await api.all(team, "backups") == listed


async def test_a_cursor_stays_valid_when_backups_are_created_and_deleted() -> None:
    async with simulated_api() as api:
        whole = await api.all(BACKUPS, "backups", per_page=100)
        _, first = await api.request("GET", BACKUPS, per_page=10)
        await api.data("POST", BACKUPS)
        for item in (whole[3], whole[10], whole[20]):
            await api.data("DELETE", f"{BACKUPS}/{item['id']}")
        rest = await api.all(BACKUPS, "backups", per_page=10, cursor=first["pagination"]["cursor"])
    assert rest == whole[11:20] + whole[21:]


async def test_writes_are_recorded_like_reads() -> None:
    async with simulated_api() as api:
        await api.data("POST", BACKUPS, {"name": "One"})
        await api.error(409, "POST", f"{BACKUPS}/example-backup/abort")
        await api.data("DELETE", f"{BACKUPS}/one")
        assert api.sim.requests == [
            RequestRecord("POST", BACKUPS, {}, 200),
            RequestRecord("POST", f"{BACKUPS}/example-backup/abort", {}, 409),
            RequestRecord("DELETE", f"{BACKUPS}/one", {}, 200),
        ]


async def test_unchanged_addons_take_no_memory() -> None:
    async with simulated_api(projects=100, addons=100, backups=1000) as api:
        last = (await api.all("/v1/projects/internal-tools-6/addons", "addons"))[-1]["id"]
        backups = f"/v1/projects/internal-tools-6/addons/{last}/backups"
        tracemalloc.start()
        try:
            await api.data("POST", backups)
            oldest = (await api.get(backups, page=10))["backups"][-1]
            await api.data("DELETE", f"{backups}/{oldest['id']}")
            await api.get(backups, page=10)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 20_000_000
