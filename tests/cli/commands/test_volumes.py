"""The commands for the backup schedules of volumes."""

import json

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke, invoke_json

VOLUME = ("--projectId", "default-project", "--volumeId", "example-volume")
DAILY = ("--interval", "daily", "--hour", "3", "--minute", "30", "--retentionTime", "60")


def test_a_schedule_is_created_listed_and_deleted(northflank_simulator: Simulator) -> None:
    created = invoke_json("create", "volume", "backup-schedule", *VOLUME, *DAILY)
    listed = invoke_json("get", "volume", "backup-schedules", *VOLUME)["schedules"]
    assert [(found["backupType"], found["scheduling"]) for found in listed if found["id"] == created["id"]] == [
        ("snapshot", {"interval": "daily", "minute": [30], "hour": [3]})
    ]
    table = invoke("get", "volume", "backup-schedules", *VOLUME, "-o", "table").stdout
    assert created["id"] in table
    assert "60 d" in table
    deleted = invoke_json("delete", "volume", "backup-schedule", *VOLUME, "--schedule", created["id"], "--yes")
    assert deleted == {}
    assert created["id"] not in invoke("get", "volume", "backup-schedules", *VOLUME).stdout


def test_a_schedule_is_created_from_json_on_a_teams_route(northflank_simulator: Simulator) -> None:
    body = {"scheduling": {"interval": "hourly", "minute": [30]}, "retentionTime": 7}
    call = ("create", "volume", "backup-schedule", *VOLUME, "--team", "acme", "--input", json.dumps(body))
    assert invoke_json(*call)["id"]
    assert [sent.path.startswith("/v1/teams/acme/") for sent in northflank_simulator.requests] == [True]


@pytest.mark.parametrize("missing", ["--interval", "--minute", "--retentionTime"])
def test_a_schedule_requires_an_interval_a_minute_and_a_retention(
    northflank_simulator: Simulator, missing: str
) -> None:
    options = {"--interval": "hourly", "--minute": "5", "--retentionTime": "3"}
    given = [text for option, value in options.items() if option != missing for text in (option, value)]
    result = invoke("create", "volume", "backup-schedule", *VOLUME, *given)
    assert (result.exit_code, f"Missing option '{missing}'" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []


def test_a_deletion_requires_a_confirmation(northflank_simulator: Simulator) -> None:
    result = invoke("delete", "volume", "backup-schedule", *VOLUME, "--schedule", "abc")
    assert (result.exit_code, "pass --yes" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []
