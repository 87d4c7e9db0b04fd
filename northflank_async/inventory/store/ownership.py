"""Ownership and version of a database: nothing is written to one that is not ours.

A SQLite file is marked in its header. In PostgreSQL, the mark is a table in the schema of our own.

The version is one number, and a migration is a function that runs in the transaction that raises it. Alembic would add
a dependency and files that are found by a path, for a schema with one line of versions that each writer migrates
itself; and it could not tell a file that is not ours before SQLite opens it.
"""

import asyncio
import errno
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

from attrs import field, frozen
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateSchema

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.store.connections import Database, busy, is_in_use
from northflank_async.inventory.store.target import Target

Migration: TypeAlias = Callable[[Connection], None]

APPLICATION = "northflank-async"
APPLICATION_ID = 0x4E46696E
"""The mark of a SQLite file: "NFin"."""

_CREATION_LOCK = 0x6E6F72746866
"""The number of PostgreSQL's advisory lock for what concerns all accounts. Any number will do."""
_HEADER = 100
_MAGIC = b"SQLite format 3\0"
_FORMER_TABLES = {"runs", "listings", "backups"}
"""Of the version that did not mark its files."""

internal = MetaData()
"""The tables that every inventory in PostgreSQL has besides its own."""

schema_version = Table(
    "schema_version",
    internal,
    Column("application", Text, primary_key=True),
    Column("version", Integer, nullable=False),
)

lease = Table(
    "lease",
    internal,
    Column("account_id", Text, primary_key=True),
    Column("holder", Text),
    Column("host", Text),
    Column("machine", Text),
    Column("pid", Integer),
    Column("process_started", Text),
    Column("expires_at", DateTime(timezone=True)),
    Column("transactions", BigInteger, nullable=False),
)
"""The writer of each account, when its lease expires, and how many of its transactions were committed."""


@frozen
class Schema:
    """The tables of an inventory.

    `migrations` maps a version to the function that migrates the version before it. The metadata's `after_create`
    event creates what is not a table, such as views.
    """

    metadata: MetaData
    version: int
    migrations: Mapping[int, Migration] = field(factory=dict)


class _State(Enum):
    """Of a database without a version."""

    EMPTY = "empty"


async def check_schema(database: Database, schema: Schema) -> bool:
    """Check that a database can be read as an inventory; false if there is none in it. Nothing is written.

    Raises:
        ConfigurationError: it is not ours, or has another version.
        OSError: it cannot be read.
    """
    if not await _check_file(database.target, schema):
        return False
    version = await database.read(lambda connection: _check(connection, database.target, schema))
    if isinstance(version, int) and version < schema.version:
        raise ConfigurationError(
            f"{database.target} has the schema of an older northflank-async: export into it once, which migrates it"
        )
    return isinstance(version, int)


async def check_ours(database: Database, schema: Schema) -> None:
    """Check that a database is an inventory that can be written or migrated, or empty. Nothing is written.

    Raises:
        ConfigurationError: it is not ours, or is newer.
        OSError: it cannot be read.
    """
    if await _check_file(database.target, schema) and not _needs_recovery(database.target):
        await database.read(lambda connection: _check(connection, database.target, schema))


async def ensure_schema(database: Database, schema: Schema) -> None:
    """Create the tables in an empty database, or migrate those of an older version.

    Nobody else may write to a file meanwhile. For PostgreSQL, this waits for others that do the same.

    Raises:
        ConfigurationError: the database is not ours, or is newer, or its tables are not as we made them. Nothing
            was written.
        BlockingIOError: it has to be migrated while another process writes to it.
        OSError: it cannot be read or written.
    """
    target = database.target
    if await _check_file(target, schema):
        if not _needs_recovery(target):
            version = await database.read(lambda connection: _check(connection, target, schema))
            if version == schema.version:
                return
    elif target.path is not None:
        target.path.touch()
    if target.path is not None:
        await database.set_journal_mode("DELETE")  # so that the mark is in the file itself
    await database.transaction(lambda connection: _create_or_migrate(connection, target, schema))


