"""The whole way from the API to a file or a database."""

from pathlib import Path

from northflank_async.atomic_write import atomic_write, check_writable, discard_parts
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.formats import FORMATS, Write, load_format
from northflank_async.inventory.inventory import Inventory
from northflank_async.inventory.outcome import OnStart, Outcome
from northflank_async.inventory.scope import Scope
from northflank_async.inventory.store.ledger import Run
from northflank_async.inventory.store.store import Store, lock_file, parse_database
from northflank_async.inventory.sync import sync

DATABASE_FILE = ".db"


async def export(target: str, scope: Scope, *, strict: bool = False, on_start: OnStart | None = None) -> Outcome:
    """Read the API into a `.jsonl`, `.csv`, `.parquet` or `.db` file, or a `postgresql://` database.

    An export that was interrupted goes on where it was. For a file, what has been read is kept beside it until then,
    and the file appears whole or not at all.

    Args:
        target: the file, or the database's URL.
        scope: what to read.
        strict: with failures, no file is written, and the next export reads what is missing.
        on_start: called once, with a function that tells at any time how far it is.

    Raises:
        ConfigurationError: the target is of an unknown kind, or what it needs is not installed.
        OSError: the target cannot be written, or is being written by another export.
        NorthflankError: the API cannot be read at all, or not any more.
    """
    path = Path(target)
    if "://" in target or path.suffix.lower() == DATABASE_FILE:
        async with Inventory(target) as inventory:
            return await inventory.sync_scope(scope, on_start=on_start)
    if path.suffix.lower() not in FORMATS:
        endings = ", ".join([*FORMATS, DATABASE_FILE])
        raise ConfigurationError(f"the ending says what to write ({endings}, or postgresql://…), unlike {target!r}")
    write = load_format(path)
    check_writable(path)
    return await _export_file(path, write, scope, strict=strict, on_start=on_start)


async def _export_file(path: Path, write: Write, scope: Scope, *, strict: bool, on_start: OnStart | None) -> Outcome:
    state = state_of(path)
    with lock_file(str(state), str(path)):
        keep = True
        try:
            async with Store.open(parse_database(state)) as store, store.writing(locked=True) as database:
                run = Run(database, scope.selection, alone=True)
                try:
                    outcome = await sync(run, scope, on_start)
                    if strict and outcome.failures:
                        await run.reopen()
                    else:
                        discard_parts(path)
                        with atomic_write(path) as file:
                            await write(file, store.backups(restores=scope.restores), scope.restores)
                        await run.finish()
                        keep = False
                finally:
                    keep = keep and not run.is_empty
        finally:
            if not keep:
                for name in (state.name, f"{state.name}-wal", f"{state.name}-shm", f"{state.name}.lock"):
                    state.with_name(name).unlink(missing_ok=True)
    return outcome


def state_of(path: Path) -> Path:
    """Where an unfinished export keeps what it has read, beside its file."""
    return path.with_name(f"{path.name}.state")
