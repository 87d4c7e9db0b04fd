from datetime import datetime

from attrs import frozen

from northflank_async.records.backup import BackupDestination
from northflank_async.records.enums import BackupType, CompressionType, ScheduleInterval


@frozen(kw_only=True)
class Scheduling:
    """The times of a backup schedule: minutes (0–59), hours (0–23) and days of the week (0–6, 0 is Monday).

    An hourly schedule has minutes only; a daily one has minutes and hours.
    """

    interval: ScheduleInterval | str
    minute: tuple[int, ...] | None = None
    hour: tuple[int, ...] | None = None
    day: tuple[int, ...] | None = None


@frozen(kw_only=True)
class BackupSchedule:
    """A backup schedule of an addon or a volume. `retention_time` is the retention in days.

    https://northflank.com/docs/v1/api/project/addons/get-addon-backup-schedules
    https://northflank.com/docs/v1/api/project/volumes/get-volume-backup-schedules
    """

    id: str
    backup_type: BackupType | str | None = None
    scheduling: Scheduling | None = None
    retention_time: int | None = None
    backup_compression_type: CompressionType | str | None = None
    custom_destination_id: str | None = None
    additional_destinations: tuple[BackupDestination, ...] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen(kw_only=True)
class CreatedSchedule:
    """The response to a create-schedule request."""

    id: str
