"""The formats of exported files, each in its own module, which is loaded when it is used."""

import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from attrs import frozen

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.store.stored_backup import StoredRow

OnUnwritten: TypeAlias = Callable[[str], None]

_log = logging.getLogger("northflank_async")


def log_unwritten(restore: str) -> None:
    """Log a restore that a file does not contain."""
    _log.warning("restore %s is not in the file: its backup is not listed", restore)


@frozen(kw_only=True)
class WriteOptions:
    """What a file contains.

    Args:
        restores: include the restores of each backup.
        csv_raw: write CSV text unchanged, also what a spreadsheet takes for a formula.
        on_unwritten: called with the place and id of each restore that a CSV file has no row for, as its backup is
            not listed.
    """

    restores: bool = False
    csv_raw: bool = False
    on_unwritten: OnUnwritten = log_unwritten


Batches: TypeAlias = AsyncIterator[Sequence[StoredRow]]
Write: TypeAlias = Callable[[BinaryIO, Batches, WriteOptions], Coroutine[Any, Any, int]]
"""Writes backups, and the restores whose backups are not listed, and returns the number of backups."""

FORMATS = {".jsonl": "json_lines", ".csv": "csv", ".parquet": "parquet"}
_COMPRESSIONS = (".gz", ".zst")
ENDINGS = (*FORMATS, *(text + compression for text in (".jsonl", ".csv") for compression in _COMPRESSIONS))
"""The endings of file names. Parquet has its own compression."""


def find_ending(path: Path) -> str | None:
    """Return the ending of a file's name that selects its format, such as `.csv.gz`, if it has one."""
    name = path.name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending) and name != ending), None)


def load_format(path: Path) -> Write:
    """Return the function that writes a file with this ending.

    Raises:
        ConfigurationError: the ending is unknown, or a package the format needs is not installed.
    """
    ending = find_ending(path)
    if ending is None:
        raise ConfigurationError(f"the file must end with {', '.join(ENDINGS)}, not {path.name!r}")
    suffix, _, compression = ending[1:].partition(".")
    with require_extra():
        write: Write = import_module(f"{__name__}.{FORMATS[f'.{suffix}']}").write
        if not compression:
            return write
        compressed: Callable[[Write, str], Write] = import_module(f"{__name__}.compression").compressed
        return compressed(write, compression)
