"""`export`."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke, start_process
from tests.support.fake_account import FakeAccount, backups


def test_an_export_writes_the_inventory_and_a_summary(northflank_simulator: Simulator, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = invoke("export", out)
    summary = f"3,000 backups of 20 addons in 5 projects written to {out} (47 requests)\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, summary, "")
    assert len(out.read_text().splitlines()) == 3000


def test_an_export_takes_projects_and_a_team(northflank_simulator: Simulator, tmp_path: Path) -> None:
    result = invoke("export", tmp_path / "o.csv", "--project", "billing", "--project", "search", "--team", "acme")
    assert (result.exit_code, result.stdout.split(" written")[0].split(" in ")[1]) == (0, "2 projects")
    paths = [request.path for request in northflank_simulator.requests]
    assert paths[0] == "/v1/auth"
    assert all(path.startswith("/v1/teams/acme/") for path in paths[1:])


def test_a_simulated_export_needs_no_token(tmp_path: Path) -> None:
    result = invoke("export", "--simulate", tmp_path / "out.jsonl")
    assert (result.exit_code, result.stdout[:13], result.stderr) == (0, "3,000 backups", "")


@pytest.mark.parametrize("northflank_simulator", [{"latency": 0.02}], indirect=True)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_an_interrupted_export_is_resumed_by_the_same_command(
    northflank_simulator: Simulator, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = ("export", tmp_path / "o.csv", "--concurrency", 2)
    with start_process(*command) as process:
        while len(northflank_simulator.requests) <= 10:
            time.sleep(0.001)
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == code
    assert "run the same command to resume" in err
    result = invoke(*command)
    assert result.exit_code == 0
    assert ", resumed)" in result.stdout
    assert len(northflank_simulator.requests) <= 48 + 2
    assert [path.name for path in tmp_path.iterdir()] == ["o.csv"]


def test_standard_output_takes_json_lines_only(northflank_simulator: Simulator) -> None:
    result = invoke("export", "-", "--project", "billing")
    assert (result.exit_code, len([json.loads(line) for line in result.stdout.splitlines()])) == (0, 750)
    assert result.stderr == "750 backups of 4 addons in 1 project written to standard output (10 requests)\n"
    for option in ("--strict", "--restores"):
        result = invoke("export", "-", option)
        assert (result.exit_code, "require a file or a database" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("since", "expected"), [("2026-11-01", 2), ("2026-11-01T00:30:00+01:00", 3), ("2026-11-01T12:00:00Z", 1)]
)
def test_since_is_a_date_or_a_time_in_utc_unless_it_has_a_zone(
    serve_account: Callable[[FakeAccount], None], since: str, expected: int
) -> None:
    times = ["2026-10-31T23:30:00.000Z", "2026-11-01T00:00:00.000Z", "2026-11-01T12:00:00.000Z"]
    created = [{**backup, "createdAt": time} for backup, time in zip(backups(3), times, strict=True)]
    serve_account(FakeAccount({"p/a": created}))
    result = invoke("export", "-", "--since", since)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, expected)


def test_an_undocumented_status_is_reported(northflank_simulator: Simulator) -> None:
    result = invoke("export", "-", "--project", "billing", "--status", "FAILED")
    assert result.exit_code == 0
    assert "'FAILED' is not a documented status: scheduled, in-progress, completed" in result.stderr
