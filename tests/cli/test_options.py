"""Options that cannot be parsed or combined."""

from pathlib import Path
from typing import Any

import pytest

from northflank_async import Northflank
from northflank_async.simulator import Simulator
from tests.support.command import invoke

ADDON = ("--projectId", "billing", "--addonId", "billing-cache")
BACKUP = (*ADDON, "--backupId", "example-backup")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loadAll", "--page", "2"], "--loadAll cannot be combined with --page or --cursor"),
        (["--loadAll", "--cursor", "x"], "--loadAll cannot be combined with --page or --cursor"),
        (["--page", "2", "--cursor", "x"], "--page cannot be combined with --cursor"),
        (["--per_page", "101"], "101 is not in the range 1<=x<=100"),
        (["--page", "0"], "0 is not in the range"),
        (["-o", "xml"], "'xml' is not one of"),
        (["-o", "tabel"], "Did you mean 'table'?"),
    ],
)
def test_invalid_paging_options_exit_with_2(northflank_simulator: Simulator, options: list[str], message: str) -> None:
    result = invoke("get", "addon", "backups", *ADDON, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize("command", [("backup", "addon", *ADDON), ("restore", "addon", "backup", *BACKUP, "--yes")])
def test_a_timeout_requires_a_wait(northflank_simulator: Simulator, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--timeout", "5")
    assert (result.exit_code, "--timeout requires --wait" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []


@pytest.mark.parametrize(
    "option",
    [
        ["--since", "yesterday"],
        ["--since", "7x"],
        ["--since", "0d"],
        ["--since", "-7d"],
        ["--since", "9" * 20 + "d"],
        ["--since", "9" * 5000 + "d"],
        ["--concurrency", "x"],
    ],
    ids=lambda option: " ".join(option)[:20],
)
def test_an_option_that_cannot_be_parsed_exits_with_2(option: list[str]) -> None:
    result = invoke("export", "o.jsonl", *option)
    assert (result.exit_code, "Error: Invalid value" in result.stderr) == (2, True)


CRAWLS = [("export", "o.jsonl"), ("plan",)]


@pytest.mark.parametrize("command", CRAWLS)
@pytest.mark.parametrize(
    "option",
    [
        ("--timeout", "0"),
        ("--timeout", "-1"),
        ("--timeout", "nan"),
        ("--timeout", "inf"),
        ("--timeout", "soon"),
        ("--attempts", "0"),
        ("--reserve", "-1"),
        ("--concurrency", "0"),
        ("--concurrency", "101"),
    ],
)
def test_an_option_that_the_library_would_refuse_exits_with_2(
    northflank_simulator: Simulator, command: tuple[str, ...], option: tuple[str, str]
) -> None:
    result = invoke(*command, *option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Error: Invalid value for '{option[0]}': " in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize("command", CRAWLS)
def test_options_of_a_crawl_reach_the_client(
    northflank_simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[dict[str, Any]] = []

    def open_client(token: str | None, **arguments: Any) -> Northflank:
        opened.append(arguments)
        return Northflank(token, **arguments)

    monkeypatch.setattr("northflank_async.cli.runner.Northflank", open_client)
    result = invoke(*command, "--reserve", "10", "--timeout", "0.5", "--attempts", "2", "--concurrency", "3")
    assert result.exit_code == 0, result.output
    assert [{**arguments, "base_url": None} for arguments in opened] == [
        {"base_url": None, "reserve": 10, "timeout": 0.5, "attempts": 2}
    ]


@pytest.mark.parametrize("northflank_simulator", [{"rate_limit": 50}], indirect=True)
def test_a_reserve_that_leaves_nothing_exits_with_3(northflank_simulator: Simulator) -> None:
    result = invoke("plan", "--reserve", "50")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "reserve=50 leaves nothing of a window of 50 requests" in result.stderr
