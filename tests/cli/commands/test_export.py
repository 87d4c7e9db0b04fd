"""`export`."""

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke, start_process
from tests.support.fake_account import FakeAccount, backups
from tests.support.postgresql import PostgreSQL


def test_an_export_writes_the_inventory_and_a_summary(northflank_simulator: Simulator, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = invoke("export", out)
    summary = f"3,000 backups of 20 addons in 5 projects written to {out} (47 requests)\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, summary, "")
    assert len(out.read_text().splitlines()) == 3000


def test_an_export_takes_projects_and_a_team(northflank_simulator: Simulator, tmp_path: Path) -> None:
    result = invoke("export", tmp_path / "o.csv", "--project", "billing", "--project", "search", "--team", "acme")
    assert (result.exit_code, result.stdout.split(" written")[0].split(" in ")[1]) == (0, "2 projects")
    paths = [request.path for request in northflank_simulator.requests if request.path != "/v1/auth"]
    assert all(path.startswith("/v1/teams/acme/") for path in paths)


def test_a_simulated_export_needs_no_token(tmp_path: Path) -> None:
    result = invoke("export", "--simulate", tmp_path / "out.jsonl")
    assert (result.exit_code, result.stdout[:13], result.stderr) == (0, "3,000 backups", "")


@pytest.mark.slow
@pytest.mark.parametrize("northflank_simulator", [{"latency": 0.02}], indirect=True)
@pytest.mark.parametrize(
    ("number", "code", "options"),
    [
        (signal.SIGINT, 130, []),
        (signal.SIGTERM, 143, []),
        (signal.SIGHUP, 143, []),
        (signal.SIGINT, 130, ["--since", "520w"]),
    ],
)
def test_an_interrupted_export_is_resumed_by_the_same_command(
    northflank_simulator: Simulator, tmp_path: Path, number: signal.Signals, code: int, options: list[str]
) -> None:
    command = ("export", tmp_path / "o.csv", "--concurrency", 2, *options)
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
    assert "northflank-async: resuming the sync run that started less than a minute ago\n" in result.stderr
    assert len(northflank_simulator.requests) <= 46 + 2 + 2  # in flight, and for the account
    assert [path.name for path in tmp_path.iterdir()] == ["o.csv"]


def test_standard_output_takes_json_lines_only(northflank_simulator: Simulator) -> None:
    result = invoke("export", "-", "--project", "billing")
    assert (result.exit_code, len([json.loads(line) for line in result.stdout.splitlines()])) == (0, 750)
    assert result.stderr == "750 backups of 4 addons in 1 project written to standard output (12 requests)\n"
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


@pytest.mark.parametrize(
    ("since", "expected"), [("30m", 1), ("1h", 2), ("23h", 2), ("6d", 3), ("7d", 4), ("1w", 4), ("2w", 5), ("9999w", 5)]
)
def test_since_is_also_a_time_span_before_now(
    serve_account: Callable[[FakeAccount], None], since: str, expected: int
) -> None:
    minute = timedelta(minutes=1)
    ages = [0 * minute, 59 * minute, timedelta(days=1), timedelta(days=7) - minute, timedelta(days=7) + minute]
    created = [
        {**backup, "createdAt": (datetime.now(UTC) - age).isoformat()}
        for backup, age in zip(backups(5), ages, strict=True)
    ]
    serve_account(FakeAccount({"p/a": created}))
    result = invoke("export", "-", "--since", since)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, expected)


@pytest.mark.parametrize(
    ("status", "nearest"), [("faild", "failed"), ("FAILED", "failed"), ("in progress", "in-progress")]
)
def test_an_unknown_status_is_an_error_that_suggests_the_nearest_and_changes_nothing(
    northflank_simulator: Simulator, tmp_path: Path, status: str, nearest: str
) -> None:
    out = tmp_path / "good.jsonl"
    out.write_text("{}\n" * 3000)
    result = invoke("export", out, "--status", "completed", "--status", status)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"'{status}' is not one of 'scheduled', 'in-progress', 'completed'" in result.stderr
    assert result.stderr.endswith(f" Did you mean '{nearest}'?\n")
    assert len(out.read_text().splitlines()) == 3000
    assert northflank_simulator.requests == []


