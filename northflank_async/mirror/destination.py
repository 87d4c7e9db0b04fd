"""What the places of a mirror have in common: a folder, or a bucket of an object store."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple, Protocol

from northflank_async.download import Resume, Sink


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


@asynccontextmanager
async def unlocked() -> AsyncIterator[None]:
    """The lock of a destination that has none."""
    yield
