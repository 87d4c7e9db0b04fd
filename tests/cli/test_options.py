"""Options that cannot be parsed or combined."""

import pytest

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
