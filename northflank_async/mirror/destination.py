"""Where a mirror's files are: a folder, or a bucket of an object store."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from northflank_async.download import Resume, Sink
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.extras import require_extra

SCHEMES = ("s3", "gs", "az")


class Digest(NamedTuple):
    """What a file contains: its size in bytes, and its SHA-256 as hexadecimal digits."""

    size: int
    sha256: str


class Upload(Sink, Protocol):
    """A file that is written. It appears with `commit`, complete, or not at all."""

    @property
    def resume(self) -> Resume | None:
        """What is written, also by an upload that was killed, if a download can continue with it."""

    def digest(self) -> Digest:
        """What was written so far."""

    async def finish(self) -> None:
        """Have all that was written stored, so that only `commit` is left to do."""

    async def commit(self) -> None:
        """Let the file appear.

        Raises:
            FileExistsError: there is another one; it was not overwritten.
            OSError: it cannot be written.
        """


class Destination(Protocol):
    """A folder or a bucket. Paths are relative, with `/` between segments. Every method may raise `OSError`."""

    async def list(self) -> dict[str, int]:
        """List all files, with their sizes in bytes."""

    async def read(self, path: str) -> bytes:
        """Read a small file."""

    async def digest(self, path: str) -> Digest:
        """Hash a file.

        Raises:
            FileNotFoundError: there is none.
        """

    async def write_new(self, path: str, content: bytes) -> None:
        """Write a small file that does not exist yet.

        Raises:
            FileExistsError: it exists; it was not overwritten.
        """

    async def delete(self, path: str) -> None:
        """Delete a file; one that does not exist is ignored."""

    def upload(self, path: str) -> AbstractAsyncContextManager[Upload]:
        """Write a large file. Without a `commit` inside the block, it does not appear."""

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Be the only writer, where that can be ensured.

        Raises:
            BlockingIOError: another process writes to it.
        """


def parse_destination(target: str) -> Destination:
    """Find the folder or bucket of a mirror: a path, or `s3://`, `gs://` or `az://` with a bucket and a prefix.

    Raises:
        ConfigurationError: it is neither, or a package it needs is not installed.
    """
    from northflank_async.mirror.folder import Folder

    if "://" not in target:
        if not target:
            raise ConfigurationError("the destination is empty")
        return Folder(Path(target))
    try:
        url = urlsplit(target)
        is_plain = not (url.username or url.password or url.query or url.fragment or url.port)
    except ValueError:
        raise ConfigurationError("the destination is not a URL such as s3://bucket/prefix") from None
    if url.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigurationError(f"the destination must be a folder, or start with {known}, not {url.scheme}://")
    if not url.hostname or not is_plain:
        raise ConfigurationError(
            f"the destination must be like {url.scheme}://bucket/prefix: credentials come from the environment"
        )
    with require_extra():
        from northflank_async.mirror.object_store import Bucket
    return Bucket(target.rstrip("/"))


@asynccontextmanager
async def unlocked() -> AsyncIterator[None]:
    """The lock of a destination that has none."""
    yield
