"""The storage service behind download links."""

import hashlib
import tracemalloc
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from yarl import URL

from northflank_async.simulator import Downloads, Faults
from northflank_async.simulator.storage import content
from tests.support.simulated_api import BACKUPS, Api, simulated_api

SIZE = 300_000


async def link_to(api: Api) -> tuple[str, str]:
    """The path of a dump, and its download link."""
    path = await api.dump()
    return path, (await api.get(f"{path}/download-link"))["downloadLink"]


async def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers) as response:
        return response.status, response.headers, await response.read()


async def test_a_completed_dump_can_be_downloaded_in_its_listed_size() -> None:
    async with simulated_api() as api:
        path = next(
            f"{BACKUPS}/{backup['id']}"
            for backup in reversed(await api.all(BACKUPS, "backups"))
            if backup["config"]["source"]["type"] != "snapshot" and backup["status"] == "completed"
        )
        size = int((await api.get(path))["config"]["size"])
        _, headers, body = await fetch((await api.get(f"{path}/download-link"))["downloadLink"], "HEAD")
    assert (headers["Content-Length"], headers["Accept-Ranges"], body) == (str(size), "bytes", b"")
    assert headers["ETag"].startswith('"')


async def test_a_link_redirects_and_every_download_is_the_same() -> None:
    async with simulated_api(downloads=Downloads(size=SIZE)) as api:
        _, link = await link_to(api)
        async with aiohttp.ClientSession() as http, http.get(link, allow_redirects=False) as response:
            assert response.status == 302
            assert URL(response.headers["Location"]).path.startswith("/storage/objects/")
        first, second = await fetch(link), await fetch(link)
        other = await fetch((await link_to(api))[1])
    assert (first[0], len(first[2])) == (200, SIZE)
    assert first[2] == second[2] != other[2]
    assert first[1]["ETag"] == second[1]["ETag"] != other[1]["ETag"]


async def test_a_request_with_a_token_is_a_400_and_recorded() -> None:
    async with simulated_api(downloads=Downloads(size=SIZE)) as api:
        _, link = await link_to(api)
        for url in (link, link.replace("/links/", "/objects/")):
            api.sim.requests.clear()
            async with api.http.get(url) as response:
                assert response.status == 400
            assert [request.status for request in api.sim.requests] == [400]


async def test_downloads_do_not_count_toward_the_rate_limit_and_have_no_faults() -> None:
    async with simulated_api(downloads=Downloads(size=SIZE), rate_limit=2) as api:
        _, link = await link_to(api)
        assert (await fetch(link))[0] == 200
        await api.error(429, "GET", BACKUPS)
        status, headers, _ = await fetch(link)
        assert status == 200
        assert not any(name.lower().startswith("x-ratelimit") for name in headers)
    async with simulated_api(faults=Faults(errors=1)) as api:
        assert (await fetch(f"{api.sim.url}/storage/objects/p/a/b"))[0] == 403


@pytest.mark.parametrize(
    ("header", "status", "start", "stop"),
    [
        ("bytes=0-", 206, 0, SIZE),
        ("bytes=100000-", 206, 100_000, SIZE),
        ("bytes=65535-65536", 206, 65_535, 65_537),
        ("bytes=0-0", 206, 0, 1),
        (f"bytes={SIZE - 1}-", 206, SIZE - 1, SIZE),
        ("bytes=10-999999999", 206, 10, SIZE),
        ("bytes=-5", 206, SIZE - 5, SIZE),
        ("bytes=-999999999", 206, 0, SIZE),
        (f"bytes={SIZE}-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=9-5", 200, 0, SIZE),
        ("bytes=-", 200, 0, SIZE),
        ("bytes=a-b", 200, 0, SIZE),
        ("lines=1-2", 200, 0, SIZE),
        ("bytes=0-1,5-6", 200, 0, SIZE),
    ],
)
async def test_a_range_is_sent_as_http_defines_it(header: str, status: int, start: int, stop: int) -> None:
    async with simulated_api(downloads=Downloads(size=SIZE)) as api:
        _, link = await link_to(api)
        whole = (await fetch(link))[2]
        answered, headers, body = await fetch(link, Range=header)
    assert (answered, body) == (status, whole[start:stop])
    said = {206: f"bytes {start}-{stop - 1}/{SIZE}", 416: f"bytes */{SIZE}"}
    assert headers.get("Content-Range") == said.get(status)
    assert headers["Content-Length"] == str(stop - start)


async def test_a_range_of_other_content_is_ignored() -> None:
    async with simulated_api(downloads=Downloads(size=SIZE)) as api:
        _, link = await link_to(api)
        etag = (await fetch(link, "HEAD"))[1]["ETag"]
        assert (await fetch(link, **{"Range": "bytes=9-", "If-Range": etag}))[0] == 206
        assert (await fetch(link, **{"Range": "bytes=9-", "If-Range": '"other"'}))[0] == 200


