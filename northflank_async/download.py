"""One file from a storage service to the disk, over connections that break and links that expire."""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

import aiohttp
from yarl import URL

from northflank_async.errors import NorthflankError, TransportError
from northflank_async.http.request import USER_AGENT, is_loopback
from northflank_async.http.transport import FIRST_BACKOFF, LONGEST_BACKOFF, Transport

_log = logging.getLogger("northflank_async")

Progress: TypeAlias = Callable[[int, int | None], object]
"""Is told the bytes that are on the disk, and of how many; `None` where the storage does not say."""

_CHUNK = 2**20
"""Bytes that are written at once."""
_MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_BAD_PARTS = {206, 416}
_BUSY = {408, 425, 429}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


async def download(
    path: Path, link: Callable[[], Awaitable[str]], *, transport: Transport, progress: Progress | None
) -> Path:
    """Download what a link leads to. The file appears when it is complete.

    Args:
        path: the file; one that is there is replaced.
        link: gets a link, and a new one when that has expired.
        transport: whose connections are used, without anything that says who asks.
        progress: is called after each piece.

    Raises:
        TransportError: no byte more has come in as many attempts as the client makes.
        NorthflankError: there is no link.
        OSError: the file cannot be written.
    """
    from northflank_async.atomic_write import atomic_write  # a client that downloads nothing does without

    with atomic_write(path) as file:
        try:
            async with transport.bare_session() as session:
                await _Transfer(file, path.name, link, session, transport.attempts, progress).run()
        except (NorthflankError, asyncio.CancelledError) as error:
            error.__traceback__ = None  # some reports show locals, and theirs hold the link
            raise
        await asyncio.to_thread(os.fsync, file.fileno())
    return path


