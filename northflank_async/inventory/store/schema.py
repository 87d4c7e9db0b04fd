"""The tables of the store, and the views that are read with SQL.

A row belongs to a listing, and is rewritten only when something about it has changed. When it was last seen follows
from its listing: see `last_seen_at`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Double,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    UniqueConstraint,
    case,
    event,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import DDLElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.store.ownership import Schema


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


class Json(TypeDecorator[str]):
    """JSON that was encoded before: a database's own encoder does not handle all of it."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        return None


metadata = MetaData()

LISTING_KEY = ("account_id", "team_id", "project_id", "addon_id", "kind")

listings = Table(
    "listings",
    metadata,
    Column("listing_id", Integer, primary_key=True),
    *(Column(key, Text, nullable=False) for key in LISTING_KEY),
    Column("read_at", Time),
    Column("run_id", Integer),
    Column("is_open", Boolean, nullable=False),
    Column("opened_by", Integer),
    Column("reading_started_at", Time),
    Column("cursor", Text),
    Column("page", Integer),
    Column("pages_read", Integer, nullable=False),
    Column("items_read", Integer, nullable=False),
    Column("restarts", Integer, nullable=False),
    Column("is_flawed", Boolean, nullable=False),
    Column("digest", Text, nullable=False),
    Column("previous_digest", Text),
    UniqueConstraint(*LISTING_KEY),
)
"""The listings. A team, a project or an addon that a listing does not have is empty.

- `read_at`, `run_id`: when the last reading that reached the last page began, and its sync run.
- `opened_by`: the sync run that reads it, if `is_open`.
- The checkpoint of a reading, if `is_open`: where its next page begins, and what is known of the pages before it.
  `is_flawed` says that an item had no usable id, `digest` is that of the ids in their order, and `previous_digest`
  that of the reading before, if this is the second one.
"""


def _rows(name: str, *columns: Column[Any]) -> Table:
    """A table of items: bookkeeping, columns for queries, and the JSON as the API sent it.

    - `written_at`, `run_id`: when, and in which run, the row was last written.
    - `last_seen_at`: only of a row that the last reading of its listing did not have. Then `run_id` last saw it.
    """
    return Table(
        name,
        metadata,
        Column("listing_id", Integer, primary_key=True, autoincrement=False),
        Column("id", Text, primary_key=True),
        Column("first_seen_at", Time, nullable=False),
        Column("written_at", Time, nullable=False),
        Column("last_seen_at", Time),
        Column("deleted_at", Time),
        Column("run_id", Integer, nullable=False),
        *columns,
        Column("data", Json, nullable=False),
    )


project_rows = _rows("project_rows", Column("name", Text))
addon_rows = _rows("addon_rows", Column("name", Text), Column("type", Text), Column("status", Text))
backup_rows = _rows(
    "backup_rows",
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
restore_rows = _rows(
    "restore_rows",
    Column("backup_id", Text),
    Column("status", Text),
    Column("restore_timestamp", Time),
    Column("completed_at", Time),
)
schedule_rows = _rows(
    "schedule_rows",
    Column("backup_type", Text),
    Column("interval", Text),
    Column("retention_time", BigInteger),
    Column("created_at", Time),
    Column("updated_at", Time),
)

ROWS: dict[Kind, Table] = {
    Kind.PROJECTS: project_rows,
    Kind.ADDONS: addon_rows,
    Kind.BACKUPS: backup_rows,
    Kind.RESTORES: restore_rows,
    Kind.SCHEDULES: schedule_rows,
}
BOOKKEEPING = ("listing_id", "id", "first_seen_at", "written_at", "last_seen_at", "deleted_at", "run_id", "data")


def _ids(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("listing_id", Integer, primary_key=True, autoincrement=False),
        Column("id", Text, primary_key=True),
        sqlite_with_rowid=False,
    )


seen_ids = _ids("seen_ids")
"""The items of readings of several pages that have not ended."""
excluded_ids = _ids("excluded_ids")
"""Backups that are listed, but that the query of the last run with restores excluded."""

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("entity_type", Text),
    Column("visibility", Text),
    Column("first_seen_at", Time, nullable=False),
    Column("last_seen_at", Time, nullable=False),
)
"""The accounts, by what the API calls them. Only those that it has named have a `visibility`; the id of any other one
is the name of its client, or empty if that has none: then there is no other account."""

