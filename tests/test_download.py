"""Downloads, from scripted storage services."""

import asyncio
import hashlib
import itertools
import logging
import stat
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from attrs import define, field

from northflank_async import BackupResource, ConfigurationError, NorthflankError, NotFound, TransportError
from tests.http.test_redaction import everything_a_report_shows
from tests.support.clocks import wait_until
from tests.support.scripted_server import TOKEN, ScriptedServer, drop_connection, envelope, never_answer, serve

CONTENT = bytes(range(256)) * 4096 * 8  # 8 MiB
MIB = 2**20  # the least that is written at once, except at the end
SIGNATURE = "X-Signature=a%2Fb%3D+c"


@define(eq=False)
class Storage:
    """A storage service behind the API's download link; a test sets its faults."""

    content: bytes = field(default=CONTENT, repr=False)
    etag: str | None = '"v1"'
    ranges: bool = True
    cuts: list[int] = field(factory=list)  # after how many bytes each transfer breaks
    expire: int = 0  # how many requests, from the second on, are refused as expired
    instead: Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse] | None] = lambda _: None
    links: int = 0
    arrived: int = 0
    seen: list[web.Request] = field(factory=list)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/download-link"):
            self.links += 1
            return envelope({"downloadLink": f"http://{request.host}/storage/link{self.links}?{SIGNATURE}"})
        self.seen.append(request)
        assert request.path_qs.endswith(SIGNATURE), "a signature must be sent unchanged"
        special = self.instead(request)
        if special is not None:
            return special if isinstance(special, web.StreamResponse) else await special
        if len(self.seen) > 1 and self.expire:
            self.expire -= 1
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return await self.send(request)

    async def send(self, request: web.Request) -> web.StreamResponse:
        start = 0
        asked = request.headers.get("Range")
        if asked and self.ranges and request.headers["If-Range"] == self.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        size = len(self.content)
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = size - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if self.etag:
            response.headers["ETag"] = self.etag
        await response.prepare(request)
        end = start + self.cuts.pop(0) if self.cuts else size
        await response.write(self.content[start:end])
        if end < size:
            if end - start > MIB:  # bytes not read when a connection breaks are lost
                await wait_until(lambda: self.arrived >= start + MIB)
            assert request.transport
            request.transport.close()
        return response

    def arrive(self, done: int, _: int | None) -> None:
        self.arrived = done

    def ranges_asked(self) -> list[str | None]:
        return [request.headers.get("Range") for request in self.seen]


def backup(nf: Any) -> BackupResource:
    made: BackupResource = nf.project("p").addon("a").backup("b")
    return made


async def downloaded(storage: Storage, path: str | Path, progress: Any = None, **options: Any) -> Path:
    def report(done: int, total: int | None) -> None:
        storage.arrive(done, total)
        if progress:
            progress(done, total)

    async with serve(storage.respond) as server, server.client(**options) as nf:
        return await backup(nf).download(path, progress=report)


async def test_a_backup_is_written_into_a_file(tmp_path: Path) -> None:
    storage = Storage()
    reported: list[tuple[int, int | None]] = []
    path = await downloaded(storage, tmp_path / "b.gz", lambda *now: reported.append(now))
    assert path == tmp_path / "b.gz"
    assert path.read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["b.gz"]
    assert reported[0] == (0, len(CONTENT))
    assert reported[-1] == (len(CONTENT), len(CONTENT))
    assert reported == sorted(reported)
    assert len(storage.seen) == storage.links == 1


async def test_the_path_may_be_text_and_an_existing_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.gz").write_text("older")
    assert await downloaded(Storage(), "b.gz") == Path("b.gz")
    assert (tmp_path / "b.gz").read_bytes() == CONTENT


async def test_an_empty_backup_is_an_empty_file(tmp_path: Path) -> None:
    assert (await downloaded(Storage(content=b""), tmp_path / "b")).read_bytes() == b""


async def test_a_broken_transfer_is_resumed(tmp_path: Path) -> None:
    storage = Storage(cuts=[2 * MIB, 2 * MIB, 2 * MIB])
    path = await downloaded(storage, tmp_path / "b")
    assert path.read_bytes() == CONTENT
    first, *others = storage.ranges_asked()
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in others if asked]
    assert (first, len(starts)) == (None, 3)
    assert all(later - start >= MIB for start, later in itertools.pairwise([0, *starts]))
    assert storage.links == 1


