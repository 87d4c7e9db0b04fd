"""Listings, page by page."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from northflank_async.errors import ConfigurationError, DecodeError, NorthflankError, PaginationError
from northflank_async.http.request import check_page_size
from northflank_async.http.response import Envelope, Response, read_pagination
from northflank_async.http.transport import Transport
from northflank_async.records import Pagination

T = TypeVar("T")
E = TypeVar("E", bound=NorthflankError)

_MOST_IDLE_PAGES = 100
"""In a row, empty or sent before, until a listing that still says there is more is taken for endless."""

Decode: TypeAlias = Callable[[list[Any], str], Sequence[T]]
"""Makes the items of a page's JSON; the second argument is the array's place, for errors."""


@frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a listing.

    `items` are its records, `pagination` says whether there is more, `data` is the decoded JSON as the API sent it,
    and `response` has the `status`, `headers`, `url` and `method` of the exchange.
    """

    pagination: Pagination
    data: Any = field(repr=False)
    response: Response
    _raw: list[Any] = field(repr=False, eq=False)
    _read_items: Callable[[], Sequence[T]] = field(repr=False, eq=False)

    @cached_property
    def items(self) -> tuple[T, ...]:
        """The records, made of `data` when they are first looked at.

        Raises:
            DecodeError: one of them is not as documented; `place` says which.
        """
        return tuple(self._read_items())


@frozen(kw_only=True)
class Listing(Generic[T]):
    """What is listed: where, under which name of `data` its items stand, and what each becomes."""

    transport: Transport
    path: str
    params: Mapping[str, Any]
    items: str | None
    decode: Decode[T]
    per_page: int

    async def page(self, cursor: str | None, page: int | None) -> Page[T]:
        """Ask for one page; an error carries where it begins."""
        params = {**self.params, "per_page": self.per_page, "page": page, "cursor": cursor}
        try:
            return await self.transport.send(
                "GET", self.path, lambda envelope: self._read(envelope, cursor, page), params=params
            )
        except NorthflankError as error:
            self.located(error, cursor, page)
            raise

    def located(self, error: E, cursor: str | None, page: int | None) -> E:
        """The error, with where the page that failed begins."""
        error.cursor, error.page = cursor, page
        return error

    def _read(self, envelope: Envelope, cursor: str | None, page: int | None) -> Page[T]:
        data, told, response = envelope
        raw, place = self._raw_items(data)
        pagination = read_pagination(told, len(raw))
        if pagination.cursor and self.transport.holds_token(pagination.cursor):
            raise DecodeError("it holds the token, which does not belong in a URL", place="pagination.cursor")

        def decode() -> Sequence[T]:
            return self.decode(raw, place)

        def read_items() -> Sequence[T]:
            try:
                return self.transport.read_later(decode, response)
            except NorthflankError as error:
                self.located(error, cursor, page)
                raise

        return Page(pagination=pagination, data=data, response=response, raw=raw, read_items=read_items)

    def _raw_items(self, data: Any) -> tuple[list[Any], str]:
        raw, place = data, "data"
        if self.items is not None:
            if not isinstance(data, dict):
                raise DecodeError(f"expected an object, got {type(data).__name__}", place=place)
            place = f"data.{self.items}"
            if self.items not in data:
                raise DecodeError(f"missing; data has {', '.join(sorted(data)[:9])}", place=place)
            raw = data[self.items]
        if raw is None:
            return [], place
        if not isinstance(raw, list):
            raise DecodeError(f"expected an array, got {type(raw).__name__}", place=place)
        return raw, place


class Paginator(AsyncIterable[T], Awaitable[Page[T]]):
    """A listing, asked for as it is read: nothing is sent before, and no page ahead of its turn.

    `async for item in paginator` gives all items of all pages, `await paginator` the first page only. Every
    iteration starts at the beginning. An error is raised where it happens; its `cursor` (or `page`) passed to the
    same listing goes on from there, and so does asking the same iterator for its next item.
    """

    def __init__(self, listing: Listing[T], *, page: int | None = None, cursor: str | None = None) -> None:
        check_page_size(listing.per_page, page)
        if overridden := listing.params.keys() & {"per_page", "page", "cursor"}:
            raise ConfigurationError(f"{overridden.pop()} is an argument of its own, not one of params")
        self._listing = listing
        self._page = page
        self._cursor = cursor

    def __repr__(self) -> str:
        return f"<Paginator {self._listing.path}>"

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self._readable_pages())

    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self._listing.page(self._cursor, self._page).__await__()

    def raw(self) -> "Paginator[Any]":
        """The same listing with its items as plain JSON, exactly as the API sent them, none of them checked."""
        return Paginator(evolve(self._listing, decode=as_sent), page=self._page, cursor=self._cursor)

    def pages(self) -> "Pages[T]":
        """The pages, from the first; their records are not made before they are looked at."""
        return Pages(self._listing, self._cursor, self._page)

    def _readable_pages(self) -> "Pages[T]":
        return Pages(self._listing, self._cursor, self._page, readable=True)

    async def all(self) -> list[T]:
        """All items of all pages. If a page fails, the error's `items` are those of the pages before it."""
        items: list[T] = []
        try:
            async for page in self._readable_pages():
                items += page.items
        except NorthflankError as error:
            error.items = items
            raise
        return items


class Pages(AsyncIterator[Page[T]]):
    """One walk along the pages. It moves on when a page has been read: one that failed can be asked for again.

    `cursor` and `page` are where the next page begins, as the listing takes them; after the last page, `ended`.
    """

    def __init__(self, listing: Listing[T], cursor: str | None, page: int | None, *, readable: bool = False) -> None:
        self.cursor = cursor
        self.page = page
        self.ended = False
        self._listing = listing
        self._readable = readable  # whether a page whose records cannot be made is one that failed
        self._number = (page or 1) if cursor is None else None  # of the page asked for, where it is known
        self._cursors = {cursor}
        self._ends: set[int] = set()
        self._idle_pages = 0
        self._dead_end: str | None = None
        self._turn = asyncio.Lock()

    async def __anext__(self) -> Page[T]:
        async with self._turn:
            if self.ended:
                raise StopAsyncIteration
            if self._dead_end is None:
                page = await self._listing.page(self.cursor, self.page)
                if self._readable:
                    _ = page.items
                repeated = self._is_repeated(page._raw)
                if not repeated or len(page._raw) < self._listing.per_page:
                    self._advance(page.pagination, idle=repeated or not page._raw)
                    return page
                self._dead_end = "a full page was sent a second time: the API ignores where a page is to begin"
            raise self._listing.located(PaginationError(self._dead_end), self.cursor, self.page)

    def _is_repeated(self, raw: list[Any]) -> bool:
        """Whether a page before had the same first and last id, which no other page has; items may have no ids."""
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
        elif self._idle_pages >= _MOST_IDLE_PAGES:
            self._dead_end = f"{self._idle_pages} pages in a row had nothing new, and say that there is more"
        elif self.cursor is None:
            self.page = self._number
            if self._number is None:
                self._dead_end = "a page says that there is more, but neither its cursor nor its number is known"
        elif self.cursor in self._cursors:
            self._dead_end = "a cursor leads back to a page that was read before"
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


def as_sent(items: list[Any], _: str) -> list[Any]:
    """Leaves items as the JSON that they are."""
    return items
