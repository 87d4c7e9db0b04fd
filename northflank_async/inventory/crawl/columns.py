"""The columns of what the API lists: each is read by itself, so that one odd field costs no other."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias

from northflank_async.errors import ConfigurationError, DecodeError
from northflank_async.http.request import segment
from northflank_async.inventory.crawl.listings import Kind
from northflank_async.inventory.encoding import LONGEST_ID, is_too_long, storable
from northflank_async.records import (
    Addon,
    Backup,
    BackupConfig,
    BackupSchedule,
    Project,
    Restore,
    structure,
    structure_all,
)
from northflank_async.records.fields import Path, read_fields

Record: TypeAlias = Project | Addon | Backup | Restore | BackupSchedule

RECORDS: dict[Kind, type[Record]] = {
    Kind.PROJECTS: Project,
    Kind.ADDONS: Addon,
    Kind.BACKUPS: Backup,
    Kind.RESTORES: Restore,
    Kind.SCHEDULES: BackupSchedule,
}
_PATHS: dict[Kind, dict[str, Path]] = {
    Kind.PROJECTS: {"name": ("name",)},
    Kind.ADDONS: {"name": ("name",), "type": ("spec", "type"), "status": ("status",)},
    Kind.BACKUPS: {
        "name": ("name",),
        "uid": ("uid",),
        "status": ("status",),
        "created_at": ("createdAt",),
        "completed_at": ("completedAt",),
        "source_type": ("config", "source", "type"),
        "size": ("config", "size"),
        "compression_type": ("config", "compressionType"),
        "addon_version": ("config", "addonVersion"),
        "custom_destination_id": ("customDestinationId",),
    },
    Kind.RESTORES: {
        "backup_id": ("backupId",),
        "status": ("status",),
        "restore_timestamp": ("restoreTimestamp",),
        "completed_at": ("completedAt",),
    },
    Kind.SCHEDULES: {
        "backup_type": ("backupType",),
        "interval": ("scheduling", "interval"),
        "retention_time": ("retentionTime",),
        "created_at": ("createdAt",),
        "updated_at": ("updatedAt",),
    },
}
"""Where each column comes from."""
_LARGEST_INTEGER = 2**63 - 1
_NO_CONFIG = BackupConfig()


class Row(NamedTuple):
    """What a store keeps of an item, besides its JSON.

    - `id`: as a column holds it; `None` if it is not usable. Then there are no `values`.
    - `values`: the columns by name, `id` among them; `None` for what was not sent or cannot be read.
    - `unread`: the columns that cannot be read: whether a filter matches them is not known.
    - `record`: the item as a record, in which unreadable optional fields are `None`; `None` without a required one.
    - `errors`: one for each field that cannot be read; its `place` names the field.
    """

    id: str | None
    values: dict[str, Any]
    record: Record | None
    errors: tuple[DecodeError, ...] = ()
    unread: frozenset[str] = frozenset()


def read_rows(kind: Kind, items: Sequence[Any], place: str) -> list[Row]:
    """Read the items of a page, which stand at `place`, such as `data.backups`. See `read_row`."""
    try:
        records = structure_all(items, RECORDS[kind], place)
        return [_row(kind, record) for record in records]
    except DecodeError:
        return [read_row(kind, raw, f"{place}[{index}]") for index, raw in enumerate(items)]


def read_row(kind: Kind, raw: Any, place: str) -> Row:
    """Read an item of a listing, and as much of it as can be read.

    Args:
        kind: what the listing lists.
        raw: the item's JSON, as the API sent it.
        place: where the item stands in the answer, such as `data.backups[3]`.
    """
    try:
        return _row(kind, structure(raw, RECORDS[kind], place))
    except DecodeError:
        return _read_partly(kind, raw, place)


def _row(kind: Kind, record: Record) -> Row:
    _check_id(kind, record.id)
    values = _values(kind, record)
    return Row(id=values["id"], values=values, record=record)


def _read_partly(kind: Kind, raw: Any, place: str) -> Row:
    fields = read_fields(raw, RECORDS[kind], place)
    errors = tuple(fields.errors.values())
    try:
        if fields.values["id"] is None:
            return _without_id(kind, errors)
        _check_id(kind, fields.values["id"])
    except DecodeError as error:
        return _without_id(kind, (DecodeError(str(error), place=f"{place}.id"), *errors))
    values = _values(kind, SimpleNamespace(**fields.values))
    unread = [column for column, path in _PATHS[kind].items() if any(path[: len(at)] == at for at in fields.errors)]
    return Row(values["id"], values, fields.record(RECORDS[kind]), errors, frozenset(unread))


def _without_id(kind: Kind, errors: tuple[DecodeError, ...]) -> Row:
    return Row(id=None, values={}, record=None, errors=errors, unread=frozenset(_PATHS[kind]))


def _check_id(kind: Kind, item_id: str) -> None:
    """Check that an id can tell items apart in a database, and be part of the URL of a listing below it."""
    if is_too_long(item_id):
        raise DecodeError(f"expected at most {LONGEST_ID} bytes of text")
    if kind in (Kind.PROJECTS, Kind.ADDONS):
        try:
            segment("an id", item_id)
        except ConfigurationError as error:
            raise DecodeError(str(error)) from None
    elif not item_id:
        raise DecodeError("expected text that is not empty")


def _values(kind: Kind, found: Any) -> dict[str, Any]:
    """The columns of a record, or of as many of its fields as could be read."""
    values: dict[str, Any] = {"id": storable(found.id)}
    match kind:
        case Kind.BACKUPS:
            config = found.config or _NO_CONFIG
            values["name"] = _text(found.name)
            values["uid"] = _text(found.uid)
            values["status"] = _text(found.status)
            values["created_at"] = found.created_at
            values["completed_at"] = found.completed_at
            values["source_type"] = _text(config.source.type) if config.source else None
            values["size"] = config.size if abs(config.size or 0) <= _LARGEST_INTEGER else None
            values["compression_type"] = _text(config.compression_type)
            values["addon_version"] = _text(config.addon_version)
            values["custom_destination_id"] = _text(found.custom_destination_id)
        case Kind.RESTORES:
            values["backup_id"] = _text(found.backup_id)
            values["status"] = _text(found.status)
            values["restore_timestamp"] = found.restore_timestamp
            values["completed_at"] = found.completed_at
        case Kind.SCHEDULES:
            days = found.retention_time
            values["backup_type"] = _text(found.backup_type)
            values["interval"] = _text(found.scheduling.interval) if found.scheduling else None
            values["retention_time"] = days if abs(days or 0) <= _LARGEST_INTEGER else None
            values["created_at"] = found.created_at
            values["updated_at"] = found.updated_at
        case Kind.ADDONS:
            values["name"] = _text(found.name)
            values["type"] = _text(found.spec.type) if found.spec else None
            values["status"] = _text(found.status)
        case Kind.PROJECTS:
            values["name"] = _text(found.name)
    return values


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)
