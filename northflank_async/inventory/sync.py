"""A sync run: from the API into a store, page by page."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import define
from sqlalchemy import Connection

from northflank_async.errors import NorthflankError
from northflank_async.inventory.crawl import (
    Crawler,
    Failure,
    FetchedPage,
    Handled,
    Kind,
    Listing,
    OnStart,
    Outcome,
    ParsedPage,
    Tree,
)
from northflank_async.inventory.identity import identify
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.lease import Writer
from northflank_async.inventory.store.ledger import RESUME_MAX_AGE, Ledger
from northflank_async.inventory.store.readings import Reading, Unconfirmed

P = ParamSpec("P")
T = TypeVar("T")

_CANCEL_TIMEOUT = 10.0
"""Seconds that a cancelled run waits for its last transaction."""
_log = logging.getLogger("northflank_async")


@define(eq=False)
class _QueuedPage:
    """A page that waits for a transaction, which then has a result."""

    fetched: FetchedPage
    stored: Reading | None = None


class SyncRun:
    """One sync run, which resumes an interrupted one. Pages that arrive during a transaction share the next one.

    Args:
        writer: the only writer of the store.
        query: what to read.
        concurrency: requests in flight.
        temporary: the store is only for this export: a new run empties it.
        resume_max_age: how long after its start an interrupted run is resumed.
        allow_mass_deletion: believe a listing of projects or addons that has lost all, or most, of its items.
    """

    def __init__(
        self,
        writer: Writer,
        query: Query,
        *,
        concurrency: int,
        temporary: bool = False,
        resume_max_age: timedelta = RESUME_MAX_AGE,
        allow_mass_deletion: bool = False,
    ) -> None:
        kinds = (Kind.BACKUPS, Kind.RESTORES) if query.restores else (Kind.BACKUPS,)
        self._tree = Tree(query, kinds)
        self._account = query.accounts[0]
        self._concurrency = concurrency
        self._writer = writer
        self._ledger = Ledger(
            self._tree,
            temporary=temporary,
            resume_max_age=resume_max_age,
            allow_mass_deletion=allow_mass_deletion,
        )
        self._lock = asyncio.Lock()
        self._queue: list[_QueuedPage] = []
        self._storing: asyncio.Task[None] | None = None
        self._has_stored = False
        self.has_finished = False

    @property
    def has_begun(self) -> bool:
        """Whether the store is this run's."""
        return self._ledger.has_begun

    @property
    def is_empty(self) -> bool:
        """Whether the run has stored no page: there is nothing to resume."""
        return not (self._has_stored or self._ledger.counts["pages"])

    async def run(self, on_start: OnStart | None = None) -> Outcome:
        """Read the API into the store. The run is not finished yet: resumed, it would have nothing left to read.

        Raises:
            ConfigurationError: the store has the same account of another host.
            NorthflankError: the API could not be read, or failed partway.
        """
        spent_before = self._account.budget.spent
        auth = await identify(self._account)
        await self._transaction(self._ledger.begin, auth)
        self._log_start()
        crawler = Crawler(
            self._tree,
            self,
            concurrency=self._concurrency,
            listings=self._ledger.open_listings,
            counts=self._ledger.counts,
            spent_before=spent_before,
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
            resumed_from=self._ledger.resumed_from,
            discarded_from=self._ledger.discarded_from,
        )

    async def finish(self) -> None:
        """Finish the run: the next one starts from the beginning."""
        await self._transaction(self._ledger.finish)
        self.has_finished = True

    async def reopen(self) -> None:
        """Have the next run read again what failed in this one."""
        await self._transaction(self._ledger.reopen)

    async def handle_page(self, page: FetchedPage) -> Handled:
        """Store a page, in one transaction with those that already wait."""
        queued = _QueuedPage(page)
        self._queue.append(queued)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_queue())
        await _complete(self._storing)
        self._has_stored = True
        assert queued.stored is not None
        if queued.stored.reads_again:
            page.listing.restart()
        return Handled(queued.stored.children, queued.stored.error)

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """Store the failure."""
        await self._transaction(self._ledger.store_failure, listing, failure)

    async def handle_restart(self, listing: Listing) -> None:
        """Discard what was seen of the listing."""
        await self._transaction(self._ledger.restart, listing)

    def _log_start(self) -> None:
        if started := self._ledger.resumed_from:
            _log.info("resuming the sync run that started %s ago", _age(started))
        if started := self._ledger.discarded_from:
            _log.warning("starting anew: the interrupted sync run started %s ago, too long to resume it", _age(started))

    async def _store_queue(self) -> None:
        async with self._lock:
            queue, self._queue, self._storing = self._queue, [], None  # later pages wait for the next transaction
            pages = await asyncio.to_thread(_parse, queue)
            try:
                stored = await self._writer.transaction(lambda connection: self._ledger.store_pages(connection, pages))
            except Unconfirmed:
                self._ledger.confirm(await identify(self._account))
                stored = await self._writer.transaction(
                    lambda connection: self._ledger.store_pages(connection, pages, is_confirmed=True)
                )
        for queued, reading in zip(queue, stored, strict=True):
            queued.stored = reading

    async def _transaction(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def in_turn() -> T:
            async with self._lock:
                return await self._writer.transaction(lambda connection: work(connection, *args, **kwargs))

        return await _complete(in_turn())


def _age(moment: datetime) -> str:
    minutes = int((datetime.now(UTC) - moment).total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _parse(queue: list[_QueuedPage]) -> list[ParsedPage]:
    return [queued.fetched.parse() for queued in queue]


async def _complete(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """Complete a transaction even if the caller is cancelled: refetching its pages would cost requests.

    A timeout or a second cancellation ends it.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        if not task.done():  # cancelled
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=_CANCEL_TIMEOUT)
            for _ in range(2):  # the second one ends the patience of the database, too
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task], timeout=0.01)
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if task.done() and not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it if another error is raised
