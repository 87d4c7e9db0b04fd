import errno
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from attrs import evolve

from northflank_async.atomic_write import atomic_write
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.crawl import OnStart, Outcome, check_concurrency
from northflank_async.inventory.drills import Drill
from northflank_async.inventory.facts import AccountFacts, AddonFacts
from northflank_async.inventory.formats import (
    Batches,
    OnUnwritten,
    WriteOptions,
    json_lines,
    load_format,
    log_unwritten,
)
from northflank_async.inventory.identity import identify
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.accounts import find_account
from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.copies import StorableCopy, replace_copies
from northflank_async.inventory.store.drills import read_drills, save_drill
from northflank_async.inventory.store.facts import read_account_facts, read_addon_facts
from northflank_async.inventory.store.lease import open_store
from northflank_async.inventory.store.ledger import RESUME_MAX_AGE
from northflank_async.inventory.store.ownership import check_ours, check_schema
from northflank_async.inventory.store.reader import read_addons, read_backups, read_project_ids
from northflank_async.inventory.store.schema import INVENTORY
from northflank_async.inventory.store.stored_backup import StoredAddon, StoredBackup, StoredRow
from northflank_async.inventory.store.target import SCHEMA, Target
from northflank_async.inventory.sync import Sync
from northflank_async.resources import AccountResource
from northflank_async.validation import plain_callback


