"""The storage service behind download links: another host in reality, other paths here."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from hashlib import blake2b, shake_128
from itertools import count

import attrs
from aiohttp import web
from yarl import URL

from northflank_async.simulator.backups import StoredBackup
from northflank_async.simulator.inventory import SECOND
from northflank_async.simulator.responses import Rejection, found
from northflank_async.simulator.routes.lookup import TENANT, Lookup, Routes
from northflank_async.simulator.tenants import Tenant, Tenants

PREFIX = "/storage/"
BACKUP = "{project}/{addon}/{backup}"
LINK, OBJECT = PREFIX + "links/", PREFIX + "objects/"
BLOCK = 2**16  # bytes generated at a time


@attrs.frozen(kw_only=True)
class Downloads:
    """The size of downloads, and their faults; by default they have none.

    - `size`: bytes of every download, instead of the backup's own size.
    - `cut_after`: the first transfer is cut off after the first number of bytes, the second after the second, and so
      on; later transfers are complete.
    - `ranges`: False simulates a storage service that ignores `Range` and sends the complete object.
    - `refused`: the number of first transfers that are refused with a 403, as if their link had expired.
    - `valid`: seconds of simulated time for which a link is valid.
    - `rate`: bytes per second of each transfer, in real time; by default as many as possible.
    """

    size: int | None = None
    cut_after: Sequence[int] = ()
    ranges: bool = True
    refused: int = 0
    valid: float = 3600.0
    rate: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.size is not None and self.size < 0:
            raise ValueError(f"size must be at least 0, not {self.size}")
        if self.rate is not None and self.rate < 1:
            raise ValueError(f"rate must be at least 1 byte per second, not {self.rate}")
        for name in ("refused", "valid"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if any(number < 0 for number in self.cut_after):
            raise ValueError(f"cut_after must be numbers of bytes, at least 0, not {self.cut_after}")


@attrs.frozen
class Storage:
    """The service. It rejects requests with a token, because that must not be sent to another host.

    A link redirects to the object. It names its tenant, unless the tenant
    has no name because it is the only one.
    """

    lookup: Lookup
    tenants: Tenants
    downloads: Downloads
    _transfers: Iterator[int] = attrs.field(factory=count)
    _requests: Iterator[int] = attrs.field(factory=count)

    def routes(self) -> Routes:
        """Every method and path, with its handler; they have no version and no team."""
        paths = ((LINK + BACKUP, self.redirect), (OBJECT + BACKUP, self.send))
        return [(method, path, handler) for path, handler in paths for method in ("GET", "HEAD")]

    def link(self, request: web.Request, backup: StoredBackup) -> URL:
        """The backup's download link, on the host of the request."""
        path = f"{LINK}{backup.addon.project.id}/{backup.addon.id}/{backup.id}"
        tenant = self.lookup.tenant(request)
        signed = _signed(tenant, path, tenant.account.time.now() + round(self.downloads.valid * SECOND))
        return request.url.origin().with_path(path).with_query(signed)

    async def redirect(self, request: web.Request) -> web.StreamResponse:
        """Redirect a link to its object."""
        expires = self._check(request)
        path = OBJECT + request.path.removeprefix(LINK)
        location = URL.build(path=path, query=_signed(self.lookup.tenant(request), path, expires))
        return web.Response(status=302, headers={"Location": str(location)})

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send the object, or the requested range of it."""
        self._check(request)
        if request.method == "GET" and next(self._requests) < self.downloads.refused:
            raise Rejection(403, "The link has expired.")
        backup = self.lookup.backup(request)
        size = self._size(backup)
        uid = backup.payload["uid"]
        headers = {"ETag": f'"{blake2b(f"{uid}/{size}".encode(), digest_size=16).hexdigest()}"'}
        start, stop, status = 0, size, 200
        if self.downloads.ranges:
            headers["Accept-Ranges"] = "bytes"
            start, stop, status = _range(request, headers["ETag"], size)
        if status == 416:
            return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        headers["Content-Length"] = str(stop - start)
        content = self._content(request, uid, start, stop) if request.method == "GET" else None
        return web.Response(status=status, headers=headers, body=content, content_type="application/octet-stream")

    def _content(self, request: web.Request, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        transfer = next(self._transfers)
        cuts = self.downloads.cut_after
        cut = start + cuts[transfer] if transfer < len(cuts) else stop
        return _stream(request, content(key, start, min(stop, cut)), cut < stop, self.downloads.rate)

    def size_behind(self, request: web.Request, link: str) -> int | None:
        """The size of the object behind a download link; None for a link to another host than the request's.

        Raises:
            Rejection: The link is not valid any more, or its backup is gone.
        """
        url = URL(link)
        place = re.fullmatch(f"{LINK}([^/]+)/([^/]+)/([^/]+)", url.path)
        if url.origin() != request.url.origin() or place is None:
            return None
        tenant, _ = self._verify(url)
        project = found(tenant.account.inventory.project(place[1]), "project", place[1])
        addon = found(tenant.account.addons.find(project, place[2]), "addon", place[2])
        return self._size(found(tenant.account.backups.find(addon, place[3]), "backup", place[3]))

    def _size(self, backup: StoredBackup) -> int:
        return backup.size if self.downloads.size is None else self.downloads.size

    def _check(self, request: web.Request) -> int:
        """Check the request's signature and set its tenant; return when the link expires."""
        if "Authorization" in request.headers:
            raise Rejection(400, "Do not send the API token to the storage service.")
        request[TENANT], time = self._verify(request.url)
        return time

    def _verify(self, url: URL) -> tuple[Tenant, int]:
        """The tenant of a signed URL, and when it expires."""
        tenant = self.tenants.named(url.query.get("tenant", ""))
        expires = url.query.get("expires", "")
        time = int(expires) if re.fullmatch("[0-9]{1,15}", expires) else 0
        if tenant is None or dict(url.query) != _signed(tenant, url.path, time):
            raise Rejection(403, "The signature does not match.")
        if time < tenant.account.time.now():
            raise Rejection(403, "The link has expired.")
        return tenant, time


