"""Faults, as a client sees them."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from northflank_async.simulator import Faults, Simulator

RATES = ("errors", "html", "drops", "truncations", "bursts", "slow")
PATHS = [f"/v1/projects?page={number}" for number in range(1, 41)]
MIXED = Faults(seed=3, jitter=0.002, errors=0.2, html=0.1, drops=0.1, truncations=0.1, slow=0.1, slow_seconds=0.002)


def session(sim: Simulator, token: str | None = None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(sim.url, headers={"Authorization": f"Bearer {token or sim.token}"})


async def outcome(http: aiohttp.ClientSession, path: str) -> tuple[int | str, str]:
    """The status and the body, or how the request failed."""
    try:
        async with http.get(path) as response:
            try:
                return response.status, await response.text()
            except aiohttp.ClientPayloadError:
                return response.status, "cut short"
    except aiohttp.ClientConnectionError:
        return "dropped", ""


async def responses(faults: Faults, count: int = 40) -> list[tuple[int, dict[str, str], str]]:
    """The status, headers and body of each response."""
    async with Simulator(faults=faults) as sim, session(sim) as http:
        found = []
        for path in PATHS[:count]:
            async with http.get(path) as response:
                found.append(
                    (response.status, {k.lower(): v for k, v in response.headers.items()}, await response.text())
                )
        return found


def is_limited(headers: dict[str, str]) -> bool:
    return {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(headers)


async def test_without_faults_every_request_succeeds() -> None:
    assert {status for status, _, _ in await responses(Faults())} == {200}


async def test_a_seed_gives_the_same_faults_in_any_order_of_requests() -> None:
    runs = []
    for paths in (PATHS, PATHS[::-1], PATHS):
        async with Simulator(faults=MIXED) as sim, session(sim) as http:
            first = dict(zip(paths, await asyncio.gather(*(outcome(http, path) for path in paths)), strict=True))
            second = {path: await outcome(http, path) for path in paths}
        runs.append((first, second))
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][0] != runs[0][1]


async def test_another_seed_gives_other_faults() -> None:
    statuses = []
    for seed in (1, 2):
        statuses.append([status for status, _, _ in await responses(Faults(seed=seed, errors=0.5))])
    assert statuses[0] != statuses[1]


async def test_requests_fail_at_the_given_rate() -> None:
    wrong = sum(status != 200 for status, _, _ in await responses(Faults(errors=0.5)))
    assert 10 <= wrong <= 30


async def test_errors_have_a_json_body_and_are_counted() -> None:
    found = await responses(Faults(errors=1.0))
    assert {status for status, _, _ in found} == {500, 502, 503, 504}
    for number, (status, headers, body) in enumerate(found, 1):
        assert json.loads(body)["error"]["status"] == status
        assert headers["x-ratelimit-remaining"] == str(1000 - number)
    assert {headers.get("retry-after") for status, headers, _ in found if status == 503} == {None, "1"}
    assert {headers.get("retry-after") for status, headers, _ in found if status != 503} == {None}


async def test_html_pages_come_from_a_proxy_and_are_not_counted() -> None:
    found = await responses(Faults(html=1.0))
    assert {status for status, _, _ in found} == {502, 504, 200}
    for _, headers, body in found:
        assert headers["content-type"].startswith("text/html")
        assert body.startswith("<html>")
        assert not is_limited(headers)
    async with Simulator(faults=Faults(html=1.0), rate_limit=1) as sim, session(sim) as http:
        assert {(await outcome(http, path))[0] for path in PATHS} == {502, 504, 200}


async def test_drops_close_the_connection_without_a_response_and_are_counted() -> None:
    async with Simulator(faults=Faults(drops=1.0)) as sim:
        async with session(sim) as http:
            assert [await outcome(http, path) for path in PATHS[:3]] == [("dropped", "")] * 3
        # Three or more: aiohttp may repeat a request itself when the connection is lost.
        assert {record.status for record in sim.requests} == {0}
        async with session(sim, token="wrong") as stranger, stranger.get("/v1/projects") as response:
            assert response.headers["x-ratelimit-remaining"] == str(1001 - len(sim.requests))


async def test_truncated_bodies_end_early_and_are_counted() -> None:
    async with Simulator(faults=Faults(truncations=1.0)) as sim, session(sim) as http:
        for number in (1, 2):
            async with http.get("/v1/projects") as response:
                assert response.status == 200
                assert response.headers["x-ratelimit-remaining"] == str(1000 - number)
                part = await response.content.readany()
                assert 0 < len(part) < int(response.headers["Content-Length"])
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()


async def test_a_burst_affects_up_to_two_more_requests_and_is_not_counted() -> None:
    found = await responses(Faults(seed=5, bursts=0.1))
    statuses = [status for status, _, _ in found]
    assert set(statuses) == {200, 429}
    for status, headers, body in found:
        if status == 429:
            assert json.loads(body)["error"]["status"] == 429
            assert not is_limited(headers)
            assert "retry-after" not in headers
    assert found[-1][1]["x-ratelimit-remaining"] == str(1000 - statuses.count(200))
    runs = "".join("x" if status == 429 else " " for status in statuses).split()
    assert max(map(len, runs)) > 1


async def test_slow_bodies_arrive_in_pieces_and_complete() -> None:
    faults = Faults(slow=1.0, slow_seconds=0.02)
    async with Simulator(faults=faults) as sim, session(sim) as http, http.get("/v1/projects") as response:
        assert response.headers["x-ratelimit-remaining"] == "999"
        pieces = [piece async for piece in response.content.iter_any()]
    assert len(pieces) > 1
    assert len(json.loads(b"".join(pieces))["data"]["projects"]) == 5


async def test_the_rate_limit_takes_precedence_over_errors() -> None:
    async with Simulator(faults=Faults(errors=1.0), rate_limit=1) as sim, session(sim) as http:
        assert (await outcome(http, PATHS[0]))[0] in (500, 502, 503, 504)
        assert (await outcome(http, PATHS[1]))[0] == 429


@pytest.mark.parametrize("name", RATES)
async def test_a_wrong_token_is_a_401_without_a_fault(name: str) -> None:
    async with Simulator(faults=Faults.parse(f"{name}=1")) as sim, session(sim, token="wrong") as http:
        for path in PATHS[:5]:
            status, body = await outcome(http, path)
            assert status == 401
            assert json.loads(body)["error"]["status"] == 401


async def test_closing_does_not_wait_for_slow_bodies() -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(10):
        async with Simulator(faults=Faults(slow=1.0, slow_seconds=3600)) as sim:
            http = session(sim)
            response = await http.get("/v1/projects")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
        await http.close()
    assert asyncio.all_tasks() == before


async def test_a_client_that_leaves_during_a_slow_body_does_no_harm() -> None:
    async with Simulator(faults=Faults(slow=1.0, slow_seconds=0.02)) as sim:
        async with session(sim) as http:
            response = await http.get("/v1/projects")
            response.close()
        await asyncio.sleep(0.03)
        async with session(sim) as http:
            assert (await outcome(http, "/v1/projects"))[0] == 200


def test_parse_reads_names_and_numbers() -> None:
    assert Faults.parse("errors=0.05,drops=0.02,seed=7") == Faults(errors=0.05, drops=0.02, seed=7)
    assert Faults.parse(" slow = 1 , slow_seconds=0.5, ") == Faults(slow=1.0, slow_seconds=0.5)
    assert Faults.parse("") == Faults()


@pytest.mark.parametrize("text", ["error=0.1", "errors", "errors=", "errors=lots", "seed=1.5", "=1", "0.5"])
def test_a_parse_error_lists_the_faults(text: str) -> None:
    with pytest.raises(ValueError, match="errors, html, drops, truncations, bursts, slow"):
        Faults.parse(text)


def test_parse_rejects_a_repeated_name() -> None:
    with pytest.raises(ValueError, match="errors is given twice"):
        Faults.parse("errors=0.1,errors=0.2")


@pytest.mark.parametrize(
    "values",
    [
        *({name: value} for name in RATES for value in (-0.1, 1.1, float("nan"))),
        {"errors": 0.6, "drops": 0.5},
        {"jitter": -1.0},
        {"jitter": float("inf")},
        {"slow_seconds": -1.0},
    ],
)
def test_rates_and_seconds_out_of_range_are_errors(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Faults(**values)


def test_rates_can_add_up_to_one() -> None:
    Faults(errors=0.7, html=0.1, drops=0.1, slow=0.1)
