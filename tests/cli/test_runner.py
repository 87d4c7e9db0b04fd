"""How commands run: event loop, logging, and confirmation."""

import asyncio
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import COMMAND, invoke, start_process
from tests.support.terminal import run_at_terminal, terminal

ADDON = ("--projectId", "default-project", "--addonId", "example-addon")
BACKUP = (*ADDON, "--backupId", "example-backup")
LISTING = ("get", "addon", "backups", "--projectId", "billing", "--addonId", "billing-cache")
DESTRUCTIVE = [
    ("delete", "backup", *BACKUP),
    ("delete", "addon", "backup", *BACKUP),
    ("restore", "addon", "backup", *BACKUP),
    ("delete", "addon", "backup-schedule", *ADDON, "--schedule", "62d5729ab8593e3e33b65105"),
]


def test_a_command_runs_on_uvloop_if_it_is_installed(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        loops.append(asyncio.new_event_loop())
        return loops[-1]

    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=new_event_loop))
    assert invoke("list", "projects").exit_code == 0
    assert [loop.is_closed() for loop in loops] == [True]


def test_quiet_prints_only_the_result(northflank_simulator: Simulator) -> None:
    result = invoke(*LISTING, "--page", "1", "--quiet", "--verbose")
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(json.loads(result.stdout)["backups"]) == 50


def test_verbose_logs_every_request_and_how_many_remain(northflank_simulator: Simulator) -> None:
    result = invoke(*LISTING, "--verbose")
    lines = [re.sub(r"in \d+ ms", "in 1 ms", line) for line in result.stderr.splitlines()]
    path = "/v1/projects/billing/addons/billing-cache/backups?per_page=100"
    assert lines[0] == f"northflank-async: GET {path} -> 200 in 1 ms (attempt 1, 999 requests remaining)"
    assert [line.rpartition(", ")[2] for line in lines] == [f"{left} requests remaining)" for left in (999, 998, 997)]


@pytest.mark.parametrize("northflank_simulator", [{"rate_limit": 20}], indirect=True)
def test_a_wait_for_the_rate_limit_is_a_line_without_a_terminal(northflank_simulator: Simulator) -> None:
    with start_process("export", "-") as process:
        assert process.stderr
        assert "northflank-async: rate limit reached: waiting 3600 s" in process.stderr.readline()
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("command", DESTRUCTIVE)
def test_a_destructive_command_requires_yes_without_a_terminal(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    result = invoke(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pass --yes" in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("delete", "backup", *BACKUP), "Permanently delete backup example-backup of example-addon? [y/N]"),
        (("restore", "addon", "backup", *BACKUP), "Overwrite the data of example-addon with backup example-backup?"),
    ],
)
def test_a_destructive_command_asks_at_a_terminal_and_the_default_is_no(
    northflank_simulator: Simulator, command: tuple[str, ...], question: str
) -> None:
    requests = northflank_simulator.requests
    declined = run_at_terminal(*command, typed="\n")
    assert (declined.code, requests) == (1, [])
    assert question in declined.text
    assert "northflank-async: nothing was changed" in declined.text
    closed = run_at_terminal(*command, typed="\x04")
    assert closed.text.endswith("\r\nnorthflank-async: nothing was changed\r\n")
    assert (closed.code, requests) == (1, [])
    accepted = run_at_terminal(*command, typed="y\n")
    assert (accepted.code, len(requests)) == (0, 1)


def test_a_question_is_not_asked_if_it_would_not_be_seen(northflank_simulator: Simulator) -> None:
    with terminal() as (_, theirs):
        done = subprocess.run([*COMMAND, *DESTRUCTIVE[0]], stdin=theirs, capture_output=True, text=True, check=False)
        os.close(theirs)
    assert (done.returncode, "pass --yes" in done.stderr) == (2, True)
    assert northflank_simulator.requests == []
