"""The database that an inventory is kept in."""

import errno
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from attrs import fields_dict
from filelock import FileLock, Timeout
from sqlalchemy import URL, RowMapping, Select, Text, and_, cast, event, make_url, select, text, tuple_
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.encoding import dump
from northflank_async.inventory.extras import extra
from northflank_async.inventory.stored_backup import StoredBackup, StoredRestore
from northflank_async.inventory.tables import addons, backups, metadata, restores

_LOCK = 0x6E6F727468
"""PostgreSQL's advisory locks are numbers; any will do."""
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
        return URL.create("sqlite+aiosqlite", database=str(target))
    try:
        url = make_url(target)
    except (ArgumentError, ValueError):
        raise ConfigurationError("the database's URL cannot be read") from None  # it may hold a password
    if url.drivername not in _POSTGRESQL:
        raise ConfigurationError(f"a database is a file's path or postgresql://…, not {url.drivername}://…")
    if not 0 <= (url.port or 0) <= 65535:
        raise ConfigurationError(f"no port has the number {url.port}")
    url = url.set(drivername="postgresql+asyncpg")
    if "sslmode" in url.query:  # as all the world writes it; asyncpg says ssl
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    return url


class Store:
    """An open database with the tables in it."""

    def __init__(self, engine: AsyncEngine) -> None:
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
        try:
            with _os_errors(url):
                async with engine.begin() as connection:
                    if connection.dialect.name == "postgresql":  # where two that create a table at once fail
                        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                    await connection.run_sync(metadata.create_all)
            yield cls(engine)
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection of the only writer. The lock goes with the process, however that ends.

        Raises:
            BlockingIOError: there is another one.
            OSError: inside the block, the database cannot be read or written.
        """
        with _os_errors(self._engine.url):
            async with self._engine.connect() as connection:
                lock = _lock_file if connection.dialect.name == "sqlite" else _lock_database
                async with lock(connection):
                    yield connection

    async def backups(
        self, *, run_id: int | None = None, gone: bool = False, restores: bool = False
    ) -> AsyncIterator[list[StoredBackup]]:
        """The backups, some at a time, by team, project, addon and id. Nothing is open while they are looked at.

        Args:
            run_id: only those that this run has seen.
            gone: those that are gone as well.
            restores: with the restores of each.
        """
        query = _backups_query(run_id, gone)
        rows = await self._rows(query.limit(ROWS))
        while rows:
            found = await self._restores(rows) if restores else {}
            yield [_stored_backup(row, found) for row in rows]
            last = tuple_(*(rows[-1][column.name] for column in backups.primary_key))
            rows = await self._rows(query.where(tuple_(*backups.primary_key) > last).limit(ROWS))

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        with _os_errors(self._engine.url):
            async with self._engine.connect() as connection:
                result = await connection.execute(query)
            rows: Sequence[RowMapping] = result.mappings().all()
            return rows

    async def _restores(self, rows: Sequence[RowMapping]) -> dict[tuple[str, ...], list[StoredRestore]]:
        """The restores of all addons from the first row's to the last one's, each with its backup."""
        addon = tuple_(restores.c.team_id, restores.c.project_id, restores.c.addon_id)
        first, last = (tuple_(row["team_id"], row["project_id"], row["addon_id"]) for row in (rows[0], rows[-1]))
        query = (
            select(restores)
            .where(addon >= first, addon <= last, restores.c.gone_since.is_(None))
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


def _backups_query(run_id: int | None, gone: bool) -> Select[Any]:
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
    if run_id is not None:
        query = query.where(c.run_id == run_id)
    return query if gone else query.where(c.gone_since.is_(None))


def _sqlite(url: URL) -> AsyncEngine:
    if not Path(url.database or "").absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", url.database)
    engine = create_async_engine(url, json_serializer=dump)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer, nor the other way round
        cursor.execute("PRAGMA synchronous = FULL")  # a page that was saved is there after a power cut
        cursor.execute("PRAGMA busy_timeout = 30000")
        cursor.close()

    return engine


def _postgresql(url: URL) -> AsyncEngine:
    return create_async_engine(url, json_serializer=dump)


@asynccontextmanager
async def _lock_file(connection: AsyncConnection) -> AsyncIterator[None]:
    url = connection.engine.url
    lock = FileLock(f"{url.database}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise _in_use(url) from None
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _lock_database(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        async with connection.begin():
            for setting in _KEEPALIVES:
                await connection.execute(text(f"SET {setting}"))
            await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
            await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise _in_use(connection.engine.url) from None
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
        raise OSError(errno.EIO, str(reason), _shown(url)) from error


def _in_use(url: URL) -> OSError:
    return BlockingIOError(errno.EWOULDBLOCK, "another export is writing to it", _shown(url))


def _shown(url: URL) -> str:
    """What to call the database: the file, or the URL without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string()
