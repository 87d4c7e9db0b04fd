"""Atomic writes: a file that appears complete or not at all."""

import errno
import glob
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
"""The mode of a file that only its owner can read."""
_PUBLIC = 0o666
"""The mode of a new file, before the umask or the folder takes some of it away."""


def check_writable(path: Path) -> None:
    """Check, as far as possible, that a file can be written.

    Raises:
        OSError: it cannot.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path))


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when the block ends, and not at all if the block fails.

    Until then, only its owner can read what is written. Then it gets the mode of the file that it replaces, or that of
    any new file.

    Raises:
        OSError: the file cannot be written.
    """
    check_writable(path)
    target = Path(os.path.realpath(path))  # a link stays a link
    part = _part_of(target)
    try:
        with create_private(part) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.chmod(_mode_for(target))
        part.replace(target)
        sync_folder(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def create_private(path: Path) -> BinaryIO:
    """Create a file that only its owner can read, from the first moment on.

    Raises:
        OSError: it exists, or it cannot be created.
    """
    return open(path, "x+b", opener=lambda name, flags: os.open(name, flags, PRIVATE))  # Path.open takes no opener


def discard_parts(path: Path) -> None:
    """Remove leftover `.part` files of a file that no other process writes."""
    target = Path(os.path.realpath(path))
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        part.unlink(missing_ok=True)


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def _mode_for(target: Path) -> int:
    """The mode of a file, or of a new one at its place. Only creating one tells: the umask cannot be read safely."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    probe = _part_of(target)
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PUBLIC))
    try:
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink()


def sync_folder(folder: Path) -> None:
    """Sync the directory, so that the rename survives a power loss."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
