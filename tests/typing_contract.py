"""What an editor shows: checked by mypy, never run."""

from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

from northflank_async import (
    Addon,
    Backup,
    BackupSchedule,
    CustomDestination,
    DestinationBackup,
    LogLine,
    Northflank,
    Page,
    Project,
    Restore,
    Volume,
    VolumeBackup,
)
from northflank_async.inventory import Found, Inventory, Outcome, Plan
from northflank_async.records import RunStatus


async def contract(nf: Northflank) -> None:
    addon = nf.project("p").addon("a")
    async for backup in addon.backups():
        assert_type(backup, Backup)
        assert_type(backup.status, RunStatus | str)
        assert_type(backup.created_at, datetime)
    async for page in addon.backups().pages():
        assert_type(page, Page[Backup])
    assert_type(await addon.backups(), Page[Backup])
    assert_type((await addon.backups()).items, tuple[Backup, ...])
    assert_type(await addon.backups().all(), list[Backup])
    assert_type(await addon.backup("b").get(), Backup)
    assert_type(await addon.restores().all(), list[Restore])
    assert_type(await addon.backup("b").restores().all(), list[Restore])
    assert_type(await addon.get(), Addon)
    assert_type(await nf.project("p").addons().all(), list[Addon])
    assert_type(await nf.team("t").project("p").get(), Project)
    assert_type(await addon.create_backup(), Backup)
    assert_type(await addon.import_backup(url="https://example.com/x.gz"), Backup | None)
    assert_type(await addon.backup("b").wait(timeout=60), Backup)
    assert_type(await addon.backup("b").wait_restore(await addon.backup("b").restore()), Restore)
    assert_type(await addon.backup("b").download("b.gz", progress=print), Path)
    assert_type(await addon.backup("b").logs(), list[LogLine])
    assert_type(await addon.backup_schedules().all(), list[BackupSchedule])
    assert_type(await nf.project("p").volumes().all(), list[Volume])
    assert_type(await nf.project("p").volume("v").backup("b").get(), VolumeBackup)
    assert_type(await nf.backup_destinations().all(), list[CustomDestination])
    assert_type(await nf.backup_destination("d").backups().all(), list[DestinationBackup])
    async with nf.scan(concurrency=4) as scan:
        async for found in scan:
            assert_type(found, Found)
            assert_type(found.backup, Backup)
    assert_type(await nf.team("t").plan(["p"]), Plan)
    async with Inventory("x.db") as inventory:
        assert_type(await inventory.sync(nf, nf.team("t")), Outcome)
        async for stored in inventory.backups():
            assert_type(stored.created_at, datetime | None)
    assert_type(await nf.paginate("/v1/x", items=None).all(), list[dict[str, Any]])
