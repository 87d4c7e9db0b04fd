from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from northflank_async.atomic_write import atomic_write
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.crawl import OnStart, Outcome, check_concurrency
from northflank_async.inventory.formats import load_format
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.database import Database, display_name, open_database, parse_target
from northflank_async.inventory.store.reader import read_backups
from northflank_async.inventory.store.stored_backup import StoredBackup
from northflank_async.inventory.sync import SyncRun
from northflank_async.resources import AccountResource


class Inventory:
    """The backups of many projects in a database, brought up to date by each `sync`.

        async with Inventory("inventory.db") as inventory:
            await inventory.sync(nf)
            async for stored in inventory.backups():
                print(stored.project_id, stored.id, stored.first_seen_at)

    Args:
        target: a file for SQLite, or `postgresql://user:password@host/database`.

    Raises:
        ConfigurationError: the target is neither of the two, or a package it needs is not installed.
    """

    def __init__(self, target: str | Path) -> None:
        self._url = parse_target(target)
        self._opened: Database | None = None
        self._exit = AsyncExitStack()

    def __repr__(self) -> str:
        return f"<Inventory {display_name(self._url)}>"

    async def __aenter__(self) -> Self:
        self._opened = await self._exit.enter_async_context(open_database(self._url))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened = None
        await self._exit.aclose()

    async def sync(
        self, query: Query | AccountResource, *, concurrency: int = 16, on_start: OnStart | None = None
    ) -> Outcome:
        """Upsert what the API has, and soft-delete (`deleted_at`) what it no longer has.

        Called again with the same query, it resumes a sync run that was interrupted.

        Args:
            query: what to read; a client or a team stands for everything in it. Backups that the query does not
                match are not inserted, but updated if they are stored.
            concurrency: requests in flight, 1 to 100.
            on_start: called once, with a function that returns the current progress.

        Raises:
            ConfigurationError: the inventory belongs to another host.
            BlockingIOError: another process is writing to the database.
            OSError: the database cannot be read or written.
            NorthflankError: the API cannot be read, or not any longer.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        check_concurrency(concurrency)
        async with self._database.locked() as session:
            run = SyncRun(session, Query.of(query), concurrency=concurrency)
            outcome = await run.run(on_start)
            await run.finish()
        return outcome

    async def backups(self, *, deleted: bool = False, restores: bool = False) -> AsyncIterator[StoredBackup]:
        """Yield the backups, ordered by team, project, addon and id.

        Args:
            deleted: include deleted backups.
            restores: include the restores of each backup, if they were synced.
        """
        async for batch in read_backups(self._database, deleted=deleted, with_restores=restores):
            for backup in batch:
                yield backup

    async def export(self, path: str | Path, *, restores: bool = False) -> int:
        """Write the backups atomically to a `.jsonl`, `.csv` or `.parquet` file.

        Args:
            path: the file; its suffix selects the format.
            restores: include the restores of each backup, if they were synced.

        Returns:
            The number of backups.

        Raises:
            ConfigurationError: the suffix is unknown, or a package the format needs is not installed.
            OSError: the file cannot be written.
        """
        write = load_format(Path(path))
        with atomic_write(Path(path)) as file:
            return await write(file, read_backups(self._database, with_restores=restores), restores)

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise ConfigurationError("open the inventory with `async with` before using it")
        return self._opened
