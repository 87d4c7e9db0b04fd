from datetime import datetime

from attrs import frozen

from northflank_async.records.enums import CompressionType, DestinationType, RunStatus, SourceType
from northflank_async.records.values import ByteSize


@frozen(kw_only=True)
class BackupSource:
    """The source of a backup."""

    type: SourceType | str | None = None


@frozen(kw_only=True)
class BackupDestination:
    """An additional destination of a snapshot. `retention_time` is the retention in days.

    As an argument, `type` may be left out: `custom` is the only one.
    """

    destination_id: str
    type: DestinationType | str | None = None
    retention_time: int | None = None


@frozen(kw_only=True)
class BackupConfig:
    """A backup's source, storage and addon version. `size` is in bytes.

    Only the listing of a backup destination includes `addon_type`.
    """

    source: BackupSource | None = None
    size: ByteSize | None = None
    compression_type: CompressionType | str | None = None
    additional_destinations: tuple[BackupDestination, ...] | None = None
    addon_version: str | None = None
    addon_type: str | None = None


@frozen(kw_only=True)
class LastRestore:
    """The most recent restore of a backup."""

    restore_timestamp: datetime
    status: RunStatus | str
    completed_at: datetime | None = None


@frozen(kw_only=True)
class Backup:
    """A backup of an addon.

    A field that the API did not send is `None`. Listings leave out `last_restore`; `completed_at` is `None` until the
    backup has ended.

    https://northflank.com/docs/v1/api/project/addons/list-addon-backups
    https://northflank.com/docs/v1/api/project/addons/get-addon-backup
    """

    id: str
    status: RunStatus | str
    created_at: datetime
    name: str | None = None
    uid: str | None = None
    completed_at: datetime | None = None
    config: BackupConfig | None = None
    custom_destination_id: str | None = None
    last_restore: LastRestore | None = None
