"""The concurrent walk over listings: which page is fetched next, and how many at a time."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from northflank_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceeded,
    NorthflankError,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.http.deadline import deadline_has_passed
from northflank_async.inventory.crawl.columns import Row
from northflank_async.inventory.crawl.listings import Failure, Kind, Listing, RawPage, Tree
from northflank_async.inventory.crawl.pages import FetchedPage, ParsedPage
from northflank_async.inventory.crawl.progress import Meter, Progress
from northflank_async.resources import AccountResource
from northflank_async.validation import check_integer

MAX_CONCURRENCY = 100
"""aiohttp's limit of connections: a request that waits for one would spend its timeout waiting."""
_DEPTHS = {Kind.PROJECTS: 0, Kind.ADDONS: 1, Kind.BACKUPS: 2, Kind.RESTORES: 2, Kind.SCHEDULES: 2}
_OUTAGE = 10
"""Consecutive listings that fail without an answer or with 5xx, after which the crawler checks if the API is down."""
_PROBES = 2
"""Listings that it then asks for, of those that were answered last."""


class Handled(NamedTuple):
    """What becomes of a page: the listings below it to crawl, and why its listing is given up, if it is."""

    children: Sequence[Listing] = ()
    error: NorthflankError | None = None


class PageHandler(Protocol):
    """Processes what a crawler fetches. The crawler waits for each call."""

    async def handle_page(self, page: FetchedPage) -> Handled:
        """Process a page. A listing that is restarted meanwhile is read again."""

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """Process a failure after which the listing is given up."""

    async def handle_restart(self, listing: Listing) -> None:
        """Process a listing that restarts with its first page, as the API has rejected its cursor."""