@pytest.mark.parametrize("storage", [Storage(ranges=False), Storage(etag=None), Storage(etag='W/"v1"')])
async def test_a_transfer_restarts_if_the_file_may_have_changed(storage: Storage, tmp_path: Path) -> None:
    storage.cuts = [2 * MIB, 3 * MIB]
    reported: list[int] = []
    path = await downloaded(storage, tmp_path / "b", lambda done, _: reported.append(done))
    assert path.read_bytes() == CONTENT
    assert reported.count(0) == 3
    if storage.etag != '"v1"':
        assert storage.ranges_asked() == [None, None, None]


async def test_a_file_that_changed_is_not_appended_to_the_first(tmp_path: Path) -> None:
    def change(request: web.Request) -> None:
        if len(storage.seen) == 2:
            storage.content, storage.etag = b"x" * 5000, '"v2"'

    storage = Storage(cuts=[2 * MIB], instead=change)
    assert (await downloaded(storage, tmp_path / "b")).read_bytes() == b"x" * 5000


WRONG_PARTS = {
    "of another place": {"Content-Range": "bytes 0-9/{size}"},
    "of another size": {"Content-Range": "bytes {start}-{end}/9"},
    "of an unknown size": {"Content-Range": "bytes {start}-{end}/*"},
    "of an unnamed object": {"Content-Range": "bytes {start}-{end}/{size}"},
    "of another object": {"Content-Range": "bytes {start}-{end}/{size}", "ETag": '"v2"'},
    "of nowhere": {},
}


@pytest.mark.parametrize("headers", WRONG_PARTS.values(), ids=WRONG_PARTS)
@pytest.mark.parametrize("status", [206, 416])
async def test_a_wrong_part_restarts_the_transfer(headers: dict[str, str], status: int, tmp_path: Path) -> None:
    def part(request: web.Request) -> web.Response | None:
        if len(storage.seen) != 2:
            return None
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        sent = {name: text.format(start=start, end=start + 9, size=len(CONTENT)) for name, text in headers.items()}
        return web.Response(status=status, body=b"0" * 10, headers=sent)

    storage = Storage(cuts=[2 * MIB], instead=part)
    assert (await downloaded(storage, tmp_path / "b")).read_bytes() == CONTENT
    assert [bool(asked) for asked in storage.ranges_asked()] == [False, True, False]


async def test_a_part_that_is_too_long_restarts_the_transfer_and_is_not_progress(tmp_path: Path) -> None:
    def part(request: web.Request) -> web.Response | None:
        if "Range" not in request.headers:
            return None
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        sent = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}", "ETag": '"v1"'}
        return web.Response(status=206, body=b"0" * (len(CONTENT) - start + 1), headers=sent)

    storage = Storage(cuts=[2 * MIB], instead=part)
    assert (await downloaded(storage, tmp_path / "b")).read_bytes() == CONTENT
    assert [bool(asked) for asked in storage.ranges_asked()] == [False, True, False]

    reported: list[int] = []
    storage = Storage(cuts=[2 * MIB] * 100, instead=part)
    with pytest.raises(TransportError, match=r"^got more than 8388608 bytes$|^the file was truncated$"):
        await downloaded(storage, tmp_path / "c", lambda done, _: reported.append(done), attempts=3)
    assert max(reported) <= len(CONTENT)
    assert not (tmp_path / "c").exists()


async def test_an_expired_link_is_replaced_and_the_transfer_resumed(tmp_path: Path) -> None:
    storage = Storage(cuts=[2 * MIB], expire=1)
    assert (await downloaded(storage, tmp_path / "b")).read_bytes() == CONTENT
    assert storage.links == 2
    assert [request.path for request in storage.seen] == ["/storage/link1", "/storage/link1", "/storage/link2"]
    assert storage.ranges_asked()[-1]


async def test_a_new_link_that_is_refused_is_not_retried(tmp_path: Path) -> None:
    storage = Storage(instead=lambda _: web.Response(status=403))
    with pytest.raises(TransportError, match=r"^the download link was rejected: 127\.0\.0\.1 responded 403 Forbidden$"):
        await downloaded(storage, tmp_path / "b")
    assert len(storage.seen) == storage.links == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_busy_storage_service_is_retried(status: int, tmp_path: Path) -> None:
    storage = Storage(instead=lambda _: web.Response(status=status) if len(storage.seen) < 5 else None)
    assert (await downloaded(storage, tmp_path / "b")).read_bytes() == CONTENT
    assert storage.links == 1


