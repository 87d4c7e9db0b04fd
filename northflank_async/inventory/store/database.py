"""A database, and its transactions without blocking the event loop."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from attrs import frozen
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.encoding import dump
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.store.locks import lock_file, lock_server
from northflank_async.inventory.store.schema import metadata

if TYPE_CHECKING:  # it needs greenlet, which only the extra `postgres` installs
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")
Work: TypeAlias = Callable[[Connection], T]

_CREATION_LOCK = 0x6E6F727469
"""A PostgreSQL advisory lock; any number will do."""
_COMMAND_TIMEOUT = 60.0
"""Seconds for one statement."""
_POSTGRESQL = ("postgresql", "postgres", "postgresql+asyncpg")
_IGNORED = ("channel_binding", "connect_timeout", "application_name")
"""URL options of other drivers that asyncpg rejects."""
_KNOWN = ("host", "port", "user", "password", "passfile", "ssl", "sslmode")


class Session(Protocol):
    """Runs one transaction at a time."""

    async def transaction(self, work: Work[T]) -> T:
        """Run `work` in a transaction and commit it.

        Raises:
            OSError: the database cannot be read or written.
        """


class Database(Session, Protocol):
    """An open database."""

    def locked(self) -> AbstractAsyncContextManager[Session]:
        """Be the only writer inside the block. The lock ends with the process, however that ends.

        Raises:
            BlockingIOError: there is another writer.
            OSError: the database cannot be reached.
        """

    async def close(self) -> None:
        """Close all connections."""


def parse_target(target: str | Path) -> URL:
    """Parse a file's path (SQLite) or a `postgresql://` URL.

    Raises:
        ConfigurationError: the URL is invalid or of another database.
    """
    if isinstance(target, Path) or "://" not in target:
        return URL.create("sqlite", database=str(target))
    try:
        url = make_url(target)
    except (ArgumentError, ValueError):
        raise ConfigurationError("the database URL is invalid") from None  # its text may contain a password
    if url.drivername not in _POSTGRESQL:
        raise ConfigurationError(f"a database is a file's path or postgresql://…, not {url.drivername}://…")
    if not 0 <= (url.port or 0) <= 65535:
        raise ConfigurationError(f"the port must be from 0 to 65535, not {url.port}")
    url = url.set(drivername="postgresql+asyncpg").difference_update_query(_IGNORED)
    if unknown := sorted(set(url.query) - set(_KNOWN)):
        raise ConfigurationError(f"the database URL has an unknown option: {unknown[0]}")
    if "sslmode" in url.query:  # libpq's name; asyncpg's is ssl
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    return url


def display_name(url: URL) -> str:
    """Name a database for messages: a file's path, or a URL without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    secret = {name: "***" for name in ("password", "passfile") if name in url.query}
    return url.set(drivername="postgresql").update_query_dict(secret).render_as_string()


@asynccontextmanager
async def open_database(url: URL) -> AsyncIterator[Database]:
    """Open a database and create the tables that are missing.

    Raises:
        OSError: the database cannot be opened.
        ConfigurationError: a package it needs is not installed.
    """
    with require_extra():
        database: Database = _SQLite.open(url) if url.get_backend_name() == "sqlite" else _PostgreSQL.open(url)
    try:
        await database.transaction(_create_tables)
        yield database
    finally:
        await database.close()


@frozen
class _SQLite:
    engine: Engine

    @classmethod
    def open(cls, url: URL) -> "_SQLite":
        if not Path(url.database or "").absolute().parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", url.database)
        engine = create_engine(url, json_serializer=dump, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _configure_sqlite)
        return cls(engine)

    async def transaction(self, work: Work[T]) -> T:
        """Run it in a thread: one switch of threads for a transaction, not several for each statement."""
        return await asyncio.to_thread(self._run, work)

    def _run(self, work: Work[T]) -> T:
        with _os_errors(self.engine.url), self.engine.begin() as connection:
            return work(connection)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[Session]:
        path = str(self.engine.url.database)
        with lock_file(path, path):
            yield self

    async def close(self) -> None:
        await asyncio.to_thread(self.engine.dispose)  # the last connection writes the log into the database


@frozen
class _PostgreSQL:
    engine: "AsyncEngine"

    @classmethod
    def open(cls, url: URL) -> "_PostgreSQL":
        import greenlet  # noqa: F401 # SQLAlchemy's own error would not name the missing package
        from sqlalchemy.ext.asyncio import create_async_engine

        return cls(create_async_engine(url, json_serializer=dump, connect_args={"command_timeout": _COMMAND_TIMEOUT}))

    async def transaction(self, work: Work[T]) -> T:
        with _os_errors(self.engine.url):
            async with self.engine.connect() as connection:
                return await _PostgreSQLSession(connection).transaction(work)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[Session]:
        with _os_errors(self.engine.url):
            async with self.engine.connect() as connection, lock_server(connection, display_name(self.engine.url)):
                yield _PostgreSQLSession(connection)

    async def close(self) -> None:
        await self.engine.dispose()


@frozen
class _PostgreSQLSession:
    """One connection, whose server session holds the lock."""

    connection: "AsyncConnection"

    async def transaction(self, work: Work[T]) -> T:
        with _os_errors(self.connection.engine.url):
            async with self.connection.begin():
                return await self.connection.run_sync(work)


def _configure_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not block each other
    cursor.execute("PRAGMA synchronous = FULL")  # a committed page survives a power cut
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.close()


def _create_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # where creating a table twice at once fails
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CREATION_LOCK})
    metadata.create_all(connection)


@contextmanager
def _os_errors(url: URL) -> Iterator[None]:
    """Raise a database's errors as those of a file: the same for all databases, with the target's name."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise OSError(errno.EIO, str(reason), display_name(url)) from error
