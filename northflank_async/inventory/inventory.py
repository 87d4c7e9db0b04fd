from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from northflank_async.atomic_write import atomic_write
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.formats import load_format
from northflank_async.inventory.outcome import OnStart, Outcome
from northflank_async.inventory.scope import Scope
from northflank_async.inventory.selection import Selection
from northflank_async.inventory.store.ledger import Run
from northflank_async.inventory.store.store import Store, parse_database, shown
from northflank_async.inventory.store.stored_backup import StoredBackup
from northflank_async.inventory.sync import sync
from northflank_async.resources import AccountResource


class Inventory:
    """The backups of many projects in a database, brought up to date by each `sync`.

        async with Inventory("inventory.db") as inventory:
            await inventory.sync(nf)
            async for stored in inventory.backups():
                print(stored.project_id, stored.id, stored.first_seen)

    Args:
        target: a file for SQLite, or `postgresql://user:password@host/database`.

    Raises:
        ConfigurationError: the target is neither of the two, or what it needs is not installed.
    """

    def __init__(self, target: str | Path) -> None:
        self._url = parse_database(target)
        self._open: Store | None = None
        self._exit = AsyncExitStack()

    def __repr__(self) -> str:
        return f"<Inventory {shown(self._url)}>"

    async def __aenter__(self) -> Self:
        self._open = await self._exit.enter_async_context(Store.open(self._url))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = None
        await self._exit.aclose()

    async def sync(
        self,
        *views: AccountResource,
        projects: Iterable[str] | None = None,
        selection: Selection | None = None,
        restores: bool = False,
        concurrency: int = 16,
        on_start: OnStart | None = None,
    ) -> Outcome:
        """Read the API into the database: what is new is added, what has changed is changed, what is gone is marked.

        A sync that was interrupted, however, goes on where it was when it is called again with the same arguments.

        Args:
            views: the client, its teams, or several of them.
            projects: ids, in each of the views; all projects if left out.
            selection: which backups are wanted; others are not added.
            restores: read the restores as well.
            concurrency: requests in flight, 1 to 100.
            on_start: called once, with a function that tells at any time how far it is.

        Raises:
            BlockingIOError: another process is writing to the database.
            OSError: the database cannot be read or written.
            NorthflankError: the API cannot be read at all, or not any more.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        scope = Scope(
            views=views,
            projects=projects,
            selection=selection or Selection(),
            restores=restores,
            concurrency=concurrency,
        )
        return await self.sync_scope(scope, on_start=on_start)

    async def sync_scope(self, scope: Scope, *, on_start: OnStart | None = None) -> Outcome:
        """Sync what the scope says, as `sync` does."""
        async with self._store.writing() as database:
            run = Run(database, scope.selection)
            outcome = await sync(run, scope, on_start)
            await run.finish()
        return outcome

    async def backups(self, *, gone: bool = False, restores: bool = False) -> AsyncIterator[StoredBackup]:
        """The backups, by team, project, addon and id.

        Args:
            gone: those that are gone as well.
            restores: with the restores of each, if they were synced.
        """
        async for stored in self._store.backups(gone=gone, restores=restores):
            for backup in stored:
                yield backup

    async def export(self, path: str | Path, *, restores: bool = False) -> int:
        """Write the backups to a `.jsonl`, `.csv` or `.parquet` file, which appears whole or not at all.

        Args:
            path: the file; its ending says the format.
            restores: with the restores of each backup, if they were synced.

        Returns:
            The number of backups.

        Raises:
            ConfigurationError: an unknown ending, or what the format needs is not installed.
            OSError: the file cannot be written.
        """
        write = load_format(Path(path))
        with atomic_write(Path(path)) as file:
            return await write(file, self._store.backups(restores=restores), restores)

    @property
    def _store(self) -> Store:
        if self._open is None:
            raise ConfigurationError("open the inventory with `async with` before using it")
        return self._open
