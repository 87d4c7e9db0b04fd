from datetime import datetime

from attrs import frozen

from northflank_async.records.enums import CompressionType, DestinationType, RunStatus, SourceType


@frozen(kw_only=True)
class BackupSource:
    """What a backup was made from."""

    type: SourceType | str | None = None


@frozen(kw_only=True)
class BackupDestination:
    """One more destination that a snapshot is stored in. `retention_time` is in days.

    As an argument, `type` can be left out: there is one, `custom`.
    """

    destination_id: str
    type: DestinationType | str | None = None
    retention_time: int | None = None


@frozen(kw_only=True)
class BackupConfig:
    """How a backup was made. `size` is in bytes (the API sends it as text).

    Only the listing of a backup destination sends `addon_type`.
    """

    source: BackupSource | None = None
    size: int | None = None
    compression_type: CompressionType | str | None = None
    additional_destinations: tuple[BackupDestination, ...] | None = None
    addon_version: str | None = None
    addon_type: str | None = None


@frozen(kw_only=True)
class LastRestore:
    """The newest restore of a backup."""

    restore_timestamp: datetime
    status: RunStatus | str
    completed_at: datetime | None = None


@frozen(kw_only=True)
class Backup:
    """A backup of an addon.

    The listing and the single GET send different parts of it: a field that was not sent is `None`. `last_restore`
    comes with the single GET only; `completed_at` is `None` as long as the backup has not ended.

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
