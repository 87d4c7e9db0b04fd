"""Scans: all backups of many projects, read concurrently over a real socket."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
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
    Project,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.inventory import Found, Query, Scan
from northflank_async.resources import AccountResource
from northflank_async.simulator import Simulator
from tests.support.account_tree import Tree, backups_of, fake_account, one_project, read_all, read_ids
from tests.support.clocks import ManualClock, wait_until
from tests.support.fake_account import FakeAccount, backups, is_of_backups
from tests.support.scripted_server import TOKEN, serve


async def read_listings(account: AccountResource) -> list[Found]:
    """Read the same from the listings, one after the other."""
    return [
        Found(team_id=account.team_id, project=project, addon=addon, backup=item, account=account)
        async for project in account.projects()
        async for addon in account.project(project.id).addons()
        async for item in account.project(project.id).addon(addon.id).backups()
    ]


def has_requested(account: FakeAccount, pages: int) -> bool:
    return len(account.requested_backups) == pages


async def settle() -> None:
    """Give unwanted requests time to be sent."""
    await asyncio.sleep(0.01)


def tasks_of_the_client() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())}


# Results


@pytest.mark.parametrize("concurrency", [1, 3, 16, 100])
@pytest.mark.parametrize(
    "size",
    [{}, {"projects": 0}, {"addons": 0}, {"backups": 0}, {"projects": 101, "addons": 1, "backups": 1},
     {"projects": 2, "addons": 101, "backups": 1}],
    ids=str,
)  # fmt: skip
async def test_a_scan_makes_the_requests_of_the_listings_and_finds_the_same(
    size: dict[str, Any], concurrency: int
) -> None:
    async with Simulator(**size) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        expected = await read_listings(nf)
        requests = Counter((sent.method, sent.path, str(sent.query)) for sent in sim.requests)
        sim.requests.clear()
        async with nf.scan(concurrency=concurrency) as scan:
            found = await read_all(scan)
    assert Counter(found) == Counter(expected)
    assert Counter((sent.method, sent.path, str(sent.query)) for sent in sim.requests) == requests
    assert scan.failures == []


async def test_a_scan_makes_one_request_for_each_page(sim: Simulator, nf: Northflank) -> None:
    async with nf.scan() as scan:
        found = await read_all(scan)
    counts = Counter((item.project.id, item.addon.id) for item in found)
    assert sorted(counts.values()) == [75] * 4 + [150] * 4 + [225] * 4 + [300] * 4  # of 20 addons; 4 have none
    assert len(sim.requests) == 1 + 5 + 4 * (1 + 1 + 2 + 3 + 3)


async def test_backups_of_an_addon_keep_the_order_of_its_listing(nf: Northflank) -> None:
    async with nf.scan() as scan:
        found = await read_all(scan)
    for addon in {(item.project.id, item.addon.id) for item in found}:
        listed = await nf.project(addon[0]).addon(addon[1]).backups().all()
        assert [item.backup for item in found if (item.project.id, item.addon.id) == addon] == listed


async def test_a_scan_reads_each_named_project_once_and_knows_only_its_id(sim: Simulator, nf: Northflank) -> None:
    expected = [item for item in await read_listings(nf) if item.project.id in ("billing", "search")]
    sim.requests.clear()
    async with nf.scan(name for name in ("search", "billing", "search")) as scan:
        found = await read_all(scan)
    assert {item.project for item in found} == {Project(id="billing"), Project(id="search")}
    assert Counter((item.addon, item.backup) for item in found) == Counter(
        (item.addon, item.backup) for item in expected
    )
    assert set(Counter((sent.method, sent.path, str(sent.query)) for sent in sim.requests).values()) == {1}
    assert "/v1/projects" not in {request.path for request in sim.requests}


async def test_a_scan_of_no_projects_makes_no_requests(sim: Simulator, nf: Northflank) -> None:
    async with nf.scan(projects=[]) as scan:
        assert await read_all(scan) == []
    assert sim.requests == []


async def test_a_scan_yields_only_backups_that_match_the_query(nf: Northflank) -> None:
    query = Query(nf, addon_types="redis", statuses="failed")
    listed = await read_listings(nf)
    expected = [found for found in listed if query.matches_addon(found.addon) and query.matches(found.backup)]
    async with Scan(query) as scan:
        assert Counter(await read_all(scan)) == Counter(expected)
    assert 0 < len(expected) < scan.progress.backups


async def test_a_scan_of_several_teams_reports_the_team_of_each_backup(sim: Simulator, nf: Northflank) -> None:
    red, blue = nf.team("red"), nf.team("blue")
    expected = await read_listings(red) + await read_listings(blue)
    assert {item.team_id for item in expected} == {"red", "blue"}
    async with Scan(Query([red, blue])) as scan:
        assert Counter(await read_all(scan)) == Counter(expected)


@pytest.mark.parametrize(
    "bad",
    [{"projects": "billing"}, {"projects": ["billing", ""]}, {"projects": [".."]}, {"projects": ["a/b"]},
     {"projects": [None]}, {"concurrency": 0}, {"concurrency": 101}, {"concurrency": -1}, {"concurrency": 1.5}],
    ids=str,
)  # fmt: skip
async def test_an_invalid_argument_is_refused_when_a_scan_is_created(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        Northflank(TOKEN).scan(**bad)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_unread_scan_holds_twice_as_many_pages_as_requests_in_flight(concurrency: int) -> None:
    account = fake_account(one_project(addons=10 * concurrency))
    async with account.serve() as nf, nf.scan(concurrency=concurrency) as scan:
        for taken in range(3):
            pages = 2 * concurrency + taken
            await wait_until(partial(has_requested, account, pages))
            await settle()
            assert has_requested(account, pages)
            await anext(scan)
        assert len(await read_all(scan)) == 10 * concurrency - 3


async def test_an_unread_scan_stops_fetching_a_long_listing() -> None:
    tree = one_project(addons=1, pages=20)
    account = fake_account(tree)
    async with account.serve() as nf, nf.scan(concurrency=2) as scan:
        await wait_until(lambda: len(account.requested_backups) == 3)
        await settle()
        assert len(account.requested_backups) <= 4
        assert await read_ids(scan) == backups_of(tree)


@pytest.mark.parametrize("breaks", [False, True])
async def test_a_backup_that_is_repeated_by_a_page_is_found_once_by_a_slow_consumer(*, breaks: bool) -> None:
    found = backups(3)
    account = FakeAccount({"p/a": []}, pages={"p/a": [found[:2], found[1:], []]})
    if breaks:
        account.faults["p/a#2"] = web.Response(status=403)
    async with account.serve() as nf, nf.scan(concurrency=4) as scan:
        await wait_until(lambda: len(account.requested_backups) == 3)
        await settle()
        assert await read_ids(scan) == ["b0", "b1", "b2"]


async def test_concurrent_consumers_share_the_backups_of_a_scan(nf: Northflank) -> None:
    expected = await read_listings(nf)
    async with nf.scan() as scan:
        shares = await asyncio.gather(*(read_all(scan) for _ in range(4)))
    assert Counter(found for share in shares for found in share) == Counter(expected)


# Failures


FAULTY: Tree = [{"p1": [{"a1": 2, "a2": 1}], "p2": [{"a3": 1}]}]


@pytest.mark.parametrize(
    ("page", "lost", "addon_id"),
    [("p1#0", "p1/", None), ("p1/a1#0", "p1/a1#", "a1"), ("p1/a1#1", "p1/a1#1", "a1")],
)
@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (400, NorthflankError, "400 Bad Request"),
        (403, PermissionDenied, "403 Forbidden"),
        (404, NotFound, "404 Not Found"),
        (500, ServerError, "500 Internal Server Error"),
        (None, TransportError, "the connection broke"),
        ([], DecodeError, "data: expected an object, got an array"),
        ({"backup": []}, DecodeError, "missing; data has backup"),
        ({}, DecodeError, "missing; data is empty"),
    ],
)
async def test_an_unreadable_listing_is_a_failure_and_the_scan_continues(
    page: str, lost: str, addon_id: str | None, fault: Any, error: type[NorthflankError], text: str
) -> None:
    account = fake_account(FAULTY, faults={page: fault})
    async with account.serve(attempts=2) as nf, nf.scan() as scan:
        ids = await read_ids(scan)
    assert sorted(ids) == [name for name in backups_of(FAULTY) if not name.startswith(lost)]
    (failure,) = scan.failures
    assert (failure.team_id, failure.project_id, failure.addon_id, failure.item_id) == (None, "p1", addon_id, None)
    assert isinstance(failure.error, error)
    where = "p1/a1" if addon_id else "p1"
    assert str(failure).startswith(f"{where}: ")
    assert text in str(failure)
    assert f"/v1/projects/{'p1/addons/a1/backups' if addon_id else 'p1/addons'}?" in str(failure)
    assert scan.progress.requests == len(account.requested)
    assert scan.progress.addons_done == scan.progress.addons == (3 if addon_id else 1)


@pytest.mark.parametrize(
    ("page", "record", "where", "item_id", "error", "text"),
    [
        ("#0", {"id": "a/b"}, "the account", "a/b", DecodeError, "data.projects[2].id: an id must be one segment"),
        ("#0", {"name": "x"}, "the account", "no id", DecodeError, "data.projects[2].id: missing"),
        ("p1#0", {"id": ".."}, "p1", "..", DecodeError, "data.addons[2].id: an id must be one segment"),
        ("p1/a1#0", {"id": "b9"}, "p1/a1", "b9", DecodeError, "data.backups[1].status: missing"),
        ("p1/a1#1", 7, "p1/a1", "no id", DecodeError, "data.backups[1]: expected an object, got 7"),
        ("p1/a1#0", {"id": "x\n" * 99}, "p1/a1", r"x\n" * 30, DecodeError, "data.backups[1].status: missing"),
    ],
)
async def test_a_malformed_record_is_a_failure_and_the_scan_continues(
    page: str, record: Any, where: str, item_id: str, error: type[NorthflankError], text: str
) -> None:
    account = fake_account(FAULTY)
    place, _, number = page.partition("#")
    account.pages[place][int(number)].append(record)
    async with account.serve() as nf, nf.scan() as scan:
        assert sorted(await read_ids(scan)) == backups_of(FAULTY)
    (failure,) = scan.failures
    assert "/".join(filter(None, (failure.project_id, failure.addon_id))) == where.replace("the account", "")
    assert failure.item_id == item_id
    assert isinstance(failure.error, error)
    assert str(failure).startswith(f"{where}: {item_id}: {text}")


async def test_a_missing_project_is_a_failure_of_each_team(nf: Northflank) -> None:
    async with Scan(Query([nf.team("red"), nf.team("blue")], projects=["nowhere", "billing"])) as scan:
        assert {found.project.id for found in await read_all(scan)} == {"billing"}
    assert sorted(str(failure).partition(" [")[0] for failure in scan.failures) == [
        "blue/nowhere: 404 There is no project nowhere.",
        "red/nowhere: 404 There is no project nowhere.",
    ]
    assert {failure.team_id for failure in scan.failures} == {"red", "blue"}


async def test_a_scan_that_can_read_no_project_raises_the_first_error(nf: Northflank) -> None:
    async with nf.scan(["nowhere", "neither"]) as scan:
        with pytest.raises(NotFound, match="There is no project"):
            await read_all(scan)
    assert len(scan.failures) == 2


async def test_repeated_accounts_and_projects_are_read_once(nf: Northflank) -> None:
    async with Scan(Query([nf, nf, nf.team("red"), nf.team("red")], projects=["billing", "billing"])) as scan:
        assert len(await read_all(scan)) == 2 * 750


async def test_a_rejected_token_is_raised_after_the_backups_that_arrived() -> None:
    account = fake_account(one_project(addons=9), faults={"p/a5#0": 401})
    async with account.serve() as nf, nf.scan(concurrency=1) as scan:
        ids: list[str] = []
        with pytest.raises(AuthenticationError):
            await read_ids(scan, ids)
        assert ids == ["p/a1#0", "p/a2#0", "p/a3#0", "p/a4#0"]
        assert await read_all(scan) == []
    assert scan.failures == []


async def test_buffered_pages_are_yielded_before_a_fatal_error() -> None:
    account = fake_account(one_project(addons=9), faults={"p/a4#0": 401}, holds=lambda page: page == "p/a4#0")
    async with account.serve() as nf, nf.scan(concurrency=2) as scan:
        await wait_until(lambda: account.held)
        await settle()  # now a1 and a2 are in the buffer, and a3 waits for room
        account.release("p/a4#0")
        await settle()
        ids: list[str] = []
        with pytest.raises(AuthenticationError):
            await read_ids(scan, ids)
        assert sorted(ids) == ["p/a1#0", "p/a2#0", "p/a3#0"]


# Cancellation


async def test_leaving_a_scan_early_cancels_its_requests() -> None:
    account = fake_account(one_project(addons=9), holds=lambda page: page > "p/a1#0")
    async with account.serve() as nf:
        before = tasks_of_the_client()
        async with nf.scan(concurrency=4) as scan:
            async for found in scan:
                assert found.backup.id == "p/a1#0"
                break
            await wait_until(lambda: len(account.held) == 4)
        assert tasks_of_the_client() == before
        assert [project.id async for project in nf.projects()] == ["p"]
        assert len(account.requested_backups) == 5


async def test_leaving_a_scan_with_a_full_buffer_cancels_its_tasks() -> None:
    account = fake_account(one_project(addons=9))
    async with account.serve() as nf:
        before = tasks_of_the_client()
        async with nf.scan(concurrency=2) as scan:
            await wait_until(lambda: len(account.requested_backups) == 4)
            await settle()
        assert tasks_of_the_client() == before
        assert await read_all(scan) == []


async def test_cancelling_the_consumer_cancels_the_requests_of_its_scan() -> None:
    account = fake_account(one_project(addons=9), holds=is_of_backups)
    async with account.serve() as nf:

        async def scan_it() -> None:
            async with nf.scan(concurrency=4) as scan:
                await read_all(scan)

        before = tasks_of_the_client()
        reading = asyncio.create_task(scan_it())
        await wait_until(lambda: len(account.held) == 4)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert tasks_of_the_client() == before
        assert [project.id async for project in nf.projects()] == ["p"]


async def test_cancelling_one_iteration_loses_no_backup() -> None:
    tree = one_project(addons=3)
    account = fake_account(tree, holds=is_of_backups)
    async with account.serve() as nf, nf.scan() as scan:
        reading = asyncio.create_task(anext(scan))
        await wait_until(lambda: len(account.held) == 3)
        reading.cancel()
        await asyncio.wait([reading])
        for page in list(account.held):
            account.release(page)
        assert sorted(await read_ids(scan)) == backups_of(tree)


async def test_an_error_in_the_block_propagates_and_cancels_the_scan() -> None:
    async with fake_account(one_project(addons=9)).serve() as nf:
        before = tasks_of_the_client()
        with pytest.raises(ValueError, match="of the caller"):
            async with nf.scan() as scan:
                async for _ in scan:
                    raise ValueError("of the caller")
        assert tasks_of_the_client() == before


async def test_an_error_is_discarded_if_the_scan_is_never_read() -> None:
    async with serve(lambda _: web.Response(status=401)) as server, server.client() as nf, nf.scan():
        await wait_until(lambda: server.requests)
        await settle()


@pytest.mark.parametrize("moments_later", range(6))
async def test_a_scan_can_be_left_just_when_it_fails(moments_later: int) -> None:
    account = fake_account(one_project(addons=9), faults={"p/a4#0": 401}, holds=lambda page: page == "p/a4#0")
    async with account.serve() as nf:

        async def leave_it() -> None:
            async with nf.scan(concurrency=2):
                await wait_until(lambda: account.held)
                await settle()
                before = len(tasks_of_the_client())
                account.release("p/a4#0")
                while len(tasks_of_the_client()) == before:  # the request is still running
                    await asyncio.sleep(0)
                for _ in range(moments_later):
                    await asyncio.sleep(0)

        leaving = asyncio.create_task(leave_it())
        await asyncio.wait([leaving], timeout=5)
        assert leaving.done()


async def test_leaving_a_scan_ends_its_waiting_consumers() -> None:
    account = fake_account(one_project(addons=3), holds=is_of_backups)
    async with account.serve() as nf:
        async with nf.scan() as scan:
            readers = [asyncio.create_task(read_all(scan)) for _ in range(2)]
            await wait_until(lambda: account.held)
        await asyncio.wait(readers, timeout=5)
        assert [reader.done() and reader.result() for reader in readers] == [[], []]


async def test_a_closed_scan_yields_nothing(nf: Northflank) -> None:
    async with nf.scan() as scan:
        await anext(scan)
    assert await read_all(scan) == []


async def test_a_scan_must_be_opened_before_it_is_read(sim: Simulator, nf: Northflank) -> None:
    with pytest.raises(ConfigurationError, match="async with"):
        await anext(nf.scan())
    assert sim.requests == []


async def test_a_scan_can_be_opened_only_once(nf: Northflank) -> None:
    async with nf.scan() as scan:
        with pytest.raises(ConfigurationError, match="opened only once"):
            await scan.__aenter__()
        await read_all(scan)
    with pytest.raises(ConfigurationError, match="opened only once"):
        async with scan:
            pass


# Progress and the rate limit


async def test_the_final_progress_counts_everything(sim: Simulator, nf: Northflank) -> None:
    scan = nf.scan()
    assert (scan.progress.projects, scan.progress.requests, scan.progress.waiting_until) == (0, 0, None)
    async with scan:
        found = await read_all(scan)
    progress = scan.progress
    assert (progress.projects, progress.addons, progress.addons_done) == (5, 20, 20)
    assert (progress.backups, progress.requests) == (len(found), len(sim.requests))
    assert progress.waiting_until is None


async def test_the_progress_counts_found_and_finished_addons() -> None:
    account = fake_account(one_project(addons=3), holds=lambda page: page == "p/a2#0")
    async with account.serve() as nf, nf.scan() as scan:
        for _ in range(2):
            await anext(scan)
        assert (scan.progress.addons, scan.progress.addons_done, scan.progress.backups) == (3, 2, 2)
        account.release("p/a2#0")
        await read_all(scan)
        assert (scan.progress.addons, scan.progress.addons_done, scan.progress.backups) == (3, 3, 3)


@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_scan_waits_for_the_window_and_gets_no_429(concurrency: int) -> None:
    clock = ManualClock()
    async with (
        Simulator(projects=2, addons=4, backups=40, rate_limit=5, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
        nf.scan(concurrency=concurrency) as scan,
    ):

        def waits_after(requests: int) -> bool:
            return len(sim.requests) == requests and scan.progress.waiting_until is not None

        reading = asyncio.create_task(read_all(scan))
        for window in (1, 2):
            await wait_until(partial(waits_after, 5 * window))
            waiting_until = scan.progress.waiting_until
            assert waiting_until
            assert timedelta(minutes=50) < waiting_until - datetime.now(UTC) <= timedelta(hours=1)
            clock.advance(3600)
        found = await reading
        assert scan.progress.waiting_until is None
        assert len(found) == len(set(found)) == 60 + 20 + 80 + 0 + 40 + 60 + 20 + 80
        assert scan.failures == []
        assert scan.progress.requests == len(sim.requests) == 1 + 2 + 8
        assert {request.status for request in sim.requests} == {200}


async def test_a_scan_that_must_not_wait_yields_what_the_window_allowed() -> None:
    clock = ManualClock()
    async with (
        Simulator(projects=2, addons=4, backups=40, rate_limit=5, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, on_rate_limit="raise") as nf,
        nf.scan(concurrency=1) as scan,
    ):
        ids: list[str] = []
        with pytest.raises(RateLimited):
            await read_ids(scan, ids)
    assert len(set(ids)) == 60 + 20 + 80  # of the first three addons
    assert scan.failures == []
