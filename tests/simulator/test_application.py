"""The simulator's responses over HTTP, and its start and end."""

import asyncio
import json
import math
import re
import socket
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from yarl import URL

from northflank_async.simulator import RequestRecord, Simulator
from tests.support.simulated_api import SimulatorClock

FACTS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[1] / "facts").glob("*.json")}
EXAMPLE = {
    "teamId": "acme",
    "projectId": "default-project",
    "addonId": "example-addon",
    "backupId": "example-backup",
}
ADDON = "/v1/projects/default-project/addons/example-addon"
BACKUPS = f"{ADDON}/backups"


def session(sim: Simulator, token: str | None = None, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(sim.url, headers={"Authorization": f"Bearer {token or sim.token}"}, **options)


async def get(http: aiohttp.ClientSession, path: str, **query: Any) -> tuple[int, Any]:
    async with http.get(path, params=query) as response:
        return response.status, await response.json()


async def pages(http: aiohttp.ClientSession, path: str, key: str, **query: Any) -> AsyncIterator[list[dict[str, Any]]]:
    while True:
        status, body = await get(http, path, **query)
        assert status == 200
        items = body["data"][key]
        assert body["pagination"]["count"] == len(items)
        yield items
        assert body["pagination"]["hasNextPage"] == ("cursor" in body["pagination"])
        if not body["pagination"]["hasNextPage"]:
            return
        query["cursor"] = body["pagination"]["cursor"]


def is_error(body: Any, status: int) -> bool:
    return set(body) == {"error"} and body["error"]["status"] == status and bool(body["error"]["message"])


EIGHT = [
    *("list-projects", "get-project", "list-addons", "get-addon", "list-addon-backups", "get-addon-backup"),
    *("list-addon-restores", "list-addon-backup-restores"),
]


@pytest.mark.parametrize("fact", [FACTS[name] for name in EIGHT], ids=EIGHT)
@pytest.mark.parametrize("route", [0, 1], ids=["plain", "team"])
async def test_every_documented_route_matches_its_schema(fact: dict[str, Any], route: int) -> None:
    async with Simulator() as sim, session(sim) as http:
        status, body = await get(http, fact["paths"][route].format(**EXAMPLE))
    assert status == 200
    jsonschema.validate(body, fact["response_body"])
    keys = set(fact["response_body"]["properties"]["data"]["properties"])
    assert set(body["data"]) & keys


async def test_every_team_has_the_same_inventory() -> None:
    async with Simulator() as sim, session(sim) as http:
        alone = await get(http, "/v1/projects")
        assert await get(http, "/v1/teams/acme/projects") == alone
        assert await get(http, "/v1/teams/other-team-2/projects") == alone
        assert (await get(http, "/v1/teams/no--slug/projects"))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/projects",
        "/v1/projects/",
        "/v1/projects/nothing",
        "/v1/projects/default-project/addons/nothing",
        "/v1/projects/nothing/addons/example-addon",
        f"{BACKUPS}/nothing",
        f"{BACKUPS}/nothing/restores",
        f"{BACKUPS}/example-backup/nothing",
        "/v1/projects/billing/addons/example-addon/backups",
    ],
)
async def test_an_unknown_path_is_a_404(path: str) -> None:
    async with Simulator() as sim, session(sim) as http:
        status, body = await get(http, path)
    assert status == 404
    assert is_error(body, 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_a_405(method: str) -> None:
    async with Simulator() as sim, session(sim) as http, http.request(method, BACKUPS, json={}) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,POST"
        assert is_error(await response.json(), 405)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "simulator-token", "Bearer simulator-token2"])
