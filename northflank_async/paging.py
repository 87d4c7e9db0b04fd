"""Listings, page by page."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Generator, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from attrs import evolve, field, frozen

from northflank_async.errors import ConfigurationError, DeadlineExceeded, DecodeError, NorthflankError, PaginationError
from northflank_async.http.exchange import Answer
from northflank_async.http.request import check_page_size
from northflank_async.http.response import Response, read_page
from northflank_async.http.transport import Transport
from northflank_async.records import Pagination, structure_all

T = TypeVar("T")

_MAX_IDLE_PAGES = 100
"""In a row, empty or sent before. After that, a listing that still has a next page counts as endless."""


class _Start:
    """Where a page begins. Entered with `with`, it adds that to an error, and the request if there is an answer."""

    def __init__(self, cursor: str | None, page: int | None) -> None:
        self.cursor = cursor
        self.page = page
        self.answer: Answer | None = None
        self._handled: BaseException | None = None

    def __enter__(self) -> Self:
        self._handled = sys.exception()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handled, self._handled = self._handled, None
        if isinstance(error, NorthflankError):
            error.cursor, error.page = self.cursor, self.page
            if self.answer:
                self.answer.annotate(error, handled)


@frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a listing.

    `items` are its records, `pagination` says whether there is a next page, `data` is the decoded JSON as the API sent
    it, and `response` has the `status`, `headers`, `url` and `method` of the exchange.
    """

    pagination: Pagination
    data: Any = field(repr=False)
    response: Response
    _raw: list[Any] = field(repr=False, eq=False)
    _place: str = field(repr=False, eq=False)
    _record: type[T] | None = field(repr=False, eq=False)
    _start: _Start = field(repr=False, eq=False)

    @cached_property
    def items(self) -> tuple[T, ...]:
        """The records, made from `data` on first access.

        Raises:
            DecodeError: one of them is not as documented; `place` says which.
        """
        if self._record is None:
            return tuple(self._raw)
        with self._start:
            return tuple(structure_all(self._raw, self._record, self._place))


@frozen(kw_only=True, eq=False, repr=False)
class Paginator(AsyncIterable[T], Awaitable[Page[T]]):
    """A listing. It sends nothing until it is read, and does not prefetch pages.

    `async for item in paginator` yields all items of all pages, `await paginator` fetches the first page only. Every
    iteration starts at the beginning. An error is raised where it happens: to resume, pass its `cursor` (or `page`) to
    the same listing, or ask the same iterator for its next item.
    """

    _transport: Transport
    _path: str
    _params: Mapping[str, Any]
    _items: str | None
    """The name of the array in `data`; `None` where `data` is the array."""
    _record: type[T] | None
    """The class of the items; `None` leaves them as JSON."""
    _per_page: int
    _page: int | None
    _cursor: str | None

    def __attrs_post_init__(self) -> None:
        check_page_size(self._per_page, self._page)
        if overridden := self._params.keys() & {"per_page", "page", "cursor"}:
            raise ConfigurationError(f"pass {overridden.pop()} as an argument, not in params")

    def __repr__(self) -> str:
        return f"<Paginator {self._path}>"

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(Pages(self, eager=True))

    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self._fetch(self._cursor, self._page).__await__()

    def raw(self) -> "Paginator[Any]":
        """The same listing with its items as plain JSON, unchecked, as the API sent them."""
        return evolve(self, record=None)

    def pages(self) -> "Pages[T]":
        """Iterate over pages instead of items; the records of a page are made on first access."""
        return Pages(self)

    async def all(self) -> list[T]:
        """Fetch all items of all pages. If a page fails, the error's `items` are those of the pages before it."""
        items: list[T] = []
        pages = Pages(self, eager=True)

        async def read() -> None:
            async for page in pages:
                items.extend(page.items)

        try:
            await self._transport.until_closed(read())  # a deadline is for all pages together
        except NorthflankError as error:
            error.items = items
            if isinstance(error, DeadlineExceeded):
                error.cursor, error.page = pages.cursor, pages.page
            raise
        return items

    async def _fetch(self, cursor: str | None, page: int | None) -> Page[T]:
        params = {**self._params, "per_page": self._per_page, "page": page, "cursor": cursor}
        with _Start(cursor, page) as start:
            start.answer = await self._transport.send("GET", self._path, params)
            return self._read(start.answer, start)

    def _read(self, answer: Answer, start: _Start) -> Page[T]:
        raw, place, pagination = read_page(answer.data, answer.pagination, self._items)
        if pagination.cursor and answer.exchange.request.redactor.found_in(pagination.cursor):
            raise DecodeError("it contains the token, which must not be part of a URL", place="pagination.cursor")
        return Page(
            pagination=pagination,
            data=answer.data,
            response=answer.response,
            raw=raw,
            place=place,
            record=self._record,
            start=start,
        )


