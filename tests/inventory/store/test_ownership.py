"""Databases that are ours, are not, are newer or older: nothing is written to what is not ours."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    insert,
    select,
    text,
)

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.store.connections import Database, qualified
from northflank_async.inventory.store.lease import open_store
from northflank_async.inventory.store.ownership import (
    APPLICATION_ID,
    Migration,
    Schema,
    check_schema,
    ensure_schema,
)
from northflank_async.inventory.store.schema import Time
from northflank_async.inventory.store.target import Target
from tests.inventory.store.conftest import ServerDatabase

pytestmark = pytest.mark.slow


def make_schema(version: int = 1, migrations: Mapping[int, Migration] | None = None, *columns: Column[str]) -> Schema:
    """A schema with a table of each kind of column, and a view."""
    metadata = MetaData()
    Table(
        "backup_rows",
        metadata,
        Column("listing_id", Integer, nullable=False),
        Column("id", Text, nullable=False),
        Column("size", BigInteger),
        Column("data", JSON, nullable=False),
        Column("created_at", Time),
        Column("key", Integer, primary_key=True),
        *columns,
        UniqueConstraint("listing_id", "id"),
    )
    Table("failures", metadata, Column("id", Integer, primary_key=True), Column("error", Text, nullable=False))

    @event.listens_for(metadata, "after_create")
    def create_views(_: MetaData, connection: Connection, **__: object) -> None:
        name, rows = qualified(connection, "backups"), qualified(connection, "backup_rows")
        connection.exec_driver_sql(f"CREATE VIEW {name} AS SELECT id, size FROM {rows}")

    return Schema(metadata, version, migrations or {})


SCHEMA = make_schema()
ROW = {"listing_id": 1, "id": "b", "size": 2**40, "data": {"id": "b"}}


def add(connection: Connection) -> None:
    connection.execute(insert(SCHEMA.metadata.tables["backup_rows"]), ROW)


def view(connection: Connection) -> list[tuple[str, int]]:
    rows = connection.exec_driver_sql(f"SELECT id, size FROM {qualified(connection, 'backups')}")
    return [(row[0], row[1]) for row in rows]


async def write(target: Target, schema: Schema = SCHEMA) -> None:
    async with Database(target) as database, open_store(database, schema) as store, store.writing("acme") as writer:
        await writer.transaction(add)


async def refuse(target: Target, says: str, schema: Schema = SCHEMA) -> str:
    """Have every way to open a database refused; the message of the last."""
    for opening in (ensure_schema, check_schema):
        async with Database(target) as database:
            with pytest.raises(ConfigurationError, match=says):
                await opening(database, schema)
    with pytest.raises(ConfigurationError, match=says) as caught:
        await write(target, schema)
    return str(caught.value)


async def test_tables_and_views_are_created_in_an_empty_database_once(target: Target) -> None:
    async with Database(target) as database:
        assert not await check_schema(database, SCHEMA)
        if target.path:
            assert not target.path.exists()
        await asyncio.gather(*(ensure_schema(database, SCHEMA) for _ in range(1 if target.path else 3)))
        assert await check_schema(database, SCHEMA)
        await database.transaction(add)
        await ensure_schema(database, SCHEMA)
        assert await database.read(view) == [("b", 2**40)]


async def test_several_that_create_the_same_tables_at_once_succeed(direct: ServerDatabase) -> None:
    async def create() -> None:
        async with Database(Target.parse(direct.url)) as database:
            await ensure_schema(database, SCHEMA)

    await asyncio.gather(*(create() for _ in range(5)))
    assert direct.query("SELECT * FROM northflank.schema_version") == ["northflank-async|1"]


async def test_checking_a_database_of_the_present_version_writes_nothing(target: Target) -> None:
    await write(target)
    before = target.path and target.path.read_bytes()
    async with Database(target) as database:
        await ensure_schema(database, SCHEMA)
        assert await check_schema(database, SCHEMA)
    if target.path:
        assert target.path.read_bytes() == before


async def test_a_newer_version_is_refused(target: Target) -> None:
    await write(target, make_schema(7))
    said = await refuse(target, "newer northflank-async")
    assert "version 7" in said
    assert "upgrade" in said
    assert str(target) in said


def rename(connection: Connection) -> None:
    name, rows = qualified(connection, "backups"), qualified(connection, "backup_rows")
    connection.exec_driver_sql(f"DROP VIEW {name}")
    connection.exec_driver_sql(f"ALTER TABLE {rows} ADD COLUMN note TEXT")
    connection.exec_driver_sql(f"CREATE VIEW {name} AS SELECT id, size, note FROM {rows}")


def fill(connection: Connection) -> None:
    connection.exec_driver_sql(f"UPDATE {qualified(connection, 'backup_rows')} SET note = 'migrated'")


def fail(connection: Connection) -> None:
    fill(connection)
    raise RuntimeError("migration")


def newer_schema(last: Migration = fill) -> Schema:
    return make_schema(3, {2: rename, 3: last}, Column("note", Text))


async def test_an_older_version_is_migrated_step_by_step(target: Target) -> None:
    await write(target)
    schema = newer_schema()
    async with Database(target) as database:
        with pytest.raises(ConfigurationError, match="older northflank-async: export into it once"):
            await check_schema(database, schema)
        async with open_store(database, schema):
            pass
        assert await check_schema(database, schema)
        rows = schema.metadata.tables["backup_rows"]
        found = await database.read(lambda connection: connection.execute(select(rows.c.id, rows.c.note)).all())
    assert [tuple(row) for row in found] == [("b", "migrated")]
    await refuse(target, "newer")


@pytest.mark.parametrize("last", [fail, lambda connection: None])
async def test_a_migration_that_fails_or_misses_something_changes_nothing(target: Target, last: Migration) -> None:
    await write(target)
    schema = newer_schema(last) if last is fail else make_schema(3, {2: rename, 3: last})
    error = RuntimeError if last is fail else ConfigurationError
    with pytest.raises(error, match="migration" if last is fail else "its column note"):
        await write(target, schema)
    await write_another(target)


async def write_another(target: Target) -> None:
    async with Database(target) as database, open_store(database, SCHEMA) as store, store.writing("acme") as writer:
        assert await writer.transaction(view) == [("b", 2**40)]


async def test_a_database_that_another_process_writes_to_is_not_migrated(direct: ServerDatabase) -> None:
    target = Target.parse(direct.url)
    async with Database(target) as database, open_store(database, SCHEMA) as store, store.writing("acme") as writer:
        with pytest.raises(BlockingIOError, match="not migrated"):
            await write(target, newer_schema())
        await writer.transaction(add)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ALTER TABLE {}backup_rows ADD COLUMN extra TEXT", "its column extra"),
        ("ALTER TABLE {}backup_rows RENAME COLUMN size TO bytes", "its column bytes"),
        ("DROP TABLE {}failures", "it is missing"),
        ("DROP TABLE {0}failures; CREATE TABLE {0}failures (id INTEGER PRIMARY KEY, error TEXT)", "its column error"),
        (
            "DROP TABLE {0}failures; CREATE TABLE {0}failures (id TEXT PRIMARY KEY, error TEXT NOT NULL)",
            "its column id",
        ),
        ("DROP TABLE {0}failures; CREATE TABLE {0}failures (id INTEGER NOT NULL, error TEXT NOT NULL)", "primary key"),
        ("DROP TABLE {0}failures; CREATE VIEW {0}failures AS SELECT id, 'x' AS error FROM {0}backup_rows", "missing"),
    ],
)
async def test_tables_that_were_changed_are_refused(target: Target, change: str, says: str) -> None:
    await write(target)
    async with Database(target) as database:
        for statement in change.format("" if target.path else "northflank.").split("; "):
            await database.transaction(lambda connection, s=statement: connection.execute(text(s)).close())  # type: ignore[misc]
    said = await refuse(target, says)
    assert "was changed" in said


# PostgreSQL

NAMES = ["failures", "projects", "runs", "listings", "backup_rows", "schema_version", "lease"]


def fill_application(database: ServerDatabase, schema: str) -> None:
    for name in NAMES:
        database.query(f"CREATE TABLE {schema}.{name} AS SELECT generate_series(1, 1000) AS id, 'ours' AS error")


def read_application(database: ServerDatabase, schema: str) -> list[str]:
    return [
        line for name in NAMES for line in database.query(f"SELECT count(*), min(error), max(id) FROM {schema}.{name}")
    ]


ALL_THERE = ["1000|ours|1000"] * len(NAMES)


async def test_tables_of_an_application_in_public_are_never_touched(server_database: ServerDatabase) -> None:
    fill_application(server_database, "public")
    server_database.query(f"ALTER DATABASE {server_database.name} SET search_path = public, northflank")
    await write(Target.parse(server_database.url))
    assert read_application(server_database, "public") == ALL_THERE
    assert server_database.query("SELECT count(*) FROM northflank.backup_rows") == ["1"]
    await refuse(Target.parse(server_database.url, schema="public"), "the schema public of .* is not an inventory")
    assert read_application(server_database, "public") == ALL_THERE


async def test_tables_of_an_application_in_our_schema_are_never_touched(server_database: ServerDatabase) -> None:
    server_database.query("CREATE SCHEMA northflank")
    fill_application(server_database, "northflank")
    said = await refuse(Target.parse(server_database.url), "not an inventory of northflank-async")
    assert "--schema" in said
    assert "no-password" not in said
    assert read_application(server_database, "northflank") == ALL_THERE
    await write(Target.parse(server_database.url, schema='other "Schema"; %s'))
    assert read_application(server_database, "northflank") == ALL_THERE


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE northflank.failures (id int)",
        "CREATE VIEW northflank.x AS SELECT 1",
        "CREATE SEQUENCE northflank.x",
        "CREATE TYPE northflank.x AS ENUM ('a')",
        "CREATE FUNCTION northflank.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE northflank.schema_version (version int)",
        "CREATE TABLE northflank.schema_version (application text, version int)",
        "CREATE TABLE northflank.schema_version AS SELECT 'alembic' AS application, 1 AS version",
        "CREATE TABLE northflank.schema_version AS SELECT 'northflank-async' AS application, 'x' AS version",
        "CREATE TABLE northflank.schema_version AS SELECT 'northflank-async' AS application, 1 AS version"
        " FROM generate_series(1, 2)",
        "CREATE TABLE northflank.schema_version AS SELECT 'northflank-async' AS application, 0 AS version",
        "CREATE TABLE northflank.schema_version AS SELECT 'northflank-async' AS application, 1 AS version",
    ],
)
async def test_a_schema_with_anything_that_is_not_ours_is_refused(direct: ServerDatabase, statement: str) -> None:
    direct.query("CREATE SCHEMA northflank")
    direct.query(statement)
    objects = "SELECT oid, relname FROM pg_class ORDER BY oid"
    before = direct.query(objects)
    await refuse(Target.parse(direct.url), "is not an inventory|was changed")
    assert direct.query(objects) == before


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE public.heir () INHERITS (northflank.failures)",
        "DROP TABLE northflank.failures; CREATE TABLE northflank.failures (id INTEGER PRIMARY KEY, error TEXT NOT NULL)"
        " PARTITION BY RANGE (id)",
    ],
)
async def test_tables_that_share_their_rows_are_refused(direct: ServerDatabase, change: str) -> None:
    target = Target.parse(direct.url)
    await write(target)
    for statement in change.split("; "):
        direct.query(statement)
    await refuse(target, "shares its rows")


async def test_a_refused_schema_is_named(direct: ServerDatabase) -> None:
    target = Target.parse(direct.url)
    await write(target)
    direct.query("UPDATE northflank.schema_version SET version = 0")
    await refuse(target, "the schema northflank of .* is not an inventory .*--schema")


async def test_an_empty_schema_that_somebody_has_prepared_is_used(direct: ServerDatabase) -> None:
    direct.query("CREATE SCHEMA northflank")
    direct.query("CREATE ROLE writer_" + direct.name + " LOGIN")
    direct.query(f"ALTER SCHEMA northflank OWNER TO writer_{direct.name}")
    url = f"postgresql://writer_{direct.name}@127.0.0.1:{direct.server.port}/{direct.name}"
    await write(Target.parse(url))
    assert direct.query("SELECT count(*) FROM northflank.backups") == ["1"]


async def test_a_role_that_may_not_create_a_schema_is_told_so(direct: ServerDatabase) -> None:
    direct.query(f"CREATE ROLE reader_{direct.name} LOGIN")
    url = f"postgresql://reader_{direct.name}@127.0.0.1:{direct.server.port}/{direct.name}"
    with pytest.raises(OSError, match="permission denied for database"):
        await write(Target.parse(url))


async def test_two_schemas_are_two_inventories(direct: ServerDatabase) -> None:
    one, other = Target.parse(direct.url), Target.parse(direct.url, schema="Other")
    async with Database(one) as database, open_store(database, SCHEMA):
        await write(other)
    assert direct.query('SELECT count(*) FROM "Other".backups') == ["1"]
    assert direct.query("SELECT count(*) FROM northflank.backups") == ["0"]


# SQLite


def application(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def make_text(path: Path) -> None:
    path.write_text("something else, and long enough to be taken for a header of some kind" * 20)


def make_application(path: Path) -> None:
    application(
        path,
        "CREATE TABLE failures AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 1000)"
        " SELECT id FROM n",
        "CREATE TABLE runs (id)",
        "CREATE TABLE listings (id)",
        "CREATE TABLE backups (id)",
    )


def make_logged_application(path: Path) -> None:
    """A database whose tables are still in its write-ahead log, as a killed process leaves it."""
    original = path.with_name("original.db")
    with closing(sqlite3.connect(original, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE failures (id)")
        connection.execute("INSERT INTO failures VALUES (1)")
        shutil.copy(original, path)
        shutil.copy(f"{original}-wal", f"{path}-wal")
    original.unlink()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "text": make_text,
    "short text": lambda path: path.write_text("short"),
    "a cut header": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\0" * 20),
    "a damaged database": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\1" * 2000),
    "an application's tables": make_application,
    "an application's tables in a log": make_logged_application,
    "an application's id": lambda path: application(path, "PRAGMA application_id = 1", "CREATE TABLE runs (id)"),
    "an application's id, and no table": lambda path: application(path, "PRAGMA application_id = 1", "VACUUM"),
    "an application's version": lambda path: application(path, "PRAGMA user_version = 1"),
    "a view": lambda path: application(path, "CREATE VIEW x AS SELECT 1"),
    "our id without a version": lambda path: application(path, f"PRAGMA application_id = {APPLICATION_ID}"),
}


@pytest.mark.parametrize("kind", FOREIGN)
async def test_a_file_that_is_not_ours_is_refused_and_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    FOREIGN[kind](tmp_path / "x.db")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm")}
    said = await refuse(Target.parse(tmp_path / "x.db"), "is not an inventory of northflank-async")
    assert str(tmp_path / "x.db") in said
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm")}
    assert after == before


async def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        await write(Target.parse(tmp_path))
    with pytest.raises(FileNotFoundError):
        await write(Target.parse(tmp_path / "missing" / "x.db"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [Path.touch, lambda path: application(path, "VACUUM")])
async def test_an_empty_file_becomes_an_inventory(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "x.db")
    await write(Target.parse(tmp_path / "x.db"))
    header = (tmp_path / "x.db").read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID
    assert int.from_bytes(header[60:64], "big") == 1


async def test_a_file_of_the_former_version_is_refused_with_the_command_that_replaces_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "my inventory.db"
    application(
        path,
        "CREATE TABLE runs (id INTEGER)",
        "CREATE TABLE listings (kind TEXT)",
        "CREATE TABLE projects (id TEXT, gone_since TEXT)",
        "CREATE TABLE backups (id TEXT, gone_since TEXT)",
    )
    before = path.read_bytes()
    said = await refuse(Target.parse(path), "earlier northflank-async")
    assert f"`mv '{path}' '{path}.old' && northflank-async export '{path}'`" in said
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


async def test_a_transaction_that_was_killed_in_its_commit_is_rolled_back(tmp_path: Path) -> None:
    await write(Target.parse(tmp_path / "x.db"))
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute(
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 10000)"
            " INSERT INTO failures SELECT id, 'an error' FROM n"
        )
        connection.execute("UPDATE backup_rows SET size = 0")
        shutil.copy(tmp_path / "x.db", tmp_path / "killed.db")
        shutil.copy(tmp_path / "x.db-journal", tmp_path / "killed.db-journal")
    await write_another(Target.parse(tmp_path / "killed.db"))


async def test_a_killed_creation_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    (tmp_path / "x.db-journal").touch()
    await write(Target.parse(tmp_path / "x.db"))