def _signed(tenant: Tenant, path: str, expires: int) -> dict[str, str]:
    """The query of a link."""
    key = f"{tenant.account.inventory.seed}/{tenant.name}/{path}/{expires}".encode("utf-8", "surrogateescape")
    signature = blake2b(key, key=b"storage", digest_size=20).hexdigest()
    named = {"tenant": tenant.name} if tenant.name else {}
    return {**named, "expires": str(expires), "signature": signature}


def content(key: str, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of an object from `start` to `stop`, generated a block at a time."""
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        generated = shake_128(f"{key}/{block}".encode()).digest(BLOCK)
        yield generated[max(0, start - block * BLOCK) : stop - block * BLOCK]


async def _stream(
    request: web.Request, blocks: Iterator[bytes], is_cut: bool, rate: int | None
) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block
        if rate is not None:
            await asyncio.sleep(len(block) / rate)
    if is_cut and request.transport is not None:
        request.transport.close()


def _range(request: web.Request, etag: str, size: int) -> tuple[int, int, int]:
    """The start and the end of the response's range, and its status."""
    condition = request.headers.get("If-Range")
    requested = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", request.headers.get("Range", ""))
    # An invalid range, or one of other content, is ignored.
    if requested is None or condition not in (None, etag):
        return 0, size, 200
    match requested.groups():
        case ("", ""):
            return 0, size, 200
        case ("", last):
            start, stop = max(0, size - int(last)), size
        case (first, ""):
            start, stop = int(first), size
        case (first, last):
            if int(last) < int(first):
                return 0, size, 200
            start, stop = int(first), min(size, int(last) + 1)
    return (start, stop, 206) if start < stop else (0, 0, 416)