def lock_schema(connection: Connection) -> None:
    """Be alone in changing what all accounts share, until the transaction ends. A file has only one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CREATION_LOCK})


def _create_or_migrate(connection: Connection, target: Target, schema: Schema) -> None:
    is_file = target.path is not None
    lock_schema(connection)
    version = _check(connection, target, schema)
    if version == schema.version:
        return
    if isinstance(version, int):
        if not is_file:
            _check_unused(connection, target)
        for step in range(version + 1, schema.version + 1):
            schema.migrations[step](connection)
    else:
        _create(connection, target, schema)
    if is_file:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {schema.version}")
    else:
        connection.execute(update(schema_version).values(version=schema.version))
    _check(connection, target, schema)


def _create(connection: Connection, target: Target, schema: Schema) -> None:
    if target.schema is not None and target.path is None:
        if not inspect(connection).has_schema(target.schema):
            connection.execute(CreateSchema(target.schema))
        internal.create_all(connection, checkfirst=False)
        connection.execute(insert(schema_version), {"application": APPLICATION, "version": schema.version})
    schema.metadata.create_all(connection, checkfirst=False)


def _check(connection: Connection, target: Target, schema: Schema) -> "int | _State":
    """Find the version of a database, whose tables have been verified if it is the present one."""
    find = _find_version if target.path is None else _find_file_version
    version = find(connection, target)
    if isinstance(version, int):
        _check_version(target, version, schema.version)
        if version == schema.version:
            tables = schema.metadata.tables.values()
            _verify(connection, target, [*tables, *(internal.tables.values() if target.path is None else ())])
    return version


def _check_version(target: Target, version: int, known: int) -> None:
    if version > known:
        raise ConfigurationError(
            f"{target} was written by a newer northflank-async (its schema has version {version}, this one knows "
            f"{known}): upgrade northflank-async"
        )
    if version < 1:
        raise _not_ours(target)


def _verify(connection: Connection, target: Target, tables: Iterable[Table]) -> None:
    """Refuse tables that differ from those we created: rows would be deleted from them."""
    inspector = inspect(connection)
    place = target.schema if target.path is None else None
    columns = inspector.get_multi_columns(schema=place)
    keys = inspector.get_multi_pk_constraint(schema=place)
    shared = set[str]() if place is None else _tables_with_children(connection, place)
    for table in tables:
        name = (place, table.name)
        if name not in columns:
            raise _differs(target, table, "it is missing or not a table")
        found = {column["name"]: _describe(connection, column) for column in columns[name]}
        wanted = {
            column.name: _describe(connection, {"type": column.type, "nullable": column.nullable})
            for column in table.columns
        }
        for column in sorted(wanted.keys() | found.keys()):
            if wanted.get(column) != found.get(column):
                raise _differs(target, table, f"its column {column}")
        if table.name in shared:
            raise _differs(target, table, "it shares its rows with other tables")
        key = [column.name for column in table.primary_key]
        if sorted(keys[name]["constrained_columns"]) != sorted(key):
            raise _differs(target, table, "its primary key")


def _describe(connection: Connection, column: Mapping[str, Any]) -> str:
    kind = column["type"].compile(dialect=connection.dialect)
    return f"{kind}{'' if column['nullable'] else ' NOT NULL'}"


def _differs(target: Target, table: Table, how: str) -> ConfigurationError:
    return ConfigurationError(
        f"the table {table.name} of {target} was changed ({how}): undo the change, or use another inventory"
    )


# PostgreSQL


def _find_version(connection: Connection, target: Target) -> "int | _State":
    has_objects = connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE deptype = 'n'"
            " AND refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid = pg_namespace.oid)"
            " FROM pg_catalog.pg_namespace WHERE nspname = :schema"
        ),
        {"schema": target.schema},
    ).scalar()
    if not has_objects:
        return _State.EMPTY
    inspector = inspect(connection)
    tables = inspector.get_table_names(schema=target.schema)
    if schema_version.name in tables:
        columns = {column["name"] for column in inspector.get_columns(schema_version.name, schema=target.schema)}
        if columns == set(schema_version.c.keys()):
            marks = connection.execute(select(schema_version)).all()
            if len(marks) == 1 and marks[0].application == APPLICATION and isinstance(marks[0].version, int):
                return marks[0].version
    raise _not_ours(target)


def _tables_with_children(connection: Connection, place: str) -> set[str]:
    """Find the tables of a schema that are not plain, or that have heirs: what is deleted from one goes from these."""
    query = text(
        "SELECT relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = :schema AND (relkind IN ('p', 'f') OR EXISTS"
        " (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = pg_class.oid))"
    )
    return set(connection.execute(query, {"schema": place}).scalars())


def _check_unused(connection: Connection, target: Target) -> None:
    row = connection.execute(
        select(lease.c.host, lease.c.pid).where(
            lease.c.holder.is_not(None), lease.c.expires_at > func.clock_timestamp()
        )
    ).first()
    if row is not None:
        raise busy(target, f"another export is writing to it (process {row.pid} on {row.host}), so it is not migrated")


# SQLite


async def _check_file(target: Target, schema: Schema) -> bool:
    """Check a file before SQLite opens it; false if it is absent or empty."""
    if target.path is None:
        return True
    return await asyncio.to_thread(_check_header, target, target.path, schema.version)


def _check_header(target: Target, path: Path, known: int) -> bool:
    if is_in_use(path):
        return True  # it was checked when it was opened, and is checked with SQL
    try:
        if not path.is_file() and path.exists() and not path.is_dir():
            raise _not_ours(target)
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target)) from None
        return False
    if not header:
        return False
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise _not_ours(target)
    version, application = (int.from_bytes(header[start : start + 4], "big", signed=True) for start in (60, 68))
    if application == APPLICATION_ID:
        _check_version(target, version, known)
    elif application or version:
        raise _not_ours(target)
    else:
        _check_unmarked(target, path)
    return True


def _needs_recovery(target: Target) -> bool:
    """Whether a transaction was killed while it was committed: a reader could not roll it back."""
    return target.path is not None and target.path.with_name(f"{target.path.name}-journal").exists()


def _check_unmarked(target: Target, path: Path) -> None:
    """Refuse an unmarked file that has tables, without creating files beside it."""
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    uri = f"{path.as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            former = tables >= _FORMER_TABLES and "gone_since" in {
                name for _, name, *_ in connection.execute("PRAGMA table_info(backups)")
            }
    except sqlite3.Error:
        raise _not_ours(target) from None
    if former:
        name = shlex.quote(str(target))
        raise ConfigurationError(
            f"{target} was written by an earlier northflank-async and cannot be migrated: replace it with "
            f"`mv {name} {shlex.quote(f'{target}.old')} && northflank-async export {name}`"
        )
    if tables:
        raise _not_ours(target)


def _find_file_version(connection: Connection, target: Target) -> "int | _State":
    application = connection.exec_driver_sql("PRAGMA application_id").scalar()
    version = connection.exec_driver_sql("PRAGMA user_version").scalar()
    if application == APPLICATION_ID and isinstance(version, int):
        return version
    if application or version or connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
        raise _not_ours(target)
    return _State.EMPTY


def _not_ours(target: Target) -> ConfigurationError:
    if target.path is not None:
        return ConfigurationError(f"{target} is not an inventory of northflank-async: use another file")
    return ConfigurationError(
        f"the schema {target.schema} of {target} is not an inventory of northflank-async: "
        "use another schema (--schema) or another database"
    )
