"""`doctor`: the tokens of many accounts, with one request each."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from northflank_async.cli.permissions import PERMISSIONS
from northflank_async.simulator import Identity, Simulator, Tenant
from northflank_async.simulator.thread import running_in_thread
from tests.support.accounts import write_accounts
from tests.support.command import invoke, invoke_json

KEYS = [
    "account", "ok", "problems", "tokenValid", "tokenKind", "accountId", "accountType", "role", "expires", "expiresAt",
    "commands", "projectRestrictions", "requestsLeft", "requestLimit", "requestsResetAfter", "clockSkew",
]  # fmt: skip


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with running_in_thread(Simulator(tenants=Tenant.many(3))) as simulator:
        yield simulator


@pytest.fixture
def file(sim: Simulator, tmp_path: Path) -> Path:
    return write_accounts(tmp_path, sim)


def test_each_account_is_one_object_and_one_request(sim: Simulator, file: Path) -> None:
    reports = invoke_json("doctor", "--accounts", file, "-o", "json")
    assert [list(report) for report in reports] == [KEYS] * 3
    assert [report["account"] for report in reports] == ["tenant-1", "tenant-2", "tenant-3"]
    assert [report["accountId"] for report in reports] == ["tenant-1", "tenant-2", "tenant-3"]
    assert sorted(sent.tenant for sent in sim.requests) == ["tenant-1", "tenant-2", "tenant-3"]
    report = reports[0]
    assert report["ok"]
    assert (report["tokenValid"], report["tokenKind"], report["role"]) == (True, "api", "Backup reader")
    assert (report["expires"], report["expiresAt"]) == (False, None)
    assert report["projectRestrictions"] == {"enabled": False}
    assert (report["requestsLeft"], report["requestLimit"]) == (999, 1000)
    assert abs(report["clockSkew"]) < 60


def test_the_commands_that_the_permissions_allow_are_listed(sim: Simulator, file: Path) -> None:
    commands = invoke_json("doctor", "--accounts", file, "-o", "json")[0]["commands"]
    assert commands.keys() == PERMISSIONS.keys()
    assert commands["export"] is commands["get auth"] is commands["list backup-destinations"] is True
    assert commands["delete backup"] is commands["download addon backup"] is False


@pytest.mark.parametrize("permissions", [None, {}, {"projectScope": ["addons:read"]}])
def test_a_role_without_readable_permissions_is_unknown(
    sim: Simulator, file: Path, permissions: dict[str, Any] | None
) -> None:
    sim.tenants[0].identity.permissions = permissions
    report = invoke_json("doctor", "--accounts", file, "-o", "json")[0]
    assert report["commands"]["export"] is None
    assert report["commands"]["get auth"] is True


def test_what_is_not_well_is_named_and_ends_with_an_error(sim: Simulator, file: Path) -> None:
    soon = datetime.now(UTC) + timedelta(days=3, minutes=5)
    sim.tenants[0].identity.expires_at = soon.isoformat()
    sim.tenants[1].identity.permissions = {"projectScope": []}
    sim.tenants[2].spend_window(1)
    result = invoke("doctor", "--accounts", file, "-o", "json")
    assert result.exit_code == 9
    assert result.stderr.splitlines() == [
        "northflank-async: tenant-1: the token expires in 3 days",
        "northflank-async: tenant-2: the token's permissions do not allow export",
        "northflank-async: tenant-3: no requests are left in this hour",
        "northflank-async: 3 of 3 accounts with problems",
    ]
    reports = json.loads(result.stdout)
    assert [report["ok"] for report in reports] == [False] * 3
    assert reports[0]["problems"] == ["the token expires in 3 days"]


def test_a_rejected_token_does_not_hide_the_others(sim: Simulator, file: Path) -> None:
    sim.tenants[1].is_revoked = True
    result = invoke("doctor", "--accounts", file)
    assert result.exit_code == 4
    assert "tenant-2: the token was rejected: 401" in result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        ["Account", "Token"], ["tenant-1", "valid"], ["tenant-2", "rejected"], ["tenant-3", "valid"],
    ]  # fmt: skip


def test_an_account_without_an_answer_is_told_apart(sim: Simulator, file: Path) -> None:
    sim.tenants[1].outage = 503
    result = invoke("doctor", "--accounts", file, "-o", "json")
    assert result.exit_code == 6
    assert json.loads(result.stdout)[1]["tokenValid"] is None
    assert len(sim.requests) == 3


def test_the_table_says_what_is_unknown(sim: Simulator, file: Path) -> None:
    restrictions = {"enabled": True, "projects": ["billing", "web"], "restrictionMode": "notIn"}
    sim.tenants[0].identity = Identity(project_restrictions=restrictions, permissions=None, role=None)
    lines = invoke("doctor", "--accounts", file).stdout.splitlines()
    assert lines[1].split(maxsplit=3) == ["tenant-1", "valid", "api", lines[1].split(maxsplit=3)[3]]
    assert "unknown" in lines[1]
    assert "all but billing, web" in lines[1]
    assert "999 of 1,000" in lines[1]
    assert "audit, export, get (8 of 11), list, plan, watch, worker" in lines[2]
    assert "never" in lines[2]


def test_without_accounts_it_checks_the_usual_one(northflank_simulator: Simulator) -> None:
    (report,) = invoke_json("doctor", "-o", "json")
    assert (report["account"], report["ok"]) == ("NORTHFLANK_API_TOKEN", True)


def test_no_token_at_all_is_an_error() -> None:
    result = invoke("doctor")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "no token: set NORTHFLANK_API_TOKEN" in result.stderr


def test_a_mistake_in_the_file_sends_no_request(sim: Simulator, file: Path) -> None:
    (file.parent / "tenant-3.token").unlink()
    result = invoke("doctor", "--accounts", file)
    assert result.exit_code == 3
    assert result.stderr == (
        f"northflank-async: {file}: accounts[2].token_file: cannot read the file: No such file or directory\n"
    )
    assert sim.requests == []


def test_a_file_that_others_can_read_is_warned_of(sim: Simulator, file: Path) -> None:
    file.chmod(0o644)
    result = invoke("doctor", "--accounts", file)
    assert result.exit_code == 0
    assert result.stderr == f"northflank-async: {file}: the file is readable by others: run 'chmod o= {file}'\n"


# Contexts


@pytest.fixture
def home(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose contexts are the tenants, while the environment has another login."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "another-token")
    monkeypatch.setenv("NORTHFLANK_API_BASE_URL", "http://127.0.0.1:1")
    contexts = [{"name": tenant.name, "host": sim.url, "token": tenant.token} for tenant in sim.tenants]
    (tmp_path / ".northflank").mkdir()
    (tmp_path / ".northflank" / "config.json").write_text(json.dumps({"current": None, "contexts": contexts}))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--all-contexts"], ["tenant-1", "tenant-2", "tenant-3"]),
        (["--context", "tenant-3", "--context", "tenant-1", "--context", "tenant-3"], ["tenant-3", "tenant-1"]),
    ],
)
def test_contexts_are_accounts_which_the_environment_does_not_override(
    home: Path, options: list[str], names: list[str]
) -> None:
    reports = invoke_json("doctor", *options, "-o", "json")
    assert [report["accountId"] for report in reports] == names


def test_the_current_context_is_the_usual_account(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NORTHFLANK_API_TOKEN")
    monkeypatch.delenv("NORTHFLANK_API_BASE_URL")
    file = home / ".northflank" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "current": "tenant-2"}))
    assert [report["account"] for report in invoke_json("doctor", "-o", "json")] == ["tenant-2"]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"name": "new"}, "the context 'new' in ~/.northflank/config.json has no token; log in again"),
        ({"name": "new", "token": "a b"}, "new: the token contains a space"),
        ({"name": "new", "token": "token", "host": "http://example.com"}, "new: the token is not sent over plain http"),
        ({"name": "other", "token": "token"}, "no context 'new' in ~/.northflank/config.json; available: other."),
    ],
)
def test_a_context_that_cannot_be_used_is_named(home: Path, context: dict[str, str], message: str) -> None:
    (home / ".northflank" / "config.json").write_text(json.dumps({"contexts": [context]}))
    result = invoke("doctor", "--context", "new")
    assert (result.exit_code, result.stdout) == (3, "")
    assert message in result.stderr


def test_all_contexts_of_nothing_is_an_error() -> None:
    result = invoke("doctor", "--all-contexts")
    assert result.exit_code == 3
    assert "~/.northflank/config.json has no contexts: log in with 'northflank login'" in result.stderr


@pytest.mark.parametrize("options", [["--all-contexts", "--context", "a"], ["--accounts", "f", "--all-contexts"]])
def test_the_options_for_accounts_exclude_each_other(options: list[str]) -> None:
    result = invoke("doctor", *options)
    assert result.exit_code == 2
    assert "--accounts, --context and --all-contexts cannot be combined." in result.stderr