async def test_a_download_fails_if_no_more_bytes_come(tmp_path: Path) -> None:
    storage = Storage(cuts=[2 * MIB, *[0] * 100])
    with pytest.raises(TransportError, match="the file was truncated"):
        await downloaded(storage, tmp_path / "b", attempts=3)
    assert len(storage.seen) == 1 + 3
    assert list(tmp_path.iterdir()) == []


async def test_more_bytes_reset_the_attempts(tmp_path: Path) -> None:
    storage = Storage(cuts=[2 * MIB, 0] * 4)
    assert (await downloaded(storage, tmp_path / "b", attempts=2)).read_bytes() == CONTENT


async def test_restarts_without_progress_fail(tmp_path: Path) -> None:
    storage = Storage(ranges=False, cuts=[2 * MIB, *[0] * 100])
    with pytest.raises(TransportError):
        await downloaded(storage, tmp_path / "b", attempts=3)
    assert len(storage.seen) == 1 + 3


async def test_a_stalled_storage_service_is_retried(tmp_path: Path) -> None:
    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"v1"'})
        response.content_length = len(CONTENT)
        await response.prepare(request)
        await response.write(CONTENT[: 2 * MIB])
        await asyncio.sleep(10)
        return response

    storage = Storage(instead=lambda request: stall(request) if len(storage.seen) == 1 else None)
    assert (await downloaded(storage, tmp_path / "b", timeout=0.2)).read_bytes() == CONTENT
    assert storage.ranges_asked() == [None, f"bytes={2 * MIB}-"]


async def test_redirects_are_followed_without_the_token(tmp_path: Path) -> None:
    def redirect(request: web.Request) -> web.Response | None:
        if "object" in request.path:
            return None
        return web.Response(status=307, headers={"Location": f"/object/1?{SIGNATURE}"}, body=CONTENT)

    asyncio.get_running_loop().set_debug(True)  # a response that is dropped without being closed is a warning

    storage = Storage(instead=redirect, cuts=[2 * MIB])
    assert (await downloaded(storage, tmp_path / "b")).read_bytes() == CONTENT
    assert [request.path for request in storage.seen] == ["/storage/link1", "/object/1"] * 2
    for request in storage.seen:
        assert "Authorization" not in request.headers
        assert TOKEN not in str(request.raw_headers)


async def test_a_callers_connections_are_used_but_none_of_its_headers(tmp_path: Path) -> None:
    storage = Storage()
    async with (
        serve(storage.respond) as server,
        aiohttp.ClientSession(
            headers={"X-Internal": "secret"}, cookies={"session": "secret"}, raise_for_status=True
        ) as session,
        server.client(session=session) as nf,
    ):
        await backup(nf).download(tmp_path / "b")
        (request,) = storage.seen
        assert {"X-Internal", "Cookie", "Authorization"} & set(request.headers) == set()
        api = next(sent for sent in server.requests if sent.path.startswith("/v1"))
        assert (api.headers["X-Internal"], api.transport) == ("secret", request.transport)
        assert not session.closed
        await nf.project("p").addon("a").backup("b").download_link()


async def test_a_link_is_hidden_in_reprs() -> None:
    async with serve(Storage().respond) as server, server.client() as nf:
        link = await backup(nf).download_link()
    assert SIGNATURE in link
    assert SIGNATURE not in repr([link])


