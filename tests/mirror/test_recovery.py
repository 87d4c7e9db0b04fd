"""Mirrors that end at any step, as if they were killed there, and are then run again."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from aiohttp import web

from northflank_async.mirror import mirror, verify
from northflank_async.mirror.folder import Folder, PartFile
from tests.support.clocks import wait_until
from tests.support.dumps import DumpAccount, dump, entries_in, files_in
from tests.support.scripted_server import serve

CONTENT = bytes(range(256)) * 4096 * 3  # 3 MiB
STEPS = [(Folder, "write_new"), (Folder, "delete"), (PartFile, "finish"), (PartFile, "commit")]


class Killed(BaseException):
    """Not an error that anybody handles."""


class Steps:
    """Counts what a mirror does to a folder, and ends it before or after one of these steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.end_before: int | None = None
        self.end_after: int | None = None
        for cls, name in STEPS:
            monkeypatch.setattr(cls, name, self._counted(getattr(cls, name)))

    def _counted(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*arguments: Any) -> Any:
            number = len(self.done)
            self.done.append(step.__name__)
            if number == self.end_before:
                raise Killed
            result = await step(*arguments)
            if number == self.end_after:
                raise Killed
            return result

        return counted


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


async def mirrored(account: DumpAccount, folder: Path) -> None:
    async with serve(account.respond) as server, server.client() as nf:
        try:
            outcome = await mirror(str(folder), nf, concurrency=1)
        except BaseExceptionGroup as group:
            assert group.subgroup(Killed)
            return
    assert not outcome.failures


@pytest.mark.parametrize("moment", ["end_before", "end_after"])
@pytest.mark.parametrize("number", range(5))
async def test_ending_at_any_step_costs_no_second_request(
    tmp_path: Path, steps: Steps, moment: str, number: int
) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}}, contents={"p/a/b": CONTENT})
    setattr(steps, moment, number)
    await mirrored(account, tmp_path)
    assert len(steps.done) == number + 1, "there are fewer steps"
    steps.end_before = steps.end_after = None
    await mirrored(account, tmp_path)
    (copy,) = entries_in(tmp_path)
    assert (tmp_path / copy.path).read_bytes() == CONTENT
    assert (await verify(str(tmp_path))).is_intact
    assert account.links == ["p/a/b"]
    assert len(account.downloads) == 1


async def test_a_file_that_changed_after_the_kill_is_not_trusted(tmp_path: Path, steps: Steps) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}}, contents={"p/a/b": CONTENT})
    steps.end_after = 2  # the dump has appeared
    await mirrored(account, tmp_path)
    assert steps.done == ["finish", "write_new", "commit"]
    (path,) = (tmp_path / "p/a").iterdir()
    path.write_bytes(b"\0" * len(CONTENT))
    steps.end_after = None
    await mirrored(account, tmp_path)
    (copy,) = entries_in(tmp_path)
    assert (tmp_path / copy.path).read_bytes() == CONTENT
    assert path.read_bytes() == b"\0" * len(CONTENT)
    assert (await verify(str(tmp_path))).extra == [path.relative_to(tmp_path).as_posix()]


