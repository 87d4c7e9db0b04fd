"""`simulate`."""

import signal
import stat
import tomllib
from pathlib import Path

import pytest

from northflank_async import Northflank
from northflank_async.simulator import Simulator
from tests.support.command import invoke, start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_simulate_prints_its_url_first_and_serves_until_it_is_stopped(number: signal.Signals) -> None:
    process = await start(
        "simulate", "--token", "a-token", "--projects", "2", "--rate-limit", "50", "--speed", "60",
        "--faults", "seed=1,runs=0.5",
    )  # fmt: skip
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert await process.stdout.readline() == b"export NORTHFLANK_API_TOKEN=a-token\n"
        assert (await process.stdout.readline()).decode() == f"export NORTHFLANK_API_BASE_URL={url}\n"
        async with Northflank("a-token", base_url=url) as nf:
            assert len((await nf.projects()).items) == 2
            assert nf.rate_limit
            assert nf.rate_limit.limit == 50
    finally:
        process.send_signal(number)
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--window", "0"],
        ["--faults", "gremlins=1"],
        ["--port", "x"],
        ["--speed", "-1"],
        ["--tenants", "2"],
        ["--scenario", "fine"],
        ["--accounts", "a.toml"],
        ["--tenants", "0", "--accounts", "a.toml"],
    ],
)
def test_simulate_refuses_bad_arguments(arguments: list[str]) -> None:
    result = invoke("simulate", *arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_port_in_use_is_one_line(northflank_simulator: Simulator) -> None:
    result = invoke("simulate", "--port", northflank_simulator.url.rsplit(":", 1)[1])
    assert result.exit_code == 3
    assert "cannot listen on port" in result.stderr
    assert result.stderr.count("\n") == 1


async def test_simulate_serves_many_accounts_and_writes_their_accounts_file(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.toml"
    process = await start("simulate", "--tenants", "3", "--accounts", accounts, "--projects", "2", "--token", "s3cret")
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert (await process.stdout.readline()).decode() == f"export NORTHFLANK_API_BASE_URL={url}\n"
        assert "s3cret" not in accounts.read_text()
        assert stat.S_IMODE(accounts.stat().st_mode) == 0o600
        entries = tomllib.loads(accounts.read_text())["accounts"]
        assert [entry["name"] for entry in entries] == ["tenant-1", "tenant-2", "tenant-3"]
        for entry in entries:
            token_file = Path(entry["token_file"])
            assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
            async with Northflank(token_file.read_text(), base_url=entry["base_url"]) as nf:
                assert len((await nf.projects()).items) == 2
                assert (await nf.request("GET", "/v1/auth"))["entityId"] == entry["name"]
    finally:
        process.terminate()
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


async def test_a_scenario_can_be_chosen() -> None:
    process = await start("simulate", "--scenario", "unscheduled")
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with Northflank("simulator-token", base_url=url) as nf:
            addon = nf.project("billing").addon("billing-database")
            assert await addon.backup_schedules().all() == []
            assert len(await addon.backups().all()) == 10
    finally:
        process.terminate()
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


def test_an_accounts_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    result = invoke("simulate", "--tenants", "2", "--accounts", tmp_path / "missing" / "accounts.toml")
    assert result.exit_code == 3
    assert "there is no such folder" in result.stderr
    assert result.stderr.count("\n") == 1
