"""Backup destinations, and the backups in them."""

from typing import Any

import pytest

from tests.support.simulated_api import BACKUPS, DESTINATIONS, OTHER, simulated_api

CREDENTIALS = {"accessKey": "AKIA", "secretKey": "hush", "bucketName": "b", "region": "r", "endpoint": "https://e"}
NEW = {"name": "My Bucket", "type": "s3", "usage": "globalBackups", "prefix": "backups/", "credentials": CREDENTIALS}


async def test_a_destination_can_be_added_changed_and_deleted() -> None:
    async with simulated_api() as api:
        computed = await api.all(DESTINATIONS, "backupDestinations")
        created = await api.data("POST", DESTINATIONS, {**NEW, "description": "For the auditors"})
        assert (created["id"], created["name"], created["prefix"]) == ("my-bucket", "My Bucket", "backups/")
        path = f"{DESTINATIONS}/my-bucket"
        assert await api.get(path) == created
        assert await api.all(DESTINATIONS, "backupDestinations", per_page=2) == [created, *computed]
        api.advance(5)
        assert await api.data("PATCH", path, {"name": "Renamed", "credentials": CREDENTIALS}) == {}
        changed = {**created, "name": "Renamed", "updatedAt": "2026-11-01T12:00:05.000Z"}
        assert await api.get(path) == changed
        assert await api.data("DELETE", path) == {}
        for method in ("GET", "PATCH", "DELETE"):
            await api.error(404, method, path, {})
        assert await api.all(DESTINATIONS, "backupDestinations") == computed
        assert (await api.data("POST", DESTINATIONS, NEW))["id"] == "my-bucket-2"


async def test_computed_destinations_can_be_changed_and_deleted_too() -> None:
    async with simulated_api() as api:
        await api.data("PATCH", f"{DESTINATIONS}/offsite-bucket", {"description": "Elsewhere"})
        assert (await api.get(f"{DESTINATIONS}/offsite-bucket"))["description"] == "Elsewhere"
        await api.data("DELETE", f"{DESTINATIONS}/offsite-bucket")
        assert len(await api.all(DESTINATIONS, "backupDestinations")) == 2
        place = {"backupType": "dump", "customDestinationId": "offsite-bucket"}
        await api.error(400, "POST", BACKUPS, place)


async def test_no_response_contains_access_keys() -> None:
    async with simulated_api() as api:
        for method, path, body in (
            ("POST", DESTINATIONS, NEW),
            ("PATCH", f"{DESTINATIONS}/my-bucket", {"credentials": CREDENTIALS}),
            ("GET", f"{DESTINATIONS}/my-bucket", None),
            ("GET", DESTINATIONS, None),
        ):
            _, answer = await api.request(method, path, body)
            assert "hush" not in str(answer)
            assert "AKIA" not in str(answer)
        shown = {name: CREDENTIALS[name] for name in ("bucketName", "region", "endpoint")}
        assert (await api.get(f"{DESTINATIONS}/my-bucket"))["credentials"] == shown


async def test_a_destination_may_use_a_workload_identity_instead_of_access_keys() -> None:
    identity = {
        **{name: CREDENTIALS[name] for name in ("bucketName", "region", "endpoint")},
        "authMode": "workloadIdentity",
        "workloadIdentityId": "exporter",
        "enableObjectLock": True,
        "objectLockRetentionDays": 30,
    }
    async with simulated_api() as api:
        created = await api.data("POST", DESTINATIONS, {**NEW, "usage": "containerSnapshots", "credentials": identity})
        assert (created["usage"], created["credentials"]) == ("containerSnapshots", identity)
        assert (await api.all(DESTINATIONS, "backupDestinations"))[0] == created


@pytest.mark.parametrize(
    ("method", "settings", "field"),
    [
        *[("POST", {key: value for key, value in NEW.items() if key != field}, field) for field in NEW],
        ("POST", {**NEW, "type": "gcs"}, "type"),
        ("POST", {**NEW, "usage": "backups"}, "usage"),
        ("POST", {**NEW, "credentials": {**CREDENTIALS, "authMode": "keys"}}, "credentials.authMode"),
        (
            "POST",
            {**NEW, "credentials": {**CREDENTIALS, "objectLockRetentionDays": 0}},
            "credentials.objectLockRetentionDays",
        ),
        ("POST", {**NEW, "prefix": "no slash"}, "prefix"),
        ("POST", {**NEW, "name": "No/slash"}, "name"),
        ("POST", {**NEW, "description": "a" * 201}, "description"),
        ("POST", {**NEW, "credentials": {**CREDENTIALS, "region": 5}}, "credentials.region"),
        ("POST", {**NEW, "credentials": "none"}, "credentials"),
        ("PATCH", {"prefix": "other/"}, "prefix"),
        ("PATCH", {"usage": "globalBackups"}, "usage"),
        ("PATCH", {"credentials": {k: v for k, v in CREDENTIALS.items() if k != "region"}}, "credentials.region"),
    ],
)
async def test_an_invalid_body_is_a_400_that_names_the_field(method: str, settings: Any, field: str) -> None:
    path = DESTINATIONS if method == "POST" else f"{DESTINATIONS}/offsite-bucket"
    async with simulated_api() as api:
        assert list((await api.error(400, method, path, settings))["details"]) == [field]


async def test_a_destination_lists_its_completed_backups_newest_first() -> None:
    async with simulated_api() as api:
        for destination in await api.all(DESTINATIONS, "backupDestinations"):
            found = await api.all(f"{DESTINATIONS}/{destination['id']}/backups", None, per_page=3)
            assert found
            times = [item["createdAt"] for item in found]
            assert times == sorted(times, reverse=True)
            for item in found[:5]:
                path = f"/v1/projects/{item['project']['id']}/addons/{item['addon']['id']}/backups"
                backup = next(b for b in (await api.get(path))["backups"] if b["id"] == item["id"])
                places = backup["config"].get("additionalDestinations", [])
                named = {place["destinationId"] for place in places} | {backup.get("customDestinationId")}
                assert destination["id"] in named
                assert (item["status"], item["config"]["size"]) == ("completed", backup["config"]["size"])
                assert item["expiredBy"] > 1793534400000


async def test_a_backup_is_in_its_destination_once_completed_and_until_deleted() -> None:
    place = f"{DESTINATIONS}/archive-bucket/backups"
    copy = {"destinationId": "archive-bucket", "type": "custom", "retentionTime": 10}
    async with simulated_api() as api:
        before = await api.all(place, None)
        await api.data("POST", BACKUPS, {"name": "First", "additionalDestinations": [copy]})
        api.advance(1)
        settings = {"name": "Second", "backupType": "dump", "customDestinationId": "archive-bucket"}
        await api.data("POST", f"{OTHER}/backups", settings)
        assert await api.all(place, None) == before
        api.advance(20)
        found = await api.all(place, None, per_page=1)
        assert [item["id"] for item in found[:2]] == ["second", "first"]
        assert found[2:] == before
        assert found[1]["expiredBy"] == 1793534400000 + 10 * 86400000
        await api.data("DELETE", f"{BACKUPS}/first")
        project, addon = before[0]["project"]["id"], before[0]["addon"]["id"]
        await api.data("DELETE", f"/v1/projects/{project}/addons/{addon}/backups/{before[0]['id']}")
        assert await api.all(place, None) == [found[0], *before[1:]]