class _Transfer:
    """A download under way: how many bytes are there, and by what the rest is known to belong to them."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        link: Callable[[], Awaitable[str]],
        session: aiohttp.ClientSession,
        attempts: int,
        progress: Progress | None,
    ) -> None:
        self._file = file
        self._name = name
        self._new_link = link
        self._session = session
        self._attempts = attempts
        self._progress = progress
        self._link: str | None = None
        self._answer: aiohttp.ClientResponse | None = None  # no local of a frame, whose repr would show the link
        self._etag: str | None = None
        self._done = 0
        self._furthest = 0
        self._total: int | None = None
        self._passing: TransportError | None = None  # the failure that another attempt may mend

    async def run(self) -> None:
        """Fetch the whole file. Each byte more that comes makes the attempts begin anew."""
        import stamina  # as in the transport

        complete = False
        while not complete:
            async for attempt in stamina.retry_context(
                on=lambda error: error is self._passing,
                attempts=self._attempts,
                timeout=None,
                wait_initial=FIRST_BACKOFF,
                wait_max=LONGEST_BACKOFF,
            ):
                with attempt:
                    complete = await self._go_on()

    async def _go_on(self) -> bool:
        """Fetch what is missing; whether that is all. Raises where nothing more has come."""
        try:
            await self._fetch()
        except TransportError as error:
            if error is not self._passing:
                raise
            total = "unknown" if self._total is None else self._total
            _log.warning("the download to %s stopped at %d of %s bytes: %s", self._name, self._done, total, error)
            if self._done <= self._furthest:
                raise
            self._furthest = self._done
            return False
        finally:
            if self._answer:
                self._answer.close()
        return True

    async def _fetch(self) -> None:
        is_new = self._link is None
        if self._link is None:
            self._link = await self._new_link()
        await self._ask(self._link)
        await self._accept(is_new)
        while True:
            piece, failure = await self._read()
            if self._total is not None and self._done + len(piece) > self._total:
                self._etag = None  # nobody knows which bytes are the file's: all from the beginning
                raise self._failure(f"more than {self._total} bytes came")
            if piece:
                await asyncio.to_thread(self._file.write, piece)
                self._done += len(piece)
                self._tell()
            if failure:
                raise failure
            if len(piece) < _CHUNK:
                break
        if self._total is not None and self._done != self._total:
            raise self._failure(f"{self._done} of {self._total} bytes came")

    async def _ask(self, link: str) -> None:
        """Send the request wherever the link and the storage's redirects lead."""
        headers = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT}
        if self._done and self._etag:
            headers |= {"Range": f"bytes={self._done}-", "If-Range": self._etag}
        url = _join(None, link)
        for _ in range(_MOST_REDIRECTS + 1):
            if url is None or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host or ""))):
                raise TransportError("the download link leads to something else than https")
            self._answer = await self._get(url, headers)
            if self._answer.status not in _REDIRECTS:
                return
            self._answer.close()
            url = _join(url, self._answer.headers.get("Location", ""))
        raise TransportError("the download link leads from one redirect to the next")

    async def _get(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        try:
            return await self._session.get(url, headers=headers, allow_redirects=False, read_bufsize=_CHUNK)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = self._failure(_reason(error))
        raise failure  # out of the handler, as an error of aiohttp may hold the link

    async def _accept(self, is_new: bool) -> None:
        """Find out what the answer brings: the rest, all from the beginning, or nothing."""
        assert self._answer
        answer, headers = self._answer, self._answer.headers
        if answer.status == 206 and self._is_rest(headers):
            return
        if answer.status != 200:
            raise self._refusal(answer, is_new)
        if answer.content_length is None and "chunked" not in headers.get("Transfer-Encoding", ""):
            raise TransportError("the storage does not say how large the file is")
        etag = headers.get("ETag", "")
        self._etag = etag if etag.startswith('"') else None  # a weak one says nothing of single bytes
        self._done, self._total = 0, answer.content_length
        await asyncio.to_thread(_rewind, self._file)
        self._tell()

    def _is_rest(self, headers: Mapping[str, str]) -> bool:
        """Whether a part is what has been asked for."""
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        same = headers.get("ETag", self._etag) == self._etag
        return bool(self._done and found and same and (int(found[1]), int(found[2])) == (self._done, self._total))

    def _refusal(self, answer: aiohttp.ClientResponse, is_new: bool) -> TransportError:
        """The error of an answer without the file; what is tried next is without what it may have been refused for."""
        message = f"{answer.host} answers {answer.status} {answer.reason or ''}".rstrip()
        if answer.status in _BAD_PARTS:
            self._etag = None  # all from the beginning
        elif 400 <= answer.status < 500 and answer.status not in _BUSY:
            self._link = None  # it has expired, unless it has never been good
            if is_new:
                return TransportError(f"the download link is refused: {message}")
        return self._failure(message)

    async def _read(self) -> tuple[bytearray, TransportError | None]:
        """What is worth a write, or the end of the file; with the failure that has cut it short."""
        assert self._answer
        piece = bytearray()
        try:
            while len(piece) < _CHUNK and (some := await self._answer.content.read(_CHUNK)):
                piece += some
        except (aiohttp.ClientError, OSError) as error:
            return piece, self._failure(_reason(error))
        return piece, None

    def _failure(self, message: str) -> TransportError:
        self._passing = TransportError(message)
        return self._passing

    def _tell(self) -> None:
        if self._progress:
            self._progress(self._done, self._total)


def _reason(error: Exception) -> str:
    """What to say of an exchange that broke, without its URL."""
    match error:
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {error.os_error}"
        case TimeoutError():
            return "the storage has gone silent"
        case aiohttp.ClientPayloadError():
            return "the file was cut short"
        case aiohttp.InvalidURL():
            return "the link is no URL"
        case aiohttp.ClientResponseError():
            return "the answer is no HTTP"
    return f"the connection broke: {error or type(error).__name__}"


def _join(url: URL | None, location: str) -> URL | None:
    """Where a link or a redirect leads, with its signature as it was written; `None` if nowhere."""
    try:
        target = url.join(URL(location, encoded=True)) if url else URL(location, encoded=True)
        return target if target.port else None  # which finds out whether it can be read
    except ValueError:
        return None


def _rewind(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()
