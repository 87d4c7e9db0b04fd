import json
from datetime import datetime
from typing import Any

from attrs import field, frozen

from northflank_async.errors import DecodeError
from northflank_async.records import Backup, BackupDestination, structure


@frozen(kw_only=True)
class StoredRestore:
    """A stored restore; `data` is its JSON as the API sent it."""

    id: str
    status: str | None
    restore_timestamp: datetime | None
    completed_at: datetime | None
    data: dict[str, Any] = field(repr=False)


@frozen(kw_only=True)
class StoredBackup:
    """A stored backup: its place, its columns, and when it was seen.

    Times are aware and in UTC, `size` is in bytes. A value that the API did not send is `None`; of a malformed
    backup, only the id is set. `data` is its JSON as the API sent it. `restores`, newest first, are read on request.
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
    first_seen_at: datetime
    last_seen_at: datetime
    deleted_at: datetime | None
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
            DecodeError: it is malformed.
        """
        return structure(self.data, Backup, "data")

    @property
    def additional_destinations(self) -> tuple[BackupDestination, ...]:
        """The further destinations it is stored at."""
        try:
            config = self.backup.config
        except DecodeError:
            return ()
        return (config and config.additional_destinations) or ()
