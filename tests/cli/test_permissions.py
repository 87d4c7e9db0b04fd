"""Where the API refuses a request, a command names the permission that the official Python SDK documents for it."""

import json
from collections.abc import Callable

import pytest
from aiohttp import web

from northflank_async.cli.app import COMMANDS
from northflank_async.cli.permissions import PERMISSIONS
from tests.support.command import invoke
from tests.support.official_sdk import official_endpoints
from tests.support.scripted_server import Responder, ScriptedServer

PROJECT = ("--project", "projectId")
ADDON = (*PROJECT, "--addon", "addonId")
BACKUP = (*ADDON, "--backup", "backupId")
VOLUME = (*PROJECT, "--volume", "volumeId")
HOURLY = ("--interval", "hourly", "--minute", "0", "--retentionTime", "1")
CREDENTIALS = {"accessKey": "a", "secretKey": "s", "bucketName": "b", "region": "r", "endpoint": "e"}

CALLS: dict[str, tuple[str, ...]] = {
    "list projects": (),
    "list addons": PROJECT,
    "list backup-destinations": (),
    "get auth": (),
    "get addon types": (),
    "get addon backups": ADDON,
    "get addon backup": BACKUP,
    "get addon backup download": BACKUP,
    "get addon backup restores": BACKUP,
    "get addon restores": ADDON,
    "get addon backup-schedules": ADDON,
    "get volume backup-schedules": VOLUME,
    "backup addon": ADDON,
    "restore addon backup": (*BACKUP, "--yes"),
    "abort addon backup": BACKUP,
    "abort addon restore": (*BACKUP, "--restore", "r"),
    "retain addon backup": BACKUP,
    "download addon backup": (*BACKUP, "unused.dump"),
    "delete backup": (*BACKUP, "--yes"),
    "create addon backup-schedule": (*ADDON, *HOURLY),
    "delete addon backup-schedule": (*ADDON, "--schedule", "scheduleId", "--yes"),
    "create volume backup-schedule": (*VOLUME, *HOURLY),
    "delete volume backup-schedule": (*VOLUME, "--schedule", "scheduleId", "--yes"),
    "add backup-destination": (
        *("--name", "abc", "--prefix", "p/", "--input", json.dumps({"credentials": CREDENTIALS})),
    ),
}
OTHERS = {
    "get addon backup logs": "the SDK has no logs; see test_logs.py",
    "get addon restore logs": "the same",
    "audit": "sends several kinds of requests",
    "drill": "the same",
    "export": "the same",
    "mirror": "the same",
    "plan": "the same",
    "doctor": "reports a refusal as a finding",
    "watch": "the same",
    "worker": "sends several kinds of requests",
    "worker status": "sends no requests",
    "convert": "the same",
    "simulate": "sends no requests",
    "completion": "the same",
}


def test_every_command_is_compared() -> None:
    assert CALLS.keys() | OTHERS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", CALLS)
def test_a_command_names_the_official_permission(
    serve_script: Callable[[Responder], ScriptedServer], command: str
) -> None:
    server = serve_script(lambda _: web.json_response({"error": {"status": 403, "message": "No."}}, status=403))
    result = invoke(*command.split(), *CALLS[command])
    assert result.exit_code == 4
    (request,) = server.requests
    by_route = {name.replace("{", "").replace("}", ""): found for name, found in official_endpoints().items()}
    permission = by_route[f"{request.method} {request.path}"].permission
    assert f"it needs {permission or 'no permission'}. " in result.stderr
    assert PERMISSIONS[command] == ((permission,) if permission else ())


def test_a_drill_names_the_official_permissions_of_all_that_it_sends() -> None:
    project = "/v1/projects/{projectId}"
    addon = f"{project}/addons/{{addonId}}"
    backup = f"{addon}/backups/{{backupId}}"
    sent = [
        *("GET /v1/projects", f"GET {project}", f"GET {project}/addons", f"GET {addon}", f"GET {addon}/backups"),
        *(f"GET {addon}/containers", f"GET {addon}/credentials", f"GET {backup}/download-link"),
        *(f"POST {project}/addons", f"POST {addon}/import", f"POST {backup}/restore", f"DELETE {addon}"),
    ]
    assert set(PERMISSIONS["drill"]) == {official_endpoints()[name].permission for name in sent}


def test_the_permission_of_each_command_is_known() -> None:
    send_nothing = {"convert", "simulate", "completion", "worker status"}
    assert PERMISSIONS.keys() == COMMANDS.keys() - send_nothing - {"doctor"}
