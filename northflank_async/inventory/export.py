"""From the API into a file or a database."""

from pathlib import Path

from northflank_async.atomic_write import atomic_write, check_writable, discard_parts
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.crawl import OnStart, Outcome, check_concurrency
from northflank_async.inventory.formats import FORMATS, Write, load_format
from northflank_async.inventory.inventory import Inventory
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.database import open_database, parse_target
from northflank_async.inventory.store.locks import lock_file
from northflank_async.inventory.store.reader import read_backups
from northflank_async.inventory.sync import SyncRun
from northflank_async.resources import AccountResource

DATABASE_SUFFIX = ".db"


async def export(
    target: str,
    query: Query | AccountResource,
    *,
    concurrency: int = 16,
    strict: bool = False,
    on_start: OnStart | None = None,
) -> Outcome:
    """Export an inventory to a `.jsonl`, `.csv`, `.parquet` or `.db` file, or a `postgresql://` database.

    An interrupted export resumes when it is called again. What it has read for a file is stored next to it until the
    file is written, atomically.

    Args:
        target: the file, or the database's URL.
        query: what to export; a client or a team stands for everything in it.
        concurrency: requests in flight, 1 to 100.
        strict: write no file if anything could not be read; the next export reads only that.
        on_start: called once, with a function that returns the current progress.

    Raises:
        ConfigurationError: the target is of an unknown kind, or a package it needs is not installed.
        OSError: the target cannot be written, or another export is writing to it.
        NorthflankError: the API cannot be read, or not any longer.
    """
    check_concurrency(concurrency)
    path = Path(target)
    if "://" in target or path.suffix.lower() == DATABASE_SUFFIX:
        async with Inventory(target) as inventory:
            return await inventory.sync(query, concurrency=concurrency, on_start=on_start)
    if path.suffix.lower() not in FORMATS:
        suffixes = ", ".join([*FORMATS, DATABASE_SUFFIX])
        raise ConfigurationError(f"the target must end with {suffixes} or be a postgresql:// URL, not {target!r}")
    write = load_format(path)
    check_writable(path)
    return await _export_file(path, write, Query.of(query), concurrency, strict=strict, on_start=on_start)


async def _export_file(
    path: Path, write: Write, query: Query, concurrency: int, *, strict: bool, on_start: OnStart | None
) -> Outcome:
    state = state_path(path)
    with lock_file(str(state), str(path)):
        keep_state = True
        try:
            async with open_database(parse_target(state)) as database:
                run = SyncRun(database, query, concurrency=concurrency, temporary=True)
                try:
                    outcome = await run.run(on_start)
                    if strict and outcome.failures:
                        await run.reopen()
                    else:
                        discard_parts(path)
                        with atomic_write(path) as file:
                            await write(file, read_backups(database, with_restores=query.restores), query.restores)
                        await run.finish()
                        keep_state = False
                finally:
                    keep_state = keep_state and not run.is_empty
        finally:
            if not keep_state:
                for name in (state.name, f"{state.name}-wal", f"{state.name}-shm", f"{state.name}.lock"):
                    state.with_name(name).unlink(missing_ok=True)
    return outcome


def state_path(path: Path) -> Path:
    """Return the file next to an exported file in which an unfinished export stores what it has read."""
    return path.with_name(f"{path.name}.state")