GOOD = "{}\n" * 3000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--project", "biling"], "there is no project 'biling'; there are: billing, checkout, default-project,"),
        (["--project", "search", "--project", "biling"], "Did you mean 'billing'?"),
        (["--project", "elsewhere"], "there is no project 'elsewhere'"),
        (["--addon-type", "postgres"], "there is no addon of type 'postgres'; there are: minio, mongodb, mysql,"),
        (["--addon-type", "redis", "--addon-type", "postgres"], "Did you mean 'postgresql'?"),
        (["--addon-type", "mongodb", "--project", "billing"], "there is no addon of type 'mongodb'"),
    ],
)
@pytest.mark.parametrize("target", ["good.jsonl", "new.csv", "new.db", "-"])
def test_an_unknown_project_or_addon_type_exits_with_5_and_writes_nothing(
    northflank_simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.jsonl").write_text(GOOD)
    result = invoke("export", target, *options)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (5, "", 1)
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["good.jsonl"]
    assert (tmp_path / "good.jsonl").read_text() == GOOD


def test_names_that_exist_cost_few_requests(northflank_simulator: Simulator, tmp_path: Path) -> None:
    result = invoke("export", tmp_path / "o.csv", "--project", "billing", "--addon-type", "redis")
    assert result.exit_code == 0
    reads = [request.path for request in northflank_simulator.requests]
    assert f"({len(reads)} requests)" in result.stdout
    assert (reads.count("/v1/projects"), reads.count("/v1/projects/billing/addons")) == (1, 2)


def test_an_empty_result_replaces_a_file_only_if_that_is_allowed(
    northflank_simulator: Simulator, tmp_path: Path
) -> None:
    out = tmp_path / "good.jsonl"
    out.write_text(GOOD)
    command = ("export", out, "--since", "2099-01-01")
    result = invoke(*command)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "is not replaced: use --allow-empty" in result.stderr
    assert out.read_text() == GOOD
    result = invoke(*command, "--allow-empty")
    assert (result.exit_code, result.stdout[:10], out.read_text()) == (0, "0 backups ", "")
    assert [path.name for path in tmp_path.iterdir()] == ["good.jsonl"]


def test_a_strict_export_to_a_database_stays_unfinished(
    serve_account: Callable[[FakeAccount], None], tmp_path: Path
) -> None:
    account = FakeAccount({"p/a": backups(3), "p/b": backups(2)}, faults={"p/b#0": 403})
    serve_account(account)
    command = ("export", tmp_path / "inventory.db", "--strict")
    result = invoke(*command)
    assert (result.exit_code, result.stdout) == (10, "")
    assert "everything else is in the database, and the export is unfinished" in result.stderr
    assert "no file" not in result.stderr
    account.faults.clear()
    account.requested.clear()
    result = invoke(*command)
    assert result.exit_code == 0, result.stderr
    assert account.requested_backups == ["p/b#0"]


def test_an_export_that_started_too_long_ago_starts_anew(
    serve_account: Callable[[FakeAccount], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = FakeAccount({"p/a": backups(3), "p/b": backups(2)}, faults={"p/b#0": 401})
    serve_account(account)
    command = ("export", tmp_path / "o.jsonl", "--concurrency", "1")
    assert invoke(*command).exit_code == 4
    account.faults.clear()
    account.requested.clear()
    monkeypatch.setattr("northflank_async.inventory.store.ledger.datetime", LaterDatetime)
    result = invoke(*command, "--resume-max-age", "2h")
    assert result.exit_code == 0, result.stderr
    assert "northflank-async: starting anew: the interrupted sync run started " in result.stderr
    assert account.requested_backups == ["p/a#0", "p/b#0"]


class LaterDatetime(datetime):
    """A clock that is three hours fast."""

    @classmethod
    def now(cls, tz: Any = None) -> "LaterDatetime":
        return cls.fromtimestamp(time.time() + 3 * 3600, tz)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["o.jsonl", "--schema", "other"], "--schema requires a postgresql:// URL"),
        (["o.db", "--schema", "other"], "--schema requires a postgresql:// URL"),
        (["o.jsonl", "--csv-raw"], "--csv-raw requires a .csv file"),
        (["o.jsonl", "--resume-max-age", "soon"], "'soon' is not a time span such as 30m, 12h, 7d or 2w"),
    ],
)
def test_an_option_that_does_not_fit_the_target_exits_with_2(
    northflank_simulator: Simulator, options: list[str], message: str
) -> None:
    result = invoke("export", *options)
    assert (result.exit_code, message in result.stderr) == (2, True)
    assert northflank_simulator.requests == []


def test_an_export_to_postgresql_uses_the_schema(northflank_simulator: Simulator, postgresql: PostgreSQL) -> None:
    url = postgresql.create("test_schema_option")
    result = invoke("export", url, "--schema", "backups_of_acme", "--project", "billing")
    assert result.exit_code == 0, result.stderr
    result = invoke("plan", url, "--schema", "backups_of_acme", "--project", "billing")
    assert "requests   about 11, for as many backups as postgresql://" in result.stdout
    result = invoke("plan", url, "--project", "billing")
    assert "requests   at least 6" in result.stdout


@pytest.mark.parametrize(("options", "name"), [([], "'=cmd"), (["--csv-raw"], "=cmd")])
def test_csv_text_is_written_unchanged_on_request(
    serve_account: Callable[[FakeAccount], None], tmp_path: Path, options: list[str], name: str
) -> None:
    serve_account(FakeAccount({"p/a": [{**backup, "name": "=cmd"} for backup in backups(1)]}))
    inventory, exported, converted = (tmp_path / name for name in ("i.db", "exported.csv", "converted.csv"))
    assert invoke("export", exported, *options).exit_code == 0
    assert invoke("export", inventory).exit_code == 0
    assert invoke("convert", inventory, converted, *options).exit_code == 0
    assert f',"{name}",' in exported.read_text()
    assert converted.read_text() == exported.read_text()


def test_a_mass_deletion_is_a_failure_unless_it_is_allowed(
    serve_account: Callable[[FakeAccount], None], tmp_path: Path
) -> None:
    account = FakeAccount({"p/a": backups(3), "q/b": backups(2)})
    serve_account(account)
    command = ("export", tmp_path / "inventory.db")
    assert invoke(*command).exit_code == 0
    account.faults["#0"] = {"projects": []}
    result = invoke(*command)
    assert result.exit_code != 0
    assert "--allow-mass-deletion" in result.stderr
    assert invoke(*command, "--allow-mass-deletion").exit_code == 0
