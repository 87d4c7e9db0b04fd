from datetime import datetime
from typing import Any, TypeAlias

from attrs import field, frozen

from northflank_async.errors import DecodeError
from northflank_async.inventory.encoding import load
from northflank_async.records import Backup, BackupDestination, structure

_DESTINATIONS = "additionalDestinations"


@frozen(kw_only=True)
class StoredRestore:
    """A stored restore; `data` is its JSON as the API sent it."""

    id: str
    backup_id: str | None
    status: str | None
    restore_timestamp: datetime | None
    completed_at: datetime | None
    data: dict[str, Any] = field(repr=False)


@frozen(kw_only=True)
class StoredBackup:
    """A stored backup: its place, its columns, and when it was seen.

    Times are aware and in UTC, `size` is in bytes. A value that the API did not send, or that cannot be read, is
    `None`. `account_id` is `None` if no token's account was known. `data` is its JSON as the API sent it. `restores`,
    newest first, are read on request.
    """

    account_id: str | None
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
        data: dict[str, Any] = load(self.json)
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
        """The further destinations it is stored at, as far as they can be read."""
        if _DESTINATIONS not in self.json:  # most have none, and need not be decoded
            return ()
        config = self.data.get("config")
        items = config.get(_DESTINATIONS) if isinstance(config, dict) else None
        found = (_read_destination(item) for item in items) if isinstance(items, list) else ()
        return tuple(destination for destination in found if destination)


def _read_destination(item: Any) -> BackupDestination | None:
    try:
        return structure(item, BackupDestination)
    except DecodeError:
        destination_id = item.get("destinationId") if isinstance(item, dict) else None
        return BackupDestination(destination_id=destination_id) if isinstance(destination_id, str) else None


@frozen(kw_only=True)
class UnlistedRestores:
    """The restores of an addon whose backups are not listed, or not any longer; newest first."""

    account_id: str | None
    team_id: str | None
    project_id: str
    addon_id: str
    addon_type: str | None
    restores: tuple[StoredRestore, ...]


@frozen(kw_only=True)
class StoredAddon:
    """A stored addon, and how many backups and restores of it are stored that are not deleted."""

    account_id: str | None
    team_id: str | None
    project_id: str
    addon_id: str
    addon_type: str | None
    backups: int
    restores: int


StoredRow: TypeAlias = StoredBackup | UnlistedRestores
"""What is read from the store, and written to files."""
