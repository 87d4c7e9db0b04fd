from datetime import datetime

from attrs import frozen

from northflank_async.records.enums import AccessMode, AttachedType
from northflank_async.records.schedule import Scheduling


@frozen(kw_only=True)
class VolumeSpec:
    """A volume's storage. `storage_size` is in megabytes; a backup has no other field."""

    access_mode: AccessMode | str | None = None
    storage_class_name: str | None = None
    storage_size: int | None = None


@frozen(kw_only=True)
class AttachedObject:
    """A service or a job that a volume is attached to."""

    id: str
    type: AttachedType | str | None = None


@frozen(kw_only=True)
class VolumeBackupSchedule:
    """A backup schedule of a volume, as in the volume's details. `retention_time` is the retention in days."""

    scheduling: Scheduling | None = None
    retention_time: int | None = None


@frozen(kw_only=True)
class Volume:
    """A volume of a project.

    https://northflank.com/docs/v1/api/project/volumes/list-volumes
    https://northflank.com/docs/v1/api/project/volumes/get-volume
    """

    id: str
    name: str | None = None
    uid: str | None = None
    tags: tuple[str, ...] | None = None
    spec: VolumeSpec | None = None
    attached_objects: tuple[AttachedObject, ...] | None = None
    backup_schedules: tuple[VolumeBackupSchedule, ...] | None = None
    status: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen(kw_only=True)
class SourceObject:
    """The volume that was backed up, as it was then."""

    id: str | None = None
    spec: VolumeSpec | None = None


@frozen(kw_only=True)
class VolumeBackupSource:
    """The source of a volume backup."""

    type: str | None = None
    source_object: SourceObject | None = None


@frozen(kw_only=True)
class VolumeBackup:
    """A backup of a volume. The API does not document its statuses.

    https://northflank.com/docs/v1/api/project/volumes/get-volume-backups
    https://northflank.com/docs/v1/api/project/volumes/get-volume-backup-details
    """

    id: str
    name: str | None = None
    uid: str | None = None
    description: str | None = None
    status: str | None = None
    spec: VolumeSpec | None = None
    source: VolumeBackupSource | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