async def half(account: DumpAccount, folder: Path, etag: str | None = '"v1"') -> None:
    """Mirror until the connection breaks after half of the dump, for good."""

    requests = 0

    async def send(request: web.Request) -> web.StreamResponse:
        nonlocal requests
        requests += 1
        if requests > 1:
            return web.Response(status=503)
        response = web.StreamResponse(headers={"ETag": etag} if etag else {})
        response.content_length = len(CONTENT)
        await response.prepare(request)
        await response.write(CONTENT[: len(CONTENT) // 2])
        await wait_until(lambda: any(part.stat().st_size for part in folder.rglob("*.part")))
        assert request.transport
        request.transport.close()
        return response

    account.instead = lambda request: send(request) if request.path.startswith("/storage") else None
    async with serve(account.respond) as server, server.client(attempts=1) as nf:
        outcome = await mirror(str(folder), nf)
    assert len(outcome.failures) == 1


def rest(request: web.Request, etag: str = '"v1"') -> web.Response:
    """Respond as a storage service that knows ranges."""
    asked = request.headers.get("Range")
    if asked is None or request.headers.get("If-Range") != etag:
        return web.Response(body=CONTENT, headers={"ETag": etag})
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    headers = {"ETag": etag, "Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return web.Response(status=206, body=CONTENT[start:], headers=headers)


async def test_the_next_mirror_requests_only_the_rest_of_a_dump(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    await half(account, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    asked: list[str | None] = []

    def respond(request: web.Request) -> web.Response | None:
        if not request.path.startswith("/storage"):
            return None
        asked.append(request.headers.get("Range"))
        return rest(request)

    account.instead = respond
    await mirrored(account, tmp_path)
    assert asked == [f"bytes={have}-"]
    assert (tmp_path / entries_in(tmp_path)[0].path).read_bytes() == CONTENT
    assert (await verify(str(tmp_path))).is_intact


@pytest.mark.parametrize("change", ["etag", "state", "garbage", "part", "no part", "none"])
async def test_what_may_be_of_another_file_is_downloaded_again(tmp_path: Path, change: str) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    await half(account, tmp_path, None if change == "none" else '"v1"')
    (part,) = tmp_path.rglob("*.part")
    match change:
        case "state":
            part.with_suffix(".state").unlink()
        case "garbage":
            part.with_suffix(".state").write_text('{"done": "x"}')
        case "part":
            part.write_bytes(b"short")
        case "no part":
            part.unlink()
    etag = '"v2"' if change == "etag" else '"v1"'
    account.instead = lambda request: rest(request, etag) if request.path.startswith("/storage") else None
    await mirrored(account, tmp_path)
    assert (tmp_path / entries_in(tmp_path)[0].path).read_bytes() == CONTENT
    assert len(files_in(tmp_path)) == 2


async def test_only_what_was_synced_to_the_disk_is_resumed(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    await half(account, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    with part.open("ab") as file:
        file.write(b"\0" * 1000)  # as after a power loss
    account.instead = lambda request: rest(request) if request.path.startswith("/storage") else None
    await mirrored(account, tmp_path)
    assert (tmp_path / entries_in(tmp_path)[0].path).read_bytes() == CONTENT


async def test_a_link_in_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    folder = tmp_path / "mirror"
    await half(account, folder)
    (part,) = folder.rglob("*.part")
    precious = tmp_path / "precious"
    precious.write_bytes(part.read_bytes() + b"more")
    part.unlink()
    part.symlink_to(precious)
    before = precious.read_bytes()
    account.instead = lambda request: rest(request) if request.path.startswith("/storage") else None
    await mirrored(account, folder)
    assert precious.read_bytes() == before
    assert (folder / entries_in(folder)[0].path).read_bytes() == CONTENT


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_dump_whose_new_link_is_rejected_halfway_is_whole(tmp_path: Path, is_resumed: bool) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    if is_resumed:
        await half(account, tmp_path)
    account.links.clear()
    requests = 0

    async def send(request: web.Request) -> web.StreamResponse:
        nonlocal requests
        requests += 1
        if requests in (2, 3):
            return web.Response(status=403)
        whole = rest(request)
        if requests > 1:
            return whole
        assert isinstance(whole.body, bytes)
        response = web.StreamResponse(status=whole.status, headers=whole.headers)
        await response.prepare(request)
        before = sum(part.stat().st_size for part in tmp_path.rglob("*.part"))
        await response.write(whole.body[: len(whole.body) * 3 // 4])
        await wait_until(lambda: sum(part.stat().st_size for part in tmp_path.rglob("*.part")) > before)
        assert request.transport
        request.transport.close()
        return response

    account.instead = lambda request: send(request) if request.path.startswith("/storage") else None
    await mirrored(account, tmp_path)
    (copy,) = entries_in(tmp_path)
    assert (tmp_path / copy.path).read_bytes() == CONTENT
    assert len(account.links) == 3


async def test_a_file_whose_upload_is_cancelled_while_it_opens_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_opening, may_open = threading.Event(), threading.Event()
    files: list[BinaryIO] = []
    open_file = PartFile._open

    def open_slowly(part: PartFile) -> BinaryIO:
        is_opening.set()
        may_open.wait()
        files.append(open_file(part))
        return files[-1]

    async def upload() -> None:
        async with Folder(tmp_path).upload("p/a/b.gz"):
            pytest.fail("it is cancelled before")

    monkeypatch.setattr(PartFile, "_open", open_slowly)
    task = asyncio.create_task(upload())
    await asyncio.to_thread(is_opening.wait)
    task.cancel()
    asyncio.get_running_loop().call_later(0.01, may_open.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [file.closed for file in files] == [True]
