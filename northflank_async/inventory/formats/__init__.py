"""The formats of exported files, each in a module of its own that is loaded when it is needed."""

from collections.abc import AsyncIterator, Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.extras import extra
from northflank_async.inventory.store.stored_backup import StoredBackup

Batches: TypeAlias = AsyncIterator[list[StoredBackup]]
Write: TypeAlias = Callable[[BinaryIO, Batches, bool], Coroutine[Any, Any, int]]
"""Writes the backups, with their restores or without, and says how many there were."""

FORMATS = {".jsonl": "json_lines", ".csv": "comma_separated", ".parquet": "parquet"}


def load_format(path: Path) -> Write:
    """What writes a file of that ending.

    Raises:
        ConfigurationError: an unknown ending, or what the format needs is not installed.
    """
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise ConfigurationError(f"the ending says the format: {', '.join(FORMATS)}, unlike {path.name!r}")
    with extra():
        write: Write = import_module(f"{__name__}.{name}").write
        return write
