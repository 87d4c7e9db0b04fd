"""Commands that read several accounts at once."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from northflank_async.simulator import Identity, Simulator, Tenant
from northflank_async.simulator.thread import running_in_thread
from tests.support.accounts import write_accounts
from tests.support.command import invoke

SUMMARY = "backups of 12 addons in 6 projects of 3 accounts written to"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with running_in_thread(Simulator(tenants=Tenant.many(3, projects=2, addons=2, backups=30))) as simulator:
        yield simulator


@pytest.fixture
def file(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_accounts(tmp_path, sim)


@pytest.fixture
def contexts(sim: Simulator, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenants as contexts, while the environment has another login."""
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "another-token")
    (file.parent / ".northflank").mkdir()
    found = [{"name": tenant.name, "host": sim.url, "token": tenant.token} for tenant in sim.tenants]
    (file.parent / ".northflank" / "config.json").write_text(json.dumps({"contexts": found}))


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def accounts_of(path: str) -> set[str]:
    return {line["account"] for line in lines(path)}


def test_an_export_has_the_backups_of_each_account(file: Path) -> None:
    result = invoke("export", "all.jsonl", "--accounts", file)
    assert result.exit_code == 0, result.output
    assert SUMMARY in result.stdout
    assert accounts_of("all.jsonl") == {"tenant-1", "tenant-2", "tenant-3"}


def test_equal_ids_of_different_accounts_are_side_by_side_in_a_database(file: Path) -> None:
    assert invoke("export", "all.db", "--accounts", file).exit_code == 0
    assert invoke("export", "all.db", "--accounts", file).exit_code == 0
    with closing(sqlite3.connect("all.db")) as database:
        rows = database.execute(
            "SELECT account_id, count(*) FROM projects WHERE deleted_at IS NULL GROUP BY account_id"
        ).fetchall()
    assert rows == [("tenant-1", 2), ("tenant-2", 2), ("tenant-3", 2)]


def test_a_stream_has_the_backups_of_each_account(file: Path) -> None:
    result = invoke("export", "-", "--accounts", file)
    assert result.exit_code == 0, result.output
    assert {json.loads(line)["account"] for line in result.stdout.splitlines()} == {"tenant-1", "tenant-2", "tenant-3"}


@pytest.mark.usefixtures("contexts")
def test_contexts_are_accounts() -> None:
    result = invoke("export", "all.jsonl", "--all-contexts")
    assert result.exit_code == 0, result.output
    assert SUMMARY in result.stdout
    assert invoke("export", "two.jsonl", "--context", "tenant-1", "--context", "tenant-3").exit_code == 0
    assert accounts_of("two.jsonl") == {"tenant-1", "tenant-3"}


