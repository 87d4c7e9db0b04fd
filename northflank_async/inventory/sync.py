"""A sync run: from the API into a store, page by page."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import Factory, define
from sqlalchemy import Connection

from northflank_async.errors import NorthflankError
from northflank_async.inventory.crawl import (
    Crawler,
    Failure,
    FetchedPage,
    Kind,
    Listing,
    OnStart,
    Outcome,
    ParsedPage,
    Tree,
)
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.database import Session
from northflank_async.inventory.store.ledger import Ledger

P = ParamSpec("P")
T = TypeVar("T")

_CANCEL_TIMEOUT = 10.0
"""Seconds that a cancelled run waits for its last transaction."""


@define(eq=False)
class _QueuedPage:
    """A page that waits for a transaction, which then finds the listings below it."""

    fetched: FetchedPage
    children: list[Listing] = Factory(list)


class SyncRun:
    """One sync run, which resumes an interrupted one. Pages that arrive during a transaction share the next one.

    Args:
        session: a database that nobody else writes to.
        query: what to read.
        concurrency: requests in flight.
        temporary: the store is only for this export: a new run empties it.
    """

    def __init__(self, session: Session, query: Query, *, concurrency: int, temporary: bool = False) -> None:
        kinds = (Kind.BACKUPS, Kind.RESTORES) if query.restores else (Kind.BACKUPS,)
        self._tree = Tree(query, kinds)
        self._concurrency = concurrency
        self._session = session
        self._ledger = Ledger(self._tree, temporary=temporary)
        self._lock = asyncio.Lock()
        self._queue: list[_QueuedPage] = []
        self._storing: asyncio.Task[None] | None = None
        self._has_stored = False

    @property
    def is_empty(self) -> bool:
        """Whether the run has begun but stored no page: there is nothing to resume."""
        return self._ledger.has_begun and not (self._has_stored or self._ledger.counts["pages"])

    async def run(self, on_start: OnStart | None = None) -> Outcome:
        """Read the API into the store. The run is not finished yet: resumed, it would have nothing left to read.

        Raises:
            NorthflankError: the API cannot be read, or not any longer.
        """
        await self._transaction(self._ledger.begin)
        crawler = Crawler(
            self._tree,
            self,
            concurrency=self._concurrency,
            listings=self._ledger.open_listings,
            counts=self._ledger.counts,
        )
        if on_start:
            on_start(lambda: crawler.progress)
        try:
            await crawler.run()
        except NorthflankError:
            if crawler.completed:  # there is nothing to resume
                await self.finish()
            raise
        return Outcome(
            progress=crawler.progress,
            backups=await self._transaction(self._ledger.count_backups),
            failures=await self._transaction(self._ledger.failures),
            resumed=self._ledger.resumed,
        )

    async def finish(self) -> None:
        """Finish the run: the next one starts from the beginning."""
        await self._transaction(self._ledger.finish)

    async def reopen(self) -> None:
        """Have the next run read again what failed in this one."""
        await self._transaction(self._ledger.reopen)

    async def handle_page(self, page: FetchedPage) -> list[Listing]:
        """Store a page, in one transaction with those that already wait."""
        queued = _QueuedPage(page)
        self._queue.append(queued)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_queue())
        await _complete(self._storing)
        self._has_stored = True
        return queued.children

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """Store the failure."""
        await self._transaction(self._ledger.store_failure, listing, failure)

    async def handle_restart(self, listing: Listing) -> None:
        """Discard what was seen of the listing."""
        await self._transaction(self._ledger.restart, listing)

    async def _store_queue(self) -> None:
        async with self._lock:
            queue, self._queue, self._storing = self._queue, [], None  # later pages wait for the next transaction
            pages = await asyncio.to_thread(_parse, queue)
            children = await self._session.transaction(lambda connection: self._ledger.store_pages(connection, pages))
        for queued, listings in zip(queue, children, strict=True):
            queued.children = listings

    async def _transaction(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def in_turn() -> T:
            async with self._lock:
                return await self._session.transaction(lambda connection: work(connection, *args, **kwargs))

        return await _complete(in_turn())


def _parse(queue: list[_QueuedPage]) -> list[ParsedPage]:
    return [queued.fetched.parse() for queued in queue]


async def _complete(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """Complete a transaction even if its waiter is cancelled: its pages were paid for with requests.

    A timeout or a second cancellation ends it.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        if not task.done():  # cancelled
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=_CANCEL_TIMEOUT)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if task.done() and not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it if another error is raised
