"""What a terminal shows while a command works."""

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from rich.console import Console

from northflank_async import RateLimit
from northflank_async.cli.progress import CrawlLines, MirrorLine
from northflank_async.inventory import Progress
from northflank_async.mirror import MirrorProgress
from northflank_async.simulator import Faults, Simulator
from tests.support.command import COMMAND
from tests.support.terminal import read_all, run_at_terminal, terminal

ADDON = ("--projectId", "default-project", "--addonId", "example-addon")
DUMP = ("--project", "billing", "--addon", "billing-cache", "--backup", "billing-cache-20261031-224")


@pytest.mark.slow
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
    lines = [line for line in plain(shown).splitlines() if line]
    assert re.fullmatch("finding  ━+  5/5 projects · 20 addons *", lines[-3])
    assert re.fullmatch("reading  ━+  20/20 addons · 3,000 backups *", lines[-2])
    assert re.fullmatch(r"47 requests · 953 remaining · \d+ s elapsed *", lines[-1])


def progress(**changes: Any) -> Progress:
    """The progress of a crawl that has just begun, with changes."""
    begun = Progress(
        projects=1, projects_found=3, found_all_projects=True, addons=7, addons_expected=21, addons_done=3,
        listings=7, listings_done=3, backups=900, requests=1000, retries=0, waiting_until=None, done_at=None,
    )  # fmt: skip
    return evolve(begun, **changes)


def rendered(crawled: Progress, width: int = 120, elapsed: float = 61) -> list[str]:
    """The lines of the bar at a terminal of that width."""
    file = StringIO()
    window = RateLimit(limit=1000, remaining=0, reset_after=900)
    Console(file=file, width=width, force_terminal=True).print(CrawlLines(crawled, window, elapsed), end="")
    return [plain(line).rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (120, r"copying  [━╸╺]+  3/10 dumps · 1.5 GB of about 4.0 GB"),
        (60, r"copying  3/10 dumps · 1.5 GB of about 4.0 GB"),
        (30, r"copying  3/10 dumps"),
    ],
)
def test_a_mirror_shows_files_and_bytes(width: int, shown: str) -> None:
    mirrored = MirrorProgress(listing=progress(), dumps=10, dumps_done=3, bytes=4_000_000_000, bytes_done=1_500_000_000)
    file = StringIO()
    Console(file=file, width=width, force_terminal=True).print(MirrorLine(mirrored), end="")
    assert re.fullmatch(shown, plain(file.getvalue()).rstrip())


@pytest.mark.slow
def test_a_mirror_shows_a_bar(northflank_simulator: Simulator, tmp_path: Path) -> None:
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [*COMMAND, "mirror", tmp_path, "--project", "billing", "--newest", "1", "--dry-run"],
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.DEVNULL, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = read_all(ours)
    assert process.wait() == 0
    assert re.search(r"copying  [━╸╺]+  0/\d dumps · 0 bytes of about", plain(shown))


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_the_bar_shows_what_is_found_and_read_and_until_when_it_waits() -> None:
    until = datetime(2026, 11, 1, 12, 30, 15).astimezone()
    assert rendered(progress(waiting_until=until, retries=2)) == [
        "finding  ━━━━━╺━━━━━━━━━━  1/3 projects · 7 addons",
        "reading  ━━╺━━━━━━━━━━━━━  3/~21 addons · 900 backups",
        "1,000 requests · 0 remaining · 2 retries · waiting until 12:30:15 · 1 min 1 s elapsed",
    ]


def test_totals_that_are_not_final_are_marked() -> None:
    found, read, _ = rendered(progress(found_all_projects=False))
    assert "1/3+ projects" in found
    assert "3/~21 addons" in read
    found, read, _ = rendered(progress(projects=3, addons=21))
    assert "3/3 projects" in found
    assert "3/21 addons" in read


def test_restores_are_counted_as_listings() -> None:
    assert "3/~21 addons · 900 backups · 5/~42 listings" in rendered(progress(listings=14, listings_done=5))[1]


def test_an_account_without_addons_is_read_at_once() -> None:
    nothing = progress(projects=3, addons=0, addons_expected=0, addons_done=0, listings=0, listings_done=0, backups=0)
    assert rendered(nothing)[1].endswith("0/0 addons · 0 backups")


@pytest.mark.parametrize("width", [80, 72, 60, 40, 20, 9])
def test_the_bar_has_three_lines_that_never_wrap(width: int) -> None:
    now = datetime.now(UTC)
    large = progress(
        projects=1234, projects_found=12345, found_all_projects=False, addons=98765, addons_expected=123456,
        addons_done=56789, listings=2 * 98765, listings_done=2 * 56789, backups=12345678, requests=234567,
        retries=1234, waiting_until=now, done_at=now + timedelta(hours=12.51),
    )  # fmt: skip
    lines = rendered(large, width, elapsed=40000)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert width < 60 or "12 h 30 min left" in lines[1]
    assert width < 60 or f"waiting until {now.astimezone():%H:%M:%S}" in lines[2]


@pytest.mark.slow
@pytest.mark.parametrize("northflank_simulator", [{"faults": Faults(errors=0.2, seed=7)}], indirect=True)
@pytest.mark.parametrize("columns", ["60", "80"])
def test_retries_are_a_counter_in_the_bar(northflank_simulator: Simulator, tmp_path: Path, columns: str) -> None:
    shown = run_at_terminal("export", tmp_path / "o.jsonl", "--concurrency", "8", COLUMNS=columns)
    lines = [plain(line).rstrip() for line in shown.text.splitlines()]
    assert shown.code == 0
    assert re.search(r" · \d+ retr(y|ies)", lines[-2])
    assert all(len(line) <= int(columns) for line in lines[:-1])
    assert all(re.match("$|finding|reading|[0-9,]+ requests? ", line) for line in lines[:-1])


@pytest.mark.slow
@pytest.mark.parametrize("northflank_simulator", [{"faults": Faults(errors=0.2, seed=7)}], indirect=True)
def test_verbose_shows_retries_above_the_bar_as_lines(northflank_simulator: Simulator, tmp_path: Path) -> None:
    shown = run_at_terminal("export", tmp_path / "o.jsonl", "--verbose")
    lines = [plain(line).rstrip() for line in shown.text.splitlines()]
    assert shown.code == 0
    assert any(line.startswith("northflank-async: GET /v1/") and "; retrying" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("northflank_simulator", [{"speed": 1e6}], indirect=True)
def test_a_wait_shows_that_it_waits(northflank_simulator: Simulator) -> None:
    shown = run_at_terminal("backup", "addon", *ADDON, "--wait")
    assert (shown.code, "waiting for it to end" in shown.text, "completed" in shown.text) == (0, True, True)


@pytest.mark.slow
def test_a_download_shows_a_bar(northflank_simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "example.dump"
    shown = run_at_terminal("download", "addon", "backup", *DUMP, file)
    assert (shown.code, "1.5/1.5 MB" in shown.text) == (0, True)
    assert shown.text.endswith(f"1,504,837 bytes written to {file}\r\n")


def test_several_accounts_are_counted() -> None:
    assert "finding  ━" in rendered(progress())[0]
    assert "  2/60 accounts · 1/3 projects · 7 addons" in rendered(progress(accounts=60, accounts_done=2))[0]