@pytest.mark.usefixtures("contexts")
def test_the_environment_overrides_a_single_context(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", sim.tenants[1].token)
    result = invoke("export", "one.jsonl", "--context", "tenant-1")
    assert result.exit_code == 0
    assert "NORTHFLANK_API_TOKEN overrides the token of context 'tenant-1'" in result.stderr
    assert accounts_of("one.jsonl") == {"tenant-2"}


def test_a_plan_adds_the_accounts_up(file: Path) -> None:
    result = invoke("plan", "--accounts", file)
    assert result.exit_code == 0, result.output
    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert (shown["accounts"], shown["projects"], shown["addons"]) == ("3", "6", "12")
    assert shown["requests"].startswith("at least 24")


def test_projects_and_teams_of_the_file_are_the_only_ones(sim: Simulator, file: Path) -> None:
    project = json.loads(invoke("export", "-", "--accounts", file).stdout.splitlines()[0])["project"]
    text = file.read_text().replace(
        'name = "tenant-2"', f'name = "tenant-2"\nprojects = ["{project}"]\nteams = ["red"]'
    )
    file.write_text(text)
    assert invoke("export", "all.jsonl", "--accounts", file).exit_code == 0
    found = [line for line in lines("all.jsonl") if line["account"] == "tenant-2"]
    assert {(line["team"], line["project"]) for line in found} == {("red", project)}


def test_a_project_of_the_file_that_does_not_exist_is_a_failure_of_its_account(sim: Simulator, file: Path) -> None:
    file.write_text(file.read_text().replace('name = "tenant-2"', 'name = "tenant-2"\nprojects = ["nope"]'))
    result = invoke("export", "all.jsonl", "--accounts", file)
    assert result.exit_code == 9
    assert "tenant-2: could not read all of the account tenant-2: 404 There is no project nope." in result.stderr
    assert accounts_of("all.jsonl") == {"tenant-1", "tenant-3"}
    assert " of 2 accounts written to all.jsonl" in result.stdout


def test_failures_of_several_accounts_begin_with_their_name_in_the_file(sim: Simulator, file: Path) -> None:
    invoke("export", "all.jsonl", "--accounts", file)
    project = lines("all.jsonl")[0]["project"]
    name, partly = '"second"', f'projects = ["{project}", "nope"]'
    file.write_text(file.read_text().replace('"tenant-2"', f"{name}\n{partly}"))
    for command in (["export", "x.csv"], ["export", "-"], ["plan"], ["audit"]):
        result = invoke(*command, "--accounts", file)
        assert "northflank-async: second: could not read all of nope: 404 " in result.stderr


def test_the_errors_of_all_accounts_are_shown_if_none_can_be_read(sim: Simulator, file: Path) -> None:
    for tenant in sim.tenants:
        tenant.is_revoked = True
    result = invoke("export", "all.jsonl", "--accounts", file)
    assert result.exit_code == 4
    for tenant in sim.tenants:
        assert f"northflank-async: {tenant.name}: 401 " in result.stderr


def test_a_token_of_an_unknown_account_is_named(sim: Simulator, file: Path) -> None:
    sim.tenants[1].identity = Identity(is_hidden=True)
    result = invoke("export", "all.jsonl", "--accounts", file)
    assert result.exit_code == 0
    assert "northflank-async: tenant-2: the account of the token is not known" in result.stderr


def test_a_revoked_token_ends_its_account_only(sim: Simulator, file: Path) -> None:
    sim.tenants[1].is_revoked = True
    result = invoke("export", "all.jsonl", "--accounts", file)
    assert result.exit_code == 9
    assert "tenant-2" in result.stderr
    assert "401" in result.stderr
    assert accounts_of("all.jsonl") == {"tenant-1", "tenant-3"}
    sim.tenants[1].is_revoked = False
    assert invoke("export", "all.jsonl", "--accounts", file).exit_code == 0
    assert accounts_of("all.jsonl") == {"tenant-1", "tenant-2", "tenant-3"}


@pytest.mark.parametrize("option", ["--project", "--team"])
def test_projects_and_teams_of_several_accounts_belong_into_the_file(sim: Simulator, file: Path, option: str) -> None:
    result = invoke("export", "all.jsonl", "--accounts", file, option, "billing")
    assert result.exit_code == 2
    assert "--project and --team are for one account: name them in the accounts file." in result.stderr
    assert sim.requests == []


@pytest.mark.parametrize("command", [["export", "all.jsonl"], ["plan"]])
def test_a_mistake_in_the_file_is_one_line_before_any_request(sim: Simulator, file: Path, command: list[str]) -> None:
    file.write_text(file.read_text().replace("tenant-3.token", "nowhere"))
    result = invoke(*command, "--accounts", file)
    assert result.exit_code == 3
    assert result.stderr == (
        f"northflank-async: {file}: accounts[2].token_file: cannot read the file: No such file or directory\n"
    )
    assert sim.requests == []


def test_a_deadline_is_one_for_all_accounts(sim: Simulator, file: Path) -> None:
    for tenant in sim.tenants:
        tenant.spend_window()
    result = invoke("export", "all.jsonl", "--accounts", file, "--deadline", "0.5")
    assert result.exit_code == 13
    assert "not all accounts were read within 0.5 s" in result.stderr
    assert not Path("all.jsonl").exists()
