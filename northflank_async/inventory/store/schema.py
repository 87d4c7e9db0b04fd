"""The tables of the store, and the rows of records."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.encoding import storable
from northflank_async.records import Addon, Backup, BackupConfig, Project, Restore

Row: TypeAlias = dict[str, Any]

_LARGEST_INTEGER = 2**63 - 1
_NO_CONFIG = BackupConfig()


class Time(TypeDecorator[datetime]):
    """A time in UTC. SQLite has no such type: it stores sortable text that its functions understand."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        return _sortable if dialect.name == "sqlite" else None  # faster than process_bind_param for each value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


def _sortable(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(" ", "microseconds" if time.microsecond % 1000 else "milliseconds")


metadata = MetaData()


def _table(name: str, keys: tuple[str, ...], *columns: Column[Any]) -> Table:
    """A table of records: the key, columns for queries, the JSON as the API sent it, and when it was seen."""
    return Table(
        name,
        metadata,
        *(Column(key, Text, primary_key=True) for key in keys),
        *columns,
        Column("data", JSON, nullable=False),
        Column("first_seen_at", Time, nullable=False),
        Column("last_seen_at", Time, nullable=False),
        Column("deleted_at", Time),
        Column("run_id", Integer, nullable=False),
        sqlite_with_rowid=False,
    )


projects = _table("projects", ("team_id", "id"), Column("name", Text))
addons = _table(
    "addons",
    ("team_id", "project_id", "id"),
    Column("name", Text),
    Column("type", Text),
    Column("status", Text),
)
backups = _table(
    "backups",
    ("team_id", "project_id", "addon_id", "id"),
    Column("name", Text),
    Column("uid", Text),
    Column("status", Text),
    Column("created_at", Time),
    Column("completed_at", Time),
    Column("source_type", Text),
    Column("size", BigInteger),
    Column("compression_type", Text),
    Column("addon_version", Text),
    Column("custom_destination_id", Text),
)
restores = _table(
    "restores",
    ("team_id", "project_id", "addon_id", "id"),
    Column("backup_id", Text),
    Column("status", Text),
    Column("restore_timestamp", Time),
    Column("completed_at", Time),
)

COUNTS = ("projects", "addons", "addons_done", "backups", "pages")
"""The columns of a sync run's progress."""
LISTING_KEY = ("team_id", "project_id", "addon_id", "kind")

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("base_url", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    *(Column(count, BigInteger, nullable=False, server_default="0") for count in COUNTS),
)
"""Every sync run; the next one resumes the last one if that has no `finished_at` and the same fingerprint."""

checkpoints = Table(
    "checkpoints",
    metadata,
    *(Column(key, Text, primary_key=True) for key in LISTING_KEY),
    Column("cursor", Text),
    Column("page", Integer),
)
"""The listings that the unfinished sync run has yet to read, and where their next pages begin."""

failures = Table(
    "failures",
    metadata,
    Column("id", Integer, primary_key=True),
    *(Column(key, Text, nullable=False) for key in LISTING_KEY),
    Column("item_id", Text),
    Column("error", Text, nullable=False),
)
"""What the last sync run could not read: a listing, or the item of it named by `item_id`."""

TABLES: dict[Kind, Table] = {
    Kind.PROJECTS: projects,
    Kind.ADDONS: addons,
    Kind.BACKUPS: backups,
    Kind.RESTORES: restores,
}


def record_row(kind: Kind, record: Any, raw: Any) -> Row:
    """Return a record's own columns; those of an unreadable one are empty except for `id` and `data`."""
    row: Row = {**_EMPTY[kind], "id": storable(raw["id"]), "data": raw}
    match record:
        case Backup():
            _add_backup(row, record)
        case Restore():
            row["backup_id"] = _storable(record.backup_id)
            row["status"] = storable(record.status)
            row["restore_timestamp"] = record.restore_timestamp
            row["completed_at"] = record.completed_at
        case Addon():
            row["name"] = _storable(record.name)
            row["type"] = _storable(record.spec.type) if record.spec else None
            row["status"] = _storable(record.status)
        case Project():
            row["name"] = _storable(record.name)
    return row


def _add_backup(row: Row, backup: Backup) -> None:
    config = backup.config or _NO_CONFIG
    row["name"] = _storable(backup.name)
    row["uid"] = _storable(backup.uid)
    row["status"] = storable(backup.status)
    row["created_at"] = backup.created_at
    row["completed_at"] = backup.completed_at
    row["source_type"] = _storable(config.source.type) if config.source else None
    row["size"] = config.size if -_LARGEST_INTEGER <= (config.size or 0) <= _LARGEST_INTEGER else None
    row["compression_type"] = _storable(config.compression_type)
    row["addon_version"] = _storable(config.addon_version)
    row["custom_destination_id"] = _storable(backup.custom_destination_id)


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


_BOOKKEEPING = ("data", "first_seen_at", "last_seen_at", "deleted_at", "run_id")
_EMPTY: dict[Kind, Row] = {
    kind: {column.name: None for column in table.columns if not column.primary_key and column.name not in _BOOKKEEPING}
    for kind, table in TABLES.items()
}
