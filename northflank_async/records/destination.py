from datetime import datetime

from attrs import field, frozen

from northflank_async.records.backup import BackupConfig
from northflank_async.records.enums import AuthMode, DestinationUsage, RunStatus, StorageType
from northflank_async.records.schedule import Scheduling
from northflank_async.records.values import MillisecondTime


@frozen(kw_only=True)
class DestinationCredentials:
    """The location of a bucket, and how Northflank authenticates to it.

    As an argument: `bucket_name`, `region` and `endpoint` are required. `auth_mode="staticCreds"` needs the two keys,
    `"workloadIdentity"` needs `workload_identity_id` instead.

    - `endpoint`: a hostname, such as `s3.us-west-2.amazonaws.com`.
    - `enable_object_lock`, `object_lock_retention_days`: protect stored objects against deletion for so many days.
    """

    auth_mode: AuthMode | str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    workload_identity_id: str | None = None
    bucket_name: str | None = None
    region: str | None = None
    endpoint: str | None = None
    enable_object_lock: bool | None = None
    object_lock_retention_days: int | None = None


@frozen(kw_only=True)
class CustomDestination:
    """A backup destination: a bucket of your own. Listings leave out its `id`.

    https://northflank.com/docs/v1/api/team/backup-destinations/list-backup-destinations
    https://northflank.com/docs/v1/api/team/backup-destinations/get-backup-destination
    """

    name: str
    id: str | None = None
    description: str | None = None
    type: StorageType | str | None = None
    usage: DestinationUsage | str | None = None
    prefix: str | None = None
    credentials: DestinationCredentials | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen(kw_only=True)
class Reference:
    """The id and name of a project or an addon."""

    id: str | None = None
    name: str | None = None


@frozen(kw_only=True)
class DestinationBackup:
    """A backup in a backup destination, with its project and addon.

    `expired_by` is the end of its retention period.

    https://northflank.com/docs/v1/api/team/backup-destinations/list-destinations-backups
    """

    id: str
    status: RunStatus | str
    created_at: datetime
    name: str | None = None
    project: Reference | None = None
    addon: Reference | None = None
    config: BackupConfig | None = None
    schedules: tuple[Scheduling, ...] | None = None
    expired_by: MillisecondTime | None = None
    completed_at: datetime | None = None
