"""A mirror in a folder."""

import asyncio
import errno
import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, ParamSpec

from northflank_async.atomic_write import create_private, sync_folder
from northflank_async.download import Resume
from northflank_async.inventory.extras import require_extra
from northflank_async.mirror.destination import Digest

P = ParamSpec("P")

LOCK = ".mirror"
_CHECKPOINT = 32 * 2**20
"""Bytes after which an upload is synced to the disk. Only synced bytes are resumed: others may be lost at a power loss,
although the file has its size."""
_BLOCK = 2**20
_LEFTOVER = re.compile(r"\.(.+)\.(?:part|state|state\.new)")


class Folder:
    """A folder, which is created when it is first written to. Only its owner can read the files in it."""

    def __init__(self, root: Path) -> None:
        self._shown = root
        self._root = Path(os.path.realpath(root))

    def __str__(self) -> str:
        return str(self._root)

    async def list(self) -> dict[str, int]:
        """List all files, with their sizes in bytes."""
        return await asyncio.to_thread(lambda: dict(self._walk(self._root, "")))

    async def read(self, path: str) -> bytes:
        """Read a small file."""
        return await asyncio.to_thread(self._at(path).read_bytes)

    async def digest(self, path: str) -> Digest:
        """Hash a file."""
        return await asyncio.to_thread(_hash_file, self._at(path))

    async def write_new(self, path: str, content: bytes) -> None:
        """Write a small file that does not exist yet."""
        await asyncio.to_thread(self._write_new, self._at(path), content)

    async def delete(self, path: str) -> None:
        """Delete a file; one that does not exist is ignored."""
        await asyncio.to_thread(self._delete, self._at(path))

    @asynccontextmanager
    async def upload(self, path: str) -> AsyncIterator["PartFile"]:
        """Write a large file. What is written of it stays in a `.part` file, for the next upload to resume."""
        part = PartFile(self._at(path))
        try:
            await asyncio.to_thread(part.open)
            yield part
        finally:
            await asyncio.to_thread(part.close)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Be the only writer on this machine."""
        with require_extra():
            from northflank_async.inventory.store.lease import lock_file
        if self._root.exists() and not self._root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", str(self._shown))
        self._root.mkdir(parents=True, exist_ok=True)
        try:
            with lock_file(self._root / LOCK, str(self._shown)):
                await asyncio.to_thread(self._tidy)
                yield
        finally:
            with suppress(OSError):  # an empty folder is left as it was
                if not any(name.name != f"{LOCK}.lock" for name in self._root.iterdir()):
                    (self._root / f"{LOCK}.lock").unlink(missing_ok=True)

    def _at(self, path: str) -> Path:
        return self._root / path

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in found:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), f"{path}/")
            elif path != f"{LOCK}.lock":
                with suppress(FileNotFoundError):
                    yield path, entry.stat(follow_symlinks=False).st_size

    def _tidy(self) -> None:
        """Delete what was left when a process was killed right after a file had appeared."""
        files = dict(self._walk(self._root, ""))
        for path in files:
            folder, slash, name = path.rpartition("/")
            if (found := _LEFTOVER.fullmatch(name)) and f"{folder}{slash}{found[1]}" in files:
                self._at(path).unlink(missing_ok=True)

    def _write_new(self, path: Path, content: bytes) -> None:
        _make_folder(path.parent)
        part = _part_of(path)
        part.unlink(missing_ok=True)
        with create_private(part) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path)

    def _delete(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            path.unlink()
            sync_folder(path.parent)


class PartFile:
    """A file that is written under another name, and hashed meanwhile.

    A thread outlives the cancellation of what waits for it, so `close` waits for the others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = _part_of(path)
        self._state = self._part.with_suffix(".state")
        self._hash = hashlib.sha256()
        self._done = self._synced = 0
        self._origin: tuple[int, str] | None = None
        self._opened: BinaryIO | None = None
        self._is_closed = False
        self._mutex = threading.Lock()

    @property
    def resume(self) -> Resume | None:
        """What is there, if a download can continue with it."""
        if self._origin is None or not self._done:
            return None
        total, etag = self._origin
        return Resume(self._done, total, etag)

    def digest(self) -> Digest:
        """What was written so far."""
        return Digest(self._done, self._hash.hexdigest())

    async def restart(self, total: int | None, etag: str | None) -> None:
        """Begin with the first byte."""
        await asyncio.to_thread(self._alone, self._restart, total, etag)

    async def write(self, piece: bytes | bytearray) -> None:
        """Write the next bytes."""
        await asyncio.to_thread(self._alone, self._write, piece)

    async def finish(self) -> None:
        """Have all that was written stored."""
        await asyncio.to_thread(self._alone, self._checkpoint)

    async def commit(self) -> None:
        """Let the file appear."""
        await asyncio.to_thread(self._alone, self._commit)

    def open(self) -> None:
        """Open the file, unless `close` was called before."""
        with self._mutex:
            if not self._is_closed:
                _make_folder(self._path.parent)
                self._opened = self._open()

    def close(self) -> None:
        """Close the file. What was written stays for the next upload, if that can resume it."""
        with self._mutex:
            self._is_closed = True
            if self._opened is None or self._opened.closed:
                return
            try:
                if self._origin is not None and self._done > self._synced:
                    self._checkpoint()
            finally:
                self._opened.close()

    @property
    def _file(self) -> BinaryIO:
        assert self._opened is not None
        return self._opened

    def _alone(self, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        with self._mutex:
            if not self._is_closed:
                work(*args, **kwargs)

    def _open(self) -> BinaryIO:
        """Open what an upload has left, or a new file."""
        try:
            state = json.loads(self._state.read_bytes())
            done, total, etag = int(state["done"]), int(state["total"]), str(state["etag"])
            descriptor = os.open(self._part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except (OSError, ValueError, TypeError, KeyError):
            return self._create()
        file = os.fdopen(descriptor, "r+b")
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or not 0 < done <= min(info.st_size, total):
            file.close()
            return self._create()
        left = done
        while left and (block := file.read(min(left, _BLOCK))):
            self._hash.update(block)
            left -= len(block)
        file.seek(done)
        file.truncate()
        self._done = self._synced = done
        self._origin = (total, etag)
        return file

    def _create(self) -> BinaryIO:
        self._state.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)
        return create_private(self._part)

    def _restart(self, total: int | None, etag: str | None) -> None:
        self._state.unlink(missing_ok=True)  # before the bytes that it counts
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self._done = self._synced = 0
        self._origin = None if total is None or etag is None else (total, etag)

    def _write(self, piece: bytes | bytearray) -> None:
        self._file.write(piece)
        self._hash.update(piece)
        self._done += len(piece)
        if self._origin is not None and self._done - self._synced >= _CHECKPOINT:
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Sync the bytes, and then write down how many there are."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = self._done
        if self._origin is not None:
            total, etag = self._origin
            new = self._state.with_suffix(".state.new")
            new.unlink(missing_ok=True)
            with create_private(new) as file:
                file.write(json.dumps({"done": self._done, "total": total, "etag": etag}).encode())
            new.replace(self._state)

    def _commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        _publish(self._part, self._path)
        self._state.unlink(missing_ok=True)


def _part_of(path: Path) -> Path:
    """The file that becomes another one. There is only one writer, so its name can be known beforehand."""
    return path.with_name(f".{path.name}.part")


def _make_folder(folder: Path) -> None:
    """Create a folder and those above it, so that they survive a power loss."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _publish(part: Path, path: Path) -> None:
    """Rename a file, unless the new name is taken."""
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "it exists, and is not overwritten", str(path)) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "it exists, and is not overwritten", str(path)) from None
        part.rename(path)
    else:
        part.unlink()
    sync_folder(path.parent)


def _hash_file(path: Path) -> Digest:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Digest(file.tell(), digest.hexdigest())
