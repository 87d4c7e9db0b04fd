from datetime import datetime

from attrs import frozen

from northflank_async.records.enums import RunStatus


@frozen(kw_only=True)
class Restore:
    """A restore of a backup: `id` is the restore's own; only the listing of a whole addon sends `backup_id`.

    https://northflank.com/docs/v1/api/project/addons/list-addon-restores
    https://northflank.com/docs/v1/api/project/addons/list-addon-backup-restores
    """

    id: str
    status: RunStatus | str
    restore_timestamp: datetime
    completed_at: datetime | None = None
    backup_id: str | None = None


@frozen(kw_only=True)
class StartedRestore:
    """What the API answers when a restore begins."""

    restore_id: str
