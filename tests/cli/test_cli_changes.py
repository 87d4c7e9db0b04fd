"""What the commands change: backups, restores and schedules; and how they ask before they destroy."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from northflank_async.cli.app import program
from northflank_async.simulator import Faults, Simulator
from tests.support.command import COMMAND, reaching
from tests.support.command import run as run_command
from tests.support.scripted_server import envelope, serve
from tests.support.terminal import run_at_terminal

ADDON = ("--projectId", "default-project", "--addonId", "example-addon")
BACKUP = (*ADDON, "--backupId", "example-backup")
DUMP = ("--project", "billing", "--addon", "billing-cache", "--backup", "billing-cache-20261031-224")
AT_ONCE = {"speed": 1e6}
"""A simulator in which a run has ended before anybody can ask."""

at_once = pytest.mark.parametrize("northflank_simulator", [AT_ONCE], indirect=True)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


def data(*arguments: str) -> Any:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def sent(sim: Simulator) -> list[str]:
    return [f"{request.method} {request.path.partition('/addons/')[2]}" for request in sim.requests]


def test_a_backup_is_made_and_written(northflank_simulator: Simulator) -> None:
    made = data("backup", "addon", *ADDON, "--name", "Before the upgrade")
    assert (made["name"], made["status"]) == ("Before the upgrade", "scheduled")
    assert data("get", "addon", "backup", *ADDON, "--backup", made["id"])["name"] == "Before the upgrade"


@pytest.mark.parametrize("option", ["input", "file"])
def test_a_backup_is_made_with_the_documented_json_and_options_come_before_it(
    northflank_simulator: Simulator, tmp_path: Path, option: str
) -> None:
    body = {
        "name": "From JSON",
        "backupType": "snapshot",
        "additionalDestinations": [{"destinationId": "offsite-bucket", "retentionTime": 7, "type": "custom"}],
    }
    (tmp_path / "body.json").write_text(json.dumps(body))
    value = json.dumps(body) if option == "input" else str(tmp_path / "body.json")
    made = data("backup", "addon", *ADDON, f"--{option}", value, "--name", "From an option")
    assert made["name"] == "From an option"
    listed = data("get", "addon", "backups", *ADDON, "--page", "1")["backups"][0]
    assert (listed["id"], listed["config"]["additionalDestinations"]) == (made["id"], body["additionalDestinations"])


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--input", "{"], 2, "neither JSON nor YAML"),
        (["--input", "[]"], 2, "no object of the documented shape"),
        (["--input", '{"nmae": "x"}'], 2, "not documented: nmae"),
        (["--input", '{"additionalDestinations": [7]}'], 2, "additionalDestinations[0]"),
        (["--file", "missing.json"], 2, "does not exist"),
        (["--additionalDestination", "bucket:soon"], 2, "is not like offsite-bucket or offsite-bucket:30"),
        (["--backupType", "tape"], 2, "is not one of 'dump', 'snapshot'"),
        (["--name", "x"], 3, "name must have 3 to 39 characters"),
        (["--compressionType", "gz"], 3, 'compression_type is only valid with backup_type="dump"'),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_sent(
    northflank_simulator: Simulator, options: list[str], code: int, says: str
) -> None:
    result = run("backup", "addon", *ADDON, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert northflank_simulator.requests == []


@at_once
def test_a_backup_and_a_restore_can_be_waited_for(northflank_simulator: Simulator) -> None:
    assert data("backup", "addon", *ADDON, "--wait")["status"] == "completed"
    restored = data("restore", "addon", "backup", *BACKUP, "--yes", "--wait")
    assert restored["status"] == "completed"
    assert restored["id"] in [restore["id"] for restore in data("get", "addon", "restores", *ADDON)["restores"]]


async def test_a_log_does_nothing_to_the_terminal_that_shows_it() -> None:
    line = {"ts": "2026-11-01T11:55:02.484Z", "log": "\x1b]0;gone\x07 \x1b[2J", "containerId": "c"}
    async with serve(lambda request: envelope([line])) as server:
        environment = {"NORTHFLANK_API_TOKEN": "token", "NORTHFLANK_API_BASE_URL": server.url}
        code, out, err = await run_command("get", "addon", "backup", "logs", *BACKUP, **environment)
    assert (code, err, "\x1b" in out, "gone" in out) == (0, "", False, True)


async def test_a_log_that_is_not_to_be_read_is_told_with_the_permission_for_logs() -> None:
    async with serve(lambda request: web.Response(status=403)) as server:
        environment = {"NORTHFLANK_API_TOKEN": "token", "NORTHFLANK_API_BASE_URL": server.url}
        code, _, err = await run_command("get", "addon", "backup", "logs", *BACKUP, **environment)
    assert (code, "it needs Addons > Deployment > Account Instance Logs" in err) == (4, True)


def test_a_change_that_was_never_sent_was_not_done(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORTHFLANK_API_BASE_URL", "http://127.0.0.1:1")
    result = run("delete", "backup", *BACKUP, "--yes")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "or try again later; nothing was done: no connection to 127.0.0.1:1" in result.stderr


async def test_a_change_that_the_server_failed_at_may_have_been_done() -> None:
    async with serve(lambda request: web.Response(status=500)) as server:
        environment = {"NORTHFLANK_API_TOKEN": "token", "NORTHFLANK_API_BASE_URL": server.url}
        code, out, err = await run_command("delete", "backup", *BACKUP, "--yes", **environment)
    assert (code, out, len(server.requests)) == (6, "", 1)
    assert "it may have been done all the same: look before trying again" in err


@pytest.mark.parametrize("northflank_simulator", [{**AT_ONCE, "faults": Faults(runs=1.0)}], indirect=True)
@pytest.mark.parametrize("command", [("backup", "addon", *ADDON), ("restore", "addon", "backup", *BACKUP, "--yes")])
def test_a_run_that_has_failed_is_written_and_has_an_exit_code(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    result = run(*command, "--wait")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (11, "failed")
    assert result.stderr.startswith("northflank-async: the ")
    assert "failed: its logs may say why" in result.stderr


def test_a_run_that_takes_too_long_goes_on(northflank_simulator: Simulator) -> None:
    result = run("backup", "addon", *ADDON, "--wait", "--timeout", "0.05")
    assert (result.exit_code, result.stdout) == (12, "")
    assert "is still scheduled after 0.05 s; it goes on" in result.stderr


def test_what_runs_can_be_aborted(northflank_simulator: Simulator) -> None:
    made = data("backup", "addon", *ADDON)
    assert data("abort", "addon", "backup", *ADDON, "--backup", made["id"]) == {}
    assert data("get", "addon", "backup", *ADDON, "--backup", made["id"])["status"] in ("aborting", "aborted")
    restore = data("restore", "addon", "backup", *BACKUP, "--yes")["restoreId"]
    assert data("abort", "addon", "restore", *BACKUP, "--restore", restore) == {}
    result = run("abort", "addon", "backup", *BACKUP)
    assert (result.exit_code, "the API refuses this as it is: 409" in result.stderr) == (6, True)


def test_a_backup_is_kept_and_deleted(northflank_simulator: Simulator) -> None:
    kept = run("retain", "addon", "backup", *BACKUP, "-o", "table")
    assert (kept.exit_code, kept.stdout) == (0, "the backup example-backup is kept\n")
    assert data("delete", "backup", *BACKUP, "--yes") == {}
    assert run("get", "addon", "backup", *BACKUP).exit_code == 5


def test_a_schedule_is_made_listed_and_deleted(northflank_simulator: Simulator) -> None:
    when = ("--interval", "weekly", "--day", "4", "--hour", "18", "--minute", "15", "--minute", "45")
    made = data("create", "addon", "backup-schedule", *ADDON, *when, "--backupType", "dump", "--retentionTime", "7")
    (found,) = [
        schedule
        for schedule in data("get", "addon", "backup", "schedules", *ADDON)["schedules"]
        if schedule["id"] == made["id"]
    ]
    assert found["scheduling"] == {"interval": "weekly", "minute": [15, 45], "hour": [18], "day": [4]}
    deleted = data("delete", "addon", "backup-schedule", *ADDON, "--schedule", made["id"], "--force")
    assert deleted == {}
    assert made["id"] not in run("get", "addon", "backup-schedules", *ADDON).stdout


def test_a_schedule_is_of_snapshots_where_nothing_else_is_said(northflank_simulator: Simulator) -> None:
    options = ("--interval", "daily", "--hour", "4", "--minute", "5", "--retentionTime", "3")
    made = data("create", "addon", "backup-schedule", *ADDON, *options)["id"]
    schedules = data("get", "addon", "backup-schedules", *ADDON)["schedules"]
    assert [schedule["backupType"] for schedule in schedules if schedule["id"] == made] == ["snapshot"]


def test_a_schedule_is_made_with_the_documented_json(northflank_simulator: Simulator) -> None:
    body = {"scheduling": {"interval": "hourly", "minute": [30]}, "backupType": "dump", "retentionTime": 3}
    assert data("create", "addon", "backup-schedule", *ADDON, "--input", json.dumps(body))["id"]


@pytest.mark.parametrize("missing", ["--interval", "--minute", "--retentionTime"])
def test_a_schedule_needs_to_be_told_when_and_for_how_long(northflank_simulator: Simulator, missing: str) -> None:
    options = {"--interval": "hourly", "--minute": "5", "--retentionTime": "3"}
    given = [text for option, value in options.items() if option != missing for text in (option, value)]
    result = run("create", "addon", "backup-schedule", *ADDON, *given)
    assert (result.exit_code, f"Missing option '{missing}'" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []


def test_a_dump_is_downloaded(northflank_simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "example.dump"
    done = data("download", "addon", "backup", *DUMP, str(file))
    assert done == {"path": str(file), "bytes": file.stat().st_size}
    assert file.stat().st_size > 0
    link = data("get", "addon", "backup", "download", *DUMP)["downloadLink"]
    assert link.startswith(northflank_simulator.url)
    assert run("get", "addon", "backup", "download", *DUMP, "-o", "table").stdout.startswith(northflank_simulator.url)
    failed = run("download", "addon", "backup", *DUMP, str(tmp_path / "missing" / "example.dump"))
    assert (failed.exit_code, "cannot write" in failed.stderr) == (8, True)


@at_once
def test_logs_are_lines_in_the_order_in_which_they_came(northflank_simulator: Simulator) -> None:
    lines = run("get", "addon", "backup", "logs", *DUMP).stdout.splitlines()
    assert "Starting" in lines[0]
    assert "Finished" in lines[-1]
    assert run("get", "addon", "backup", "logs", *DUMP, "-d", "backward").stdout.splitlines() == lines[::-1]
    assert run("get", "addon", "backup", "logs", *DUMP, "-l", "1").stdout.splitlines() == lines[-1:]
    assert run("get", "addon", "backup", "logs", *DUMP, "--textIncludes", "50 %").stdout.count("\n") == 1
    (line,) = data("get", "addon", "backup", "logs", *DUMP, "-l", "1", "-o", "json")
    assert line["log"] in lines[-1]
    restore = data("restore", "addon", "backup", *DUMP, "--yes", "--wait")["id"]
    for words in (("restore", "logs"), ("restores", "logs")):
        shown = run("get", "addon", *words, *DUMP, "--restore", restore, "-o", "jsonl")
        assert json.loads(shown.stdout.splitlines()[-1])["log"].startswith("Finished")


@at_once
def test_a_wait_says_first_what_has_begun_as_whoever_gives_up_waiting_needs_its_id(
    northflank_simulator: Simulator,
) -> None:
    made = run("backup", "addon", *ADDON, "--wait")
    assert made.stderr == f"northflank-async: the backup {json.loads(made.stdout)['id']} has begun\n"
    restored = run("restore", "addon", "backup", *BACKUP, "--yes", "--wait")
    assert restored.stderr == f"northflank-async: the restore {json.loads(restored.stdout)['id']} has begun\n"
    assert run("backup", "addon", *ADDON, "--wait", "--quiet").stderr == ""


def test_a_log_without_a_line_is_said_to_be_so(northflank_simulator: Simulator) -> None:
    result = run("get", "addon", "backup", "logs", *BACKUP)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "northflank-async: there are no lines; a snapshot logs nothing\n"


@pytest.mark.parametrize(
    ("northflank_simulator", "token", "code", "says"),
    [
        ({}, "wrong", 4, "the token is not accepted: check it, and the host it is for; nothing was done"),
        ({"faults": Faults(drops=1.0)}, None, 6, "it may have been done all the same: look before trying again"),
    ],
    indirect=["northflank_simulator"],
)
def test_a_change_that_fails_says_whether_it_may_have_been_done(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, token: str | None, code: int, says: str
) -> None:
    if token:
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", token)
    result = run("delete", "backup", *BACKUP, "--yes")
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert len(northflank_simulator.requests) == 1


@pytest.mark.parametrize("command", [("backup", "addon", *ADDON), ("restore", "addon", "backup", *BACKUP, "--yes")])
def test_a_timeout_without_a_wait_is_a_wrong_command_line(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    result = run(*command, "--timeout", "5")
    assert (result.exit_code, "--timeout needs --wait" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []


DESTROYING = [
    ("delete", "backup", *BACKUP),
    ("delete", "addon", "backup", *BACKUP),
    ("restore", "addon", "backup", *BACKUP),
    ("delete", "addon", "backup-schedule", *ADDON, "--schedule", "62d5729ab8593e3e33b65105"),
]


@pytest.mark.parametrize("command", DESTROYING)
def test_what_destroys_needs_to_be_told_so_where_nobody_can_be_asked(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    result = run(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "it needs --yes" in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("delete", "backup", *BACKUP), "Delete the backup example-backup of example-addon for good? [y/N]"),
        (
            ("restore", "addon", "backup", *BACKUP),
            "Overwrite the data of example-addon with the backup example-backup?",
        ),
    ],
)
async def test_at_a_terminal_it_asks_and_no_is_the_answer_by_default(
    sim: Simulator, command: tuple[str, ...], question: str
) -> None:
    declined = await run_at_terminal(sim, *command, typed="\n")
    assert (declined.code, sim.requests) == (1, [])
    assert question in declined.text
    assert "northflank-async: nothing was done" in declined.text
    gone = await run_at_terminal(sim, *command, typed="\x04")
    assert (gone.code, gone.text.endswith("\r\nnorthflank-async: nothing was done\r\n"), sim.requests) == (1, True, [])
    accepted = await run_at_terminal(sim, *command, typed="y\n")
    assert (accepted.code, len(sim.requests)) == (0, 1)


def test_where_the_question_would_not_be_seen_it_is_not_asked(northflank_simulator: Simulator) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, **reaching(northflank_simulator)}
    done = subprocess.run(
        [*COMMAND, *DESTROYING[0]], env=environment, stdin=theirs, capture_output=True, text=True, check=False
    )
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, "it needs --yes" in done.stderr) == (2, True)
    assert northflank_simulator.requests == []


async def test_at_a_terminal_a_wait_shows_that_it_waits() -> None:
    async with Simulator(**AT_ONCE) as sim:
        made = await run_at_terminal(sim, "backup", "addon", *ADDON, "--wait")
    assert (made.code, "waiting for its end" in made.text, "completed" in made.text) == (0, True, True)


async def test_at_a_terminal_a_download_shows_how_far_it_is(sim: Simulator, tmp_path: Path) -> None:
    file = str(tmp_path / "example.dump")
    done = await run_at_terminal(sim, "download", "addon", "backup", *DUMP, file)
    assert (done.code, "1.5/1.5 MB" in done.text) == (0, True)
    assert done.text.endswith(f"1504837 bytes: {file}\r\n")