class FailureCollector:
    """The part of a page handler without a store: it lists the failures, and knows which items are new."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self._seen: dict[Listing, set[str]] = {}

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """List the failure."""
        self.failures.append(failure)

    async def handle_restart(self, listing: Listing) -> None:
        """Do nothing: what was seen is not new when it is read again."""

    def new_items(self, page: ParsedPage) -> list[tuple[Any, Row]]:
        """Return the items that no page of the listing had before, and list what cannot be read of them."""
        seen = self._seen.setdefault(page.listing, set())
        new = []
        for raw, row in page.items:
            if row.id not in seen:
                new.append((raw, row))
                if row.id is not None:
                    seen.add(row.id)
        self.failures += page.failures
        if page.is_last:  # the listing itself may be ahead of a page that was buffered
            del self._seen[page.listing]
        return new


def check_concurrency(concurrency: int) -> None:
    """Check the number of requests in flight.

    Raises:
        ConfigurationError: it is out of range.
    """
    check_integer("concurrency", concurrency, 1, MAX_CONCURRENCY)


def ends_reading(error: NorthflankError, account: AccountResource) -> bool:
    """Whether nothing else can be read either, after this error."""
    match error:
        case AuthenticationError() | ConfigurationError() | RateLimited() | TransportError(sent=False):
            return True
        case DeadlineExceeded():
            return deadline_has_passed(account.budget)
    return False


class Crawler:
    """Reads all listings of a tree with up to `concurrency` requests in flight.

    It finishes open listings before it opens more, so that few are open, and known, at a time.

    Args:
        tree: the listings to read.
        handler: processes the pages.
        concurrency: requests in flight, 1 to 100.
        listings: where to start; by default, at the tree's roots.
        counts: the counts of an interrupted crawl, to continue with.
        spent_before: the client's requests before this work began; by default, those until now.
    """

    def __init__(
        self,
        tree: Tree,
        handler: PageHandler,
        *,
        concurrency: int,
        listings: Iterable[Listing] | None = None,
        counts: Mapping[str, int] | None = None,
        spent_before: int | None = None,
    ) -> None:
        check_concurrency(concurrency)
        self.counts = Counter(counts or {})
        self.completed = False
        self._tree = tree
        self._handler = handler
        self._concurrency = concurrency
        self._changed = asyncio.Event()
        self._opened: set[object] = set()
        self._levels: list[deque[Listing]] = [deque() for _ in range(max(_DEPTHS.values()) + 1)]
        self._meter = Meter(tree, self.counts, tree.query.budget.spent if spent_before is None else spent_before)
        self._workers = 0
        self._outage = 0
        self._probing = asyncio.Lock()
        self._answered: dict[object, Listing] = {}
        self._first_error: NorthflankError | None = None
        self._enqueue(tree.roots() if listings is None else listings)

    @property
    def progress(self) -> Progress:
        """The current progress."""
        return self._meter.progress

    async def run(self) -> None:
        """Crawl until all listings have ended or failed.

        Raises:
            NorthflankError: an error after which nothing else can be read; or, if everything else has been read
                (`completed`), the first error when no project could be read.
        """
        errors: tuple[Exception, ...] = ()
        try:
            async with asyncio.TaskGroup() as tasks:
                while self._start_workers(tasks) or self._workers:
                    self._changed.clear()
                    await self._changed.wait()
        except ExceptionGroup as group:
            errors = group.exceptions
        self.completed = not errors
        if self._first_error and not self.counts["projects"]:
            errors = (*errors, self._first_error)
        if errors:
            raise errors[0]

    def _start_workers(self, tasks: asyncio.TaskGroup) -> bool:
        """Start as many workers as allowed; return whether any was started."""
        started = False
        while self._workers < self._concurrency and (listing := self._next_listing()):
            self._workers += 1
            tasks.create_task(self._fetch_pages(listing))
            started = True
        return started

    def _next_listing(self) -> Listing | None:
        """Return the listing to fetch from next: of the deepest level, open ones first.

        The last listings, if all of them can be in flight, are opened at once, so that they end together.
        """
        levels = [level for level in self._levels if level]
        if not levels:
            return None
        are_the_last = len(levels) == 1 and len(levels[0]) <= self._concurrency
        return levels[-1].pop() if are_the_last else levels[-1].popleft()

    async def _fetch_pages(self, listing: Listing | None) -> None:
        """Fetch one page after the other: a worker sends its next request before others process their answers."""
        while listing:
            await self._fetch_page(listing)
            listing = self._next_listing()
        self._workers -= 1
        self._changed.set()

    def _enqueue(self, listings: Iterable[Listing]) -> list[Listing]:
        """Add listings, and return those that were not there before: a page may repeat what another one has."""
        added = []
        for listing in listings:
            if listing.key not in self._opened:
                self._opened.add(listing.key)
                self._levels[_DEPTHS[listing.kind]].append(listing)
                self._meter.opened(listing)
                added.append(listing)
                self._changed.set()
        return added

    def _requeue(self, listing: Listing) -> None:
        """Open listings come before new ones."""
        self._levels[_DEPTHS[listing.kind]].appendleft(listing)

    async def _fetch_page(self, listing: Listing) -> None:
        try:
            page = await listing.fetch_page()
        except NorthflankError as error:
            if listing.is_rejected_cursor(error):
                await self._restart(listing)
            else:
                await self._handle_error(listing, error)
        else:
            self._outage = 0
            self._remember(listing, page)
            await self._handle_page(listing, page)

    def _remember(self, listing: Listing, page: RawPage) -> None:
        """Remember the last pages that were answered, of two listings: one of them may break by itself."""
        self._answered.pop(listing.key, None)
        self._answered[listing.key] = listing.at(page.cursor, page.number)
        if len(self._answered) > _PROBES:
            del self._answered[next(iter(self._answered))]

    async def _restart(self, listing: Listing) -> None:
        self._discount(listing)
        listing.restart()
        listing.restarts += 1
        await self._handler.handle_restart(listing)
        self._requeue(listing)

    async def _handle_page(self, listing: Listing, page: RawPage) -> None:
        items_read = listing.items_read
        handled = await self._handler.handle_page(FetchedPage(listing, page, self._tree))
        children = self._enqueue(handled.children)
        ended = listing.ended and handled.error is None
        self.counts.update(listing.count(len(page.items), children, ended=ended))
        self._meter.answered(listing, ended=ended)
        if listing.items_read < items_read:  # it is read again
            self.counts["backups"] -= items_read if listing.kind is Kind.BACKUPS else 0
        if handled.error is not None:
            await self._give_up(listing, handled.error)
        elif not listing.ended:
            self._requeue(listing)

    def _discount(self, listing: Listing) -> None:
        if listing.kind is Kind.BACKUPS:
            self.counts["backups"] -= listing.items_read

    async def _handle_error(self, listing: Listing, error: NorthflankError) -> None:
        if ends_reading(error, listing.account):
            raise error
        if isinstance(error, ServerError | TransportError):
            self._outage += 1
            async with self._probing:
                if self._outage >= _OUTAGE:
                    await self._probe(error)
        await self._give_up(listing, error)

    async def _give_up(self, listing: Listing, error: NorthflankError) -> None:
        self._first_error = self._first_error or error
        await self._handler.handle_failure(listing, listing.failure(error))
        self.counts["addons_done"] += listing.kind is Kind.BACKUPS
        self._meter.failed(listing)

    async def _probe(self, failure: NorthflankError) -> None:
        """Find out whether the API is down by fetching something that has worked before.

        Raises:
            NorthflankError: it is.
        """
        for answered in reversed(list(self._answered.values()) or self._tree.roots()[:1]):
            try:
                await answered.at(answered.cursor, answered.page).fetch_page()
            except (ServerError, TransportError) as error:
                if ends_reading(error, answered.account):
                    raise failure from None
                continue
            except NorthflankError as error:
                if ends_reading(error, answered.account):
                    raise
                # it was answered
            self._outage = 0
            return
        raise failure
