"""Plans: estimates of what an export will take."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from northflank_async import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    Northflank,
    NorthflankError,
    NotFound,
    PermissionDenied,
    ServerError,
)
from northflank_async.http.budget import Budget
from northflank_async.inventory import Query, plan
from northflank_async.simulator import Simulator
from tests.support.clocks import ManualClock, wait_until
from tests.support.scripted_server import envelope, serve

HOUR = 3600.0
ACCOUNT = 1
"""The request with which an export, but not a scan, learns whose token it is."""


# Requests


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize(
    "size",
    [
        {},
        {"projects": 0},
        {"addons": 0},
        {"backups": 0},
        {"projects": 101, "addons": 1},
        {"projects": 1, "addons": 101},
    ],
    ids=str,
)
async def test_a_plan_predicts_the_requests_of_a_scan_and_one_for_the_account(
    size: dict[str, Any], concurrency: int
) -> None:
    async with (
        Simulator(**{"backups": 40, **size}) as sim,  # at most 80 for each addon: one page
        Northflank(sim.token, base_url=sim.url) as nf,
    ):
        planned = await nf.plan(concurrency=concurrency)
        sim.requests.clear()
        async with nf.scan() as scan:
            async for _ in scan:
                pass
    assert planned.requests - ACCOUNT == len(sim.requests) == scan.progress.requests
    assert (planned.projects, planned.addons) == (scan.progress.projects, scan.progress.addons)
    assert planned.failures == []


async def test_a_plan_reads_projects_and_addons_but_no_backups(sim: Simulator, nf: Northflank) -> None:
    planned = await nf.plan()
    assert sorted(request.path for request in sim.requests) == sorted(
        ["/v1/projects"] + [f"/v1/projects/{project.id}/addons" for project in await nf.projects().all()]
    )
    assert (planned.projects, planned.addons, planned.requests) == (5, 20, ACCOUNT + 1 + 5 + 20)


async def test_an_addon_with_several_pages_of_backups_exceeds_the_plan(nf: Northflank) -> None:
    planned = await nf.plan()
    async with nf.scan() as scan:
        async for _ in scan:
            pass
    assert planned.requests - ACCOUNT < scan.progress.requests


async def test_restores_cost_another_request_for_each_addon(nf: Northflank) -> None:
    assert (await nf.plan(restores=True)).requests == ACCOUNT + 1 + 5 + 2 * 20


async def test_a_plan_counts_only_addons_that_match_the_query(nf: Northflank) -> None:
    types = [
        addon.spec.type
        async for project in nf.projects()
        async for addon in nf.project(project.id).addons()
        if addon.spec
    ]
    for wanted in (["postgresql"], ["redis", "mysql"], ["of-another-kind"]):
        planned = await nf.plan(addon_types=wanted, restores=True)
        assert planned.addons == sum(type_ in wanted for type_ in types)
        assert planned.requests == ACCOUNT + 1 + 5 + 2 * planned.addons
        assert planned.projects == 5


async def test_statuses_and_times_save_no_requests(nf: Northflank) -> None:
    query = Query(nf, statuses="failed", since=datetime(2026, 1, 1, tzinfo=UTC))
    assert (await plan(query)).requests == ACCOUNT + 1 + 5 + 20


async def test_a_plan_counts_each_named_project_once(sim: Simulator, nf: Northflank) -> None:
    planned = await nf.plan(["billing", "search", "billing"])
    assert sorted(request.path for request in sim.requests) == [
        "/v1/projects/billing/addons",
        "/v1/projects/search/addons",
    ]
    assert (planned.projects, planned.addons, planned.requests) == (2, 8, ACCOUNT + 2 + 8)


async def test_a_plan_of_no_projects_counts_only_the_account(sim: Simulator, nf: Northflank) -> None:
    planned = await nf.plan([])
    assert (planned.projects, planned.addons, planned.requests) == (0, 0, ACCOUNT)
    assert (planned.limit, planned.remaining) == (None, None)
    assert sim.requests == []


async def test_a_plan_covers_several_teams(sim: Simulator, nf: Northflank) -> None:
    red, blue = nf.team("red"), nf.team("blue")
    planned = await plan(Query([red, blue]))
    assert (planned.projects, planned.addons, planned.requests) == (10, 40, ACCOUNT + 2 * (1 + 5 + 20))
    assert {request.path.split("/")[3] for request in sim.requests} == {"red", "blue"}
    assert planned.remaining == 1000 - len(sim.requests)


@pytest.mark.parametrize(
    "bad", [{"projects": "billing"}, {"projects": ["a/b"]}, {"concurrency": 0}, {"concurrency": 101}], ids=str
)
async def test_an_invalid_plan_is_refused_before_any_request(bad: Any, sim: Simulator, nf: Northflank) -> None:
    with pytest.raises(ConfigurationError):
        await nf.plan(**bad)
    with pytest.raises(ConfigurationError, match="nothing to read"):
        await plan(Query([]))
    assert sim.requests == []


# Failures


async def test_an_unreadable_project_is_a_failure_of_the_plan(nf: Northflank) -> None:
    planned = await nf.plan(["billing", "nowhere"])
    (failure,) = planned.failures
    assert (failure.project_id, failure.addon_id, failure.item_id) == ("nowhere", None, None)
    assert isinstance(failure.error, NotFound)
    assert str(failure).startswith("nowhere: 404 There is no project nowhere. [GET ")
    assert (planned.projects, planned.addons, planned.requests) == (1, 4, ACCOUNT + 1 + 4)


async def test_a_malformed_record_is_a_failure_of_the_plan() -> None:
    def answer(request: web.Request) -> web.Response:
        if request.path == "/v1/projects":
            return envelope({"projects": [{"id": "p"}, {"id": "a/b"}]})
        return envelope({"addons": [{"id": "a"}, {"id": "b", "spec": "postgresql"}]})

    async with serve(answer) as server, server.client() as nf:
        planned = await nf.plan()
    assert (planned.projects, planned.addons, planned.requests) == (1, 2, ACCOUNT + 2 + 2)
    of_the_list, of_the_project = planned.failures
    assert (of_the_list.project_id, of_the_list.item_id) == (None, "a/b")
    assert isinstance(of_the_list.error, DecodeError)
    assert (of_the_project.project_id, of_the_project.addon_id, of_the_project.item_id) == ("p", None, "b")
    assert isinstance(of_the_project.error, DecodeError)


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (403, PermissionDenied), (500, ServerError)])
async def test_an_unreadable_project_listing_is_raised(status: int, error: type[NorthflankError]) -> None:
    async with serve(lambda _: web.Response(status=status)) as server, server.client(attempts=1) as nf:
        with pytest.raises(error):
            await nf.plan()


async def test_a_plan_raises_the_error_of_a_rejected_token() -> None:
    def answer(request: web.Request) -> web.Response:
        if request.path == "/v1/projects":
            return envelope({"projects": [{"id": f"p{number}"} for number in range(9)]})
        return web.Response(status=401)

    async with serve(answer) as server, server.client() as nf:
        with pytest.raises(AuthenticationError):
            await nf.plan()


# Time


async def test_a_plan_shows_the_remaining_requests(sim: Simulator, nf: Northflank) -> None:
    planned = await nf.plan()
    assert (planned.limit, planned.remaining) == (1000, 1000 - len(sim.requests))


async def test_a_plan_without_rate_limit_headers_shows_no_limit() -> None:
    async with serve(lambda _: envelope({"projects": []})) as server, server.client() as nf:
        planned = await nf.plan()
    assert (planned.limit, planned.remaining, planned.requests) == (None, None, ACCOUNT + 1)


@pytest.mark.parametrize(
    ("rate_limit", "hours"), [(6, 5), (7, 4), (10, 3), (14, 2), (16, 2), (17, 1), (32, 1), (33, 0)]
)
@pytest.mark.parametrize("reserve", [0, 3])
async def test_a_scan_ends_when_the_plan_says(rate_limit: int, hours: int, reserve: int) -> None:
    clock = ManualClock()
    async with (
        Simulator(backups=40, rate_limit=rate_limit + reserve, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, reserve=reserve) as nf,
    ):
        started, earliest = clock.now, datetime.now(UTC)
        planned = await nf.plan()  # takes 6 requests; the account and the scan take 27
        latest = datetime.now(UTC)
        assert planned.remaining == rate_limit + reserve - 6

        async def scan_all() -> None:
            with suppress(NotFound):
                await nf.request("GET", "/v1/auth")
            async with nf.scan() as scan:
                async for _ in scan:
                    pass

        scanning = asyncio.create_task(scan_all())
        while not scanning.done():
            await wait_until(lambda: scanning.done() or nf.budget.reset_wait)
            if not scanning.done():
                clock.advance(HOUR)
        await scanning
        took = timedelta(seconds=clock.now - started)
    assert took == timedelta(hours=hours)
    assert earliest + took <= planned.done_at <= latest + took


async def test_a_plan_estimates_the_time_of_requests_from_its_own() -> None:
    clock = ManualClock()

    def answer(request: web.Request) -> web.Response:
        clock.advance(2)
        if request.path == "/v1/projects":
            return envelope({"projects": [{"id": "p"}]})
        return envelope({"addons": [{"id": "a"}, {"id": "b"}, {"id": "c"}]})

    async with serve(answer) as server, server.client(clock=clock) as nf:
        earliest = datetime.now(UTC)
        planned = await nf.plan()
        latest = datetime.now(UTC)
    takes = timedelta(seconds=2 * (ACCOUNT + 2 + 3))
    assert earliest + takes <= planned.done_at <= latest + takes


async def test_a_plan_does_not_count_its_wait_for_the_window_as_request_time() -> None:
    clock = ManualClock()
    async with (
        Simulator(addons=1, backups=40, rate_limit=4, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
    ):
        planning = asyncio.create_task(nf.plan())
        await wait_until(lambda: nf.budget.reset_wait)
        clock.advance(HOUR)
        planned = await planning
        latest = datetime.now(UTC)
    assert (planned.requests, planned.remaining) == (
        ACCOUNT + 1 + 5 + 5,
        2,
    )  # 2 now, 4 in an hour, 4 in two, 2 in three
    assert planned.done_at <= latest + timedelta(hours=3)


@pytest.mark.parametrize(
    ("requests", "remaining", "reserve", "seconds"),
    [
        (0, 4, 0, 0),
        (4, 4, 0, 0),
        (5, 4, 0, 60),
        (14, 4, 0, 60),
        (15, 4, 0, 60 + HOUR),
        (24, 4, 0, 60 + HOUR),
        (25, 4, 0, 60 + 2 * HOUR),
        (1, 0, 0, 60),
        (10, 0, 0, 60),
        (11, 0, 0, 60 + HOUR),
        (1, 4, 3, 0),
        (2, 4, 3, 60),
        (8, 4, 3, 60),
        (9, 4, 3, 60 + HOUR),
        (7, 1, 3, 60),
        (8, 1, 3, 60 + HOUR),
    ],
)
async def test_the_budget_computes_the_windows_that_requests_need(
    requests: int, remaining: int, reserve: int, seconds: float
) -> None:
    clock = ManualClock()
    budget = Budget(clock=clock, reserve=reserve)
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": "100"}
    async with budget.admit() as charge:
        budget.update(charge, 200, headers)
    clock.advance(40)
    assert budget.time_to_afford(requests) == seconds


async def test_an_unknown_limit_needs_no_wait() -> None:
    clock = ManualClock()
    budget = Budget(clock=clock)
    assert budget.time_to_afford(5000) == 0
    async with budget.admit() as charge:
        budget.update(charge, 200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "100"})
    assert budget.time_to_afford(5000) == 0
    clock.advance(100)
    async with budget.admit() as charge:
        budget.update(
            charge, 200, {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "100"}
        )
    assert budget.time_to_afford(10) == 100
    clock.advance(100)
    assert budget.time_to_afford(10) == 0
