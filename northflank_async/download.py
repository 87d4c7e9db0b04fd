"""Downloading one file from a storage service, over connections that break and links that expire."""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

import aiohttp
from attrs import frozen
from yarl import URL

from northflank_async.errors import NorthflankError, TransportError
from northflank_async.http.phase import Phase
from northflank_async.http.request import USER_AGENT, is_loopback
from northflank_async.http.retry import retry
from northflank_async.http.transport import Transport
from northflank_async.validation import plain_callback

_log = logging.getLogger("northflank_async")

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes on disk and the total, which is `None` if the storage service does not send it.

It cannot be an async function.
"""


@frozen
class Resume:
    """What an earlier download has left: the first `done` of `total` bytes of the file that had this ETag."""

    done: int
    total: int
    etag: str


class Sink(Protocol):
    """Where a download goes."""

    async def restart(self, total: int | None, etag: str | None) -> None:
        """Begin with the first byte, also after a part of the file was written.

        Args:
            total: the size in bytes, if the storage service sends it.
            etag: the ETag of the file, if that can tell whether a later response has the same bytes.
        """

    async def write(self, piece: bytes | bytearray) -> None:
        """Write the next bytes."""


class LinkRejected(TransportError):
    """The storage service rejects a download link that has just been issued."""


_CHUNK = 2**20
"""Bytes per write."""
_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_PARTIAL = {206, 416}
_BUSY = {408, 425, 429}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


async def download(
    path: Path, link: Callable[[], Awaitable[str]], *, transport: Transport, progress: Progress | None
) -> Path:
    """Download a file, which appears when it is complete. Sends no credentials to the storage service.

    Args:
        path: the file to write; an existing one is replaced.
        link: gets a download link; called again when a link has expired.
        transport: supplies connections and the number of attempts.
        progress: called after each write.

    Raises:
        ConfigurationError: `progress` is an async function.
        TransportError: the storage service rejects a new link (`LinkRejected`), or that many attempts in a row received
            no data.
        NorthflankError: there is no link.
        OSError: the file cannot be written.
    """
    from northflank_async.atomic_write import atomic_write  # only downloads need it

    if progress is not None:
        progress = plain_callback("progress", progress)
    with atomic_write(path) as file:
        await transfer(_File(file), path.name, link, transport=transport, progress=progress)
        await asyncio.to_thread(os.fsync, file.fileno())
    return path


async def transfer(
    sink: Sink,
    name: str,
    link: Callable[[], Awaitable[str]],
    *,
    transport: Transport,
    progress: Progress | None = None,
    resume: Resume | None = None,
) -> None:
    """Download a file to a sink. Sends no credentials to the storage service.

    Args:
        sink: where the file goes.
        name: what messages call it.
        link: gets a download link; called again when a link has expired.
        transport: supplies connections and the number of attempts.
        progress: called after each write.
        resume: what the sink has already.

    Raises:
        LinkRejected: the storage service rejects a new link.
        TransportError: that many attempts in a row received no data.
        NorthflankError: there is no link.
    """
    try:
        async with await transport.open_storage_session() as session:
            await _Transfer(sink, name, link, session, transport, progress, resume).run()
    except (NorthflankError, asyncio.CancelledError) as error:
        error.__traceback__ = None  # drop frames whose locals contain the link
        raise


@frozen
class _File:
    """A file as a sink."""

    _file: BinaryIO

    async def restart(self, total: int | None, etag: str | None) -> None:
        await asyncio.to_thread(_rewind, self._file)

    async def write(self, piece: bytes | bytearray) -> None:
        await asyncio.to_thread(self._file.write, piece)


class _Transfer:
    """A running download: how many bytes it has, and the ETag that the rest must match."""

    def __init__(
        self,
        sink: Sink,
        name: str,
        link: Callable[[], Awaitable[str]],
        session: aiohttp.ClientSession,
        transport: Transport,
        progress: Progress | None,
        resume: Resume | None,
    ) -> None:
        self._sink = sink
        self._name = name
        self._new_link = link
        self._session = session
        self._transport = transport
        self._progress = progress
        self._link: str | None = None
        self._response: aiohttp.ClientResponse | None = None  # not in a local, whose repr would show the link
        self._etag = resume.etag if resume else None
        self._done = resume.done if resume else 0
        self._furthest = self._done  # bytes, in any attempt before
        self._total = resume.total if resume else None
        self._retryable: TransportError | None = None  # the last failure, if another attempt may help

    async def run(self) -> None:
        """Fetch the whole file. An attempt that receives data resets the count of attempts."""
        complete = False
        while not complete:
            complete = await retry(
                self._resume,
                attempts=self._transport.attempts,
                delay=lambda error: error is self._retryable,
                announce=lambda error, pause: None,
                sleep=self._transport.budget.sleep,
            )

    async def _resume(self) -> bool:
        """Fetch the missing bytes. True if the file is complete; raises if nothing more came."""
        try:
            await self._fetch()
        except TransportError as error:
            if error is not self._retryable:
                raise
            total = "unknown" if self._total is None else self._total
            _log.warning("the download to %s broke off at %d of %s bytes: %s", self._name, self._done, total, error)
            if self._done <= self._furthest:
                raise
            self._furthest = self._done
            return False
        finally:
            if self._response:
                self._response.close()
        return True

    async def _fetch(self) -> None:
        is_new = self._link is None
        if self._link is None:
            self._link = await self._new_link()
        await self._request(self._link)
        await self._accept(is_new)
        while True:
            piece, failure = await self._read()
            if self._total is not None and self._done + len(piece) > self._total:
                self._etag = None  # unclear which bytes are the file's: restart
                raise self._failure(f"got more than {self._total} bytes")
            if piece:
                await self._sink.write(piece)
                self._done += len(piece)
                self._report()
            if failure:
                raise failure
            if len(piece) < _CHUNK:
                break
        if self._total is not None and self._done != self._total:
            raise self._failure(f"got {self._done} of {self._total} bytes")

    async def _request(self, link: str) -> None:
        """Send the request, and follow redirects."""
        headers = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT}
        if self._done and self._etag:
            headers |= {"Range": f"bytes={self._done}-", "If-Range": self._etag}
        url = _join(None, link)
        for _ in range(_MAX_REDIRECTS + 1):
            if url is None or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host or ""))):
                raise TransportError("the download link leads to a URL that is not https")
            self._response = await self._get(url, headers)
            if self._response.status not in _REDIRECTS:
                return
            self._response.close()
            url = _join(url, self._response.headers.get("Location", ""))
        raise TransportError(f"the download link leads to more than {_MAX_REDIRECTS} redirects")

    async def _get(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        phase = Phase(self._transport.timeout)
        try:
            async with phase.timeout():
                return await self._session.get(
                    url,
                    headers=headers,
                    allow_redirects=False,
                    read_bufsize=_CHUNK,
                    proxy=self._transport.find_proxy(url),
                    trace_request_ctx=phase,
                )
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = self._failure(_reason(error))
        raise failure  # outside the handler, so that it has no cause: an error of aiohttp may contain the link

    async def _accept(self, is_new: bool) -> None:
        """Check whether the response is the rest of the file, the whole file, or an error."""
        assert self._response
        response, headers = self._response, self._response.headers
        if response.status == 206 and self._is_rest(headers):
            return
        if response.status != 200:
            raise self._refusal(response, is_new)
        if response.content_length is None and "chunked" not in headers.get("Transfer-Encoding", ""):
            raise TransportError("the storage service does not send the size of the file")
        etag = headers.get("ETag", "")
        self._etag = etag if etag.startswith('"') else None  # a weak one does not compare bytes
        self._done, self._total = 0, response.content_length
        await self._sink.restart(self._total, self._etag)
        self._report()

    def _is_rest(self, headers: Mapping[str, str]) -> bool:
        """Whether a partial response is the requested part."""
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        same = headers.get("ETag") == self._etag is not None  # without one, it may be part of another file
        return bool(self._done and found and same and (int(found[1]), int(found[2])) == (self._done, self._total))

    def _refusal(self, response: aiohttp.ClientResponse, is_new: bool) -> TransportError:
        """The error for a response without the file. Drops the range or the link if it was rejected."""
        message = f"{response.host} responded {response.status} {response.reason or ''}".rstrip()
        if response.status in _PARTIAL:
            self._etag = None  # restart
        elif 400 <= response.status < 500 and response.status not in _BUSY:
            self._link = None  # it has expired, unless it never worked
            if is_new:
                return LinkRejected(f"the download link was rejected: {message}")
        return self._failure(message)

    async def _read(self) -> tuple[bytearray, TransportError | None]:
        """Read enough for one write, or the end of the file; and the failure that cut it short."""
        assert self._response
        piece = bytearray()
        try:
            while len(piece) < _CHUNK and (some := await self._response.content.read(_CHUNK)):
                piece += some
        except (aiohttp.ClientError, OSError) as error:
            return piece, self._failure(_reason(error))
        return piece, None

    def _failure(self, message: str) -> TransportError:
        self._retryable = TransportError(message)
        return self._retryable

    def _report(self) -> None:
        if self._progress:
            self._progress(self._done, self._total)


def _reason(error: Exception) -> str:
    """Describe a broken exchange, without its URL."""
    match error:
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {error.os_error or type(error.os_error).__name__}"
        case TimeoutError():
            return "the storage service stopped sending"
        case aiohttp.ClientPayloadError():
            return "the file was truncated"
        case aiohttp.InvalidURL():
            return "the link is not a URL"
        case aiohttp.ClientResponseError():
            return "the response is not HTTP"
    return f"the connection broke: {error or type(error).__name__}"


def _join(url: URL | None, location: str) -> URL | None:
    """Resolve a link or a redirect, and keep its signature as it was written; `None` if that is not a URL."""
    try:
        target = url.join(URL(location, encoded=True)) if url else URL(location, encoded=True)
        return target if target.port else None  # reading the port validates it
    except ValueError:
        return None


def _rewind(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()