async def test_a_missing_or_wrong_token_is_a_401_at_every_path(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with Simulator() as sim, aiohttp.ClientSession(sim.url) as http:
        for path in ("/v1/projects", "/nothing"):
            async with http.get(path, headers=headers) as response:
                assert response.status == 401
                assert is_error(await response.json(), 401)


async def test_the_token_can_be_chosen() -> None:
    async with Simulator(token="täglich") as sim, session(sim) as http:
        assert (await get(http, "/v1/projects"))[0] == 200


async def test_a_page_has_fifty_items_by_default() -> None:
    async with Simulator() as sim, session(sim) as http:
        _, body = await get(http, BACKUPS)
    assert len(body["data"]["backups"]) == 50
    assert body["pagination"]["count"] == 50
    assert body["pagination"]["hasNextPage"] is True


@pytest.mark.parametrize("query", [{"per_page": value} for value in ("0", "101", "-1", "ten", "1.5", "", "+5", "٣")])
async def test_a_bad_per_page_is_a_400(query: dict[str, str]) -> None:
    async with Simulator() as sim, session(sim) as http:
        status, body = await get(http, BACKUPS, **query)
    assert status == 400
    assert is_error(body, 400)
    assert "per_page" in body["error"]["message"]


@pytest.mark.parametrize("page", ["0", "-1", "two", "1.0", "", "9" * 5000])
async def test_a_bad_page_is_a_400(page: str) -> None:
    async with Simulator() as sim, session(sim) as http:
        status, body = await get(http, BACKUPS, page=page)
    assert status == 400
    assert is_error(body, 400)


async def test_a_page_past_the_end_is_empty() -> None:
    async with Simulator() as sim, session(sim) as http:
        for page in ("6", "99999999999999999999"):
            status, body = await get(http, BACKUPS, page=page)
            assert (status, body) == (
                200,
                {"data": {"backups": []}, "pagination": {"hasNextPage": False, "count": 0}},
            )


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/projects", "projects"),
        ("/v1/projects/billing/addons", "addons"),
        (BACKUPS, "backups"),
        (f"{ADDON}/restores", "restores"),
        ("/v1/teams/acme/projects/default-project/addons/example-addon/backups", "backups"),
    ],
)
@pytest.mark.parametrize("per_page", [3, 7, 100])
async def test_pages_by_cursor_and_by_number_make_up_the_listing(path: str, key: str, per_page: int) -> None:
    async with Simulator() as sim, session(sim) as http:
        whole = [item async for page in pages(http, path, key, per_page=100) for item in page]
        by_cursor = [page async for page in pages(http, path, key, per_page=per_page)]
        by_number = []
        for number in range(1, len(by_cursor) + 1):
            _, body = await get(http, path, per_page=per_page, page=number)
            by_number.append(body["data"][key])
    assert len({item["id"] for item in whole}) == len(whole) > 0
    assert [item for page in by_cursor for item in page] == whole
    assert by_number == by_cursor
    assert all(len(page) == per_page for page in by_cursor[:-1])


async def test_a_cursor_overrides_a_page_number() -> None:
    async with Simulator() as sim, session(sim) as http:
        cursor = (await get(http, BACKUPS, per_page=2))[1]["pagination"]["cursor"]
        by_cursor = await get(http, BACKUPS, per_page=2, cursor=cursor)
        assert await get(http, BACKUPS, per_page=2, cursor=cursor, page=5) == by_cursor


async def test_a_cursor_is_valid_only_for_its_own_listing() -> None:
    async with Simulator() as sim, session(sim) as http:
        cursor = (await get(http, BACKUPS))[1]["pagination"]["cursor"]
        for path in (
            "/v1/projects",
            f"{ADDON}/restores",
            f"{BACKUPS}/example-backup/restores",
            "/v1/projects/billing/addons/billing-cache/backups",
            "/v1/teams/acme/projects/default-project/addons/example-addon/backups",
        ):
            status, body = await get(http, path, cursor=cursor)
            assert status == 400
            assert is_error(body, 400)


async def test_an_unknown_cursor_is_a_400() -> None:
    async with Simulator() as sim, session(sim) as http:
        cursor = (await get(http, BACKUPS))[1]["pagination"]["cursor"]
        for wrong in ("", "x", "ä", "AAAA", cursor[:-1], cursor + "=", cursor[1:], cursor.swapcase(), "A" * 36):
            status, body = await get(http, BACKUPS, cursor=wrong)
            assert status == 400
            assert is_error(body, 400)


async def test_cursors_need_no_url_encoding() -> None:
    """Not every client encodes cursors, so these look like the real ones: 24 letters, digits, - or _."""
    async with Simulator() as sim, session(sim) as http:
        for page in range(1, 20):
            cursor = (await get(http, BACKUPS, per_page=10, page=page))[1]["pagination"]["cursor"]
            assert re.fullmatch(r"[A-Za-z0-9_-]{24}", cursor)


