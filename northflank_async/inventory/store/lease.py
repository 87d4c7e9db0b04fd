"""The only writer: of a file, by a lock file beside it; of an account in PostgreSQL, by a lease with an expiry."""

import asyncio
import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql

from northflank_async.inventory.store.connections import Database, busy
from northflank_async.inventory.store.ownership import Schema, check_ours, ensure_schema, lease, lock_schema
from northflank_async.inventory.store.target import Target

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], Awaitable[object]]

TTL = 30.0
"""Seconds for which a lease is valid."""
HEARTBEAT = 10.0
"""Seconds between two renewals."""
POLL = 1.0
"""Seconds between two looks at a lease that may be abandoned."""

_REPEATS = 2
"""Of a renewal or a release whose connection was lost; the next renewal, or the expiry, does the rest."""


class Writer:
    """The only writer of an account; of a file, as long as its lock is held."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that is committed once, whatever happens to connections.

        `work` may run again if its connection is lost before the commit. A caller that is cancelled waits until the
        transaction has been committed or rolled back.

        Raises:
            BlockingIOError: another process has become the writer.
            OSError: the database cannot be reached or used.
        """
        return await self._database.transaction(work)

    async def finish(self, work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
        """Run work with transactions to its end even if the caller is cancelled. See `Database.finish`."""
        return await self._database.finish(work)


class _Lease(Writer):
    """The only writer of an account in PostgreSQL, until its lease expires and another one takes it.

    Each transaction counts itself in the row of the lease. The count shows whether a transaction was committed before
    its connection broke, and the row's holder whether the lease is still ours.
    """

    def __init__(
        self, database: Database, account_id: str, ttl: float, heartbeat: float, poll: float, sleep: Sleep
    ) -> None:
        super().__init__(database)
        self._account_id = account_id
        self._holder = secrets.token_hex(16)
        self._expiry = func.clock_timestamp() + timedelta(seconds=ttl)
        self._ttl, self._heartbeat, self._poll, self._sleep = ttl, heartbeat, poll, sleep
        self._is_ours = (lease.c.account_id == account_id) & (lease.c.holder == self._holder)
        self._turn = asyncio.Lock()
        self._committed: int | None = 0  # transactions; None if it is not known how the last one ended

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        return await self.finish(self._transaction(work))

    async def acquire(self) -> None:
        """Take the lease if it is free, expired, or that of a process which has ended on this machine.

        One that is not renewed is waited for until it expires, but no longer than leases are valid: if the server's
        clock was set back, it would expire much later.

        Raises:
            BlockingIOError: another process holds it.
        """
        seen: Row[Any] | None = None
        waited = 0.0
        while True:
            abandoned = seen if waited >= self._ttl else None
            row = await self._database.transaction(partial(self._take, abandoned=abandoned))
            if row is None:
                return
            if row.machine == _machine() or (seen is not None and row != seen):  # it is alive, or renews
                raise busy(self._database.target, _describe(row))
            seen = row
            await self._sleep(self._poll)
            waited += self._poll

    async def release(self) -> None:
        with suppress(OSError):
            free = update(lease).where(self._is_ours).values(holder=None, expires_at=None)
            await self._database.finish(self._database.attempt(lambda c: c.execute(free).close(), repeats=_REPEATS))

    async def renew(self) -> None:
        """Renew the lease until it is lost."""
        renewal = update(lease).where(self._is_ours).values(expires_at=self._expiry)
        is_ours = True
        while is_ours:
            await self._sleep(self._heartbeat)
            with suppress(OSError):
                attempt = self._database.attempt(lambda c: c.execute(renewal).rowcount == 1, repeats=_REPEATS)
                is_ours = await self._database.finish(attempt)

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        async with self._turn:
            number, self._committed = self._committed, None
            if number is None:
                number = await self._database.attempt(self._count)
            results: list[T] = []

            def counted(connection: Connection) -> T:
                if not self._advance(connection, number):
                    if results and self._count(connection) == number + 1:
                        return results[-1]  # it was committed, and then its connection broke
                    raise self._lost()
                results.append(work(connection))
                return results[-1]

            result = await self._database.attempt(counted)
            self._committed = number + 1
            return result

    def _advance(self, connection: Connection, number: int) -> bool:
        ours = (self._is_ours, lease.c.transactions == number)
        counted = {"transactions": number + 1, "expires_at": self._expiry}
        return connection.execute(update(lease).where(*ours).values(counted)).rowcount == 1

    def _count(self, connection: Connection) -> int:
        """Read how many transactions were committed, after those that may still be running."""
        query = select(lease.c.transactions).where(self._is_ours).with_for_update()
        number: int | None = connection.execute(query).scalar()
        if number is None:
            raise self._lost()
        return number

    def _take(self, connection: Connection, abandoned: Row[Any] | None) -> Row[Any] | None:
        """Take the lease, or find who has it."""
        row = _find_holder(connection, self._account_id, self._holder)
        if row is not None and row != abandoned:
            return row
        values = {
            "holder": self._holder,
            "host": socket.gethostname(),
            "machine": _machine(),
            "pid": os.getpid(),
            "process_started": _process(os.getpid())[1],
            "expires_at": self._expiry,
            "transactions": 0,
        }
        connection.execute(update(lease).where(lease.c.account_id == self._account_id).values(values))
        return None

    def _lost(self) -> BlockingIOError:
        return busy(self._database.target, "another export has taken over writing to it")


class Store:
    """An inventory that is open for writing: a file with a single writer, or PostgreSQL with one for each account.

    Args:
        database: where the inventory is.
        ttl: seconds for which a lease is valid.
        heartbeat: seconds between two renewals.
        poll: seconds between two looks at a lease that may be abandoned.
        sleep: waits between renewals and looks.
    """

    def __init__(self, database: Database, ttl: float, heartbeat: float, poll: float, sleep: Sleep) -> None:
        self._database = database
        self._options = (ttl, heartbeat, poll, sleep)

    async def exclusive(self, work: Callable[[Connection], T]) -> T:
        """Run `work` that concerns several accounts in a transaction, while nobody else does the same.

        `work` runs again if its connection is lost, even if the transaction had been committed.

        Raises:
            OSError: the database cannot be reached or used.
        """

        def locked(connection: Connection) -> T:
            lock_schema(connection)
            return work(connection)

        return await self._database.transaction(locked)

    def release(self, connection: Connection, account_id: str) -> None:
        """Remove the lease of an account, whose rows become another one's.

        Raises:
            BlockingIOError: another process is writing to it.
        """
        if self._database.is_file:
            return
        if (row := _find_holder(connection, account_id)) is not None:
            raise busy(self._database.target, _describe(row))
        connection.execute(delete(lease).where(lease.c.account_id == account_id))

    @asynccontextmanager
    async def writing(self, account_id: str) -> AsyncIterator[Writer]:
        """Be the only writer of an account.

        Raises:
            BlockingIOError: another process is writing to it.
            OSError: the database cannot be reached or used.
        """
        if self._database.is_file:
            yield Writer(self._database)
            return
        held = _Lease(self._database, account_id, *self._options)
        try:
            await held.acquire()
            renewal = asyncio.create_task(held.renew())
            try:
                yield held
            finally:
                renewal.cancel()
                await asyncio.wait([renewal])
        finally:
            await held.release()


@asynccontextmanager
async def open_store(
    database: Database,
    schema: Schema,
    *,
    locked: bool = False,
    ttl: float = TTL,
    heartbeat: float = HEARTBEAT,
    poll: float = POLL,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Store]:
    """Open an inventory for writing, whose tables are created or migrated first.

    A file is finished when the block ends: then it needs no write-ahead log, so that its readers need not write.

    Args:
        database: where the inventory is, or will be.
        schema: its tables.
        locked: the caller holds the file's `lock_file`.
        ttl: seconds for which a lease is valid.
        heartbeat: seconds between two renewals.
        poll: seconds between two looks at a lease that may be abandoned.
        sleep: waits between renewals and looks.

    Raises:
        BlockingIOError: another process is writing to the file, or to a database that has to be migrated.
        ConfigurationError: it is not ours, or it is newer. Nothing was written.
        OSError: it cannot be read or written, or the file has hard links.
    """
    target = database.target
    store = Store(database, ttl, heartbeat, poll, sleep)
    if target.path is None:
        await ensure_schema(database, schema)
        yield store
        return
    await check_ours(database, schema)  # before the lock's file is created
    with nullcontext() if locked else lock_file(target.path, target):
        _check_is_only_name(target.path, target)
        await ensure_schema(database, schema)
        async with database.staying():
            await database.set_journal_mode("WAL")  # readers and the writer do not wait for each other
            try:
                yield store
            finally:
                with suppress(OSError):
                    await database.set_journal_mode("DELETE")


def _check_is_only_name(path: Path, target: Target) -> None:
    """Refuse a file with hard links: each of its names would have a lock, and a write-ahead log, of its own."""
    if path.exists() and path.stat().st_nlink > 1:
        why = "it has several names (hard links), under which it could be written to at once: write to a copy of it"
        raise OSError(errno.EMLINK, why, str(target))


@contextmanager
def lock_file(path: Path, target: Target | str, *, mode: int = -1) -> Iterator[None]:
    """Hold the lock of a file, which is another file beside it. It ends with the process, however that ends.

    Args:
        path: the resolved file.
        target: what a refusal names.
        mode: that of the lock's file; by default, that of any new file.

    Raises:
        BlockingIOError: another process holds it.
    """
    lock = FileLock(f"{path}.lock", mode=mode, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise busy(target, "another export is writing to it") from None
    try:
        yield
    finally:
        lock.release()


def _find_holder(connection: Connection, account_id: str, holder: str | None = None) -> Row[Any] | None:
    """Lock the row of a lease, unless somebody other than `holder` has the lease: then return who."""
    insertion = postgresql.insert(lease).values(account_id=account_id, transactions=0)
    is_valid = lease.c.expires_at > func.clock_timestamp()
    query = select(lease, is_valid.label("is_valid")).where(lease.c.account_id == account_id)
    for find in (query, query.with_for_update()):  # a lease that is held is not waited for
        row = connection.execute(find).first()
        if row is None:
            connection.execute(insertion.on_conflict_do_nothing())
        elif row.holder not in (None, holder) and row.is_valid and not _has_ended(row):
            return row
    return None


def _describe(row: Row[Any]) -> str:
    return f"another export is writing to it (process {row.pid} on {row.host})"


def _machine() -> str:
    """Describe where a process id means the same process: a host, since it was booted, and a process namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _has_ended(row: Row[Any]) -> bool:
    """Whether a lease's holder is known to have ended: ids are used again, so its start is compared, too."""
    if row.machine != _machine() or os.name != "posix":
        return False
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    state, started = _process(row.pid)
    return state == "Z" or (None not in (started, row.process_started) and started != row.process_started)


def _process(pid: int) -> tuple[str | None, str | None]:
    """Read the state and the start of a process, where there is a /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None, None
    return fields[0], fields[19]