async def test_a_storage_service_without_ranges_sends_everything() -> None:
    async with simulated_api(downloads=Downloads(size=SIZE, ranges=False)) as api:
        _, link = await link_to(api)
        status, headers, body = await fetch(link, Range="bytes=9-")
    assert (status, len(body)) == (200, SIZE)
    assert "Accept-Ranges" not in headers


async def test_the_first_transfers_are_cut_off_after_the_given_bytes() -> None:
    async with simulated_api(downloads=Downloads(size=SIZE, cut_after=(100_000, 0, 50_000))) as api:
        _, link = await link_to(api)
        got = b""
        ends = []
        async with aiohttp.ClientSession() as http:
            while len(got) < SIZE:
                async with http.get(link, headers={"Range": f"bytes={len(got)}-"}) as response:
                    try:
                        async for part in response.content.iter_any():
                            got += part
                    except aiohttp.ClientPayloadError:
                        ends.append(len(got))
        assert ends == [100_000, 100_000, 150_000]
        assert got == (await fetch(link))[2]


async def test_the_first_transfers_are_refused_as_if_the_link_had_expired() -> None:
    async with simulated_api(downloads=Downloads(size=10, refused=2)) as api:
        _, link = await link_to(api)
        assert (await fetch(link, "HEAD"))[0] == 200
        assert [(await fetch(link))[0] for _ in range(4)] == [403, 403, 200, 200]


async def test_how_long_a_link_is_valid_can_be_chosen() -> None:
    async with simulated_api(downloads=Downloads(size=10, valid=5)) as api:
        _, link = await link_to(api)
        api.advance(5)
        assert (await fetch(link))[0] == 200
        api.advance(1)
        assert (await fetch(link))[0] == 403


async def test_a_slow_transfer_pauses_after_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("northflank_async.simulator.storage.asyncio", SimpleNamespace(sleep=sleep))
    async with simulated_api(downloads=Downloads(size=SIZE, rate=100_000)) as api:
        _, link = await link_to(api)
        assert len((await fetch(link))[2]) == SIZE
    assert sum(pauses) == pytest.approx(3)
    assert len(pauses) == 5


async def test_the_content_of_every_backup_is_different_and_the_same_in_every_run() -> None:
    digests = []
    for _ in range(2):
        async with simulated_api(downloads=Downloads(size=SIZE)) as api:
            found = []
            for _ in range(3):
                path, link = await link_to(api)
                body = (await fetch(link))[2]
                found.append(hashlib.sha256(body).hexdigest())
                uid = (await api.get(path))["uid"]
                assert b"".join(content(uid, 0, SIZE)) == body
            digests.append(found)
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == 3


@pytest.mark.parametrize("options", [{"size": -1}, {"cut_after": (5, -1)}, {"refused": -1}, {"valid": -1}, {"rate": 0}])
def test_an_invalid_download_option_is_an_error_that_names_it(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Downloads(**options)


async def test_an_empty_download_is_empty() -> None:
    async with simulated_api(downloads=Downloads(size=0)) as api:
        _, link = await link_to(api)
        assert ((await fetch(link))[0], (await fetch(link))[2]) == (200, b"")
        assert (await fetch(link, Range="bytes=0-"))[0] == 416


async def test_a_link_is_valid_for_an_hour_and_only_unchanged() -> None:
    async with simulated_api(downloads=Downloads(size=10)) as api:
        path, link = await link_to(api)
        for wrong in (link[:-1], link + "&x=1", link.replace("expires=1", "expires=2"), link.partition("?")[0]):
            assert (await fetch(wrong))[0] == 403
        other = link.replace(path.rpartition("/")[2], "example-backup")
        assert (await fetch(other))[0] == 403
        api.advance(3600)
        assert (await fetch(link))[0] == 200
        api.advance(1)
        assert (await fetch(link))[0] == 403
        again = (await api.get(f"{path}/download-link"))["downloadLink"]
        assert (await fetch(again))[0] == 200
        await api.data("DELETE", path)
        assert (await fetch(again))[0] == 404


async def test_only_completed_dumps_have_a_link() -> None:
    async with simulated_api() as api:
        assert "snapshot" in (await api.error(400, "GET", f"{BACKUPS}/example-backup/download-link"))["message"]
        path = f"{BACKUPS}/{(await api.data('POST', BACKUPS, {'backupType': 'dump'}))['id']}"
        assert "scheduled" in (await api.error(409, "GET", f"{path}/download-link"))["message"]


def test_any_part_of_an_object_matches_the_complete_object() -> None:
    whole = b"".join(content("key", 0, 200_000))
    for start, stop in ((0, 1), (65_535, 65_537), (65_536, 131_072), (199_999, 200_000), (5, 5)):
        assert b"".join(content("key", start, stop)) == whole[start:stop]


async def test_a_large_download_takes_no_memory() -> None:
    async with simulated_api(downloads=Downloads(size=30_000_000)) as api:
        _, link = await link_to(api)
        tracemalloc.start()
        try:
            async with aiohttp.ClientSession() as http, http.get(link) as response:
                size = sum([len(part) async for part in response.content.iter_any()])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert size == 30_000_000
    assert peak < 5_000_000
