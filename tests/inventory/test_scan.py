"""Every backup of many projects, read with many requests at once, over a real socket."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tests.support.clocks import ManualClock, wait_until
from tests.support.fake_account import FakeAccount, backups, is_of_backups, refusal
from tests.support.scripted_server import TOKEN, backup, serve

Tree: TypeAlias = list[dict[str, list[dict[str, int]]]]
"""Pages of projects, each with its pages of addons, each with the number of its pages of backups."""


def pages_of(tree: Tree) -> dict[str, list[list[Any]]]:
    """The pages of all listings, as `FakeAccount` takes them; each backup is called like the page it is on."""
    pages: dict[str, list[list[Any]]] = {"": [[{"id": project} for project in projects] for projects in tree]}
    for project, pages_of_addons in [item for projects in tree for item in projects.items()]:
        pages[project] = [[{"id": addon} for addon in addons] for addons in pages_of_addons]
        for addon, count in [item for addons in pages_of_addons for item in addons.items()]:
            place = f"{project}/{addon}"
            pages[place] = [[{**backup(0), "id": f"{place}#{index}"}] for index in range(count)] or [[]]
    return pages


def page_names(tree: Tree) -> list[str]:
    return [f"{place}#{number}" for place, pages in pages_of(tree).items() for number in range(len(pages))]


def backups_of(tree: Tree) -> list[str]:
    return [item["id"] for place, pages in pages_of(tree).items() if "/" in place for page in pages for item in page]


def fake_account(tree: Tree, **options: Any) -> FakeAccount:
    return FakeAccount(pages=pages_of(tree), **options)


def one_project(addons: int, pages: int = 1) -> Tree:
    return [{"p": [{f"a{number}": pages for number in range(1, addons + 1)}]}]


async def read(scan: Scan) -> list[Found]:
    return [found async for found in scan]


async def read_ids(scan: Scan, into: list[str] | None = None) -> list[str]:
    """The ids of what is found; those before an error are in `into`."""
    ids = [] if into is None else into
    async for found in scan:
        ids.append(found.backup.id)
    return ids


async def walk(view: AccountResource) -> list[Found]:
    """The same by the plain listings, one after the other."""
    return [
        Found(team_id=view.team_id, project=project, addon=addon, backup=item)
        async for project in view.projects()
        async for addon in view.project(project.id).addons()
        async for item in view.project(project.id).addon(addon.id).backups()
    ]


async def settle() -> None:
    """Let what should not happen have time to happen."""
    await asyncio.sleep(0.01)


def tasks_of_the_client() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())}


# What is found


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
        expected = await walk(nf)
        requests = sorted(map(repr, sim.requests))
        sim.requests.clear()
        async with nf.scan(concurrency=concurrency) as scan:
            found = await read(scan)
    assert Counter(found) == Counter(expected)
    assert sorted(map(repr, sim.requests)) == requests
    assert scan.failures == []


async def test_a_scan_makes_one_request_for_each_page(sim: Simulator, nf: Northflank) -> None:
    async with nf.scan() as scan:
        found = await read(scan)
    counts = Counter((item.project.id, item.addon.id) for item in found)
    assert sorted(counts.values()) == [75] * 4 + [150] * 4 + [225] * 4 + [300] * 4  # of 20 addons; 4 have none
    assert len(sim.requests) == 1 + 5 + 4 * (1 + 1 + 2 + 3 + 3)


shapes = st.lists(
    st.lists(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=2), max_size=3),
    min_size=1,
    max_size=3,
)


@given(shape=shapes, concurrency=st.integers(1, 6))
@settings(max_examples=60)
def test_any_account_is_read_once_with_few_open_listings(shape: list[list[list[list[int]]]], concurrency: int) -> None:
    tree: Tree = [
        {
            f"p{page}{index}": [
                {f"a{page_of_addons}{place}": count for place, count in enumerate(addons)}
                for page_of_addons, addons in enumerate(project)
            ]
            for index, project in enumerate(projects)
        }
        for page, projects in enumerate(shape)
    ]
    account = fake_account(tree)

    async def run() -> list[str]:
        async with account.serve() as nf, nf.scan(concurrency=concurrency) as scan:
            return await read_ids(scan)

    assert sorted(asyncio.run(run())) == sorted(backups_of(tree))
    assert sorted(account.requested) == sorted(page_names(tree))
    assert account.max_in_flight <= concurrency
    pages_left = Counter(page.partition("#")[0] for page in page_names(tree) if is_of_backups(page))
    begun = set()
    for page in account.requested_backups:
        addon = page.partition("#")[0]
        begun.add(addon)
        pages_left[addon] -= 1
        assert sum(pages_left[addon] > 0 for addon in begun) <= concurrency


async def test_backups_of_an_addon_keep_the_order_of_its_listing(nf: Northflank) -> None:
    async with nf.scan() as scan:
        found = await read(scan)
    for addon in {(item.project.id, item.addon.id) for item in found}:
        listed = await nf.project(addon[0]).addon(addon[1]).backups().all()
        assert [item.backup for item in found if (item.project.id, item.addon.id) == addon] == listed


async def test_a_scan_reads_each_named_project_once_and_knows_only_its_id(sim: Simulator, nf: Northflank) -> None:
    expected = [item for item in await walk(nf) if item.project.id in ("billing", "search")]
    sim.requests.clear()
    async with nf.scan(name for name in ("search", "billing", "search")) as scan:
        found = await read(scan)
    assert {item.project for item in found} == {Project(id="billing"), Project(id="search")}
    assert Counter((item.addon, item.backup) for item in found) == Counter(
        (item.addon, item.backup) for item in expected
    )
    assert len(sim.requests) == len({repr(request) for request in sim.requests})
    assert "/v1/projects" not in {request.path for request in sim.requests}


async def test_a_scan_of_no_projects_makes_no_requests(sim: Simulator, nf: Northflank) -> None:
    async with nf.scan(projects=[]) as scan:
        assert await read(scan) == []
    assert sim.requests == []


async def test_a_scan_of_several_teams_reports_the_team_of_each_backup(sim: Simulator, nf: Northflank) -> None:
    red, blue = nf.team("red"), nf.team("blue")
    expected = await walk(red) + await walk(blue)
    assert {item.team_id for item in expected} == {"red", "blue"}
    async with Scan(Query([red, blue])) as scan:
        assert Counter(await read(scan)) == Counter(expected)


@pytest.mark.parametrize(
    "bad",
    [{"projects": "billing"}, {"projects": ["billing", ""]}, {"projects": [".."]}, {"projects": ["a/b"]},
     {"projects": [None]}, {"concurrency": 0}, {"concurrency": 101}, {"concurrency": -1}, {"concurrency": 1.5}],
    ids=str,
)  # fmt: skip
async def test_an_invalid_argument_is_refused_when_a_scan_is_created(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        Northflank(TOKEN).scan(**bad)


async def test_a_query_without_accounts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing to read"):
        Scan(Query([]))


# How many at a time, and in which order


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_a_scan_keeps_exactly_the_requested_concurrency(concurrency: int) -> None:
    account = fake_account(one_project(addons=3 * concurrency, pages=2), holds=is_of_backups)
    async with account.serve() as nf, nf.scan(concurrency=concurrency) as scan:
        reading = asyncio.create_task(read(scan))
        for _ in range(5 * concurrency):  # of 6; then there is not enough to do any more
            await wait_until(lambda: len(account.held) == concurrency)
            account.release(next(iter(account.held)))
        account.holds = lambda _: False
        for page in list(account.held):
            account.release(page)
        assert len(await reading) == 6 * concurrency
    assert account.max_in_flight == concurrency


async def test_a_slow_listing_does_not_delay_the_pages_of_others() -> None:
    account = fake_account([{"p": [{"slow": 1, "long": 4}]}], holds=lambda page: page == "p/slow#0")
    async with account.serve() as nf, nf.scan(concurrency=2) as scan:
        ids = [(await anext(scan)).backup.id for _ in range(4)]
        assert ids == ["p/long#0", "p/long#1", "p/long#2", "p/long#3"]
        account.release("p/slow#0")
        assert await read_ids(scan) == ["p/slow#0"]


async def test_open_listings_are_finished_before_new_ones_are_opened() -> None:
    tree: Tree = [{"p1": [{"a1": 2, "a2": 0}, {"a3": 1}], "p2": [{"a4": 3}]}, {"p3": [{"a5": 1}]}]
    account = fake_account(tree)
    async with account.serve() as nf, nf.scan(concurrency=1) as scan:
        await read(scan)
    assert account.requested == [
        *("#0", "p1#0", "p1/a1#0", "p1/a1#1", "p1/a2#0", "p1#1", "p1/a3#0"),
        *("p2#0", "p2/a4#0", "p2/a4#1", "p2/a4#2", "#1", "p3#0", "p3/a5#0"),
    ]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_unread_scan_holds_twice_as_many_pages_as_requests_in_flight(concurrency: int) -> None:
    account = fake_account(one_project(addons=10 * concurrency))
    async with account.serve() as nf, nf.scan(concurrency=concurrency) as scan:
        for taken in range(3):
            most = 2 * concurrency + taken
            await wait_until(lambda most=most: len(account.requested_backups) == most)  # type: ignore[misc]
            await settle()
            assert len(account.requested_backups) == most
            await anext(scan)
        assert len(await read(scan)) == 10 * concurrency - 3


async def test_an_unread_scan_stops_fetching_a_long_listing() -> None:
    tree = one_project(addons=1, pages=20)
    account = fake_account(tree)
    async with account.serve() as nf, nf.scan(concurrency=2) as scan:
        await wait_until(lambda: len(account.requested_backups) == 3)
        await settle()
        assert len(account.requested_backups) <= 4
        assert await read_ids(scan) == backups_of(tree)


async def test_concurrent_consumers_share_the_backups_of_a_scan(nf: Northflank) -> None:
    expected = await walk(nf)
    async with nf.scan() as scan:
        shares = await asyncio.gather(*(read(scan) for _ in range(4)))
    assert Counter(found for share in shares for found in share) == Counter(expected)


# What cannot be read


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
        ([], DecodeError, "data: expected an object, got list"),
        ({"backup": []}, DecodeError, "missing; data has backup"),
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
        ("#0", {"id": "a/b"}, "the account", "a/b", ConfigurationError, "data.projects[2].id must be one segment"),
        ("#0", {"name": "x"}, "the account", "no id", DecodeError, "data.projects[2].id: missing"),
        ("p1#0", {"id": ".."}, "p1", "..", ConfigurationError, "data.addons[2].id must be one segment"),
        ("p1#0", {"id": "a9", "spec": 7}, "p1", "a9", DecodeError, "data.addons[2].spec: expected an object, got 7"),
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
        assert {found.project.id for found in await read(scan)} == {"billing"}
    assert sorted(str(failure).partition(" [")[0] for failure in scan.failures) == [
        "blue/nowhere: 404 There is no project nowhere.",
        "red/nowhere: 404 There is no project nowhere.",
    ]
    assert {failure.team_id for failure in scan.failures} == {"red", "blue"}


async def test_a_scan_that_can_read_no_project_raises_the_first_error(nf: Northflank) -> None:
    async with nf.scan(["nowhere", "neither"]) as scan:
        with pytest.raises(NotFound, match="There is no project"):
            await read(scan)
    assert len(scan.failures) == 2


async def test_repeated_accounts_and_projects_are_read_once(nf: Northflank) -> None:
    async with Scan(Query([nf, nf, nf.team("red"), nf.team("red")], projects=["billing", "billing"])) as scan:
        assert len(await read(scan)) == 2 * 750


async def test_a_rejected_token_is_raised_after_the_backups_that_arrived() -> None:
    account = fake_account(one_project(addons=9), faults={"p/a5#0": 401})
    async with account.serve() as nf, nf.scan(concurrency=1) as scan:
        ids: list[str] = []
        with pytest.raises(AuthenticationError):
            await read_ids(scan, ids)
        assert ids == ["p/a1#0", "p/a2#0", "p/a3#0", "p/a4#0"]
        assert await read(scan) == []
    assert scan.failures == []


async def test_buffered_pages_are_yielded_before_a_fatal_error() -> None:
    account = fake_account(one_project(addons=9), faults={"p/a4#0": 401}, holds=lambda page: page == "p/a4#0")
    async with account.serve() as nf, nf.scan(concurrency=2) as scan:
        await wait_until(lambda: account.held)
        await settle()  # a1 and a2 are in the queue now, and a3 has come and waits
        account.release("p/a4#0")
        await settle()
        ids: list[str] = []
        with pytest.raises(AuthenticationError):
            await read_ids(scan, ids)
        assert sorted(ids) == ["p/a1#0", "p/a2#0", "p/a3#0"]


@pytest.mark.parametrize(("fault", "error"), [(500, ServerError), (503, ServerError), (None, TransportError)])
async def test_ten_consecutive_failed_listings_end_the_scan(fault: int | None, error: type[NorthflankError]) -> None:
    account = fake_account(one_project(addons=30), faults={f"p/a{number}#0": fault for number in range(3, 31)})
    async with account.serve(attempts=1) as nf, nf.scan(concurrency=1) as scan:
        ids: list[str] = []
        with pytest.raises(error):
            await read_ids(scan, ids)
    assert ids == ["p/a1#0", "p/a2#0"]
    assert [failure.addon_id for failure in scan.failures] == [f"a{number}" for number in range(3, 12)]
    assert len(account.requested_backups) == 12


async def test_a_readable_listing_resets_the_count_of_failed_ones() -> None:
    faults = {f"p/a{number}#0": 500 for number in range(1, 30) if number % 10}
    account = fake_account(one_project(addons=29), faults=faults)
    async with account.serve(attempts=1) as nf, nf.scan(concurrency=1) as scan:
        assert await read_ids(scan) == ["p/a10#0", "p/a20#0"]
    assert len(scan.failures) == 27


@pytest.mark.parametrize("fault", [403, 404, []])
async def test_refused_listings_do_not_end_the_scan(fault: Any) -> None:
    account = fake_account(one_project(addons=15), faults={f"p/a{number}#0": fault for number in range(1, 15)})
    async with account.serve() as nf, nf.scan(concurrency=1) as scan:
        assert await read_ids(scan) == ["p/a15#0"]
    assert len(scan.failures) == 14


LISTING_FAULTS = pytest.mark.parametrize(
    ("fault", "error"), [(403, PermissionDenied), (500, ServerError), ([], DecodeError)]
)


@LISTING_FAULTS
async def test_an_unreadable_project_listing_is_raised(fault: Any, error: type[NorthflankError]) -> None:
    account = fake_account([{"p1": [{"a1": 2}]}], faults={"#0": fault})
    async with account.serve(attempts=1) as nf, nf.scan(concurrency=1) as scan:
        with pytest.raises(error):
            await read_ids(scan)


@LISTING_FAULTS
async def test_an_unreadable_later_page_of_projects_is_a_failure(fault: Any, error: type[NorthflankError]) -> None:
    account = fake_account([{"p1": [{"a1": 2}]}, {"p2": [{"a2": 1}]}], faults={"#1": fault})
    async with account.serve(attempts=1) as nf, nf.scan(concurrency=1) as scan:
        assert await read_ids(scan) == ["p1/a1#0", "p1/a1#1"]
    (failure,) = scan.failures
    assert (failure.project_id, type(failure.error)) == (None, error)


async def test_a_team_with_an_unreadable_project_listing_is_a_failure() -> None:
    account = FakeAccount({"p/a": backups(3)}, faults={"red:#0": refusal(403)})
    async with account.serve() as nf, Scan(Query([nf.team("red"), nf.team("blue")])) as scan:
        assert [found.team_id for found in await read(scan)] == ["blue"] * 3
    assert [str(failure)[:8] for failure in scan.failures] == ["red: 403"]


async def test_a_connection_failure_ends_the_scan_at_once() -> None:
    async with (
        Northflank(TOKEN, base_url="http://127.0.0.1:1", attempts=1) as nf,
        nf.scan(["p1", "p2"], concurrency=1) as scan,
    ):
        with pytest.raises(TransportError, match="no connection"):
            await read(scan)
    assert scan.failures == []


# Leaving early


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
        assert await read(scan) == []


async def test_cancelling_the_consumer_cancels_the_requests_of_its_scan() -> None:
    account = fake_account(one_project(addons=9), holds=is_of_backups)
    async with account.serve() as nf:

        async def scan_it() -> None:
            async with nf.scan(concurrency=4) as scan:
                await read(scan)

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
                while len(tasks_of_the_client()) == before:  # until the request has ended
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
            readers = [asyncio.create_task(read(scan)) for _ in range(2)]
            await wait_until(lambda: account.held)
        await asyncio.wait(readers, timeout=5)
        assert [reader.done() and reader.result() for reader in readers] == [[], []]


async def test_a_closed_scan_yields_nothing(nf: Northflank) -> None:
    async with nf.scan() as scan:
        await anext(scan)
    assert await read(scan) == []


async def test_a_scan_must_be_opened_before_it_is_read(sim: Simulator, nf: Northflank) -> None:
    with pytest.raises(ConfigurationError, match="async with"):
        await anext(nf.scan())
    assert sim.requests == []


async def test_a_scan_can_be_opened_only_once(nf: Northflank) -> None:
    async with nf.scan() as scan:
        with pytest.raises(ConfigurationError, match="opened only once"):
            await scan.__aenter__()
        await read(scan)
    with pytest.raises(ConfigurationError, match="opened only once"):
        async with scan:
            pass


# How far it is, and the hour's requests


async def test_the_final_progress_counts_everything(sim: Simulator, nf: Northflank) -> None:
    scan = nf.scan()
    assert (scan.progress.projects, scan.progress.requests, scan.progress.waiting_until) == (0, 0, None)
    async with scan:
        found = await read(scan)
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
        await read(scan)
        assert (scan.progress.addons, scan.progress.addons_done, scan.progress.backups) == (3, 3, 3)


@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_scan_waits_for_the_window_and_gets_no_429(concurrency: int) -> None:
    clock = ManualClock()
    async with (
        Simulator(projects=2, addons=4, backups=40, rate_limit=5, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
        nf.scan(concurrency=concurrency) as scan,
    ):
        reading = asyncio.create_task(read(scan))
        for window in (1, 2):
            sent = 5 * window
            await wait_until(lambda sent=sent: len(sim.requests) == sent and scan.progress.waiting_until)  # type: ignore[misc]
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
