"""A directory in memory for the files of the tests: SQLite commits in 0.5 ms there, and in 20 ms on a disk."""

import os
import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")
_LEAST_FREE = 4 * 2**30
"""Bytes. Containers often have only 64 MiB of it."""


def memory_directory() -> Path | None:
    """The directory in memory, if there is one with enough space; otherwise `None`, for the usual one."""
    is_usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _LEAST_FREE
    return _MEMORY if is_usable else None