account_names = Table(
    "account_names",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
)
"""The names of clients, and the accounts to which their tokens belong: the API may not say it every time."""

COUNTS = ("projects", "addons", "addons_done", "backups", "pages")
"""The columns of a sync run's progress."""

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("visibility", Text),
    Column("token", Text, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("superseded_by", Integer),
    *(Column(count, BigInteger, nullable=False, server_default="0") for count in COUNTS),
)
"""Every sync run. One that has no `finished_at` is resumed by the next one of its account that has its fingerprint,
unless another run took its place or one of its open listings (`superseded_by`). `visibility` is what its token could
see, or NULL if its account was not known, or something else, for a time; `token` is a hash that tells its token apart
from others."""

failures = Table(
    "failures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, nullable=False),
    *(Column(key, Text, nullable=False) for key in LISTING_KEY),
    Column("item_id", Text),
    Column("error", Text, nullable=False),
)
"""What the last sync runs of an account could not read: a listing, or its item `item_id`."""

copies = Table(
    "copies",
    metadata,
    *(Column(key, Text, nullable=False) for key in LISTING_KEY[:-1]),
    Column("backup_id", Text, nullable=False),
    Column("destination", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("created_at", Time, nullable=False),
    Column("fetched_at", Time, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
)
"""The dumps that a `destination` outside the platform holds, by the manifest of the last mirror to it. `created_at` is
the backup's."""

drills = Table(
    "drills",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("team_id", Text),
    Column("project_id", Text, nullable=False),
    Column("addon_id", Text, nullable=False),
    Column("addon_type", Text),
    Column("backup_id", Text),
    Column("backup_created_at", Time),
    Column("method", Text),
    Column("scratch_project_id", Text, nullable=False),
    Column("scratch_addon_id", Text),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("seconds", Double),
    Column("restore_seconds", Double),
    Column("backup_age", Double),
    Column("checks", Json, nullable=False),
    Column("notes", Json, nullable=False),
    Column("is_kept", Boolean, nullable=False),
    Column("left_behind", Text),
)
"""Restores that were tried. A drill that is `running` has not ended, or its process was killed. They are evidence that
no sync can read again, so that they outlast their addons."""


def last_seen_at(rows: Table) -> ColumnElement[datetime]:
    """The time when an item was last seen, for rows joined with `listings`.

    Unless the row says it itself, the last reading of the listing had the item, or it was written after that.
    """
    c = rows.c
    return case(
        (c.last_seen_at.is_not(None), c.last_seen_at),
        (listings.c.read_at > c.written_at, listings.c.read_at),
        else_=c.written_at,
    ).label("last_seen_at")


def _view(kind: Kind, *parents: str) -> Select[Any]:
    rows = ROWS[kind]
    columns = [column for column in rows.columns if column.name not in BOOKKEEPING]
    times = (rows.c.first_seen_at, last_seen_at(rows), rows.c.deleted_at)
    return select(*(listings.c[key] for key in parents), rows.c.id, *columns, *times, rows.c.data).select_from(
        rows.join(listings, rows.c.listing_id == listings.c.listing_id)
    )


VIEWS: dict[str, Select[Any]] = {
    "projects": _view(Kind.PROJECTS, "account_id", "team_id"),
    "addons": _view(Kind.ADDONS, "account_id", "team_id", "project_id"),
    "backups": _view(Kind.BACKUPS, "account_id", "team_id", "project_id", "addon_id"),
    "restores": _view(Kind.RESTORES, "account_id", "team_id", "project_id", "addon_id"),
    "schedules": _view(Kind.SCHEDULES, "account_id", "team_id", "project_id", "addon_id"),
}


class _CreateView(DDLElement):
    def __init__(self, name: str, query: Select[Any]) -> None:
        self.table = Table(name, MetaData())
        self.query = query


@compiles(_CreateView)
def _compile(element: _CreateView, compiler: Any, **options: Any) -> str:
    query = compiler.sql_compiler.process(element.query, literal_binds=True)
    return f"CREATE VIEW {compiler.preparer.format_table(element.table)} AS {query}"


@event.listens_for(metadata, "after_create")
def _create_views(_: MetaData, connection: Connection, **options: Any) -> None:
    for name, query in VIEWS.items():
        connection.execute(_CreateView(name, query))


INVENTORY = Schema(metadata, version=1)
