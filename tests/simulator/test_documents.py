"""Every documented backup endpoint matches its schema, at its own route and under a team."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.simulated_api import ADDON, BACKUPS, VOLUMES, Api, simulated_api

FACTS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[1] / "facts").glob("*.json")}
CREDENTIALS = {"accessKey": "a", "secretKey": "s", "bucketName": "b", "region": "r", "endpoint": "https://e"}
SCHEDULE = {
    "scheduling": {"interval": "weekly", "minute": [30], "hour": [18], "day": [4]},
    "backupType": "snapshot",
    "additionalDestinations": [{"destinationId": "example-backup-destination", "retentionTime": 7, "type": "custom"}],
    "retentionTime": 7,
}
BODIES: dict[str, Any] = {
    "create-addon": {
        "name": "Drill",
        "type": "postgresql",
        "version": "latest",
        "billing": {"deploymentPlan": "nf-compute-20", "storage": 6144, "replicas": 1},
        "tags": ["drill"],
        "metadata": {"labels": {"purpose": "drill"}},
        "backupSchedules": [SCHEDULE],
    },
    "backup-addon": {"name": "Example Backup", "backupType": "dump", "compressionType": "gz"},
    "import-addon-backup": FACTS["import-addon-backup"]["example_request"],
    "create-addon-backup-schedule": SCHEDULE,
    "backup-volume": FACTS["backup-volume"]["example_request"],
    "create-volume-backup-schedule": {
        "scheduling": {"interval": "daily", "minute": [30], "hour": [18]},
        "retentionTime": 60,
    },
    "add-backup-destination": {
        "name": "New",
        "type": "s3",
        "usage": "globalBackups",
        "prefix": "backups/",
        "credentials": CREDENTIALS,
    },
    "patch-backup-destination": FACTS["patch-backup-destination"]["example_request"],
}
RUNNING = {"abort-backup", "abort-backup-restore"}
# Fields that the schemas lack and every client needs.
DESTINATION = FACTS["get-backup-destination"]["response_body"]["properties"]["data"]["properties"]
PAGINATION = FACTS["list-volumes"]["response_body"]["properties"]["pagination"]


def strict(name: str) -> dict[str, Any]:
    """The documented schema, made strict: nothing undocumented is allowed."""
    # The response of an import is not documented: it is a backup.
    documented = FACTS["backup-addon" if name == "import-addon-backup" else name]["response_body"]
    schema: dict[str, Any] = json.loads(json.dumps(documented))
    content = schema["properties"]["data"].get("properties", {})
    if name == "list-backup-destinations":
        content["backupDestinations"]["items"]["properties"] = DESTINATION
    if name == "get-addon-backup-schedules":
        schema["properties"]["pagination"] = PAGINATION
    close(schema)
    return schema


def close(schema: dict[str, Any]) -> None:
    if schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    for part in schema.get("properties", {}).values():
        close(part)
    if "items" in schema:
        close(schema["items"])


async def example(api: Api, is_running: bool) -> dict[str, str]:
    """The ids of a backup with a restore, both running or both ended, and of everything else."""
    dump = await api.dump()
    restore = (await api.data("POST", f"{dump}/restore"))["restoreId"]
    if is_running:
        dump = f"{BACKUPS}/{(await api.data('POST', BACKUPS))['id']}"
    else:
        api.advance(20)
    return {
        "teamId": "acme",
        "projectId": "default-project",
        "addonId": "example-addon",
        "backupId": dump.rpartition("/")[2],
        "restoreId": restore,
        "scheduleId": (await api.get(f"{ADDON}/backup-schedules"))["schedules"][0]["id"],
        "volumeId": "example-volume",
        "backupDestinationId": "example-backup-destination",
    }


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, fact in FACTS.items() for path in fact["paths"]])
async def test_every_endpoint_matches_its_schema_with_nothing_undocumented(name: str, path: str) -> None:
    fact = FACTS[name]
    async with simulated_api() as api:
        ids = await example(api, name in RUNNING)
        body = BODIES.get(name)
        if name == "abort-backup-restore":
            ids["backupId"] = (await api.get(f"{ADDON}/restores"))["restores"][0]["backupId"]
            body = {"restoreId": ids["restoreId"]}
        if "/volumes/" in path:
            ids |= await of_volume(api)
        if name == "resume-addon":
            await api.data("POST", f"{ADDON}/pause")
        status, answer = await api.request(fact["method"], path.format(**ids), body)
    assert status == 200, answer
    jsonschema.validate(answer, strict(name))
    assert "accessKey" not in json.dumps(answer)
    assert "secretKey" not in json.dumps(answer)


async def of_volume(api: Api) -> dict[str, str]:
    """The ids of a backup and a schedule of the example volume."""
    schedules = await api.get(f"{VOLUMES}/example-volume/backup-schedules")
    return {"backupId": "example-backup", "scheduleId": schedules["schedules"][0]["id"]}


@pytest.mark.parametrize("name", FACTS)
async def test_every_endpoint_needs_the_token_and_counts_toward_the_rate_limit(name: str) -> None:
    path = FACTS[name]["paths"][0].format(
        **dict.fromkeys(("backupId", "restoreId", "scheduleId", "volumeId"), "x"),
        projectId="p",
        addonId="a",
        backupDestinationId="d",
    )
    async with simulated_api(rate_limit=0) as api:
        await api.error(429, FACTS[name]["method"], path)
        api.http.headers["Authorization"] = "Bearer wrong"
        await api.error(401, FACTS[name]["method"], path)


@pytest.mark.parametrize("name", [name for name, fact in FACTS.items() if "{" in fact["paths"][0]])
async def test_an_unknown_id_is_a_404_at_every_endpoint(name: str) -> None:
    fact = FACTS[name]
    places = ["projectId", "addonId", "backupId", "restoreId", "scheduleId", "volumeId", "backupDestinationId"]
    async with simulated_api() as api:
        ids = await example(api, is_running=False)
        if "/volumes/" in fact["paths"][0]:
            ids |= await of_volume(api)
        body = {"restoreId": ids["restoreId"]} if name == "abort-backup-restore" else BODIES.get(name)
        for place in places:
            if f"{{{place}}}" in fact["paths"][0]:
                path = fact["paths"][0].format(**ids | {place: "nothing"})
                await api.error(404, fact["method"], path, body)
