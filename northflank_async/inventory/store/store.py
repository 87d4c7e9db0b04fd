"""The database that an inventory is kept in."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import fields_dict
from filelock import FileLock, Timeout
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    RowMapping,
    Select,
    Text,
    and_,
    cast,
    create_engine,
    event,
    make_url,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.encoding import dump
from northflank_async.inventory.extras import extra
from northflank_async.inventory.store.database import Database, FileDatabase, ServerDatabase
from northflank_async.inventory.store.schema import addons, backups, metadata, restores
from northflank_async.inventory.store.stored_backup import StoredBackup, StoredRestore

if TYPE_CHECKING:  # it needs greenlet, which is installed for PostgreSQL alone
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_LOCK, _CREATION_LOCK = 0x6E6F727468, 0x6E6F727469
"""PostgreSQL's advisory locks are numbers; any will do."""
_COMMAND_TIMEOUT = 60.0
"""Seconds, for one statement."""
_IGNORED = ("channel_binding", "connect_timeout", "application_name")
"""What other drivers take in a URL, and asyncpg does not."""
_KNOWN = ("host", "port", "user", "password", "passfile", "ssl", "sslmode")
_LOCK_TIMEOUT = 5
"""Seconds, in which the server notices that a writer was killed."""
_LOCK_NOT_AVAILABLE = "55P03"
_KEEPALIVES = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
"""Seconds, so that a writer whose whole machine has gone does not hold the lock for hours."""
_POSTGRESQL = ("postgresql", "postgres", "postgresql+asyncpg")
_BACKUP_FIELDS = [name for name in fields_dict(StoredBackup) if name != "restores"]
ROWS = 1000
"""That are read at a time."""


def parse_database(target: str | Path) -> URL:
    """The database of a file's path (SQLite) or a `postgresql://` URL.

    Raises:
        ConfigurationError: a URL of another kind.
    """
    if isinstance(target, Path) or "://" not in target:
        return URL.create("sqlite", database=str(target))
    try:
        url = make_url(target)
    except (ArgumentError, ValueError):
        raise ConfigurationError("the database's URL cannot be read") from None  # it may hold a password
    if url.drivername not in _POSTGRESQL:
        raise ConfigurationError(f"a database is a file's path or postgresql://…, not {url.drivername}://…")
    if not 0 <= (url.port or 0) <= 65535:
        raise ConfigurationError(f"no port has the number {url.port}")
    url = url.set(drivername="postgresql+asyncpg")
    url = url.difference_update_query(_IGNORED)
    if unknown := sorted(set(url.query) - set(_KNOWN)):
        raise ConfigurationError(f"the database's URL has an option that is not known: {unknown[0]}")
    if "sslmode" in url.query:  # as all the world writes it; asyncpg says ssl
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    return url