async def test_a_listed_backup_can_be_fetched_alone() -> None:
    async with Simulator() as sim, session(sim) as http:
        for backup in (await get(http, BACKUPS, per_page=100))[1]["data"]["backups"][::9]:
            status, body = await get(http, f"{BACKUPS}/{backup['id']}")
            assert status == 200
            assert body["data"]["uid"] == backup["uid"]


async def test_an_addon_lists_the_restores_of_its_backups() -> None:
    async with Simulator() as sim, session(sim) as http:
        of_addon = [item async for page in pages(http, f"{ADDON}/restores", "restores") for item in page]
        for backup_id in dict.fromkeys(restore["backupId"] for restore in of_addon[:10]):
            of_backup = (await get(http, f"{BACKUPS}/{backup_id}/restores"))[1]["data"]["restores"]
            assert [{**restore, "backupId": backup_id} for restore in of_backup] == [
                restore for restore in of_addon if restore["backupId"] == backup_id
            ]


async def test_restores_of_another_addons_backup_need_its_source() -> None:
    elsewhere = "/v1/projects/billing/addons/billing-cache/backups/example-backup/restores"
    source = {"sourceProjectId": "default-project", "sourceAddonId": "example-addon"}
    async with Simulator() as sim, session(sim) as http:
        own = await get(http, f"{BACKUPS}/example-backup/restores")
        assert own[1]["data"]["restores"]
        assert (await get(http, elsewhere))[0] == 404
        assert await get(http, elsewhere, **source) == own
        assert (await get(http, elsewhere.replace("example", "other"), **source))[0] == 404
        assert (await get(http, elsewhere, **source | {"sourceAddonId": "nothing"}))[0] == 404
        assert (await get(http, elsewhere.replace("billing-cache", "nothing"), **source))[0] == 404


@pytest.mark.parametrize("name", ["sourceProjectId", "sourceAddonId"])
async def test_an_incomplete_source_is_a_400(name: str) -> None:
    async with Simulator() as sim, session(sim) as http:
        status, body = await get(http, f"{BACKUPS}/example-backup/restores", **{name: "default-project"})
    assert status == 400
    assert is_error(body, 400)


async def limits(http: aiohttp.ClientSession, path: str = "/v1/projects") -> tuple[int, int, int, int]:
    async with http.get(path) as response:
        headers = response.headers
        return (
            response.status,
            int(headers["x-ratelimit-limit"]),
            int(headers["x-ratelimit-remaining"]),
            int(headers["x-ratelimit-reset"]),
        )


async def test_the_window_starts_with_the_first_request() -> None:
    clock = SimulatorClock()
    async with Simulator(rate_limit=3, window=60, clock=clock) as sim, session(sim) as http:
        clock.now += 1000
        assert await limits(http) == (200, 3, 2, 60)
        clock.now += 0.5
        assert await limits(http, "/v1/projects/nothing") == (404, 3, 1, 60)
        clock.now += 10
        assert await limits(http) == (200, 3, 0, 50)
        assert await limits(http) == (429, 3, 0, 50)
        clock.now += 49
        assert await limits(http) == (429, 3, 0, 1)
        clock.now += 0.5
        assert await limits(http) == (200, 3, 2, 60)


async def test_waiting_until_the_reset_is_always_enough() -> None:
    clock = SimulatorClock()
    async with Simulator(rate_limit=1, window=7.3, clock=clock) as sim, session(sim) as http:
        for wait in (0.0, 0.1, 1.9, 7.2):
            assert (await limits(http))[0] == 200
            clock.now += wait
            status, _, _, reset = await limits(http)
            assert status == 429
            assert reset == math.ceil(7.3 - wait - 1e-9)
            clock.now += reset


async def test_a_429_has_the_documented_body() -> None:
    async with Simulator(rate_limit=0) as sim, session(sim) as http:
        status, body = await get(http, "/v1/projects")
    assert status == 429
    assert is_error(body, 429)


async def test_a_401_has_the_rate_limit_headers_and_is_not_counted() -> None:
    async with Simulator(rate_limit=3) as sim, session(sim) as http, session(sim, token="wrong") as stranger:
        assert await limits(stranger) == (401, 3, 3, 3600)
        assert (await limits(http))[:3] == (200, 3, 2)
        assert (await limits(stranger))[:3] == (401, 3, 2)