class Pages(AsyncIterator[Page[T]]):
    """An iteration over pages. After a failure, the same page is fetched again.

    `cursor` and `page` are where the next page begins, as arguments for the listing; `ended` is true after the last.
    """

    def __init__(self, paginator: Paginator[T], *, eager: bool = False) -> None:
        self.cursor = paginator._cursor
        self.page = paginator._page
        self.ended = False
        self._paginator = paginator
        self._eager = eager  # make the records at once: a page with a bad record counts as failed, not as read
        self._number = (self.page or 1) if self.cursor is None else None  # of the next page, where it is known
        self._cursors = {self.cursor}
        self._ends: set[int] = set()
        self._idle_pages = 0
        self._dead_end: str | None = None
        self._turn = asyncio.Lock()

    async def __anext__(self) -> Page[T]:
        async with self._turn:
            if self.ended:
                raise StopAsyncIteration
            if self._dead_end is None:
                page = await self._paginator._fetch(self.cursor, self.page)
                if self._eager:
                    _ = page.items
                repeated = self._is_repeated(page._raw)
                if not repeated or len(page._raw) < self._paginator._per_page:
                    self._advance(page.pagination, idle=repeated or not page._raw)
                    return page
                self._dead_end = "the API sent a full page a second time: it ignores the cursor or page number"
            with _Start(self.cursor, self.page):
                raise PaginationError(self._dead_end)

    def _is_repeated(self, raw: list[Any]) -> bool:
        """Whether an earlier page had the same first and last id; items may have no ids."""
        try:
            ends = hash((raw[0]["id"], raw[-1]["id"], len(raw)))
        except (TypeError, KeyError, IndexError):
            return False
        repeated = ends in self._ends
        self._ends.add(ends)
        return repeated

    def _advance(self, pagination: Pagination, *, idle: bool) -> None:
        self.cursor = pagination.cursor
        self._number = self._number and self._number + 1
        self.page = None
        self._idle_pages = self._idle_pages + 1 if idle else 0
        if not pagination.has_next_page:
            self.ended = True
        elif self._idle_pages >= _MAX_IDLE_PAGES:
            self._dead_end = f"{self._idle_pages} pages in a row had nothing new, and the last one has a next page"
        elif self.cursor is None:
            self.page = self._number
            if self._number is None:
                self._dead_end = "a page has a next page, but neither its cursor nor its number is known"
        elif self.cursor in self._cursors:
            self._dead_end = "a cursor leads back to an earlier page"
        else:
            self._cursors.add(self.cursor)


class _Items(AsyncIterator[T]):
    def __init__(self, pages: AsyncIterator[Page[T]]) -> None:
        self._pages = pages
        self._items: deque[T] = deque()
        self._turn = asyncio.Lock()

    async def __anext__(self) -> T:
        if self._items:
            return self._items.popleft()
        async with self._turn:
            while not self._items:
                self._items.extend((await anext(self._pages)).items)
            return self._items.popleft()
