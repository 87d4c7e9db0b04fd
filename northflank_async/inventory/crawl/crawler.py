"""The concurrent walk over listings: which page is fetched next, and how many at a time."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias

from attrs import frozen

from northflank_async.errors import (
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    NorthflankError,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.inventory.crawl.listings import Failure, Kind, Listing, Tree
from northflank_async.inventory.crawl.pages import FetchedPage
from northflank_async.validation import check_integer

MAX_CONCURRENCY = 100
"""aiohttp's limit of connections: a request that waits for one would spend its timeout waiting."""
_DEPTHS = {Kind.PROJECTS: 0, Kind.ADDONS: 1, Kind.BACKUPS: 2, Kind.RESTORES: 2}
_OUTAGE = 10
"""Consecutive listings that fail without an answer or with 5xx, after which the API counts as down."""


@frozen(kw_only=True)
class Progress:
    """How far a crawl is.

    `addons` counts the addons found, `addons_done` those whose backups are all read or cannot be read. `requests`
    counts all requests of the client since the start, retries included. `waiting_until` is the reset of the rate
    limit while requests wait for it.
    """

    projects: int
    addons: int
    addons_done: int
    backups: int
    requests: int
    waiting_until: datetime | None


OnStart: TypeAlias = Callable[[Callable[[], Progress]], object]
"""Called once, with a function that returns the current progress."""


@frozen(kw_only=True)
class Outcome:
    """The result of a sync, an export or a stream.

    `backups` counts the backups written, `failures` names what could not be read. `resumed` says whether an
    interrupted sync run was resumed; `progress` then includes the earlier work, except its requests.
    """

    progress: Progress
    backups: int
    failures: list[Failure]
    resumed: bool = False


class PageHandler(Protocol):
    """Processes what a crawler fetches. The crawler waits for each call."""

    async def handle_page(self, page: FetchedPage) -> list[Listing]:
        """Process a page and return the listings below it to crawl."""

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """Process a failure after which the listing is given up."""

    async def handle_restart(self, listing: Listing) -> None:
        """Process a listing that restarts with its first page, as the API has rejected its saved cursor."""


class FailureCollector:
    """The part of a page handler that saves no cursors: it lists the failures."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """List the failure."""
        self.failures.append(failure)

    async def handle_restart(self, listing: Listing) -> None:
        """Never called: no listing starts with a saved cursor."""
        raise AssertionError(listing)


def check_concurrency(concurrency: int) -> None:
    """Check the number of requests in flight.

    Raises:
        ConfigurationError: it is out of range.
    """
    check_integer("concurrency", concurrency, 1, MAX_CONCURRENCY)


class Crawler:
    """Reads all listings of a tree with up to `concurrency` requests in flight.

    It finishes open listings before it opens more, so that few are open, and known, at a time.

    Args:
        tree: the listings to read.
        handler: processes the pages.
        concurrency: requests in flight, 1 to 100.
        listings: where to start; by default, at the tree's roots.
        counts: the counts of an interrupted crawl, to continue with.
    """

    def __init__(
        self,
        tree: Tree,
        handler: PageHandler,
        *,
        concurrency: int,
        listings: Iterable[Listing] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        check_concurrency(concurrency)
        self.counts = Counter(counts or {})
        self.completed = False
        self._tree = tree
        self._handler = handler
        self._concurrency = concurrency
        self._changed = asyncio.Event()
        self._levels: list[deque[Listing]] = [deque() for _ in range(max(_DEPTHS.values()) + 1)]
        self._enqueue(tree.roots() if listings is None else listings)
        self._budget = tree.query.accounts[0].budget
        self._spent_before = self._budget.spent
        self._workers = 0
        self._outage = 0
        self._first_error: NorthflankError | None = None

    @property
    def progress(self) -> Progress:
        """The current progress."""
        wait = self._budget.reset_wait
        return Progress(
            projects=self.counts["projects"],
            addons=self.counts["addons"],
            addons_done=self.counts["addons_done"],
            backups=self.counts["backups"],
            requests=self._budget.spent - self._spent_before,
            waiting_until=None if wait is None else datetime.now(UTC) + timedelta(seconds=wait),
        )

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

    def _enqueue(self, listings: Iterable[Listing]) -> None:
        for listing in listings:
            self._levels[_DEPTHS[listing.kind]].append(listing)
            self._changed.set()

    def _requeue(self, listing: Listing) -> None:
        """Open listings come before new ones."""
        self._levels[_DEPTHS[listing.kind]].appendleft(listing)

    async def _fetch_page(self, listing: Listing) -> None:
        resumes = listing.resumes
        try:
            items = await listing.fetch_page()
        except BadRequest as error:
            if resumes:
                listing.restart()
                await self._handler.handle_restart(listing)
                self._requeue(listing)
            else:
                await self._handle_error(listing, error)
        except NorthflankError as error:
            await self._handle_error(listing, error)
        else:
            await self._handle_items(listing, items)

    async def _handle_items(self, listing: Listing, items: list[Any]) -> None:
        self._outage = 0
        children = await self._handler.handle_page(FetchedPage(listing, items, self._tree))
        self._enqueue(children)
        self.counts += listing.count(len(items), children)
        if not listing.ended:
            self._requeue(listing)

    async def _handle_error(self, listing: Listing, error: NorthflankError) -> None:
        if isinstance(error, ServerError | TransportError):
            self._outage += 1
        if self._is_fatal(error):
            raise error
        self._first_error = self._first_error or error
        await self._handler.handle_failure(listing, listing.failure(error))
        self.counts["addons_done"] += listing.kind is Kind.BACKUPS

    def _is_fatal(self, error: NorthflankError) -> bool:
        """Whether nothing else can be read either."""
        match error:
            case AuthenticationError() | ConfigurationError() | RateLimited() | TransportError(sent=False):
                return True
        return self._outage >= _OUTAGE
