"""The formats of exported files, each in its own module, which is loaded when it is used."""

from collections.abc import AsyncIterator, Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.store.stored_backup import StoredRow

Batches: TypeAlias = AsyncIterator[list[StoredRow]]
Write: TypeAlias = Callable[[BinaryIO, Batches, bool], Coroutine[Any, Any, int]]
"""Writes backups, with their restores if wanted, and returns their number."""

FORMATS = {".jsonl": "json_lines", ".csv": "csv", ".parquet": "parquet"}


def load_format(path: Path) -> Write:
    """Return the function that writes a file with this suffix.

    Raises:
        ConfigurationError: the suffix is unknown, or a package the format needs is not installed.
    """
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise ConfigurationError(f"the file must end with {', '.join(FORMATS)}, not {path.name!r}")
    with require_extra():
        write: Write = import_module(f"{__name__}.{name}").write
        return write
