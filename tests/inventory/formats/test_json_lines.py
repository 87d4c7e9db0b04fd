"""Exports to JSON Lines."""

import json
from pathlib import Path

from northflank_async import (
    Northflank,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from northflank_async.inventory.store.stored_backup import StoredRow
from tests.support.inventories import read_lines
from tests.support.stored_rows import UNUSUAL_TEXTS, make_backup, make_restore, make_unlisted, write_file


async def test_json_lines_contain_each_backup_as_the_api_sent_it(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    outcome = await export(str(out), nf)
    assert outcome.backups == 3000
    account_id = (await nf.auth()).entity_id
    expected = [
        {
            "account": account_id,
            "project": project.id,
            "addon": addon.id,
            "addonType": addon.spec and addon.spec.type,
            "backup": raw,
        }
        for project in sorted(await nf.projects().all(), key=lambda project: project.id)
        for addon in sorted(await nf.project(project.id).addons().all(), key=lambda addon: addon.id)
        for raw in sorted(
            await nf.project(project.id).addon(addon.id).backups().raw().all(), key=lambda backup: str(backup["id"])
        )
    ]
    assert read_lines(out) == expected
    assert [list(line["backup"]) for line in read_lines(out)] == [list(line["backup"]) for line in expected]


async def test_json_lines_contain_the_team_and_requested_restores(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    await export(str(out), Query([nf.team("acme"), nf], restores=True))
    written = read_lines(out)
    assert len(written) == 6000
    assert {line.get("team") for line in written} == {None, "acme"}
    for line in written:
        assert all(restore["backupId"] == line["backup"]["id"] for restore in line["restores"])
    assert sum(len(line["restores"]) for line in written) > 100


def test_a_line_begins_with_the_account(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    write_file(out, [make_backup(team_id="acme"), make_backup(account_id=None)])
    first, second = read_lines(out)
    assert list(first) == ["account", "team", "project", "addon", "addonType", "backup"]
    assert (first["account"], second["account"]) == ("account-1", None)


def test_restores_of_unlisted_backups_have_a_line_of_their_addon(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    rows: list[StoredRow] = [
        make_backup(restores=(make_restore("r0"),)),
        make_unlisted(make_restore("r1", "b8"), make_restore("r2", None)),
    ]
    assert write_file(out, rows, restores=True) == 1
    assert read_lines(out)[1] == {
        "account": "account-1",
        "team": "acme",
        "project": "p",
        "addon": "a",
        "addonType": "redis",
        "backup": None,
        "restores": [{"id": "r1", "backupId": "b8"}, {"id": "r2", "backupId": None}],
    }


def test_json_lines_keep_unusual_text_and_every_digit(tmp_path: Path) -> None:
    out, number = tmp_path / "out.jsonl", int("7" * 70)
    texts = [{"id": text, "name": text, "number": number} for text in UNUSUAL_TEXTS]
    write_file(out, [make_backup(json_text=json.dumps(text, ensure_ascii=False)) for text in texts])
    lines = out.read_bytes().split(b"\n")
    assert [json.loads(line)["backup"] for line in lines[:-1]] == texts
