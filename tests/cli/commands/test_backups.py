"""The commands for backups: create, wait, abort, retain, delete, download."""

import json
from pathlib import Path

import pytest

from northflank_async.simulator import Faults, Simulator
from tests.support.command import invoke, invoke_json

ADDON = ("--projectId", "default-project", "--addonId", "example-addon")
BACKUP = (*ADDON, "--backupId", "example-backup")
DUMP = ("--project", "billing", "--addon", "billing-cache", "--backup", "billing-cache-20261031-224")
INSTANT = {"speed": 1e6}
"""Backups and restores end before a client can ask."""


def test_a_backup_is_created_and_written(northflank_simulator: Simulator) -> None:
    created = invoke_json("backup", "addon", *ADDON, "--name", "Before the upgrade")
    assert (created["name"], created["status"]) == ("Before the upgrade", "scheduled")
    found = invoke_json("get", "addon", "backup", *ADDON, "--backup", created["id"])
    assert found["name"] == "Before the upgrade"


@pytest.mark.parametrize("option", ["input", "file"])
def test_a_backup_is_created_from_json_that_options_override(
    northflank_simulator: Simulator, tmp_path: Path, option: str
) -> None:
    body = {
        "name": "From JSON",
        "backupType": "snapshot",
        "additionalDestinations": [{"destinationId": "offsite-bucket", "retentionTime": 7, "type": "custom"}],
    }
    (tmp_path / "body.json").write_text(json.dumps(body))
    value = json.dumps(body) if option == "input" else str(tmp_path / "body.json")
    created = invoke_json("backup", "addon", *ADDON, f"--{option}", value, "--name", "From an option")
    assert created["name"] == "From an option"
    listed = invoke_json("get", "addon", "backups", *ADDON, "--page", "1")["backups"][0]
    assert (listed["id"], listed["config"]["additionalDestinations"]) == (created["id"], body["additionalDestinations"])


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--input", "{"], 2, "neither JSON nor YAML"),
        (["--input", "[]"], 2, "not an object of the documented shape"),
        (["--input", '{"backupTpye": "dump"}'], 2, "unknown fields: backupTpye. Did you mean 'backupType'?"),
        (["--input", '{"nmae": "x"}'], 2, "unknown fields: nmae. Did you mean 'name'?"),
        (["--input", '{"additionalDestinations": [7]}'], 2, "additionalDestinations[0]"),
        (["--file", "missing.json"], 2, "does not exist"),
        (["--additionalDestination", "bucket:soon"], 2, "is not like offsite-bucket or offsite-bucket:30"),
        (["--backupType", "tape"], 2, "is not one of 'dump', 'snapshot'"),
        (["--name", "x"], 3, "name must have 3 to 39 characters"),
        (["--compressionType", "gz"], 3, 'compression_type is only valid with backup_type="dump"'),
    ],
)
def test_an_invalid_backup_is_refused_before_a_request(
    northflank_simulator: Simulator, options: list[str], code: int, message: str
) -> None:
    result = invoke("backup", "addon", *ADDON, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize("northflank_simulator", [INSTANT], indirect=True)
def test_a_wait_ends_with_the_backup_or_the_restore(northflank_simulator: Simulator) -> None:
    assert invoke_json("backup", "addon", *ADDON, "--wait")["status"] == "completed"
    restored = invoke_json("restore", "addon", "backup", *BACKUP, "--yes", "--wait")
    assert restored["status"] == "completed"
    restores = invoke_json("get", "addon", "restores", *ADDON)["restores"]
    assert restored["id"] in [restore["id"] for restore in restores]


@pytest.mark.parametrize("northflank_simulator", [INSTANT], indirect=True)
def test_a_wait_reports_first_which_id_it_waits_for(northflank_simulator: Simulator) -> None:
    created = invoke("backup", "addon", *ADDON, "--wait")
    assert created.stderr == f"northflank-async: backup {json.loads(created.stdout)['id']} started\n"
    restored = invoke("restore", "addon", "backup", *BACKUP, "--yes", "--wait")
    assert restored.stderr == f"northflank-async: restore {json.loads(restored.stdout)['id']} started\n"
    assert invoke("backup", "addon", *ADDON, "--wait", "--quiet").stderr == ""


@pytest.mark.parametrize("northflank_simulator", [{**INSTANT, "faults": Faults(runs=1.0)}], indirect=True)
@pytest.mark.parametrize("command", [("backup", "addon", *ADDON), ("restore", "addon", "backup", *BACKUP, "--yes")])
def test_a_wait_for_a_run_that_fails_writes_it_and_exits_with_11(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    result = invoke(*command, "--wait")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (11, "failed")
    assert result.stderr.startswith(f"northflank-async: {command[0]} ")
    assert "failed: check its logs" in result.stderr


def test_a_backup_continues_after_a_timeout(northflank_simulator: Simulator) -> None:
    result = invoke("backup", "addon", *ADDON, "--wait", "--timeout", "0.05")
    assert (result.exit_code, result.stdout) == (12, "")
    assert "is still scheduled after 0.05 s; it continues" in result.stderr


def test_running_backups_and_restores_are_aborted(northflank_simulator: Simulator) -> None:
    created = invoke_json("backup", "addon", *ADDON)
    assert invoke_json("abort", "addon", "backup", *ADDON, "--backup", created["id"]) == {}
    found = invoke_json("get", "addon", "backup", *ADDON, "--backup", created["id"])
    assert found["status"] in ("aborting", "aborted")
    restore_id = invoke_json("restore", "addon", "backup", *BACKUP, "--yes")["restoreId"]
    assert invoke_json("abort", "addon", "restore", *BACKUP, "--restore", restore_id) == {}
    result = invoke("abort", "addon", "backup", *BACKUP)
    assert (result.exit_code, "the API rejected the request: 409" in result.stderr) == (6, True)


def test_a_backup_is_retained_and_deleted(northflank_simulator: Simulator) -> None:
    retained = invoke("retain", "addon", "backup", *BACKUP, "-o", "table")
    assert (retained.exit_code, retained.stdout) == (0, "backup example-backup is retained\n")
    assert invoke_json("delete", "backup", *BACKUP, "--yes") == {}
    assert invoke("get", "addon", "backup", *BACKUP).exit_code == 5


def test_a_dump_is_downloaded(northflank_simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "example.dump"
    done = invoke_json("download", "addon", "backup", *DUMP, file)
    assert done == {"path": str(file), "bytes": file.stat().st_size}
    assert file.stat().st_size > 0
    link = invoke_json("get", "addon", "backup", "download", *DUMP)["downloadLink"]
    assert link.startswith(northflank_simulator.url)
    shown = invoke("get", "addon", "backup", "download", *DUMP, "-o", "table").stdout
    assert shown.startswith(northflank_simulator.url)
    failed = invoke("download", "addon", "backup", *DUMP, tmp_path / "missing" / "example.dump")
    assert (failed.exit_code, "cannot write" in failed.stderr) == (8, True)


def test_a_team_uses_its_own_routes(northflank_simulator: Simulator) -> None:
    invoke_json("get", "addon", "backup", *DUMP, "--team", "acme")
    assert northflank_simulator.requests[0].path.startswith("/v1/teams/acme/projects/billing/addons/")
