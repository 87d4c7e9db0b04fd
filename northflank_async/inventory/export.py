"""Export an inventory from the API to a file or a database."""

import errno
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from northflank_async.atomic_write import PRIVATE, atomic_write, check_writable, create_private, discard_parts
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.crawl import OnStart, Outcome, check_concurrency
from northflank_async.inventory.formats import (
    ENDINGS,
    OnUnwritten,
    Write,
    WriteOptions,
    find_ending,
    load_format,
    log_unwritten,
)
from northflank_async.inventory.inventory import Counted, Inventory, check_replaceable
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.lease import lock_file, open_store
from northflank_async.inventory.store.ledger import RESUME_MAX_AGE
from northflank_async.inventory.store.ownership import check_ours
from northflank_async.inventory.store.reader import read_backups
from northflank_async.inventory.store.schema import INVENTORY
from northflank_async.inventory.store.target import SCHEMA, Target, resolve
from northflank_async.inventory.sync import Sync
from northflank_async.resources import AccountResource
from northflank_async.validation import plain_callback

DATABASE_SUFFIX = ".db"

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNUSABLE = "it is damaged, or of another version of northflank-async: delete it, and the export starts anew"


async def export(
    target: str,
    *queries: Query | AccountResource,
    concurrency: int = 16,
    strict: bool = False,
    schema: str = SCHEMA,
    resume_max_age: timedelta = RESUME_MAX_AGE,
    allow_mass_deletion: bool = False,
    allow_empty: bool = False,
    csv_raw: bool = False,
    on_start: OnStart | None = None,
    on_unwritten: OnUnwritten = log_unwritten,
) -> Outcome:
    """Export an inventory to a `.jsonl`, `.csv`, `.parquet` or `.db` file, or a `postgresql://` database.

    JSON Lines and CSV are compressed if `.gz` or `.zst` is appended to the name.

    An interrupted export resumes when it is called again. What it has read for a file is stored next to it until the
    file is written, atomically.

    Args:
        target: the file, or the database's URL.
        *queries: what to export, of one or several clients; a client or team means everything in it. Of several
            clients, one that cannot be read is in `failures`, with its account: a file has only the others.
        concurrency: requests in flight, of all clients together, 1 to 100.
        strict: if anything could not be read, write no file, or leave the sync run of a database unfinished; the next
            export reads only that.
        schema: the schema of the tables in PostgreSQL.
        resume_max_age: how long after its start an interrupted export is resumed; later, a new one starts.
        allow_mass_deletion: see `Inventory.sync`; for databases.
        allow_empty: let a file that has backups be replaced by one that has none.
        csv_raw: write CSV text unchanged, also what a spreadsheet takes for a formula. By default, an apostrophe
            is put before text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return.
        on_start: called once, with a function that returns the current progress.
        on_unwritten: called with the place and id of each restore that a CSV file has no row for, as its backup is
            not listed. By default, they are logged as warnings.

    Raises:
        ConfigurationError: the target is of an unknown kind, or a package it needs is not installed; or the result is
            empty, and the file is not.
        OSError: the target cannot be written, or another export is writing to it.
        NorthflankError: the API could not be read, or failed partway; of several clients, that is so of each.
    """
    check_concurrency(concurrency)
    on_start = None if on_start is None else plain_callback("on_start", on_start)
    on_unwritten = plain_callback("on_unwritten", on_unwritten)
    wanted = Query.of_each_client(queries)
    path = Path(target)
    if "://" in target or path.suffix.lower() == DATABASE_SUFFIX:
        async with Inventory(target, schema=schema) as inventory:
            return await inventory.sync(
                *wanted,
                concurrency=concurrency,
                strict=strict,
                resume_max_age=resume_max_age,
                allow_mass_deletion=allow_mass_deletion,
                on_start=on_start,
            )
    write = _load_format(target)
    if any(query.schedules for query in wanted):
        raise ConfigurationError(f"only a database can store schedules, not {target!r}")
    check_writable(path)
    state = state_path(path)
    restores = any(query.restores for query in wanted)
    options = WriteOptions(restores=restores, csv_raw=csv_raw, on_unwritten=on_unwritten)
    with lock_file(state, str(path), mode=PRIVATE):
        exporting = _FileExport(path, state, write, options, wanted, strict=strict, allow_empty=allow_empty)
        try:
            return await exporting.run(concurrency, resume_max_age, on_start)
        finally:
            if not exporting.keeps_state:
                for suffix in ("", "-journal", "-wal", "-shm", ".lock"):
                    state.with_name(f"{state.name}{suffix}").unlink(missing_ok=True)


