"""The types that an editor shows: checked by mypy, never run.

A line with `type: ignore` must be rejected: mypy reports an unused one as an error.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

from northflank_async import (
    Addon,
    AddonCredentials,
    AddonSource,
    AddonType,
    Auth,
    Backup,
    BackupConfig,
    BackupSchedule,
    CustomDestination,
    DestinationBackup,
    DestinationCredentials,
    DestinationUsage,
    LogFilters,
    LogLine,
    Northflank,
    Page,
    Project,
    Restore,
    Volume,
    VolumeBackup,
)
from northflank_async.inventory import Found, Inventory, Outcome, Plan, Query
from northflank_async.records import BackupType, CompressionType, RunStatus, ScheduleInterval


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
    assert_type(await addon.wait(), Addon)
    assert_type(await addon.credentials(), AddonCredentials)
    created = await nf.project("p").create_addon(
        name="copy", addon_type="postgresql", version="16", deployment_plan="nf-compute-20", storage=4096,
        source=AddonSource(addon_id="a", backup_id="b"),
    )  # fmt: skip
    assert_type(created, Addon)
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
    assert_type(await nf.project("p").volume("v").backup_schedules().all(), list[BackupSchedule])
    assert_type(
        await nf.project("p").volume("v").create_backup_schedule(interval="hourly", minute=[0], retention_time=7), str
    )
    assert_type(await nf.auth(), Auth)
    assert_type(await nf.addon_types(), list[AddonType])
    async with nf.scan(concurrency=4) as scan:
        async for found in scan:
            assert_type(found, Found)
            assert_type(found.backup, Backup)
    assert_type(await nf.team("t").plan(["p"]), Plan)
    async with Inventory("x.db") as inventory:
        assert_type(await inventory.sync(Query([nf, nf.team("t")], statuses="failed")), Outcome)
        async for stored in inventory.backups():
            assert_type(stored.created_at, datetime | None)
    assert_type(await nf.paginate("/v1/x", items=None).all(), list[dict[str, Any]])


async def accepted_arguments(nf: Northflank) -> None:
    addon = nf.project("p").addon("a")
    await addon.create_backup(backup_type="dump", compression_type="zstd")
    await addon.create_backup(backup_type=BackupType.DUMP, compression_type=CompressionType.ZSTD)
    await addon.import_backup(connection_string="mongodb://x", compression_type="gz")
    await addon.import_backup(connection_string="mongodb://x", compression_type=CompressionType.GZ)
    await addon.create_backup_schedule(interval="hourly", minute=[0], backup_type="snapshot", retention_time=7)
    await addon.create_backup_schedule(
        interval=ScheduleInterval.DAILY,
        minute=[0],
        hour=[3],
        backup_type=BackupType.DUMP,
        compression_type=CompressionType.GZ,
        retention_time=7,
    )
    keys = DestinationCredentials(bucket_name="b")
    await nf.create_backup_destination(name="abc", prefix="p/", credentials=keys, usage="containerSnapshots")
    await nf.create_backup_destination(
        name="abc", prefix="p/", credentials=keys, usage=DestinationUsage.CONTAINER_SNAPSHOTS
    )
    filters: LogFilters = {"direction": "forward", "line_limit": 100, "start_time": None}
    await addon.backup("b").logs(**filters)
    await addon.backup("b").restore_logs("r", **filters)
    await addon.backup("b").restore_logs("r", text_includes="error", direction="backward")
    size: int | None = BackupConfig(size=1).size
    print(size)


async def rejected_arguments(nf: Northflank, text: str) -> None:
    addon = nf.project("p").addon("a")
    await addon.create_backup(backup_type="full")  # type: ignore[arg-type]
    await addon.create_backup(backup_type=text)  # type: ignore[arg-type]
    await addon.create_backup(backup_type="dump", compression_type="xz")  # type: ignore[arg-type]
    await addon.create_backup(backup_type=CompressionType.GZ)  # type: ignore[arg-type]
    await addon.import_backup(connection_string="mongodb://x", compression_type="xz")  # type: ignore[arg-type]
    await addon.create_backup_schedule(
        interval="monthly",  # type: ignore[arg-type]
        minute=[0],
        backup_type="full",  # type: ignore[arg-type]
        compression_type="xz",  # type: ignore[arg-type]
        retention_time=7,
    )
    await nf.create_backup_destination(name="abc", prefix="p/")  # type: ignore[call-arg]
    await nf.create_backup_destination(
        name="abc",
        prefix="p/",
        credentials=DestinationCredentials(bucket_name="b"),
        usage="backups",  # type: ignore[arg-type]
    )
    await addon.backup("b").logs(direction="up")  # type: ignore[arg-type]
    await addon.backup("b").logs(line_limit="100")  # type: ignore[arg-type]
    await addon.backup("b").logs(lines=100)  # type: ignore[call-arg]
    await addon.backup("b").restore_logs("r", direction="up")  # type: ignore[arg-type]
    await addon.backup("b").restore_logs("r", lines=100)  # type: ignore[call-arg]
    Northflank(on_rate_limit="fail")  # type: ignore[arg-type]

    async def progress(done: int, total: int | None) -> None: ...

    await addon.backup("b").download("b.gz", progress=progress)  # type: ignore[arg-type]

    async def on_start(progress: object) -> None: ...

    await Inventory("x.db").sync(nf, on_start=on_start)  # type: ignore[arg-type]
