"""`audit`."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from northflank_async.audit.renderers.json import load_schema
from tests.support.command import invoke
from tests.support.fake_account import FakeAccount, refusal

Serve = Callable[[FakeAccount], None]


def iso(age: timedelta) -> str:
    return f"{datetime.now(UTC) - age:%Y-%m-%dT%H:%M:%S.000Z}"


def backup(hours: float, **fields: Any) -> dict[str, Any]:
    config = {"source": {"type": "snapshot"}, "size": "100"}
    times = {
        "createdAt": iso(timedelta(hours=hours)),
        "completedAt": iso(timedelta(hours=hours) - timedelta(minutes=1)),
    }
    return {"id": f"b{hours}", "status": "completed", "config": config, **times, **fields}


def an_account(**addons: list[Any]) -> FakeAccount:
    names = [f"p/{name}" for name in addons]
    hourly = {
        "id": "s",
        "backupType": "snapshot",
        "scheduling": {"interval": "hourly", "minute": [datetime.now(UTC).minute]},
        "retentionTime": 7,
        "createdAt": iso(timedelta(days=90)),
        "updatedAt": iso(timedelta(days=90)),
    }
    restore = {"id": "r", "backupId": "b", "status": "completed", "restoreTimestamp": iso(timedelta(days=1))}
    return FakeAccount(
        dict(zip(names, addons.values(), strict=True)),
        restores={name: [restore] for name in names},
        schedules={name: [hourly] for name in names},
    )


HEALTHY, STALE = [backup(0.2), backup(1.2)], [backup(90), backup(91)]


@pytest.fixture
def inventory(serve_account: Serve, tmp_path: Path) -> Callable[[FakeAccount], Path]:
    def export(account: FakeAccount) -> Path:
        serve_account(account)
        path = tmp_path / "inventory.db"
        result = invoke("export", path, "--restores", "--schedules")
        assert result.exit_code in (0, 9), result.stderr
        account.requested.clear()
        return path

    return export


Export = Callable[[FakeAccount], Path]


def test_a_healthy_inventory_exits_with_0_and_no_request(inventory: Export) -> None:
    account = an_account(a=HEALTHY, b=HEALTHY)
    path = inventory(account)
    result = invoke("audit", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 addons: 2 healthy, 0 warn, 0 critical, 0 unknown\n"
    assert account.requested == []


def test_findings_exit_with_1_and_name_the_fix(inventory: Export) -> None:
    result = invoke("audit", inventory(an_account(a=HEALTHY, b=STALE)))
    assert result.exit_code == 1
    assert result.stdout.startswith("2 addons: 1 healthy, 0 warn, 1 critical, 0 unknown\n")
    assert "northflank-async backup addon --project p --addon b --backupType snapshot" in result.stdout


@pytest.mark.parametrize(("fail_on", "code"), [("low", 1), ("medium", 1), ("high", 0), ("critical", 0)])
def test_fail_on_is_the_severity_from_which_findings_fail(inventory: Export, fail_on: str, code: int) -> None:
    path = inventory(an_account(a=HEALTHY[:1]))  # few
    assert invoke("audit", path, "--fail-on", fail_on).exit_code == code


def test_json_agrees_with_its_schema(inventory: Export) -> None:
    result = invoke("audit", inventory(an_account(a=HEALTHY, b=STALE)), "-o", "json")
    data = json.loads(result.stdout)
    jsonschema.Draft202012Validator(load_schema()).validate(data)
    assert data["complete"] is True
    assert [(each["rule"], each["addon_id"], each["account_id"]) for each in data["findings"]] == [
        ("stale", "b", "acme")
    ]


def test_without_a_target_everything_is_synced_first(serve_account: Serve) -> None:
    account = an_account(a=HEALTHY, b=STALE)
    serve_account(account)
    result = invoke("audit", "-o", "json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["findings"]
    assert (finding["rule"], finding["addon_id"]) == ("stale", "b")
    assert sorted(account.requested) == sorted(
        ["#0", "p#0", *(f"p/{addon}{kind}#0" for addon in "ab" for kind in ("", "/restores", "/schedules"))]
    )


def test_what_cannot_be_read_is_a_finding_and_findings_win_over_failures(serve_account: Serve) -> None:
    account = an_account(a=HEALTHY, b=HEALTHY)
    account.faults = {"p/b#0": refusal(403)}
    serve_account(account)
    result = invoke("audit", "-o", "json")
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(each["rule"], each["addon_id"]) for each in data["findings"]] == [("unreadable", "b")]
    assert data["complete"] is False
    assert "could not read" in result.stderr
    assert invoke("audit", "--fail-on", "critical").exit_code == 9


def test_an_inventory_without_schedules_is_unknown_and_does_not_pass(serve_account: Serve, tmp_path: Path) -> None:
    serve_account(an_account(a=HEALTHY))
    path = tmp_path / "inventory.db"
    assert invoke("export", path, "--restores").exit_code == 0
    result = invoke("audit", path, "-o", "json")
    assert result.exit_code == 1
    findings = {each["rule"]: each["status"] for each in json.loads(result.stdout)["findings"]}
    assert findings == {"stale": "unknown", "no-schedule": "unknown", "retention": "unknown"}


def test_old_data_are_a_finding(inventory: Export) -> None:
    path = inventory(an_account(a=HEALTHY))
    policy = path.with_name("policy.toml")
    policy.write_text('[rules.stale-data]\nmax_age = "90d"')
    assert invoke("audit", path, "--max-data-age", "1m").exit_code == 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE listings SET read_at = '2026-01-01 00:00:00.000+00:00'")
    assert "stale-data" in invoke("audit", path).stdout
    assert invoke("audit", path, "--policy", policy, "--max-data-age", "1m").exit_code == 1


def test_a_policy_is_read_before_any_request(serve_account: Serve, tmp_path: Path) -> None:
    account = an_account(a=STALE)
    serve_account(account)
    policy = tmp_path / "policy.toml"
    policy.write_text('[rules]\nstael = "low"')
    result = invoke("audit", "--policy", policy)
    assert result.exit_code == 3
    assert f"{policy}: rules.stael: unknown rule 'stael'. Did you mean 'stale'?" in result.stderr
    assert account.requested == []
    policy.write_text('[rules]\nstale = "low"')
    assert invoke("audit", "--policy", policy).exit_code == 0
    assert invoke("audit", "--policy", tmp_path / "absent.toml").exit_code == 2


def test_a_report_is_written_to_a_file_atomically(inventory: Export, tmp_path: Path) -> None:
    path = inventory(an_account(a=STALE))
    out = tmp_path / "northflank.prom"
    result = invoke("audit", path, "-o", "prometheus", "--output-file", out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "northflank_backup_last_success_timestamp_seconds{" in out.read_text()
    assert invoke("audit", path, "--output-file", tmp_path / "absent" / "o.txt").exit_code == 8
    assert sorted(each.name for each in tmp_path.iterdir()) == ["inventory.db", "inventory.db.lock", "northflank.prom"]


def test_a_report_replaces_no_file_that_is_read(inventory: Export, tmp_path: Path) -> None:
    path = inventory(an_account(a=HEALTHY))
    policy, link = tmp_path / "policy.toml", tmp_path / "link"
    policy.touch()
    link.symlink_to(path)
    before = path.read_bytes()
    for out in (path, link, policy):
        result = invoke("audit", path, "--policy", policy, "--output-file", out)
        assert result.exit_code == 2
        assert "--output-file would replace" in result.stderr
    assert (path.read_bytes(), policy.read_bytes()) == (before, b"")


def test_a_report_is_written_through_a_symbolic_link(inventory: Export, tmp_path: Path) -> None:
    path = inventory(an_account(a=HEALTHY))
    (tmp_path / "link").symlink_to(tmp_path / "report.txt")
    assert invoke("audit", path, "--output-file", tmp_path / "link").exit_code == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "report.txt").read_text().startswith("1 addon: 1 healthy")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("{path}",), 2, "BACKUPS CRITICAL - 1 addon: "),
        (("{path}.absent",), 3, "BACKUPS UNKNOWN - cannot read {path}.absent: there is no inventory yet"),
        (("{path}", "--fail-on", "bad"), 3, "BACKUPS UNKNOWN - Invalid value for '--fail-on'"),
        (("{path}", "--policy", "{path}"), 3, "BACKUPS UNKNOWN - {path} is not UTF-8 text"),
        (("{path}", "--bad"), 3, "BACKUPS UNKNOWN - No such option"),
        (
            ("{path}", "--output-file", "{path}/x"),
            3,
            "BACKUPS UNKNOWN - cannot write {path}/x: there is no such folder",
        ),
    ],
)
def test_nagios_has_only_its_own_exit_codes_and_one_line(
    inventory: Export, arguments: tuple[str, ...], code: int, line: str
) -> None:
    path = inventory(an_account(a=STALE))
    result = invoke("audit", "-o", "nagios", *(each.format(path=path) for each in arguments))
    assert result.exit_code == code
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith(line.format(path=path))


def test_nagios_is_unknown_if_the_api_cannot_be_read(serve_account: Serve) -> None:
    account = an_account(a=HEALTHY)
    serve_account(account)
    assert invoke("audit", "-o", "nagios").exit_code == 0
    account.faults = {"#0": refusal(401)}
    result = invoke("audit", "-o", "nagios")
    assert result.exit_code == 3
    assert result.stdout.startswith("BACKUPS UNKNOWN - the token was rejected")


@pytest.mark.parametrize(
    ("error", "line"),
    [(KeyboardInterrupt(), "interrupted"), (ZeroDivisionError("a bug"), "a bug"), (MemoryError("full"), "full")],
)
def test_nagios_is_unknown_whatever_happens(
    inventory: Export, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str
) -> None:
    path = inventory(an_account(a=HEALTHY))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("northflank_async.audit.report.judge", fail)
    result = invoke("audit", path, "-o", "nagios")
    assert (result.exit_code, result.stdout) == (3, f"BACKUPS UNKNOWN - {line}\n")
    assert ("Traceback" in result.stderr) is not isinstance(error, KeyboardInterrupt)


def test_nagios_shows_help(serve_account: Serve) -> None:
    result = invoke("audit", "-o", "nagios", "--help")
    assert (result.exit_code, result.stdout[:6]) == (0, "Usage:")


def test_failures_that_findings_win_over_are_listed_up_to_a_limit(serve_account: Serve) -> None:
    account = an_account(**{f"a{number}": HEALTHY for number in range(25)})
    account.faults = {f"p/a{number}#0": refusal(403) for number in range(25)}
    serve_account(account)
    result = invoke("audit")
    assert result.exit_code == 1
    assert result.stderr.count("could not read all of") == 20


def test_schedules_require_a_database(serve_account: Serve, tmp_path: Path) -> None:
    account = an_account(a=HEALTHY)
    serve_account(account)
    result = invoke("export", tmp_path / "o.jsonl", "--schedules")
    assert result.exit_code == 2
    assert "--schedules requires a database." in result.stderr
    assert account.requested == []
