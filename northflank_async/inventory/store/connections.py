"""The database of an inventory: transactions in threads, on connections that are closed when they are idle."""

import asyncio
import errno
import os
import random
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakSet

from attrs import define, field
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from northflank_async.errors import printable
from northflank_async.inventory.encoding import dump
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.store.target import Target

T = TypeVar("T")

IDLE = 1.0
"""Seconds after which an unused connection is closed."""
PATIENCE = 10.0
"""Seconds that a cancelled transaction has to end by itself."""
BACKOFF = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each attempt to repeat a transaction whose connection was lost; about 30 in all."""

_GRACE = 3.0
"""Seconds that an interrupted transaction has to notice it."""
_BUSY_TIMEOUT = 30.0
"""Seconds in which a transaction waits for the lock of another process that uses the same SQLite file."""
_BUSY_SLICE = 250
"""Milliseconds of that which SQLite itself waits: nothing can interrupt it meanwhile."""
_SETTINGS = (
    "SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s';"
    " SET LOCAL DateStyle = 'ISO'; SET LOCAL quote_all_identifiers = off"
)
"""For one transaction only: a pooler hands the session to others. The second one frees the locks of a lost client; the
others are what psycopg and SQLAlchemy can read, whatever the database's defaults are."""
_LOCK_NOT_AVAILABLE = "55P03"
_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_REPEATABLE = frozenset({"40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
"""SQLSTATEs of a transaction that the server rolled back and that may succeed when it is repeated: serialization,
deadlock, too many connections, shutdown, crash, start-up, idle timeouts, transaction timeout."""
_READ_ONLY = "25006"
"""The SQLSTATE of a write to a server that has become a standby: the connection parameters lead to the new primary."""


class Database:
    """A SQLite file or a schema in PostgreSQL. Each transaction runs in a thread, one at a time.

    Tables without a schema are those of the target's schema. A connection that nobody has used for `idle` seconds is
    closed. Once the database has been reached, a lost connection is opened again and its transaction repeated.

    Args:
        target: the database.
        idle: seconds.
        patience: seconds that a cancelled transaction has to end by itself.
        sleep: waits between two attempts.
    """

    def __init__(
        self,
        target: Target,
        *,
        idle: float = IDLE,
        patience: float = PATIENCE,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.target = target
        self._patience = patience
        self._sleep = sleep
        self._reached = False
        self._finishing: set[asyncio.Future[Any] | None] = set()
        self._ending: set[asyncio.Task[Any]] = set()
        self._file = None if target.path is None else _File(target, target.path)
        self._writer = _Session(_engine(target, self._file, read_only=False), idle)
        self._reader = _Session(_engine(target, self._file, read_only=True), idle)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_file(self) -> bool:
        """Whether it is SQLite."""
        return self.target.path is not None

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, which its return commits and its error rolls back.

        Where the connection was lost, `work` runs again, even if the transaction had been committed: use a `Writer`
        for work that must be done once. A caller that is cancelled waits until the transaction has ended.

        Raises:
            BlockingIOError: another process holds a lock for too long.
            OSError: the database cannot be reached or used.
        """
        return await self.finish(self.attempt(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that cannot write. A file is opened read-only and never created.

        Raises:
            FileNotFoundError: there is no such file.
            BlockingIOError: another process holds a lock for too long.
            OSError: the database cannot be reached or used.
        """
        return await self.finish(self._repeat(self._reader, work, len(BACKOFF)))

    async def attempt(self, work: Callable[[Connection], T], *, repeats: int = len(BACKOFF)) -> T:
        """Run `work` as `transaction` does, for a caller that itself is inside `finish`.

        Args:
            work: the transaction.
            repeats: how often it may be repeated.
        """
        return await self._repeat(self._writer, work, repeats)

    async def finish(self, work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
        """Run `work` to its end even if the caller is cancelled meanwhile.

        The patience for that ends with a second cancellation: then the transaction is interrupted and rolled back.
        Work inside such work has the patience of the outer one.
        """
        if asyncio.current_task() in self._finishing:
            return await work
        task = asyncio.ensure_future(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        try:
            return await asyncio.shield(task)
        finally:
            if not task.done():  # cancelled
                await self._end(task)
            if not task.cancelled():
                task.exception()  # retrieved, even if another one is raised

    async def close(self) -> None:
        """Close the connections. The database can still be used: it opens them again."""
        await self._reader.close()
        await self._writer.close()

    async def set_journal_mode(self, mode: str) -> bool:
        """Set a file's journal mode, which outlasts its connections; false where another connection prevents it."""
        await self.close()
        if self._file is not None:
            self._file.check()
        return await self.finish(asyncio.to_thread(_set_journal_mode, self.target, mode))

    @asynccontextmanager
    async def staying(self) -> AsyncIterator[None]:
        """Refuse transactions in a file that is moved, removed or replaced before the block ends.

        SQLite would write to the file that has lost its name, or to the one that has taken it.
        """
        if self._file is None:
            yield
            return
        self._file.hold()
        try:
            yield
        finally:
            await self.close()
            self._file.release()

    async def _repeat(self, session: "_Session", work: Callable[[Connection], T], repeats: int) -> T:
        attempts, began = 0, time.monotonic()
        while True:
            try:
                result = await session.run(work)
            except SQLAlchemyError as error:
                is_ending = asyncio.current_task() in self._ending
                if self.is_file and _is_busy(error) and not is_ending and time.monotonic() - began < _BUSY_TIMEOUT:
                    continue  # nothing was committed
                self._reached = self._reached or session.reached
                is_repeatable = _is_repeatable(error, attempts) or (session.has_succeeded and _is_read_only(error))
                if not self._reached or attempts == repeats or not is_repeatable:
                    raise os_error(error, self.target) from error
            else:
                self._reached = True
                return result
            await self._sleep(BACKOFF[attempts] * random.uniform(0.8, 1.2))
            attempts += 1

    async def _end(self, task: asyncio.Task[T]) -> None:
        self._ending.add(task)  # it waits for no lock any more
        try:
            await self._wait_for_end(task)
        finally:
            self._ending.discard(task)

    async def _wait_for_end(self, task: asyncio.Task[T]) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task], timeout=self._patience)
        if not task.done():
            with suppress(asyncio.CancelledError):
                if await asyncio.to_thread(self._interrupt, task):
                    await asyncio.wait([task], timeout=_GRACE)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])

    def _interrupt(self, task: asyncio.Task[Any]) -> bool:
        return self._reader.interrupt(task) or self._writer.interrupt(task)


@define(eq=False)
class _Call:
    """One use of a connection in a thread, which may outlast the patience of its caller."""

    connection: Connection | None
    task: asyncio.Task[Any] | None = None
    is_abandoned: bool = False
    _is_running: bool = False
    _mutex: threading.Lock = field(factory=threading.Lock)

    def start(self) -> None:
        with self._mutex:
            self.check()
            self._is_running = True

    def check(self) -> None:
        if self.is_abandoned:
            raise TimeoutError(errno.ETIMEDOUT, "the transaction was given up")

    def end(self) -> None:
        with self._mutex:
            self._is_running = False
            if self.is_abandoned:
                self.drop()

    def abandon(self) -> None:
        """Have the transaction rolled back, if it is not too late, and the connection closed after its last use."""
        with self._mutex:
            self.is_abandoned = True
            if not self._is_running:
                self.drop()

    def drop(self) -> None:
        """Close the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken, which is why it is closed
                connection.invalidate()
            connection.close()


class _Session:
    """One connection, opened when it is needed and closed when it is idle."""

    def __init__(self, engine: Engine, idle: float) -> None:
        self.reached = False
        self.has_succeeded = False
        self._engine = engine
        self._idle = idle
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None
        self._call: _Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        async with self._turn:
            self._stop_timer()
            call, self._connection = _Call(self._connection, asyncio.current_task()), None
            self._call = call
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(None, self._execute, call, work)
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                call.abandon()
                future.add_done_callback(lambda done: done.cancelled() or done.exception())
                raise
            except SQLAlchemyError:
                call.check()  # an interruption is not repeated
                raise
            finally:
                self._call = None
                if not call.is_abandoned and call.connection is not None:
                    self._connection = call.connection
                    self._timer = loop.call_later(self._idle, self._close_soon)

    async def close(self) -> None:
        await self._close()
        if self._closing is not None:  # it found nothing to close
            await asyncio.wait([self._closing])

    async def _close(self) -> None:
        async with self._turn:
            self._stop_timer()
            connection, self._connection = self._connection, None
            if connection is not None:
                await asyncio.shield(asyncio.to_thread(_Call(connection).drop))

    def interrupt(self, task: asyncio.Task[Any]) -> bool:
        """End what the thread does for a task, from another thread; false if it does nothing."""
        call = self._call
        if call is None or call.task is not task:
            return False
        connection = call.connection
        call.abandon()
        with suppress(Exception):  # it has ended by itself
            proxy: Any = connection and connection.connection
            if self._engine.dialect.name == "sqlite":
                proxy.driver_connection.interrupt()
            else:
                _cut(proxy.driver_connection)
        return True

    def _execute(self, call: _Call, work: Callable[[Connection], T]) -> T:
        call.start()
        try:
            if call.connection is None:
                call.connection = self._engine.connect()
                self.reached = True
            with call.connection.begin():
                result = work(call.connection)
                call.check()
            self.has_succeeded = True
            return result
        except BaseException as error:
            if not _is_healthy(call.connection, error) or _is_read_only(error):
                call.drop()
            raise
        finally:
            call.end()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_soon(self) -> None:
        self._closing = asyncio.ensure_future(self._close())


class _File:
    """The file of a SQLite database. While it is held, its name must not come to mean another file."""

    def __init__(self, target: Target, path: Path) -> None:
        self._target = target
        self._path = path
        self._held: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None

    def hold(self) -> None:
        self._held, self._log = _identity(self._path), None

    def check(self) -> None:
        """Check that the held file still has its name.

        Raises:
            OSError: it has not.
        """
        if self._held is None:
            return
        if _identity(self._path) != self._held:
            why = "it was moved, removed or replaced while it was being written to"
            raise OSError(errno.ESTALE, why, str(self._target))
        self._log = _identity(self._log_path) or self._log

    def release(self) -> None:
        """Stop holding the file, whose connections are closed.

        If another file has its name, SQLite has left the write-ahead log, and would apply it to that one.
        """
        is_another = _identity(self._path) != self._held
        self._held = None
        if is_another and self._log is not None and _identity(self._log_path) == self._log:
            for suffix in ("-wal", "-shm"):
                self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)

    @property
    def _log_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}-wal")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class _FileConnection(sqlite3.Connection):
    """A connection to a file, which `is_in_use` until it is closed."""

    path: Path

    def close(self) -> None:
        super().close()
        with _in_use_mutex:
            _in_use.discard(self)


_in_use: WeakSet[_FileConnection] = WeakSet()
_in_use_mutex = threading.Lock()


def is_in_use(path: Path) -> bool:
    """Whether SQLite has a file open in this process: closing another descriptor of it would drop SQLite's locks.

    https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    """
    with _in_use_mutex:
        return any(connection.path == path for connection in _in_use)


def qualified(connection: Connection, name: str) -> str:
    """Quote the name of a table, with its schema, for a statement that is written as text."""
    quote = connection.dialect.identifier_preparer.quote
    schema = (connection.get_execution_options().get("schema_translate_map") or {}).get(None)
    return f"{quote(schema)}.{quote(name)}" if schema else quote(name)


def os_error(error: SQLAlchemyError, target: Target) -> OSError:
    """Turn a database's error into that of a file: with a reason, and with the target, without secrets."""
    if _is_busy(error):
        return busy(target, "another process holds a lock on it")
    return OSError(errno.EIO, reason(error, target), str(target))


def busy(target: Target | str, why: str) -> BlockingIOError:
    return BlockingIOError(errno.EWOULDBLOCK, why, str(target))


def reason(error: SQLAlchemyError, target: Target) -> str:
    """Describe a database's error in one line, which is never empty."""
    origin = getattr(error, "orig", None) or error
    text = " ".join(str(origin).split())
    if not text:
        state = getattr(origin, "sqlstate", None)
        text = type(origin).__name__ + (f" (SQLSTATE {state})" if state else "")
    return printable(target.redact(text))


def _is_busy(error: SQLAlchemyError) -> bool:
    origin = getattr(error, "orig", None)
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    return code in _SQLITE_BUSY or getattr(origin, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def _is_repeatable(error: SQLAlchemyError, attempts: int) -> bool:
    if not isinstance(error, DBAPIError) or hasattr(error.orig, "sqlite_errorcode"):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state == _LOCK_NOT_AVAILABLE:
        return attempts > 0  # held by the server's part of the connection that was lost, until the server notices
    if state:
        return state in _REPEATABLE or state.startswith("08")
    return error.connection_invalidated or isinstance(error, OperationalError)


def _is_read_only(error: BaseException) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == _READ_ONLY


def _is_healthy(connection: Connection | None, error: BaseException) -> bool:
    if connection is None or connection.invalidated or getattr(error, "connection_invalidated", False):
        return False
    driver: Any = connection.connection.driver_connection
    return not getattr(driver, "closed", False)


def _set_journal_mode(target: Target, mode: str) -> bool:
    assert target.path is not None
    try:
        with closing(sqlite3.connect(f"{target.path.as_uri()}?mode=rw", uri=True, timeout=1.0)) as connection:
            return bool(connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode.lower(),))
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in _SQLITE_BUSY:
            return False
        raise OSError(errno.EIO, str(error) or type(error).__name__, str(target)) from error


def _cut(driver: Any) -> None:
    """Cancel the statement that a psycopg connection waits for; if that fails, end the connection."""
    with suppress(Exception):
        driver.cancel_safe(timeout=2.0)
    with suppress(OSError), socket.socket(fileno=os.dup(driver.fileno())) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _engine(target: Target, file: _File | None, *, read_only: bool) -> Engine:
    return _sqlite(target, file, read_only=read_only) if file else _postgresql(target, read_only=read_only)


def _sqlite(target: Target, file: _File, *, read_only: bool) -> Engine:
    assert target.path is not None
    path = target.path
    engine = create_engine(
        "sqlite://", json_serializer=dump, poolclass=NullPool, pool_reset_on_return=None, hide_parameters=True
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, args: Any, options: Any) -> Any:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target))
        file.check()
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target))
        uri = f"{path.as_uri()}?mode={'ro' if read_only else 'rw'}"
        connection = dialect.dbapi.connect(
            uri, uri=True, check_same_thread=False, isolation_level=None, factory=_FileConnection
        )
        connection.path = path
        with _in_use_mutex:
            _in_use.add(connection)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SLICE}")
        if not read_only:
            connection.execute("PRAGMA synchronous = FULL")  # a committed page survives a power cut
        return connection

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        file.check()
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")  # the driver would not begin for DDL

    @event.listens_for(engine, "commit")
    def commit(_: Connection) -> None:
        file.check()

    return engine


def _postgresql(target: Target, *, read_only: bool) -> Engine:
    with require_extra():
        import psycopg  # noqa: F401
    engine = create_engine(
        "postgresql+psycopg://",
        json_serializer=dump,
        poolclass=NullPool,
        pool_reset_on_return=None,
        hide_parameters=True,
        use_native_hstore=False,
        execution_options={"schema_translate_map": {None: target.schema}},
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, args: Any, options: Any) -> Any:
        return target.connect(prepare_threshold=None, context=options.get("context"))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(("SET TRANSACTION READ ONLY; " if read_only else "") + _SETTINGS)

    return engine
