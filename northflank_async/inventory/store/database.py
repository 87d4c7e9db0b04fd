"""What does a piece of work in a database, in one transaction, without keeping the event loop waiting."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import frozen
from sqlalchemy import Connection, Engine

if TYPE_CHECKING:  # it needs greenlet, which is installed for PostgreSQL alone
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


class Database(Protocol):
    """Does one piece of work at a time."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work in one transaction, which its return commits."""


@frozen
class FileDatabase:
    """SQLite, in a thread: one change of threads for a whole transaction, instead of several for each statement."""

    engine: Engine

    async def run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self._run, work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)


@frozen
class ServerDatabase:
    """A server, by one connection, whose session may hold a lock."""

    connection: "AsyncConnection"

    async def run(self, work: Callable[[Connection], T]) -> T:
        async with self.connection.begin():
            return await self.connection.run_sync(work)
