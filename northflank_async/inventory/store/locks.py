"""Locks that allow one writer at a time."""

import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:  # it needs greenlet, which only the extra `postgres` installs
    from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = 0x6E6F727468
"""A PostgreSQL advisory lock; any number will do."""
_LOCK_TIMEOUT = 5
"""Seconds within which the server notices that a writer was killed."""
_LOCK_NOT_AVAILABLE = "55P03"
_KEEPALIVES = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
"""Seconds, so that a writer whose machine died does not hold the lock for hours."""


@contextmanager
def lock_file(path: str, target: str) -> Iterator[None]:
    """Be the only process that writes to a file. The lock is a file next to it, `.lock`.

    Args:
        path: the file.
        target: its name in the error.

    Raises:
        BlockingIOError: another process holds the lock.
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
async def lock_server(connection: "AsyncConnection", target: str) -> AsyncIterator[None]:
    """Be the only one that writes to a PostgreSQL database, for as long as the connection lives.

    Args:
        connection: holds the lock.
        target: the database's name in the error.

    Raises:
        BlockingIOError: another connection holds the lock.
    """
    try:
        async with connection.begin():
            for setting in _KEEPALIVES:
                await connection.execute(text(f"SET {setting}"))
            await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
            await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise _in_use(target) from None
    try:
        yield
    finally:
        async with connection.begin():
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


def _in_use(target: str) -> OSError:
    return BlockingIOError(errno.EWOULDBLOCK, "another export is writing to it", target)
