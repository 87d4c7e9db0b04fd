"""Exports to JSON Lines."""

from pathlib import Path

from northflank_async import (
    Northflank,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from tests.support.inventories import read_lines


async def test_json_lines_contain_each_backup_as_the_api_sent_it(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    outcome = await export(str(out), nf)
    assert outcome.backups == 3000
    expected = [
        {"project": project.id, "addon": addon.id, "addonType": addon.spec and addon.spec.type, "backup": raw}
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
