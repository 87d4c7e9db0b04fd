import json
from datetime import datetime
from typing import Any

from attrs import field, frozen

from northflank_async.errors import DecodeError
from northflank_async.records import Backup, BackupDestination, structure


@frozen(kw_only=True)
class StoredRestore:
    """A restore in a store; `data` is all of it, as the API sent it."""

    id: str
    status: str | None
    restore_timestamp: datetime | None
    completed_at: datetime | None
    data: dict[str, Any] = field(repr=False)


@frozen(kw_only=True)
class StoredBackup:
    """A backup in a store: where it was found, what is in its row, and when it was there.

    Times are aware and in UTC, `size` is in bytes. What the API did not send is `None`, and so is everything but the
    id of a backup that is not as documented; `data` is all of it, as the API sent it. `restores` are the backup's,
    the newest first, where they were asked for.
    """

    team_id: str | None
    project_id: str
    addon_id: str
    addon_type: str | None
    id: str
    name: str | None
    uid: str | None
    status: str | None
    created_at: datetime | None
    completed_at: datetime | None
    source_type: str | None
    size: int | None
    compression_type: str | None
    addon_version: str | None
    custom_destination_id: str | None
    first_seen: datetime
    last_seen: datetime
    gone_since: datetime | None
    json: str = field(repr=False)
    restores: tuple[StoredRestore, ...] = field(default=(), repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """The backup as the API sent it."""
        data: dict[str, Any] = json.loads(self.json)
        return data

    @property
    def backup(self) -> Backup:
        """The backup as a record.

        Raises:
            DecodeError: it is not as documented.
        """
        return structure(self.data, Backup, "data")

    @property
    def additional_destinations(self) -> tuple[BackupDestination, ...]:
        """Where else it is stored."""
        try:
            config = self.backup.config
        except DecodeError:
            return ()
        return (config and config.additional_destinations) or ()
