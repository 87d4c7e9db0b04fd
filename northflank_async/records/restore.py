from datetime import datetime

from attrs import frozen

from northflank_async.records.enums import RunStatus


@frozen(kw_only=True)
class Restore:
    """A restore of a backup. Only the listing of an addon's restores includes `backup_id`.

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
    """The response to a restore request."""

    restore_id: str
