"""A mirror in a bucket: S3 and what is compatible with it, Google Cloud Storage, Azure Blob Storage."""

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import from_url

from northflank_async.errors import ConfigurationError, printable
from northflank_async.http.request import is_loopback
from northflank_async.mirror.destination import Digest, unlocked

_PART = 8 * 2**20
"""Bytes of a part of a multipart upload; those of larger files have larger ones."""
_MOST_PARTS = 9_000
"""S3 allows 10,000."""
_PARTS_IN_FLIGHT = 2
_PATIENCE = 30.0
"""Seconds that an upload has to be aborted."""
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": (),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
"""The variables that name another endpoint, by the scheme of the URL."""
_REASON = re.compile(r"<Message>([^<]*)</Message>")

Piece: TypeAlias = bytes | bytearray | None
"""Bytes; `None` for the end of the file."""


class Bucket:
    """A bucket, or what is below a prefix in it. obstore reads its credentials and endpoint from the environment."""

    def __init__(self, url: str) -> None:
        self._url = url
        scheme = urlsplit(url).scheme
        try:
            self._store: Any = from_url(url, client_options={"allow_http": True} if _is_local(scheme) else {})
        except (BaseError, ValueError) as error:
            raise ConfigurationError(f"{url} cannot be used: {_reason(error)}") from None

    def __str__(self) -> str:
        return self._url

    async def list(self) -> dict[str, int]:
        """List all objects, with their sizes in bytes."""
        with self._errors(""):
            return {item["path"]: item["size"] async for items in obstore.list(self._store) for item in items}

    async def read(self, path: str) -> bytes:
        """Read a small object."""
        with self._errors(path):
            return bytes(await (await obstore.get_async(self._store, path)).bytes_async())

    async def digest(self, path: str) -> Digest:
        """Hash an object, by downloading it."""
        size, found = 0, hashlib.sha256()
        with self._errors(path):
            async for block in (await obstore.get_async(self._store, path)).stream(min_chunk_size=_PART):
                await asyncio.to_thread(found.update, block)
                size += len(block)
        return Digest(size, found.hexdigest())

    async def write_new(self, path: str, content: bytes) -> None:
        """Write a small object that does not exist yet."""
        with self._errors(path):
            await self._put_new(path, content)

    async def delete(self, path: str) -> None:
        """Delete an object; one that does not exist is ignored."""
        with self._errors(path), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, path)

    @asynccontextmanager
    async def upload(self, path: str) -> AsyncIterator["ObjectUpload"]:
        """Stream a large object."""
        upload = ObjectUpload(self, path)
        try:
            yield upload
        finally:
            await upload.abort()

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Do nothing: object stores have no locks."""
        return unlocked()

    async def _put_new(self, path: str, content: bytes) -> None:
        try:
            await obstore.put_async(self._store, path, content, mode="create")
        except NotSupportedError:  # a service without conditional writes
            await self._check_new(path)
            await obstore.put_async(self._store, path, content)

    async def _check_new(self, path: str) -> None:
        with suppress(FileNotFoundError):
            await obstore.head_async(self._store, path)
            raise self._exists(path)

    def _exists(self, path: str) -> FileExistsError:
        return FileExistsError(errno.EEXIST, "it exists, and is not overwritten", f"{self._url}/{path}")

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Turn obstore's errors into those of a file. Theirs may quote a signed URL, and requests in detail."""
        shown = f"{self._url}/{path}".rstrip("/")
        failure: OSError
        try:
            yield
        except AlreadyExistsError:
            failure = self._exists(path)
        except FileNotFoundError as error:
            failure = error if error.errno else FileNotFoundError(errno.ENOENT, _reason(error), shown)
        except (BaseError, ValueError) as error:
            failure = OSError(errno.EIO, _reason(error), shown)
        else:
            return
        raise failure from None


