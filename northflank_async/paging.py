"""Listings, page by page."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Generator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import orjson
from attrs import evolve, field, frozen

from northflank_async.errors import ConfigurationError, DeadlineExceeded, DecodeError, NorthflankError, PaginationError
from northflank_async.http.exchange import Envelope
from northflank_async.http.request import check_page_size
from northflank_async.http.response import Response, read_page, read_pagination
from northflank_async.http.transport import Transport
from northflank_async.records import Pagination, structure, structure_all

T = TypeVar("T")

_MAX_IDLE_PAGES = 100
"""Maximum consecutive empty or repeated pages before a listing counts as endless."""


class _Start:
    """A page's start; as a context manager, adds it (and the request, once answered) to errors."""

    def __init__(self, cursor: str | None, page: int | None) -> None:
        self.cursor = cursor
        self.page = page
        self.envelope: Envelope | None = None
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
            if self.envelope:
                self.envelope.annotate(error, handled)


@frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a listing.

    `items` are its records, `pagination` says whether there is a next page, `data` is the decoded JSON as the API sent
    it, and `response` has the `status`, `headers`, `url` and `method` of the exchange.
    """

    data: Any = field(repr=False)
    response: Response
    _raw_pagination: Any = field(repr=False)
    _raw: list[Any] = field(repr=False, eq=False)
    _place: str = field(repr=False, eq=False)
    _record: type[T] | None = field(repr=False, eq=False)
    _start: _Start = field(repr=False, eq=False)

    @cached_property
    def pagination(self) -> Pagination:
        """Whether there is a next page, and its cursor.

        Raises:
            DecodeError: that is unclear.
        """
        with self._start as start:
            pagination = read_pagination(self._raw_pagination, len(self._raw))
            if (
                pagination.cursor
                and start.envelope
                and start.envelope.exchange.request.redactor.found_in(pagination.cursor)
            ):
                raise DecodeError("it contains the token, which must not be part of a URL", place="pagination.cursor")
            return pagination

    @cached_property
    def items(self) -> tuple[T, ...]:
        """The records, made from `data` on first access.

        Raises:
            DecodeError: one of them is not as documented; `place` says which, and `raw` is its JSON.
        """
        if self._record is None:
            return tuple(self._raw)
        with self._start:
            return tuple(structure_all(self._raw, self._record, self._place))

    def read(self) -> Sequence[T | DecodeError]:
        """The records, and in the place of each item that is not as documented its error. It does not raise."""
        try:
            return self.items
        except DecodeError:
            return [self._read_item(index) for index in range(len(self._raw))]

    def _read_item(self, index: int) -> T | DecodeError:
        assert self._record
        try:
            with self._start:
                return structure(self._raw[index], self._record, f"{self._place}[{index}]")
        except DecodeError as error:
            return error


@frozen(kw_only=True, eq=False, repr=False)
class Paginator(AsyncIterable[T], Awaitable[Page[T]]):
    """A listing. It sends nothing until it is read, and does not prefetch pages.

    `async for item in paginator` yields all items of all pages, `await paginator` fetches the first page only. Every
    iteration starts at the beginning. An error is raised where it happens: to resume, pass its `cursor` (or `page`) to
    the same listing, or ask the same iterator for its next item. After a `DecodeError` of one item, with its JSON as
    `raw`, that is the item after it.
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
    _is_optional: bool = False
    """Whether the API may omit the array."""

    def __attrs_post_init__(self) -> None:
        check_page_size(self._per_page, self._page)
        if overridden := self._params.keys() & {"per_page", "page", "cursor"}:
            raise ConfigurationError(f"pass {overridden.pop()} as an argument, not in params")

    def __repr__(self) -> str:
        return f"<Paginator {self._path}>"

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(Pages(self))

    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self._fetch(self._cursor, self._page).__await__()

    def raw(self) -> "Paginator[Any]":
        """The same listing with its items as plain JSON, unchecked, as the API sent them."""
        return evolve(self, record=None)

    def pages(self) -> "Pages[T]":
        """Iterate over pages instead of items; the records of a page are made on first access."""
        return Pages(self)

    async def all(self) -> list[T]:
        """Fetch all items of all pages.

        If a page fails, the error's `items` are those of the pages before it. If items cannot be read, all pages are
        fetched anyway: the error is that of the first of them, and its `items` are all the others.
        """
        items: list[T] = []
        unreadable: DecodeError | None = None
        pages = Pages(self)

        async def read() -> None:
            nonlocal unreadable
            async for page in pages:
                for item in page.read():
                    if isinstance(item, DecodeError):
                        unreadable = unreadable or item
                    else:
                        items.append(item)

        try:
            await self._transport.until_closed(read())  # a deadline is for all pages together
        except NorthflankError as error:
            error.items = items
            if isinstance(error, DeadlineExceeded):
                error.cursor, error.page = pages.cursor, pages.page
            raise error from (unreadable or error.__cause__)
        if unreadable:
            unreadable.items = items
            raise unreadable
        return items

    async def _fetch(self, cursor: str | None, page: int | None) -> Page[T]:
        params = {**self._params, "per_page": self._per_page, "page": page, "cursor": cursor}
        with _Start(cursor, page) as start:
            start.envelope = await self._transport.send("GET", self._path, params)
            return self._read(start.envelope, start)

    def _read(self, envelope: Envelope, start: _Start) -> Page[T]:
        raw, place = read_page(envelope.data, self._items, is_optional=self._is_optional)
        return Page(
            data=envelope.data,
            response=envelope.response,
            raw_pagination=envelope.pagination,
            raw=raw,
            place=place,
            record=self._record,
            start=start,
        )


