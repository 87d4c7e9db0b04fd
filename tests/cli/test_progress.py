"""What a terminal shows while a command works."""

import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import rich.progress

from northflank_async import RateLimit
from northflank_async.cli.progress import CrawlColumn
from northflank_async.inventory import Progress
from northflank_async.simulator import Simulator
from tests.support.command import COMMAND
from tests.support.terminal import read_all, run_at_terminal, terminal

ADDON = ("--projectId", "default-project", "--addonId", "example-addon")
DUMP = ("--project", "billing", "--addon", "billing-cache", "--backup", "billing-cache-20261031-224")


def test_an_export_shows_a_bar(northflank_simulator: Simulator, tmp_path: Path) -> None:
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [*COMMAND, "export", tmp_path / "o.jsonl"],
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.DEVNULL, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = read_all(ours)
    assert process.wait() == 0
    assert "20/20 addons · 3,000 backups · 47 requests · 953 remaining" in shown


def test_the_bar_shows_until_when_it_waits_for_the_rate_limit() -> None:
    until = datetime(2026, 11, 1, 12, 30, 15).astimezone()
    crawled = Progress(projects=1, addons=7, addons_done=3, backups=900, requests=1000, waiting_until=until)
    limit = RateLimit(limit=1000, remaining=0, reset_after=900)
    column = CrawlColumn(lambda: limit)
    with rich.progress.Progress(column, disable=True) as bar:
        bar.add_task("", crawled=lambda: crawled)
        shown = column.render(bar.tasks[0])
    assert shown.plain == "3/7 addons · 900 backups · 1,000 requests · 0 remaining · waiting until 12:30:15"


@pytest.mark.parametrize("northflank_simulator", [{"speed": 1e6}], indirect=True)
def test_a_wait_shows_that_it_waits(northflank_simulator: Simulator) -> None:
    shown = run_at_terminal("backup", "addon", *ADDON, "--wait")
    assert (shown.code, "waiting for it to end" in shown.text, "completed" in shown.text) == (0, True, True)


def test_a_download_shows_a_bar(northflank_simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "example.dump"
    shown = run_at_terminal("download", "addon", "backup", *DUMP, file)
    assert (shown.code, "1.5/1.5 MB" in shown.text) == (0, True)
    assert shown.text.endswith(f"1,504,837 bytes written to {file}\r\n")
