"""`convert`."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke
from tests.support.fake_account import FakeAccount, backups
from tests.support.postgresql import PostgreSQL


@pytest.fixture
def inventory(northflank_simulator: Simulator, tmp_path: Path) -> Path:
    """An inventory of two projects."""
    path = tmp_path / "inventory.db"
    result = invoke("export", path, "--restores", "--project", "billing", "--project", "search")
    assert result.exit_code == 0, result.stderr
    northflank_simulator.requests.clear()
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["o.jsonl", "o.csv", "o.parquet", "o.csv.gz"])
def test_an_inventory_is_written_as_an_export_would_and_without_a_request(
    northflank_simulator: Simulator, inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    exported, converted = tmp_path / f"exported-{name}", tmp_path / name
    projects = ("--project", "billing", "--project", "search")
    assert invoke("export", exported, "--restores", *projects).exit_code == 0
    northflank_simulator.requests.clear()
    monkeypatch.delenv("NORTHFLANK_API_TOKEN")
    result = invoke("convert", inventory, converted, "--restores")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f" backups written to {converted}\n")
    if name == "o.csv.gz":
        assert gzip.decompress(converted.read_bytes()) == gzip.decompress(exported.read_bytes())
    elif name == "o.parquet":
        assert pyarrow.parquet.read_table(converted).equals(pyarrow.parquet.read_table(exported))
    else:
        assert converted.read_bytes() == exported.read_bytes()
    assert northflank_simulator.requests == []


def test_standard_output_takes_json_lines(inventory: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "o.jsonl", ("--restores", "--project", "billing")
    assert invoke("convert", inventory, out, *options).exit_code == 0
    result = invoke("convert", inventory, "-", *options)
    assert (result.exit_code, result.stdout) == (0, out.read_text())
    assert result.stderr == "750 backups written to standard output\n"


def test_filters_select_stored_backups(inventory: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    options = ("--project", "billing", "--addon-type", "redis", "--status", "completed", "--since", "2026-10-01")
    result = invoke("convert", inventory, out, *options)
    assert result.exit_code == 0, result.stderr
    written = lines(out)
    assert written
    assert {(line["project"], line["addonType"], line["backup"]["status"]) for line in written} == {
        ("billing", "redis", "completed")
    }
    assert min(line["backup"]["createdAt"] for line in written) >= "2026-10-01"
    assert "restores" not in written[0]


def test_teams_are_selected_and_deleted_backups_omitted(
    serve_account: Callable[[FakeAccount], None], tmp_path: Path
) -> None:
    account = FakeAccount({"red:p/a": backups(3), "blue:p/a": backups(2)})
    account.addons = {"p/a": backups(3)}
    serve_account(account)
    inventory, out = tmp_path / "inventory.db", tmp_path / "o.jsonl"
    assert invoke("export", inventory, "--team", "red", "--team", "blue").exit_code == 0
    account.addons = {"p/a": backups(2)}
    assert invoke("export", inventory, "--team", "red", "--team", "blue").exit_code == 0
    assert invoke("convert", inventory, out, "--team", "blue").exit_code == 0
    assert [(line["team"], line["backup"]["id"]) for line in lines(out)] == [("blue", "b0"), ("blue", "b1")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inventory.db", "o.jsonl", "--project", "biling"], 5, "there is no project 'biling'; there are: billing"),
        (["inventory.db", "o.jsonl", "--team", "acme"], 5, "there is no team 'acme'; there are: none."),
        (["inventory.db", "o.jsonl", "--addon-type", "postgres"], 5, "Did you mean 'postgresql'?"),
        (["inventory.db", "o.jsonl", "--status", "faild"], 2, "Did you mean 'failed'?"),
        (["inventory.db", "good.jsonl", "--since", "2099-01-01"], 3, "is not replaced: use --allow-empty"),
        (["inventory.db", "o.db"], 3, "the file must end with "),
        (["inventory.db", "missing/o.csv"], 8, "cannot write missing/o.csv: there is no such folder"),
        (["missing.db", "o.csv"], 8, "cannot read missing.db: "),
        (["good.jsonl", "o.csv"], 3, "is not an inventory of northflank-async"),
        (["inventory.db", "link.csv"], 3, "link.csv is the database itself"),
        (["inventory.db", "inventory.db"], 3, "the file must end with"),
        (["inventory.db", "folder.csv"], 8, "cannot write folder.csv: it is a directory"),
        (["inventory.db", "-", "--project", "nope"], 5, "there is no project 'nope'"),
        (["inventory.db", "-", "--csv-raw"], 2, "--csv-raw requires a .csv file"),
        (["inventory.db", "o.jsonl", "--csv-raw"], 2, "--csv-raw requires a .csv file"),
        (["inventory.db", "o.csv", "--schema", "x"], 2, "--schema requires a postgresql:// URL"),
    ],
)
def test_a_conversion_that_is_refused_writes_nothing(
    inventory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.jsonl").write_text("{}\n")
    (tmp_path / "link.csv").symlink_to("inventory.db")
    (tmp_path / "folder.csv").mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    result = invoke("convert", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert (tmp_path / "link.csv").is_symlink()


def test_an_empty_result_replaces_a_file_if_that_is_allowed(inventory: Path, tmp_path: Path) -> None:
    out = tmp_path / "good.jsonl"
    out.write_text("{}\n")
    result = invoke("convert", inventory, out, "--since", "2099-01-01", "--allow-empty")
    assert (result.exit_code, result.stdout) == (0, f"0 backups written to {out}\n")
    assert out.read_bytes() == b""


def test_a_schema_of_postgresql_is_converted(
    northflank_simulator: Simulator, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url, out = postgresql.create("test_convert"), tmp_path / "o.csv"
    assert invoke("export", url, "--schema", "other", "--project", "billing").exit_code == 0
    result = invoke("convert", url, out, "--schema", "other")
    assert (result.exit_code, result.stdout) == (0, f"750 backups written to {out}\n")
    result = invoke("convert", url, out)
    assert (result.exit_code, "cannot read postgresql://" in result.stderr) == (8, True)


def test_restores_that_a_csv_file_has_no_row_for_are_named(
    serve_account: Callable[[FakeAccount], None], tmp_path: Path
) -> None:
    restore = {"id": "r1", "status": "completed", "backupId": "gone", "restoreTimestamp": "2026-01-01T00:00:00.000Z"}
    serve_account(FakeAccount({"p/a": backups(1)}, restores={"p/a": [restore]}))
    inventory = tmp_path / "inventory.db"
    message = "northflank-async: restore p/a: r1 is not in the file: its backup is not listed\n"
    assert invoke("export", tmp_path / "o.csv", "--restores").stderr == message
    assert invoke("export", inventory, "--restores").exit_code == 0
    assert invoke("convert", inventory, tmp_path / "o.csv", "--restores").stderr == message
    assert invoke("convert", inventory, tmp_path / "o.csv").stderr == ""
