"""Copies of dumps outside the platform, as the last mirror to each destination left them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, delete, insert

from northflank_async.inventory.encoding import storable
from northflank_async.inventory.store.schema import copies

_ROWS_AT_ONCE = 500


class StorableCopy(Protocol):
    """A copy as a mirror knows it."""

    @property
    def account_id(self) -> str | None: ...
    @property
    def team_id(self) -> str | None: ...
    @property
    def project_id(self) -> str: ...
    @property
    def addon_id(self) -> str: ...
    @property
    def backup_id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def fetched_at(self) -> datetime: ...


def replace_copies(connection: Connection, destination: str, found: Iterable[StorableCopy]) -> None:
    """Store the copies of a destination instead of those that it had."""
    connection.execute(delete(copies).where(copies.c.destination == destination))
    rows = [_row(destination, copy) for copy in found]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(copies), rows[start : start + _ROWS_AT_ONCE])


def _row(destination: str, copy: StorableCopy) -> dict[str, Any]:
    return {
        "account_id": storable(copy.account_id or ""),
        "team_id": storable(copy.team_id or ""),
        "project_id": storable(copy.project_id),
        "addon_id": storable(copy.addon_id),
        "backup_id": storable(copy.backup_id),
        "destination": destination,
        "path": copy.path,
        "created_at": copy.created_at,
        "fetched_at": copy.fetched_at,
        "size": copy.size,
        "sha256": copy.sha256,
    }