async def test_requests_are_recorded_unchanged_and_without_the_token() -> None:
    async with Simulator(rate_limit=2) as sim, session(sim) as http:
        await get(http, "/v1/projects", per_page="2", cursor="a+b=")
        await http.get(URL(f"{sim.url}/v1/projects/a%2Fb%20%61?x=%26", encoded=True))
        await http.delete("/v1/projects")
    assert sim.requests == [
        RequestRecord("GET", "/v1/projects", {"per_page": "2", "cursor": "a+b="}, 400),
        RequestRecord("GET", "/v1/projects/a%2Fb%20%61", {"x": "&"}, 404),
        RequestRecord("DELETE", "/v1/projects", {}, 429),
    ]
    assert sim.token not in repr(sim.requests)


async def test_a_million_backups_can_be_paged_from_start_to_end() -> None:
    async with Simulator(projects=100, addons=100, backups=100) as sim, session(sim) as http:
        tracemalloc.start()
        try:
            projects = [item async for page in pages(http, "/v1/projects", "projects") for item in page]
            last = f"/v1/projects/{projects[-1]['id']}/addons"
            addons = [item async for page in pages(http, last, "addons") for item in page]
            assert (len(projects), len(addons)) == (100, 100)
            backups = f"{last}/{addons[-1]['id']}/backups"
            first = (await get(http, backups, per_page=10, page=1))[1]
            end = (await get(http, backups, per_page=10, page=10))[1]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert first["pagination"]["hasNextPage"] is True
    assert end["pagination"] == {"hasNextPage": False, "count": 10}
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("projects", -1),
        ("addons", -1),
        ("backups", -1),
        ("backups", 1_000_001),
        ("latency", -0.1),
        ("latency", math.inf),
        ("rate_limit", -1),
        ("window", 0),
        ("window", -1),
        ("window", math.nan),
        ("token", ""),
    ],
)
def test_an_invalid_argument_is_an_error_that_names_it(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(argument)):
        Simulator(**{argument: value})


async def test_an_empty_inventory_has_empty_listings() -> None:
    async with Simulator(projects=0) as sim, session(sim) as http:
        assert (await get(http, "/v1/projects"))[1]["data"] == {"projects": []}
        assert (await get(http, "/v1/projects/default-project"))[0] == 404
    async with Simulator(addons=0) as sim, session(sim) as http:
        assert (await get(http, "/v1/projects/default-project/addons"))[1]["data"] == {"addons": []}
        assert (await get(http, "/v1/projects/default-project"))[1]["data"]["addons"] == []
    async with Simulator(backups=0) as sim, session(sim) as http:
        assert (await get(http, BACKUPS))[1]["data"] == {"backups": []}
        assert (await get(http, f"{BACKUPS}/example-backup"))[0] == 404


async def test_a_port_in_use_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address"):
        async with Simulator(port=taken.getsockname()[1]):
            pass


async def test_the_url_exists_only_while_the_simulator_runs() -> None:
    sim = Simulator()
    with pytest.raises(RuntimeError):
        _ = sim.url
    async with sim:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", sim.url)
        with pytest.raises(RuntimeError):
            await sim.__aenter__()
        assert sim.url
    with pytest.raises(RuntimeError):
        _ = sim.url


async def test_the_simulator_can_be_restarted() -> None:
    sim = Simulator()
    for _ in range(2):
        async with sim, session(sim) as http:
            assert (await get(http, "/v1/projects"))[0] == 200
    assert len(sim.requests) == 2


async def test_closing_does_not_wait_for_responses_in_flight_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(10):
        async with Simulator(latency=3600) as sim:
            http = session(sim)
            waiting = [asyncio.create_task(get(http, "/v1/projects")) for _ in range(5)]
            while len(sim.requests) < 5:
                await asyncio.wait(waiting, timeout=0.001)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await http.close()
    assert all(isinstance(result, aiohttp.ClientConnectionError) for result in results)
    assert asyncio.all_tasks() == before


async def test_closing_does_not_wait_for_idle_connections() -> None:
    async with asyncio.timeout(10):
        async with Simulator() as sim:
            http = session(sim)
            await get(http, "/v1/projects")
        await http.close()


async def test_a_client_that_disconnects_early_does_no_harm() -> None:
    async with Simulator(latency=0.02) as sim:
        async with session(sim, timeout=aiohttp.ClientTimeout(total=0.005)) as http:
            with pytest.raises(TimeoutError):
                await get(http, "/v1/projects")
        async with session(sim) as http:
            assert (await get(http, "/v1/projects"))[0] == 200