def shown(url: URL) -> str:
    """What to call a database: its file, or its URL without a password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    secret = {name: "***" for name in ("password", "passfile") if name in url.query}
    return url.set(drivername="postgresql").update_query_dict(secret).render_as_string()


class Store:
    """An open database with the tables in it."""

    def __init__(self, engine: "Engine | AsyncEngine") -> None:
        self._engine = engine

    @classmethod
    @asynccontextmanager
    async def open(cls, url: URL) -> AsyncIterator["Store"]:
        """Open the database, with tables where there are none.

        Raises:
            OSError: the database cannot be opened.
            ConfigurationError: what it needs is not installed.
        """
        with extra():
            engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
        store = cls(engine)
        try:
            with _os_errors(url):
                async with store._connect() as database:
                    await database.run(_create_tables)
            yield store
        finally:
            await _dispose(engine)

    @asynccontextmanager
    async def writing(self, *, locked: bool = False) -> AsyncIterator[Database]:
        """The database, for its only writer. The lock goes with the process, however that ends.

        Args:
            locked: the caller has the lock, of `lock_file`.

        Raises:
            BlockingIOError: there is another one.
            OSError: inside the block, the database cannot be read or written.
        """
        with _os_errors(self._engine.url):
            async with self._connect() as database:
                if locked:
                    yield database
                elif isinstance(database, ServerDatabase):
                    async with _lock_database(database.connection):
                        yield database
                else:
                    path = str(self._engine.url.database)
                    with lock_file(path, path):
                        yield database

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[FileDatabase | ServerDatabase]:
        if isinstance(self._engine, Engine):
            yield FileDatabase(self._engine)
        else:
            async with self._engine.connect() as connection:
                yield ServerDatabase(connection)

    async def backups(self, *, gone: bool = False, restores: bool = False) -> AsyncIterator[list[StoredBackup]]:
        """The backups, some at a time, by team, project, addon and id. Nothing is open while they are looked at.

        Args:
            gone: those that are gone as well.
            restores: with the restores of each.
        """
        query = _backups_query(gone)
        rows = await self._rows(query.limit(ROWS))
        while rows:
            found = await self._restores(rows) if restores else {}
            yield [_stored_backup(row, found) for row in rows]
            last = tuple_(*(rows[-1][column.name] for column in backups.primary_key))
            rows = await self._rows(query.where(tuple_(*backups.primary_key) > last).limit(ROWS))

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        with _os_errors(self._engine.url):
            async with self._connect() as database:
                return await database.run(lambda connection: connection.execute(query).mappings().all())

    async def _restores(self, rows: Sequence[RowMapping]) -> dict[tuple[str, ...], list[StoredRestore]]:
        """The restores of all addons from the first row's to the last one's, each with its backup."""
        addon = tuple_(restores.c.team_id, restores.c.project_id, restores.c.addon_id)
        first, last = (tuple_(row["team_id"], row["project_id"], row["addon_id"]) for row in (rows[0], rows[-1]))
        query = (
            select(restores)
            .where(addon >= first, addon <= last, restores.c.gone_since.is_(None))
            .where(restores.c.backup_id.in_([row["id"] for row in rows]))
            .order_by(restores.c.restore_timestamp.desc().nulls_last(), restores.c.id)
        )
        found: dict[tuple[str, ...], list[StoredRestore]] = {}
        for row in await self._rows(query):
            key = (row["team_id"], row["project_id"], row["addon_id"], row["backup_id"])
            restore = StoredRestore(**{name: row[name] for name in fields_dict(StoredRestore)})
            found.setdefault(key, []).append(restore)
        return found


def _stored_backup(row: RowMapping, found: Mapping[tuple[str, ...], list[StoredRestore]]) -> StoredBackup:
    columns = {name: row[name] for name in _BACKUP_FIELDS}
    key = (row["team_id"], row["project_id"], row["addon_id"], row["id"])
    return StoredBackup(**{**columns, "team_id": row["team_id"] or None}, restores=tuple(found.get(key, ())))


def _backups_query(gone: bool) -> Select[Any]:
    c = backups.c
    of_its_addon = and_(c.team_id == addons.c.team_id, c.project_id == addons.c.project_id, c.addon_id == addons.c.id)
    query = (
        select(
            *(column for column in c if column.name in _BACKUP_FIELDS),
            addons.c.type.label("addon_type"),
            cast(c.data, Text).label("json"),  # as it was stored: most of it goes out as it came in
        )
        .select_from(backups.outerjoin(addons, of_its_addon))
        .order_by(*backups.primary_key)
    )
    return query if gone else query.where(c.gone_since.is_(None))


def _create_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # where two that create a table at once fail
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CREATION_LOCK})
    metadata.create_all(connection)


def _sqlite(url: URL) -> Engine:
    if not Path(url.database or "").absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", url.database)
    engine = create_engine(url, json_serializer=dump, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer, nor the other way round
        cursor.execute("PRAGMA synchronous = FULL")  # a page that was saved is there after a power cut
        cursor.execute("PRAGMA busy_timeout = 30000")
        cursor.close()

    return engine


def _postgresql(url: URL) -> "AsyncEngine":
    import greenlet  # noqa: F401 # SQLAlchemy's own error would not say which package is missing
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(url, json_serializer=dump, connect_args={"command_timeout": _COMMAND_TIMEOUT})


async def _dispose(engine: "Engine | AsyncEngine") -> None:
    if isinstance(engine, Engine):
        await asyncio.to_thread(engine.dispose)  # the last one to close a database writes its log into it
    else:
        await engine.dispose()


@contextmanager
def lock_file(path: str, target: str) -> Iterator[None]:
    """Be the only one that writes to a file, for a target. What is locked is another file beside it, `.lock`.

    Raises:
        BlockingIOError: there is another one.
    """
    lock = FileLock(f"{path}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise _in_use(target) from None
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _lock_database(connection: "AsyncConnection") -> AsyncIterator[None]:
    try:
        async with connection.begin():
            for setting in _KEEPALIVES:
                await connection.execute(text(f"SET {setting}"))
            await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
            await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise _in_use(shown(connection.engine.url)) from None
    try:
        yield
    finally:
        async with connection.begin():
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


@contextmanager
def _os_errors(url: URL) -> Iterator[None]:
    """Turn a database's error into that of a file: it names the target, and is the same for all of them."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise OSError(errno.EIO, str(reason), shown(url)) from error


def _in_use(target: str) -> OSError:
    return BlockingIOError(errno.EWOULDBLOCK, "another export is writing to it", target)