class Pages(AsyncIterator[Page[T]]):
    """An iteration over pages. After a failure, also that of a listing that repeats, the same page is fetched again.

    `cursor` and `page` are where the next page begins, as arguments for the listing; `ended` is true after the last.
    """

    def __init__(self, paginator: Paginator[T]) -> None:
        self.cursor = paginator._cursor
        self.page = paginator._page
        self.ended = False
        self._paginator = paginator
        self._number = (self.page or 1) if self.cursor is None else None  # of the next page, where it is known
        self._cursors = {self.cursor}
        self._digests: set[int] = set()
        self._idle_pages = 0
        self._dead_end: NorthflankError | None = None
        self._doubt: str | None = None
        self._turn = asyncio.Lock()

    async def __anext__(self) -> Page[T]:
        async with self._turn:
            if self.ended:
                raise StopAsyncIteration
            if self._dead_end is None and self._doubt is None:
                page = await self._paginator._fetch(self.cursor, self.page)
                pagination, repeated = self._read(page)
                if not repeated or len(page._raw) < self._paginator._per_page:
                    if pagination:
                        self._advance(pagination, idle=repeated or not page._raw)
                    return page
                self._doubt = "the API sent a full page a second time: it ignores the cursor or page number"
            with _Start(self.cursor, self.page):
                if self._doubt:
                    raise self._refute_doubt(self._doubt)
                assert self._dead_end
                raise self._dead_end

    def _refute_doubt(self, reason: str) -> PaginationError:
        """The error of a listing that is probably endless. It may only have shifted: asked again, it continues."""
        self._doubt = None
        self._idle_pages = 0
        self._digests.clear()
        return PaginationError(reason)

    def _read(self, page: Page[T]) -> tuple[Pagination | None, bool]:
        """The page's pagination, and whether an earlier page had the same items, all of them.

        Where the pagination cannot be read, the page itself can: it is the one after it that fails.
        """
        try:
            pagination = page.pagination
        except DecodeError as error:
            self._dead_end = error
            return None, False
        if not self._digests and not pagination.has_next_page:
            return pagination, False  # the only page
        digest = _digest(page._raw)
        repeated = digest in self._digests
        if digest is not None:
            self._digests.add(digest)
        return pagination, repeated

    def _advance(self, pagination: Pagination, *, idle: bool) -> None:
        self.cursor = pagination.cursor
        self._number = self._number and self._number + 1
        self.page = None
        self._idle_pages = self._idle_pages + 1 if idle else 0
        if not pagination.has_next_page:
            self.ended = True
            return
        if self._idle_pages >= _MAX_IDLE_PAGES:
            self._doubt = f"{self._idle_pages} pages in a row had nothing new, and the last one has a next page"
        if self.cursor is None:
            self.page = self._number
            if self._number is None:
                reason = "a page has a next page, but neither its cursor nor its number is known"
                self._dead_end = PaginationError(reason)
        elif self.cursor in self._cursors:
            self._dead_end = PaginationError("the API repeated a cursor: the listing loops")
        else:
            self._cursors.add(self.cursor)


def _digest(raw: list[Any]) -> int | None:
    """A number for the JSON of a page's items; `None` if there are none, or they are nested too deeply."""
    if not raw:
        return None
    try:
        return hash(orjson.dumps(raw))
    except TypeError:  # it is unusual, such as a number of more than 64 bits
        pass
    try:
        return hash(repr(raw))
    except RecursionError:
        return None


class _Items(AsyncIterator[T]):
    def __init__(self, pages: Pages[T]) -> None:
        self._pages = pages
        self._items: deque[T | DecodeError] = deque()
        self._turn = asyncio.Lock()

    async def __anext__(self) -> T:
        if not self._items:
            async with self._turn:
                while not self._items:
                    self._items.extend((await anext(self._pages)).read())
                item = self._items.popleft()
        else:
            item = self._items.popleft()
        if isinstance(item, DecodeError):
            raise item
        return item