ELSEWHERE = ["http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "", "http://[", "//example.com/x"]


@pytest.mark.parametrize("location", ELSEWHERE)
async def test_a_redirect_to_a_url_that_is_not_https_is_not_followed(location: str, tmp_path: Path) -> None:
    storage = Storage(instead=lambda _: web.Response(status=302, headers={"Location": location}))
    with pytest.raises(TransportError, match=r"^the download link leads to"):
        await downloaded(storage, tmp_path / "b")
    assert len(storage.seen) <= 6


async def test_endless_redirects_fail(tmp_path: Path) -> None:
    storage = Storage(instead=lambda _: web.Response(status=302, headers={"Location": f"/x?{SIGNATURE}"}))
    with pytest.raises(TransportError, match="more than 5 redirects"):
        await downloaded(storage, tmp_path / "b")
    assert len(storage.seen) == 6


async def test_a_chunked_file_has_no_total(tmp_path: Path) -> None:
    async def chunks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(CONTENT)
        return response

    reported: list[Any] = []
    path = await downloaded(Storage(instead=chunks), tmp_path / "b", lambda *now: reported.append(now))
    assert path.read_bytes() == CONTENT
    assert {total for _, total in reported} == {None}


async def test_a_file_without_a_recognizable_end_is_refused(tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        assert isinstance(request.transport, asyncio.Transport)
        request.transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CONTENT[:5000])
        request.transport.close()
        return web.Response()

    with pytest.raises(TransportError, match="does not send the size"):
        await downloaded(Storage(instead=endless), tmp_path / "b")


async def test_a_compressed_file_is_not_decompressed(tmp_path: Path) -> None:
    packed = web.Response(body=b"\x1f\x8bnot unpacked", headers={"Content-Encoding": "gzip"})
    assert (await downloaded(Storage(instead=lambda _: packed), tmp_path / "b")).read_bytes() == b"\x1f\x8bnot unpacked"


async def test_a_missing_backup_leaves_no_file(tmp_path: Path) -> None:
    async with serve(lambda _: web.Response(status=404)) as server, server.client() as nf:
        with pytest.raises(NotFound):
            await backup(nf).download(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


async def test_a_path_that_cannot_be_written_costs_no_request(tmp_path: Path) -> None:
    async with serve(lambda _: envelope({})) as server, server.client() as nf:
        for path in (tmp_path, tmp_path / "nowhere" / "b"):
            with pytest.raises(OSError, match=r"folder|directory"):
                await backup(nf).download(path)
        assert server.requests == []


async def test_a_failing_progress_callback_ends_the_download(tmp_path: Path) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal"):
        await downloaded(Storage(), tmp_path / "b", fail)
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_ends_the_download_and_leaves_no_file(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("northflank_async.download._CHUNK", 2**16)  # a report shows a chunk, which is slow to print
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    storage = Storage()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**16 + 1, before[1]))
    with pytest.raises(OSError, match="File too large") as caught:
        await downloaded(storage, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
    assert len(storage.seen) == 1
    assert SIGNATURE not in everything_a_report_shows(caught.value)


async def test_two_downloads_to_one_file_do_not_mix(tmp_path: Path) -> None:
    first, second = Storage(cuts=[2 * MIB]), Storage(content=b"x" * 3 * MIB)
    await asyncio.gather(*(downloaded(storage, tmp_path / "b") for storage in (first, second)))
    assert (tmp_path / "b").read_bytes() in (first.content, second.content)
    assert [file.name for file in tmp_path.iterdir()] == ["b"]


@pytest.fixture
async def stalled() -> AsyncIterator[tuple[Storage, ScriptedServer]]:
    """A storage service that sends the first half and then nothing."""

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(CONTENT)
        await response.prepare(request)
        await response.write(CONTENT[: len(CONTENT) // 2])
        await asyncio.sleep(100)
        return response

    storage = Storage(instead=stall)
    async with serve(storage.respond) as server:
        yield storage, server


async def test_a_cancelled_download_leaves_no_file_and_a_usable_client(
    stalled: tuple[Storage, ScriptedServer], tmp_path: Path
) -> None:
    storage, server = stalled
    done: list[int] = []
    async with server.client() as nf:
        task = asyncio.create_task(backup(nf).download(tmp_path / "b", progress=lambda now, _: done.append(now)))
        await wait_until(lambda: done and done[-1])
        (part,) = tmp_path.iterdir()
        assert part.name.endswith(".part")
        assert stat.S_ISREG(part.stat().st_mode)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert list(tmp_path.iterdir()) == []
        assert SIGNATURE not in everything_a_report_shows(caught.value)
        storage.instead = lambda _: None
        assert (await backup(nf).download(tmp_path / "b")).read_bytes() == CONTENT


async def test_a_download_cancelled_before_a_response_does_not_show_the_link(tmp_path: Path) -> None:
    storage = Storage(instead=never_answer)
    async with serve(storage.respond) as server, server.client() as nf:
        task = asyncio.create_task(backup(nf).download(tmp_path / "b"))
        await wait_until(lambda: storage.seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    caught.value.__traceback__ = caught.tb.tb_next
    assert SIGNATURE not in everything_a_report_shows(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_closing_the_client_ends_a_download(stalled: tuple[Storage, ScriptedServer], tmp_path: Path) -> None:
    storage, server = stalled
    async with server.client() as nf:
        task = asyncio.create_task(backup(nf).download(tmp_path / "b"))
        await wait_until(lambda: storage.seen)
    with pytest.raises(TransportError, match="closed"):
        await task
    assert list(tmp_path.iterdir()) == []


FAILURES: dict[str, Callable[[web.Request], Any]] = {
    "refused": lambda _: web.Response(status=403, text=SIGNATURE),
    "down": lambda _: web.Response(status=500),
    "elsewhere": lambda _: web.Response(status=302, headers={"Location": f"http://example.com/?{SIGNATURE}"}),
    "no connection": lambda _: web.Response(status=302, headers={"Location": f"http://127.0.0.1:1/?{SIGNATURE}"}),
    "not a URL": lambda _: web.Response(status=302, headers={"Location": f"https://[{SIGNATURE}"}),
    "no host": lambda _: web.Response(status=302, headers={"Location": f"https://?{SIGNATURE}"}),
    "an invalid port": lambda _: web.Response(status=302, headers={"Location": f"https://x:99999/?{SIGNATURE}"}),
    "dropped": drop_connection,
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_failure_shows_the_link(failure: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)
    async with serve(Storage(instead=FAILURES[failure]).respond) as server, server.client(attempts=2) as nf:
        with pytest.raises(NorthflankError) as caught:
            await backup(nf).download(tmp_path / "b")
    caught.value.__traceback__ = caught.tb.tb_next
    assert SIGNATURE not in everything_a_report_shows(caught.value)
    assert SIGNATURE not in caplog.text
    assert TOKEN not in everything_a_report_shows(caught.value)


@pytest.mark.slow
async def test_200_megabytes_with_five_breaks_are_complete_and_take_little_memory(tmp_path: Path) -> None:
    size, block = 200 * 10**6, hashlib.sha512(b"block").digest() * 2**14  # 1 MiB
    turns = iter([5, 33, 60, 7, 50])
    whole = hashlib.sha256()
    for start in range(0, size, len(block)):
        whole.update(block[: size - start])

    async def send(request: web.Request) -> web.StreamResponse:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        response = web.StreamResponse(status=206 if start else 200, headers={"ETag": '"big"'})
        response.content_length = size - start
        response.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        await response.prepare(request)
        end = min(size, start + next(turns, 1000) * 10**6)
        while start < end:
            offset = start % len(block)
            piece = block[offset : offset + end - start]
            await response.write(piece)
            start += len(piece)
        if end < size:
            assert request.transport
            request.transport.close()
        return response

    storage = Storage(instead=send)
    async with serve(storage.respond) as server, server.client() as nf:
        tracemalloc.start()
        try:
            path = await backup(nf).download(tmp_path / "b")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == whole.digest()
    assert len(storage.seen) == 6
    assert peak < 16 * 2**20


async def async_progress(done: int, total: int | None) -> None:
    raise AssertionError("it is never awaited")


class AsyncProgress:
    async def __call__(self, done: int, total: int | None) -> None:
        raise AssertionError("it is never awaited")


@pytest.mark.parametrize("progress", [async_progress, partial(async_progress, total=1), AsyncProgress(), "no function"])
async def test_an_async_progress_callback_is_refused_before_anything_is_sent(progress: Any, tmp_path: Path) -> None:
    storage = Storage()
    async with serve(storage.respond) as server, server.client() as nf:
        with pytest.raises(ConfigurationError, match="progress must be a"):
            await backup(nf).download(tmp_path / "b", progress=progress)
        assert server.requests == []
    assert list(tmp_path.iterdir()) == []


async def test_a_progress_callback_that_returns_a_coroutine_ends_the_download(tmp_path: Path) -> None:
    callback: Any = lambda done, total: async_progress(done, total)  # noqa: E731
    with pytest.raises(ConfigurationError, match="progress must be a plain function"):
        async with serve(Storage().respond) as server, server.client() as nf:
            await backup(nf).download(tmp_path / "b", progress=callback)
    assert list(tmp_path.iterdir()) == []
