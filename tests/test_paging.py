"""Listings, page by page, over a real socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import (
    Backup,
    ConfigurationError,
    DecodeError,
    Northflank,
    NotFound,
    Page,
    PaginationError,
    ServerError,
)
from northflank_async.simulator import Simulator
from tests.support.scripted_server import TOKEN, backup, envelope, serve


def addon(nf: Northflank) -> Any:
    return nf.project("default-project").addon("example-addon")


def pages_by_cursor(pages: list[list[int]], *, counts: bool = True) -> Callable[[web.Request], web.Response]:
    """Serve a listing in these pages; each cursor is the number of its page."""

    def respond(request: web.Request) -> web.Response:
        number = int(request.query.get("cursor", "0"))
        more = number + 1 < len(pages)
        pagination: dict[str, Any] = {"hasNextPage": more, "count": float(len(pages[number]))}
        if more:
            pagination["cursor"] = str(number + 1)
        return envelope({"backups": [backup(item) for item in pages[number]]}, **pagination)

    return respond


@pytest.mark.slow
@given(items=st.integers(0, 60), per_page=st.integers(1, 25))
def test_any_listing_is_read_once_in_order_and_in_the_fewest_requests(items: int, per_page: int) -> None:
    async def run() -> None:
        async with Simulator(projects=1, addons=items) as sim, Northflank(sim.token, base_url=sim.url) as nf:
            listed = [addon.id async for addon in nf.project("default-project").addons(per_page=per_page)]
            assert len(listed) == len(set(listed)) == items
            assert len(sim.requests) == max(1, -(-items // per_page))
            assert listed == [addon.id for addon in (await nf.project("default-project").addons(per_page=100)).items]

    asyncio.run(run())


@pytest.mark.slow
@given(st.lists(st.lists(st.just(0), max_size=4), min_size=1, max_size=8))
def test_any_split_into_pages_yields_every_item_once_and_in_order(split: list[list[int]]) -> None:
    total = 0
    for page in split:
        for index in range(len(page)):
            page[index] = total
            total += 1

    async def run() -> None:
        async with serve(pages_by_cursor(split)) as server, server.client() as nf:
            assert [item.id async for item in addon(nf).backups()] == [f"b{number}" for number in range(total)]
            assert len(server.requests) == len(split)

    asyncio.run(run())


async def test_a_hundred_a_page_is_the_default(sim: Simulator, nf: Northflank) -> None:
    backups = await addon(nf).backups().all()
    assert len(sim.requests) == -(-len(backups) // 100)
    assert {request.query["per_page"] for request in sim.requests} == {"100"}


async def test_nothing_is_sent_before_it_is_read(sim: Simulator, nf: Northflank) -> None:
    paginator = addon(nf).backups(per_page=10)
    paginator.pages()
    assert sim.requests == []
    pages = paginator.pages()
    await anext(pages)
    await asyncio.sleep(0.01)
    assert len(sim.requests) == 1


async def test_await_fetches_the_first_page(sim: Simulator, nf: Northflank) -> None:
    page = await addon(nf).backups(per_page=50, page=1)
    assert isinstance(page, Page)
    assert isinstance(page.items[0], Backup)
    assert (len(page.items), page.pagination.count, page.pagination.has_next_page) == (50, 50, True)
    assert page.pagination.cursor
    assert [item["id"] for item in page.data["backups"]] == [item.id for item in page.items]
    assert (page.response.status, page.response.method) == (200, "GET")
    assert page.response.headers["x-ratelimit-limit"] == "1000"
    assert page.response.url.query == {"per_page": "50", "page": "1"}
    assert len(sim.requests) == 1


async def test_a_listing_starts_at_a_page_or_a_cursor(nf: Northflank) -> None:
    everything = await addon(nf).backups().all()
    first = await addon(nf).backups(per_page=40)
    assert await addon(nf).backups(per_page=40, page=3).all() == everything[80:]
    assert await addon(nf).backups(per_page=40, cursor=first.pagination.cursor).all() == everything[40:]


async def test_each_iteration_starts_at_the_beginning(nf: Northflank) -> None:
    paginator = addon(nf).backups()
    assert [item.id async for item in paginator] == [item.id async for item in paginator]


async def test_two_tasks_each_get_the_whole_listing(nf: Northflank) -> None:
    paginator = addon(nf).backups(per_page=20)
    first, second = await asyncio.gather(paginator.all(), paginator.all())
    assert first == second == await addon(nf).backups().all()


async def test_two_tasks_share_one_iterator_without_loss(sim: Simulator, nf: Northflank) -> None:
    iterator = aiter(addon(nf).backups(per_page=20))

    async def drain() -> list[str]:
        return [item.id async for item in iterator]

    halves = await asyncio.gather(drain(), drain())
    everything = [item.id for item in await addon(nf).backups().all()]
    assert sorted(halves[0] + halves[1]) == sorted(everything)


async def test_leaving_a_loop_early_leaves_nothing_open_or_running(sim: Simulator, nf: Northflank) -> None:
    async for _ in addon(nf).backups(per_page=10):
        break
    async for _ in addon(nf).backups(per_page=10).pages():
        break
    assert len(sim.requests) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()} | {
        task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())
    }


async def test_the_raw_listing_starts_at_the_same_page(nf: Northflank) -> None:
    listing = addon(nf).backups(per_page=10)
    first = await listing
    for later in (
        addon(nf).backups(per_page=10, cursor=first.pagination.cursor),
        addon(nf).backups(per_page=10, page=2),
    ):
        raw = [item["id"] for item in (await later.raw()).items]
        assert raw == [item.id for item in (await later).items]
        assert raw != [item.id for item in first.items]


async def test_the_raw_listing_yields_the_json_of_the_api(nf: Northflank) -> None:
    page = await addon(nf).backups().raw()
    assert list(page.items) == page.data["backups"]


@pytest.mark.parametrize(
    "bad", [{"per_page": 0}, {"per_page": 101}, {"per_page": 1.5}, {"per_page": True}, {"page": 0}, {"page": "2"}]
)
@pytest.mark.parametrize("listing", ["projects", "paginate", "addons", "backups", "restores", "backup_restores"])
async def test_a_bad_page_size_is_an_error_at_the_call(bad: Any, listing: str) -> None:
    nf = Northflank("token")
    project = nf.project("p")
    calls: dict[str, Callable[..., Any]] = {
        "projects": nf.projects,
        "paginate": lambda **options: nf.paginate("/v1/projects", "projects", **options),
        "addons": project.addons,
        "backups": project.addon("a").backups,
        "restores": project.addon("a").restores,
        "backup_restores": project.addon("a").backup("b").restores,
    }
    with pytest.raises(ConfigurationError, match="page must be an integer"):
        calls[listing](**bad)


@pytest.mark.parametrize("failing", [0, 1, 3])
async def test_a_listing_resumes_at_a_failed_page_without_loss_or_duplicates(failing: int) -> None:
    split = [[0, 1], [2], [3, 4, 5], [6]]
    broken = {str(failing)}

    def respond(request: web.Request) -> web.Response:
        if request.query.get("cursor", "0") in broken:
            return web.json_response({"error": {"status": 500, "message": "Down."}}, status=500)
        return pages_by_cursor(split)(request)

    async with serve(respond) as server, server.client(attempts=1) as nf:
        read: list[str] = []
        with pytest.raises(ServerError) as caught:
            async for item in addon(nf).backups():
                read.append(item.id)
        broken.clear()
        read += [item.id async for item in addon(nf).backups(cursor=caught.value.cursor)]
    assert read == [f"b{number}" for number in range(7)]


async def test_the_same_iterator_resumes_after_a_failure() -> None:
    broken = {"1"}

    def respond(request: web.Request) -> web.Response:
        if request.query.get("cursor") in broken:
            return web.Response(status=503)
        return pages_by_cursor([[0, 1], [2], [3]])(request)

    async with serve(respond) as server, server.client(attempts=1) as nf:
        iterator = aiter(addon(nf).backups())
        read = [(await anext(iterator)).id, (await anext(iterator)).id]
        for _ in range(2):
            with pytest.raises(ServerError):
                await anext(iterator)
        broken.clear()
        read += [item.id async for item in iterator]
    assert read == ["b0", "b1", "b2", "b3"]


async def test_an_error_has_the_items_read_before_it() -> None:
    def respond(request: web.Request) -> web.Response:
        return web.Response(status=404) if "cursor" in request.query else pages_by_cursor([[0, 1], [2]])(request)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(NotFound) as caught:
            await addon(nf).backups().all()
    assert [item.id for item in caught.value.items] == ["b0", "b1"]
    assert caught.value.cursor == "1"


@pytest.mark.parametrize("circle", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
async def test_a_cursor_that_comes_back_is_an_error_at_once(circle: list[str]) -> None:
    turns = iter(circle)

    def respond(request: web.Request) -> web.Response:
        return envelope({"backups": [backup(len(server.requests))]}, hasNextPage=True, count=1, cursor=next(turns))

    async with serve(respond) as server, server.client() as nf:
        read = []
        with pytest.raises(PaginationError, match="repeated a cursor") as caught:
            async for item in addon(nf).backups():
                read.append(item.id)
        assert len(read) == len(server.requests) == len(circle)
        assert caught.value.cursor == circle[-1]


async def test_a_page_whose_cursor_is_its_own_is_an_error() -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({"backups": []}, hasNextPage=True, count=0, cursor=request.query["cursor"])

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(PaginationError, match="repeated a cursor"):
            await addon(nf).backups(cursor="here").all()
        assert len(server.requests) == 1


def pages_by_number(pages: list[list[int]]) -> Callable[[web.Request], web.Response]:
    def respond(request: web.Request) -> web.Response:
        number = int(request.query.get("page", "1"))
        items = [backup(item) for item in pages[number - 1]]
        return envelope({"backups": items}, hasNextPage=number < len(pages), count=len(items))

    return respond


async def test_without_a_cursor_the_next_page_number_is_fetched() -> None:
    async with serve(pages_by_number([[0, 1], [], [2]])) as server, server.client() as nf:
        assert [item.id async for item in addon(nf).backups()] == ["b0", "b1", "b2"]
        assert [request.query.get("page") for request in server.requests] == [None, "2", "3"]


async def test_a_listing_resumes_at_a_failed_page_number() -> None:
    def respond(request: web.Request) -> web.Response:
        if request.query.get("page") == "2" and len(server.requests) == 2:
            return web.Response(status=404)
        return pages_by_number([[0, 1], [2], [3]])(request)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(NotFound) as caught:
            await addon(nf).backups().all()
        rest = await addon(nf).backups(cursor=caught.value.cursor, page=caught.value.page).all()
    assert [item.id for item in caught.value.items + rest] == ["b0", "b1", "b2", "b3"]


async def test_ignored_page_numbers_are_an_error_not_an_endless_loop() -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({"backups": [backup(1)]}, hasNextPage=True, count=1)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(PaginationError, match="a second time") as caught:
            await addon(nf).backups(per_page=1).all()
        assert [item.id for item in caught.value.items] == ["b1"]
        assert len(server.requests) == 2


@pytest.mark.parametrize("names", [["a", "a"], ["a", "b", "a"]])
async def test_ignored_cursors_are_an_error_not_an_endless_loop(names: list[str]) -> None:
    def respond(request: web.Request) -> web.Response:
        items = [backup(names.index(names[(len(server.requests) - 1) % len(names)]))]
        data = {"backups": items, "requestId": len(server.requests)}
        return envelope(data, hasNextPage=True, count=1, cursor=f"c{len(server.requests)}")

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(PaginationError, match="a second time") as caught:
            await addon(nf).backups(per_page=1).all()
        assert len(caught.value.items) == len(set(names)) == len(server.requests) - 1


async def test_items_without_ids_may_repeat() -> None:
    def respond(request: web.Request) -> web.Response:
        number = int(request.query.get("page", 1))
        return envelope({"branches": ["main"]}, hasNextPage=number < 3, count=1)

    async with serve(respond) as server, server.client() as nf:
        names: list[Any] = await nf.paginate("/v1/x", items="branches").all()
        assert names == ["main"] * 3


async def test_paging_arguments_are_refused_in_params() -> None:
    with pytest.raises(ConfigurationError, match="pass per_page as an argument"):
        Northflank("token").paginate("/v1/x", params={"per_page": 10})


async def test_workers_share_the_items_of_one_iterator() -> None:
    async with (
        serve(lambda _: envelope({"backups": [backup(number) for number in range(40)]})) as server,
        server.client() as nf,
    ):
        iterator = aiter(addon(nf).backups())

        async def work() -> int:
            done = 0
            async for _ in iterator:
                done += 1
                await asyncio.sleep(0)
            return done

        shares = await asyncio.gather(*(work() for _ in range(4)))
        assert sum(shares) == 40
        assert min(shares) > 0
        assert len(server.requests) == 1


@pytest.mark.parametrize("cursors", [True, False])
@pytest.mark.parametrize("items", [[], [backup(1)]])
async def test_pages_without_new_items_are_read_but_not_for_ever(cursors: bool, items: list[Any]) -> None:
    def respond(request: web.Request) -> web.Response:
        cursor = {"cursor": f"c{len(server.requests)}"} if cursors else {}
        return envelope({"backups": items}, hasNextPage=True, count=len(items), **cursor)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(PaginationError, match="100 pages in a row had nothing new"):
            await addon(nf).backups().all()
        assert len(server.requests) == 100 + len(items)


async def test_a_next_page_without_a_cursor_or_a_number_is_an_error() -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({"backups": [backup(1)]}, hasNextPage=True, count=1)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(PaginationError, match="neither its cursor nor its number"):
            await addon(nf).backups(cursor="c").all()
        assert len(server.requests) == 1


async def test_has_next_page_decides_even_if_there_is_a_cursor() -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({"backups": [backup(1)]}, hasNextPage=False, count=1, cursor="more")

    async with serve(respond) as server, server.client() as nf:
        assert len(await addon(nf).backups().all()) == 1
        assert len(server.requests) == 1


async def test_a_listing_without_pagination_is_one_page() -> None:
    async with serve(lambda _: envelope({"backups": [backup(1), backup(2)]})) as server, server.client() as nf:
        page = await addon(nf).backups()
        assert (page.pagination.has_next_page, page.pagination.count) == (False, 2)
        assert len(await addon(nf).backups().all()) == 2


async def test_an_array_that_is_null_is_empty() -> None:
    async with serve(lambda _: envelope({"backups": None})) as server, server.client() as nf:
        assert await addon(nf).backups().all() == []


@pytest.mark.parametrize(
    ("data", "place"),
    [([], "data"), (None, "data"), ("x", "data"), ({}, "data.backups"), ({"backups": {}}, "data.backups"),
     ({"backups": [backup(1), 7]}, "data.backups[1]"), ({"backups": [{"id": "b"}]}, "data.backups[0].status")],
)  # fmt: skip
async def test_an_error_in_data_names_its_place(data: Any, place: str) -> None:
    async with serve(lambda _: envelope(data)) as server, server.client() as nf:
        with pytest.raises(DecodeError) as caught:
            await addon(nf).backups().all()
        assert caught.value.place == place
        assert len(server.requests) == 1


async def test_the_records_of_a_page_are_made_on_first_access() -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({"backups": [{"id": "b"}]}, hasNextPage=False, count=1)

    async with serve(respond) as server, server.client() as nf:
        async for page in addon(nf).backups(cursor="c+/=").pages():
            assert page.data == {"backups": [{"id": "b"}]}
            with pytest.raises(DecodeError) as caught:
                _ = page.items
        error = caught.value
        assert (error.place, error.cursor, error.page) == ("data.backups[0].status", "c+/=", None)
        assert (error.method, error.url, error.attempts) == ("GET", page.response.url, 1)


async def test_the_items_of_a_page_are_made_once(nf: Northflank) -> None:
    page = await addon(nf).backups()
    assert page.items is page.items


ODD = {"id": "odd", "status": "completed", "createdAt": "soon", "downloadLink": "https://signed"}


def odd_pages(request: web.Request) -> web.Response:
    """Serve two pages, with an item that cannot be read on each."""
    first = "cursor" not in request.query
    items = [backup(0), ODD, backup(2)] if first else [7, backup(4)]
    return envelope({"backups": items}, hasNextPage=first, count=len(items), **({"cursor": "c"} if first else {}))


async def test_an_item_that_cannot_be_read_is_an_error_between_those_that_can() -> None:
    async with serve(odd_pages) as server, server.client() as nf:
        items = aiter(addon(nf).backups())
        found: list[Any] = []
        while True:
            try:
                found.append((await anext(items)).id)
            except DecodeError as error:
                found.append(error)
            except StopAsyncIteration:
                break
        assert [item if isinstance(item, str) else item.place for item in found] == [
            "b0", "data.backups[1].createdAt", "b2", "data.backups[0]", "b4"
        ]  # fmt: skip
        first, second = found[1], found[3]
        assert first.raw == {**ODD, "downloadLink": "***"}
        assert (first.cursor, first.method, first.attempts) == (None, "GET", 1)
        assert (second.raw, second.cursor) == (7, "c")
        assert len(server.requests) == 2


async def test_all_raises_once_for_items_that_cannot_be_read_and_has_all_others() -> None:
    async with serve(odd_pages) as server, server.client() as nf:
        with pytest.raises(DecodeError) as caught:
            await addon(nf).backups().all()
        assert [item.id for item in caught.value.items] == ["b0", "b2", "b4"]
        assert caught.value.raw["id"] == "odd"
        assert len(server.requests) == 2


async def test_all_raises_the_failure_of_a_page_and_names_an_item_that_could_not_be_read() -> None:
    def respond(request: web.Request) -> web.Response:
        return web.Response(status=404) if "cursor" in request.query else odd_pages(request)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(NotFound) as caught:
            await addon(nf).backups().all()
        assert [item.id for item in caught.value.items] == ["b0", "b2"]
        assert isinstance(caught.value.__cause__, DecodeError)


async def test_the_json_of_an_item_that_cannot_be_read_never_shows_the_token() -> None:
    async with serve(lambda _: envelope({"backups": [{"id": TOKEN}]})) as server, server.client() as nf:
        with pytest.raises(DecodeError) as caught:
            await addon(nf).backups().all()
        assert caught.value.raw == {"id": "***"}


@pytest.mark.parametrize("pagination", [[], "next", 7, {"hasNextPage": "maybe"}, {"hasNextPage": True, "cursor": {}}])
async def test_a_page_is_read_even_if_its_pagination_cannot_be(pagination: Any) -> None:
    def respond(request: web.Request) -> web.Response:
        return web.json_response({"data": {"backups": [backup(1)]}, "pagination": pagination})

    async with serve(respond) as server, server.client() as nf:
        page = await addon(nf).backups().raw()
        assert page.items == (backup(1),)
        with pytest.raises(DecodeError, match="pagination"):
            _ = page.pagination
        items = aiter(addon(nf).backups(cursor="here"))
        assert (await anext(items)).id == "b1"
        for _ in range(2):
            with pytest.raises(DecodeError, match="pagination") as caught:
                await anext(items)
            assert caught.value.cursor == "here"
        assert len(server.requests) == 2


async def test_pages_with_the_same_ids_are_not_the_same_page() -> None:
    """Addons may have backups with equal ids, which the listing of a destination shows one after the other."""

    def respond(request: web.Request) -> web.Response:
        number = int(request.query.get("cursor", "0"))
        items = [{**backup(item), "addon": {"id": f"a{number}"}} for item in range(100)]
        more = {"cursor": str(number + 1)} if number < 2 else {}
        return envelope(items, hasNextPage=number < 2, count=100, **more)

    async with serve(respond) as server, server.client() as nf:
        assert len(await nf.backup_destination("d").backups().all()) == 300
        assert len(server.requests) == 3


@pytest.mark.parametrize("item", [10**30, "\ud800", {"nested": [[[10**25]]]}])
async def test_a_repeated_page_of_unusual_json_is_found(item: Any) -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope([{"id": item}], hasNextPage=True, count=1, cursor=f"c{len(server.requests)}")

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(PaginationError, match="a second time"):
            await nf.paginate("/v1/x", items=None, per_page=1).all()
        assert len(server.requests) == 2


async def test_any_endpoint_can_be_listed_with_its_items_in_data(nf: Northflank) -> None:
    listed = await nf.paginate("/v1/projects/default-project/addons", items="addons", per_page=3).all()
    assert [item["id"] for item in listed] == [item.id async for item in nf.project("default-project").addons()]


async def test_any_endpoint_can_be_listed_where_data_is_the_array() -> None:
    def respond(request: web.Request) -> web.Response:
        first = "cursor" not in request.query
        items = [{"id": "v1"}, {"id": "v2"}] if first else [{"id": "v3"}]
        return envelope(items, hasNextPage=first, count=len(items), **({"cursor": "c+/="} if first else {}))

    async with serve(respond) as server, server.client() as nf:
        listed = nf.paginate("/v1/projects/p/volumes/v/backups", items=None, params={"x": 1})
        assert [item["id"] async for item in listed] == ["v1", "v2", "v3"]
        assert [request.query["x"] for request in server.requests] == ["1", "1"]