def check_target(target: str) -> None:
    """Check what can be checked of a target before any request.

    Raises:
        ConfigurationError: the target is of an unknown kind, or a package it needs is not installed.
        OSError: the file cannot be written.
    """
    path = Path(target)
    if "://" in target:
        Target.parse(target)
        return
    if path.suffix.lower() != DATABASE_SUFFIX:
        _load_format(target)
    check_writable(path)


def _load_format(target: str) -> Write:
    path = Path(target)
    if find_ending(path) is None:
        endings = ", ".join([*ENDINGS, DATABASE_SUFFIX])
        raise ConfigurationError(f"the target must end with {endings} or be a postgresql:// URL, not {target!r}")
    return load_format(path)


def state_path(path: Path) -> Path:
    """Return the file in which an unfinished export stores what it has read, next to the resolved exported file."""
    resolved = resolve(path)
    return resolved.with_name(f"{resolved.name}.state")


class _FileExport:
    """An export to a file. Its state is kept as long as there is something to resume."""

    def __init__(
        self,
        path: Path,
        state: Path,
        write: Write,
        options: WriteOptions,
        queries: Sequence[Query],
        *,
        strict: bool,
        allow_empty: bool,
    ) -> None:
        self.keeps_state = state.exists()
        self._path = path
        self._state = state
        self._write = write
        self._options = options
        self._queries = queries
        self._strict = strict
        self._allow_empty = allow_empty

    async def run(self, concurrency: int, resume_max_age: timedelta, on_start: OnStart | None) -> Outcome:
        """Read the API into the state, and write the file."""
        try:
            if not self._state.exists():
                create_private(self._state).close()  # SQLite gives its mode to the files beside it
            async with AsyncExitStack() as stack:
                database = await stack.enter_async_context(Database(Target.parse(self._state)))
                try:
                    await check_ours(database, INVENTORY)
                    store = await stack.enter_async_context(open_store(database, INVENTORY, locked=True))
                except ConfigurationError:
                    raise OSError(errno.EINVAL, _UNUSABLE, str(self._state)) from None
                sync = Sync(
                    store, self._queries, concurrency=concurrency, temporary=True, resume_max_age=resume_max_age
                )
                await stack.enter_async_context(sync)
                try:
                    return await self._export(database, sync, on_start)
                finally:
                    self.keeps_state = sync.are_resumable or (self.keeps_state and not sync.have_begun)
        except OSError as error:
            if _is_damaged(error):
                raise OSError(errno.EINVAL, _UNUSABLE, str(self._state)) from error
            raise

    async def _export(self, database: Database, sync: Sync, on_start: OnStart | None) -> Outcome:
        outcome = await sync.run(on_start)
        if self._strict and outcome.failures:
            await sync.reopen()
            return outcome
        discard_parts(self._path)
        run_ids = [run.id for run in sync.complete]
        rows = Counted(read_backups(database, with_restores=self._options.restores, run_ids=run_ids))
        try:
            with atomic_write(self._path) as file:
                await self._write(file, rows.batches(), self._options)
                if not rows.count and not self._allow_empty:
                    check_replaceable(file, self._path)
        except ConfigurationError:
            await sync.finish()  # read again, it might not be empty
            raise
        await sync.finish()
        return outcome


def _is_damaged(error: OSError) -> bool:
    origin = getattr(error.__cause__, "orig", None)
    return getattr(origin, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