class ObjectUpload:
    """An object that is uploaded while it is received. Until `commit`, there is none."""

    resume = None  # a service has no parts that an upload which was killed could continue with

    def __init__(self, bucket: Bucket, path: str) -> None:
        self._bucket = bucket
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0
        self._small: bytearray | None = bytearray()
        self._pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue(1)
        self._putting: asyncio.Future[Any] | None = None

    def digest(self) -> Digest:
        """What was written so far."""
        return Digest(self._size, self._hash.hexdigest())

    async def restart(self, total: int | None, etag: str | None) -> None:
        """Begin with the first byte, in another upload."""
        await self.abort()
        with self._bucket._errors(self._path):
            await self._bucket._check_new(self._path)
        self._hash, self._size = hashlib.sha256(), 0
        self._small = bytearray() if total is not None and total <= _PART else None
        if self._small is None:
            part = max(_PART, -(-(total or 0) // _MOST_PARTS))
            self._pieces = asyncio.Queue(1)
            self._putting = obstore.put_async(  # type: ignore[assignment]  # it returns a future
                self._bucket._store,
                self._path,
                _stream(self._pieces),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=_PARTS_IN_FLIGHT,
            )

    async def write(self, piece: bytes | bytearray) -> None:
        """Write the next bytes."""
        await asyncio.to_thread(self._hash.update, piece)
        self._size += len(piece)
        if self._small is not None:
            self._small += piece
        else:
            with self._bucket._errors(self._path):
                await self._pass_on(piece)

    async def finish(self) -> None:
        """Do nothing: what is left of the upload ends with `commit`."""

    async def commit(self) -> None:
        """Let the object appear. A multipart upload has no condition, so the name is checked once more."""
        bucket = self._bucket
        with bucket._errors(self._path):
            if self._small is not None:
                await bucket._put_new(self._path, bytes(self._small))
                return
            assert self._putting is not None
            await bucket._check_new(self._path)
            await self._pass_on(None)
            putting, self._putting = self._putting, None
            await putting

    async def abort(self) -> None:
        """End the upload, and have the service discard its parts."""
        putting, self._putting = self._putting, None
        if putting is None:
            return
        while not self._pieces.empty():
            self._pieces.get_nowait()
        self._pieces.put_nowait(_Aborted())
        with suppress(_Aborted, BaseError, OSError, TimeoutError):
            await asyncio.wait_for(asyncio.shield(putting), _PATIENCE)

    async def _pass_on(self, piece: Piece) -> None:
        """Pass on the next bytes, unless the upload has failed."""
        assert self._putting is not None
        passing = asyncio.ensure_future(self._pieces.put(piece))
        try:
            await asyncio.wait([passing, self._putting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            passing.cancel()
        if self._putting.done():
            putting, self._putting = self._putting, None
            await putting


class _Aborted(Exception):
    """The upload is not wanted any more."""


async def _stream(pieces: "asyncio.Queue[Piece | Exception]") -> AsyncIterator[bytes]:
    while (piece := await pieces.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield bytes(piece)


def _is_local(scheme: str) -> bool:
    """Whether the endpoint is plain http on this machine.

    Raises:
        ConfigurationError: it is plain http elsewhere, and nobody has allowed that.
    """
    for name in _ENDPOINTS[scheme]:
        if endpoint := os.environ.get(name):
            url = urlsplit(endpoint)
            if url.scheme != "http":
                return False
            if is_loopback(url.hostname or ""):
                return True
            allowed = f"{name.partition('_')[0]}_ALLOW_HTTP"
            if os.environ.get(allowed, "").lower() not in ("1", "true", "yes", "on"):
                raise ConfigurationError(f"{name} is not https: set {allowed}=true to send dumps in plain text")
            return True
    return False


def _reason(error: Exception) -> str:
    """Describe an error of obstore in one line, without the query of a URL."""
    text = str(error)
    if message := _REASON.search(text):
        text = message[1]
    first = text.strip().partition("\n")[0]
    return printable(re.sub(r"\?\S*", "?…", first))[:300] or type(error).__name__
