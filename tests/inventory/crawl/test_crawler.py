"""Which listings are open at a time, and which failures end a crawl."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from northflank_async import (
    DecodeError,
    Northflank,
    NorthflankError,
    PermissionDenied,
    ServerError,
    TransportError,
)
from northflank_async.inventory import Query, Scan
from tests.support.account_tree import Tree, backups_of, fake_account, one_project, page_names, read_all, read_ids
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups, is_of_backups, refusal
from tests.support.scripted_server import TOKEN

shapes = st.lists(
    st.lists(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=2), max_size=3),
    min_size=1,
    max_size=3,
)


@pytest.mark.slow
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


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_a_scan_keeps_exactly_the_requested_concurrency(concurrency: int) -> None:
    account = fake_account(one_project(addons=3 * concurrency, pages=2), holds=is_of_backups)
    async with account.serve() as nf, nf.scan(concurrency=concurrency) as scan:
        reading = asyncio.create_task(read_all(scan))
        for _ in range(5 * concurrency):  # of 6: after that, too few listings are left
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
        await read_all(scan)
    assert account.requested == [
        *("#0", "p1#0", "p1/a1#0", "p1/a1#1", "p1/a2#0", "p1#1", "p1/a3#0"),
        *("p2#0", "p2/a4#0", "p2/a4#1", "p2/a4#2", "#1", "p3#0", "p3/a5#0"),
    ]


def fail_from(account: FakeAccount, first: str, fault: int | None) -> None:
    """Have every page fail once `first` is requested."""

    def fail(page: str) -> bool:
        if page == first:
            account.faults.update(dict.fromkeys(page_names(one_project(addons=30)), fault))
        return False

    account.holds = fail


@pytest.mark.parametrize(("fault", "error"), [(500, ServerError), (503, ServerError), (None, TransportError)])
async def test_an_outage_ends_the_scan(fault: int | None, error: type[NorthflankError]) -> None:
    account = fake_account(one_project(addons=30))
    fail_from(account, "p/a3#0", fault)
    async with account.serve(attempts=1) as nf, nf.scan(concurrency=1) as scan:
        ids: list[str] = []
        with pytest.raises(error):
            await read_ids(scan, ids)
    assert ids == ["p/a1#0", "p/a2#0"]
    assert [failure.addon_id for failure in scan.failures] == [f"a{number}" for number in range(3, 12)]
    assert account.requested_backups[2:] == [*(f"p/a{number}#0" for number in range(3, 13)), "p/a2#0", "p/a1#0"]


@pytest.mark.parametrize("fault", [500, 503, None])
@pytest.mark.parametrize("concurrency", [1, 16])
async def test_listings_that_always_fail_do_not_end_the_scan(fault: int | None, concurrency: int) -> None:
    faults = {f"p/a{number}#0": fault for number in range(1, 30)}
    account = fake_account(one_project(addons=60), faults=faults)
    async with account.serve(attempts=1) as nf, nf.scan(concurrency=concurrency) as scan:
        assert len(await read_ids(scan)) == 31
    assert sorted(failure.addon_id or "" for failure in scan.failures) == sorted(f"a{n}" for n in range(1, 30))
    assert len(account.requested) <= 2 + 60 + 2  # a probe for every ten of them


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
        assert [found.team_id for found in await read_all(scan)] == ["blue"] * 3
    assert [str(failure)[:8] for failure in scan.failures] == ["red: 403"]


async def test_a_connection_failure_ends_the_scan_at_once() -> None:
    async with (
        Northflank(TOKEN, base_url="http://127.0.0.1:1", attempts=1) as nf,
        nf.scan(["p1", "p2"], concurrency=1) as scan,
    ):
        with pytest.raises(TransportError, match="no connection"):
            await read_all(scan)
    assert scan.failures == []
