"""The commands for logs."""

import json
from collections.abc import Callable

import pytest
from aiohttp import web

from northflank_async.simulator import Simulator
from tests.support.command import invoke, invoke_json
from tests.support.scripted_server import Responder, ScriptedServer, envelope

BACKUP = ("--projectId", "default-project", "--addonId", "example-addon", "--backupId", "example-backup")
DUMP = ("--project", "billing", "--addon", "billing-cache", "--backup", "billing-cache-20261031-224")


@pytest.mark.parametrize("northflank_simulator", [{"speed": 1e6}], indirect=True)
def test_log_lines_are_written_oldest_first(northflank_simulator: Simulator) -> None:
    lines = invoke("get", "addon", "backup", "logs", *DUMP).stdout.splitlines()
    assert "Starting" in lines[0]
    assert "Finished" in lines[-1]
    assert invoke("get", "addon", "backup", "logs", *DUMP, "-d", "backward").stdout.splitlines() == lines[::-1]
    assert invoke("get", "addon", "backup", "logs", *DUMP, "-l", "1").stdout.splitlines() == lines[-1:]
    assert invoke("get", "addon", "backup", "logs", *DUMP, "--textIncludes", "50 %").stdout.count("\n") == 1
    (line,) = invoke_json("get", "addon", "backup", "logs", *DUMP, "-l", "1", "-o", "json")
    assert line["log"] in lines[-1]
    restore_id = invoke_json("restore", "addon", "backup", *DUMP, "--yes", "--wait")["id"]
    for words in (("restore", "logs"), ("restores", "logs")):
        shown = invoke("get", "addon", *words, *DUMP, "--restore", restore_id, "-o", "jsonl")
        assert json.loads(shown.stdout.splitlines()[-1])["log"].startswith("Finished")


def test_an_empty_log_is_reported(northflank_simulator: Simulator) -> None:
    result = invoke("get", "addon", "backup", "logs", *BACKUP)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "northflank-async: no log lines; snapshots have none\n"


def test_log_lines_cannot_control_the_terminal(serve_script: Callable[[Responder], ScriptedServer]) -> None:
    line = {"ts": "2026-11-01T11:55:02.484Z", "log": "\x1b]0;gone\x07 \x1b[2J", "containerId": "c"}
    serve_script(lambda request: envelope([line]))
    result = invoke("get", "addon", "backup", "logs", *BACKUP)
    assert (result.exit_code, result.stderr, "\x1b" in result.stdout, "gone" in result.stdout) == (0, "", False, True)


def test_a_forbidden_log_names_the_permission_for_logs(serve_script: Callable[[Responder], ScriptedServer]) -> None:
    serve_script(lambda request: web.Response(status=403))
    result = invoke("get", "addon", "backup", "logs", *BACKUP)
    expected = "it needs Project > Addons > Deployment > View Instance Logs"
    assert (result.exit_code, expected in result.stderr) == (4, True)