class Inventory:
    """The backups of many projects in a database, brought up to date by each `sync`.

        async with Inventory("inventory.db") as inventory:
            await inventory.sync(nf)
            async for stored in inventory.backups():
                print(stored.project_id, stored.id, stored.first_seen_at)

    Only `sync`, `record_copies` and `record_drill` write to the database: they create the tables if there are none.

    Args:
        target: a file for SQLite, or `postgresql://user:password@host/database`, with any parameter of libpq.
        schema: the schema of the tables in PostgreSQL.

    Raises:
        ConfigurationError: the target is neither of the two, or a package it needs is not installed.
    """

    def __init__(self, target: str | os.PathLike[str], *, schema: str = SCHEMA) -> None:
        self._target = Target.parse(target, schema=schema)
        self._opened: Database | None = None
        self._exit = AsyncExitStack()

    def __repr__(self) -> str:
        return f"<Inventory {self._target}>"

    @property
    def target(self) -> str:
        """The file, or the database's URL without its password."""
        return str(self._target)

    @property
    def schema(self) -> str | None:
        """The PostgreSQL schema; `None` for the default one, and for a file."""
        return None if self._target.schema == SCHEMA else self._target.schema

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database(self._target))
            await check_ours(database, INVENTORY)
            self._exit = stack.pop_all()
        self._opened = database
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened = None
        await self._exit.aclose()

    async def sync(
        self,
        *queries: Query | AccountResource,
        concurrency: int = 16,
        strict: bool = False,
        resume_max_age: timedelta = RESUME_MAX_AGE,
        allow_mass_deletion: bool = False,
        on_start: OnStart | None = None,
    ) -> Outcome:
        """Upsert what the API has, and soft-delete (`deleted_at`) what it no longer has.

        Called again for the same accounts with the same queries, it resumes the sync runs of an interrupted sync.

        Each client waits for its own rate limit, and they take turns with their requests. Of several clients, one that
        cannot be read is in `failures`, with its account; the others are synced. Clients of the same account are
        synced one after the other. In PostgreSQL, several processes can sync different accounts at the same time.

        Args:
            *queries: what to read, of one or several clients; a client or team means everything in it. Backups that
                a query does not match are not inserted, but updated if they are stored.
            concurrency: requests in flight, of all clients together, 1 to 100.
            strict: if anything could not be read, leave the sync run unfinished: the next one reads only that.
            resume_max_age: how long after its start an interrupted sync run is resumed; later, a new one starts.
            allow_mass_deletion: soft-delete items even if a listing of projects or addons has lost all of them, or
                more than half of ten or more.
            on_start: called once, with a function that returns the current progress.

        Raises:
            ConfigurationError: the database is not an inventory, or a newer one, or it has this account of another
                host, or it is not clear whose rows it has.
            BlockingIOError: another process is writing to the file, or to the account.
            OSError: the database cannot be read or written.
            NorthflankError: the API could not be read, or failed partway; of several clients, that is so of each, and
                this is the first one's error.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        check_concurrency(concurrency)
        on_start = None if on_start is None else plain_callback("on_start", on_start)
        wanted = Query.of_each_client(queries)
        async with (
            open_store(self._database, INVENTORY) as store,
            Sync(
                store,
                wanted,
                concurrency=concurrency,
                resume_max_age=resume_max_age,
                allow_mass_deletion=allow_mass_deletion,
            ) as sync,
        ):
            outcome = await sync.run(on_start)
            if strict and outcome.failures:
                await sync.reopen()
            else:
                await sync.finish()
        return outcome

    async def backups(self, *, deleted: bool = False, restores: bool = False) -> AsyncIterator[StoredBackup]:
        """Yield the backups, ordered by account, team, project, addon and id.

        Args:
            deleted: include deleted backups.
            restores: include the restores of each backup, if they were synced.

        Raises:
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read.
        """
        async for batch in self._read(deleted=deleted, restores=restores):
            for row in batch:
                if isinstance(row, StoredBackup):
                    yield row

    async def record_copies(self, destination: str, copies: Iterable[StorableCopy]) -> None:
        """Store which copies of dumps a destination outside the platform holds, in the table `copies`.

        Args:
            destination: a folder or a bucket; what was stored for it before is replaced.
            copies: as a mirror returns them.

        Raises:
            ConfigurationError: the database is not an inventory, or a newer one.
            BlockingIOError: another process is writing to the file.
            OSError: the database cannot be read or written.
        """
        found = list(copies)
        async with open_store(self._database, INVENTORY):
            await self._database.transaction(lambda connection: replace_copies(connection, destination, found))

    async def addons(self) -> list[StoredAddon]:
        """Return the addons whose backups were listed, with the numbers of their backups and restores.

        Raises:
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read.
        """
        await self._check_exists()
        return await read_addons(self._database)

    async def project_ids(self) -> set[str]:
        """Return the ids of the projects whose addons were listed.

        Raises:
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read.
        """
        await self._check_exists()
        return await read_project_ids(self._database)

    async def addon_facts(self) -> AsyncIterator[AddonFacts]:
        """Yield what is known of every addon, and how far; ordered by account, team, project and id.

        Raises:
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read.
        """
        await self._check_exists()
        async for facts in read_addon_facts(self._database):
            yield facts

    async def account_facts(self) -> list[AccountFacts]:
        """Return what is known of every account: when it was synced, and what could not be read.

        Raises:
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read.
        """
        await self._check_exists()
        return await read_account_facts(self._database)

    async def drills(self) -> list[Drill]:
        """Return the restores that were tried, oldest first.

        Raises:
            FileNotFoundError: there is no inventory in the database.
            OSError: the database cannot be read.
        """
        await self._check_exists()
        return await read_drills(self._database)

    async def record_drill(self, account: AccountResource, drill: Drill) -> Drill:
        """Store a drill, or replace what is stored of it.

        Args:
            account: any account of the client.
            drill: the drill; with an `account_id`, no request is sent.

        Returns:
            The drill with its `account_id`, which is empty if the account is not known.

        Raises:
            ConfigurationError: the database is not an inventory, or it is not clear whose drill it is.
            BlockingIOError: another process is writing to the file, or to the account.
            OSError: the database cannot be read or written.
            NorthflankError: the account of the token could not be read.
        """
        account_id = drill.account_id
        auth = await identify(account) if account_id is None else None
        async with open_store(self._database, INVENTORY) as store:
            if account_id is None:
                query = Query(account)
                account_id = await store.exclusive(
                    lambda connection: find_account(connection, query, auth, store.release, is_only=True)
                )
            found = account_id
            async with store.writing(found) as writer:
                await writer.transaction(lambda connection: save_drill(connection, found, drill))
        return evolve(drill, account_id=found)

    async def export(
        self,
        path: str | Path,
        *,
        restores: bool = False,
        csv_raw: bool = False,
        on_unwritten: OnUnwritten = log_unwritten,
        matches: Callable[[StoredRow], bool] | None = None,
        allow_empty: bool = True,
    ) -> int:
        """Write the backups atomically to a `.jsonl`, `.csv` or `.parquet` file.

        JSON Lines and CSV are compressed if `.gz` or `.zst` is appended to the name.

        Args:
            path: the file; the ending of its name selects the format.
            restores: include the restores of each backup, if they were synced.
            csv_raw: write CSV text unchanged, also what a spreadsheet takes for a formula. By default, an apostrophe
                is put before text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return.
            on_unwritten: called with the place and id of each restore that a CSV file has no row for, as its backup
                is not listed. By default, they are logged as warnings.
            matches: whether to write a row; by default, all are written.
            allow_empty: let a file that has backups be replaced by one that has none.

        Returns:
            The number of backups.

        Raises:
            ConfigurationError: the ending is unknown, or a package the format needs is not installed; or the file is
                the database itself; or the result is empty, and the file is not.
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read, or the file cannot be written.
        """
        on_unwritten = plain_callback("on_unwritten", on_unwritten)
        matches = None if matches is None else plain_callback("matches", matches)
        write = load_format(Path(path))
        _check_is_another(Path(path), self._target)
        options = WriteOptions(restores=restores, csv_raw=csv_raw, on_unwritten=on_unwritten)
        rows = Counted(self._read(restores=restores, matches=matches))
        with atomic_write(Path(path)) as file:
            count = await write(file, rows.batches(), options)
            if not rows.count and not allow_empty:
                check_replaceable(file, Path(path))
        return count

    async def write_lines(
        self, file: BinaryIO, *, restores: bool = False, matches: Callable[[StoredRow], bool] | None = None
    ) -> int:
        """Write the backups to a stream, as the JSON Lines of `export`.

        Args:
            file: the stream.
            restores: include the restores of each backup, if they were synced.
            matches: whether to write a row; by default, all are written.

        Returns:
            The number of backups.

        Raises:
            FileNotFoundError: nothing was ever synced into the database.
            OSError: the database cannot be read, or the stream cannot be written.
        """
        count = await json_lines.write(
            file, self._read(restores=restores, matches=matches), WriteOptions(restores=restores)
        )
        file.flush()
        return count

    async def _read(
        self, *, deleted: bool = False, restores: bool, matches: Callable[[StoredRow], bool] | None = None
    ) -> AsyncIterator[list[StoredRow]]:
        await self._check_exists()
        async for batch in read_backups(self._database, deleted=deleted, with_restores=restores):
            yield batch if matches is None else [row for row in batch if matches(row)]

    async def _check_exists(self) -> None:
        if not await check_schema(self._database, INVENTORY):
            raise FileNotFoundError(errno.ENOENT, "there is no inventory yet", str(self._target))

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise ConfigurationError("open the inventory with `async with` before using it")
        return self._opened


class Counted:
    """Counts the rows of batches."""

    def __init__(self, batches: Batches) -> None:
        self.count = 0
        self._batches = batches

    async def batches(self) -> Batches:
        async for batch in self._batches:
            self.count += len(batch)
            yield batch


def _check_is_another(path: Path, database: Target) -> None:
    if Path(os.path.realpath(path)) == database.path:
        raise ConfigurationError(f"{path} is the database itself: it is not replaced")


def check_replaceable(file: BinaryIO, path: Path) -> None:
    """Check that a file without backups does not replace one that may have some."""
    if not path.exists() or path.stat().st_size == 0:
        return
    file.flush()
    is_same_size = path.stat().st_size == file.tell()
    if not is_same_size or path.read_bytes() != Path(file.name).read_bytes():
        raise ConfigurationError(
            f"there are no backups to export, so {path} is not replaced: use --allow-empty (allow_empty=True) to do so"
        )
