"""The commands for backup schedules."""

import json

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke, invoke_json

ADDON = ("--projectId", "default-project", "--addonId", "example-addon")


def test_a_schedule_is_created_listed_and_deleted(northflank_simulator: Simulator) -> None:
    when = ("--interval", "weekly", "--day", "4", "--hour", "18", "--minute", "15", "--minute", "45")
    options = (*when, "--backupType", "dump", "--retentionTime", "7")
    created = invoke_json("create", "addon", "backup-schedule", *ADDON, *options)
    (found,) = [
        schedule
        for schedule in invoke_json("get", "addon", "backup", "schedules", *ADDON)["schedules"]
        if schedule["id"] == created["id"]
    ]
    assert found["scheduling"] == {"interval": "weekly", "minute": [15, 45], "hour": [18], "day": [4]}
    deleted = invoke_json("delete", "addon", "backup-schedule", *ADDON, "--schedule", created["id"], "--force")
    assert deleted == {}
    assert created["id"] not in invoke("get", "addon", "backup-schedules", *ADDON).stdout


def test_a_schedule_makes_snapshots_by_default(northflank_simulator: Simulator) -> None:
    options = ("--interval", "daily", "--hour", "4", "--minute", "5", "--retentionTime", "3")
    created = invoke_json("create", "addon", "backup-schedule", *ADDON, *options)["id"]
    schedules = invoke_json("get", "addon", "backup-schedules", *ADDON)["schedules"]
    assert [schedule["backupType"] for schedule in schedules if schedule["id"] == created] == ["snapshot"]


def test_a_schedule_is_created_from_json(northflank_simulator: Simulator) -> None:
    body = {"scheduling": {"interval": "hourly", "minute": [30]}, "backupType": "dump", "retentionTime": 3}
    assert invoke_json("create", "addon", "backup-schedule", *ADDON, "--input", json.dumps(body))["id"]


@pytest.mark.parametrize("missing", ["--interval", "--minute", "--retentionTime"])
def test_a_schedule_requires_an_interval_a_minute_and_a_retention(
    northflank_simulator: Simulator, missing: str
) -> None:
    options = {"--interval": "hourly", "--minute": "5", "--retentionTime": "3"}
    given = [text for option, value in options.items() if option != missing for text in (option, value)]
    result = invoke("create", "addon", "backup-schedule", *ADDON, *given)
    assert (result.exit_code, f"Missing option '{missing}'" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []
