"""Mirrors in an S3 bucket, served by another process."""

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async import ConfigurationError, Northflank
from northflank_async.mirror import MirrorOutcome, mirror, verify
from northflank_async.mirror.address import parse_destination
from northflank_async.simulator import Downloads, Simulator
from tests.support.dumps import DumpAccount, dump, links_of, simulated_hash
from tests.support.mirror_process import start_mirror, wait_for
from tests.support.s3 import S3, SECRET
from tests.support.s3 import s3 as s3
from tests.support.scripted_server import serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LARGE = bytes(range(256)) * 4096 * 20  # 20 MiB: a multipart upload
NAME = "p/a/20261101T120000.000Z_b.gz"


async def mirrored(account: DumpAccount, target: str, **options: Any) -> MirrorOutcome:
    async with serve(account.respond) as server, server.client(attempts=2) as nf:
        return await mirror(target, nf, **options)


@pytest.mark.parametrize("prefix", ["", "/some/prefix", "/prefix/"])
async def test_dumps_of_any_size_are_copied_below_the_prefix(s3: S3, prefix: str) -> None:
    bucket = s3.new_bucket()
    contents = {"p/a/b": LARGE, "p/a/small": b"x", "p/a/empty": b""}
    account = DumpAccount({"p": {"a": [dump("b"), dump("small", 1), dump("empty", 2)]}}, contents=contents)
    outcome = await mirrored(account, f"s3://{bucket}{prefix}")
    assert (len(outcome.copied), outcome.failures) == (3, [])
    objects = s3.objects(bucket)
    start = prefix.strip("/") + "/" if prefix else ""
    assert objects[start + NAME] == LARGE
    entry = json.loads(objects[f"{start}manifest/p/a/b.json"])
    assert (entry["size"], entry["sha256"]) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert (entry["path"], len(objects)) == (NAME, 6)
    again = await mirrored(account, f"s3://{bucket}{prefix}")
    assert (again.held, len(account.links)) == (3, 3)
    assert (await verify(f"s3://{bucket}{prefix}")).is_intact


async def test_a_download_that_breaks_off_is_continued_in_the_same_upload(s3: S3) -> None:
    bucket = s3.new_bucket()
    async with Simulator(
        projects=1, addons=1, backups=6, downloads=Downloads(size=20_000_000, cut_after=[9_000_000, 3_000_000])
    ) as sim:
        process = start_mirror(f"s3://{bucket}", sim.token, sim.url, 1)
        await wait_for(process)
        assert process.exitcode == 0
        transfers = [request for request in sim.requests if request.path.startswith("/storage/objects/")]
        copies = [json.loads(body) for key, body in s3.objects(bucket).items() if key.endswith(".json")]
        assert len(transfers) == len(copies) + 2
        assert len(links_of(sim)) == len(copies)
    assert not s3.uploads(bucket)


async def test_a_download_that_restarts_begins_another_upload(s3: S3) -> None:
    bucket = s3.new_bucket()
    account = DumpAccount({"p": {"a": [dump("b")]}}, contents={"p/a/b": LARGE})

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()  # without an ETag, so that the rest cannot be requested
        response.content_length = len(LARGE)
        await response.prepare(request)
        await response.write(b"\0" * (15 * 2**20))
        assert request.transport
        request.transport.close()
        return response

    cuts = iter([cut])

    def instead(request: web.Request) -> Any:
        if not request.path.startswith("/storage"):
            return None
        broken = next(cuts, None)
        return broken(request) if broken else None

    account.instead = instead
    outcome = await mirrored(account, f"s3://{bucket}")
    assert len(outcome.copied) == 1
    assert s3.objects(bucket)[NAME] == LARGE
    assert not s3.uploads(bucket)


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_an_interrupted_upload_leaves_no_object_and_no_parts(s3: S3, is_cancelled: bool) -> None:
    bucket = s3.new_bucket()
    account = DumpAccount({"p": {"a": [dump("b")]}})
    stopped = asyncio.Event()

    async def stop(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(LARGE)
        await response.prepare(request)
        await response.write(LARGE[: 18 * 2**20])
        stopped.set()
        if is_cancelled:
            await asyncio.sleep(100)
        assert request.transport
        request.transport.abort()
        return response

    account.instead = lambda request: stop(request) if request.path.startswith("/storage") else None
    async with serve(account.respond) as server, server.client(attempts=2, timeout=60) as nf:
        task = asyncio.create_task(mirror(f"s3://{bucket}", nf))
        await stopped.wait()
        if is_cancelled:
            while not await asyncio.to_thread(s3.uploads, bucket):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            assert len((await task).failures) == 1
    assert (s3.objects(bucket), s3.uploads(bucket)) == ({}, [])


async def test_a_kill_in_a_multipart_upload_leaves_no_object_and_the_next_mirror_completes(s3: S3) -> None:
    bucket = s3.new_bucket()
    size = 40_000_000
    downloads = Downloads(size=size, rate=40_000_000)
    async with Simulator(projects=1, addons=1, backups=6, rate_limit=10**6, downloads=downloads) as sim:
        process = start_mirror(f"s3://{bucket}", sim.token, sim.url, 1)
        while not (uploads := await asyncio.to_thread(s3.uploads, bucket)):
            assert process.is_alive()
            await asyncio.sleep(0.01)
        process.kill()
        await wait_for(process)
        assert process.exitcode == -9
        assert uploads[0] not in s3.objects(bucket)
        before = len(links_of(sim))
        for _ in range(2):
            process = start_mirror(f"s3://{bucket}", sim.token, sim.url, 1)
            await wait_for(process)
            assert process.exitcode == 0
        objects = s3.objects(bucket)
        copies = [json.loads(body) for key, body in objects.items() if key.endswith(".json")]
        assert len(links_of(sim)) == len(copies) + before
        uids = {backup["id"]: backup["uid"] for backup in await backups_of(sim)}
    for copy in copies:
        digest = hashlib.sha256(objects[copy["path"]]).hexdigest()
        assert copy["sha256"] == digest == simulated_hash(uids[copy["backup_id"]], size)
    assert len(objects) == 2 * len(copies)


async def backups_of(sim: Simulator) -> list[dict[str, Any]]:
    async with Northflank(sim.token, base_url=sim.url) as nf, nf.scan() as scan:
        return [{"id": found.backup.id, "uid": found.backup.uid} async for found in scan]


@pytest.mark.parametrize("content", [b"small", LARGE])
@pytest.mark.parametrize("appears", ["before", "meanwhile"])
async def test_an_object_of_somebody_else_is_not_overwritten(s3: S3, content: bytes, appears: str) -> None:
    bucket = s3.new_bucket()
    account = DumpAccount({"p": {"a": [dump("b")]}}, contents={"p/a/b": content})

    def put(request: web.Request | None = None) -> None:
        s3.client.put_object(Bucket=bucket, Key=NAME, Body=b"precious")

    if appears == "before":
        put()
    else:
        account.instead = lambda request: put() if request.path.startswith("/storage") else None
    outcome = await mirrored(account, f"s3://{bucket}")
    objects = s3.objects(bucket)
    assert objects[NAME] == b"precious"
    if appears == "before":
        assert objects[outcome.copied[0].path] == content
    else:
        assert "is not in the manifest: move it away" in str(outcome.failures[0])
    assert not s3.uploads(bucket)


async def test_verify_finds_missing_changed_and_extra_objects(s3: S3) -> None:
    bucket = s3.new_bucket()
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2"), dump("b3"), dump("b4")]}})
    outcome = await mirrored(account, f"s3://{bucket}")
    paths = {copy.backup_id: copy.path for copy in outcome.copied}
    s3.client.delete_object(Bucket=bucket, Key=paths["b1"])
    s3.client.put_object(Bucket=bucket, Key=paths["b2"], Body=b"p/a/bX")
    s3.client.put_object(Bucket=bucket, Key="p/stranger", Body=b"")
    found = await verify(f"s3://{bucket}")
    assert [copy.backup_id for copy in found.missing] == ["b1"]
    assert [copy.backup_id for copy in found.changed] == ["b2"]
    assert [copy.backup_id for copy in found.intact] == ["b3", "b4"]
    assert found.extra == ["p/stranger"]


async def test_keep_deletes_objects_and_their_entries(s3: S3) -> None:
    bucket = s3.new_bucket()
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2", 400)]}})
    await mirrored(account, f"s3://{bucket}")
    await mirrored(account, f"s3://{bucket}", keep=timedelta(days=300))
    assert sorted(s3.objects(bucket)) == ["manifest/p/a/b1.json", "p/a/20261101T120000.000Z_b1.gz"]


async def test_a_bucket_that_does_not_exist_is_an_error_without_secrets(s3: S3) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    with pytest.raises(OSError, match="bucket") as caught:
        await mirrored(account, "s3://no-such-bucket/x")
    assert caught.value.filename == "s3://no-such-bucket/x"
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert "\n" not in str(caught.value)
    assert not account.links


async def test_plain_http_to_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example.test:9000")
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL is not https: set AWS_ALLOW_HTTP=true"):
        parse_destination("s3://bucket")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    assert str(parse_destination("s3://bucket/x/")) == "s3://bucket/x"


@pytest.mark.parametrize(
    ("url", "variable"), [("gs://bucket/x", ""), ("az://container/x", "AZURE_STORAGE_ACCOUNT_NAME")]
)
def test_the_other_object_stores_are_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, variable: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if variable:
        monkeypatch.setenv(variable, "account")
    assert str(parse_destination(url)) == url
