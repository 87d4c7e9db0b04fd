import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple, Self

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.crawl import (
    Accounts,
    Crawler,
    Failure,
    FailureCollector,
    FetchedPage,
    Handled,
    Kind,
    Progress,
    Tree,
)
from northflank_async.inventory.identity import find_account_id
from northflank_async.inventory.query import Query
from northflank_async.records import Addon, Backup, Project
from northflank_async.resources import AccountResource


class Found(NamedTuple):
    """A backup with its account, project and addon. A project that was named in the query has no field but its id.

    `account_id` is what the API calls the account, or else the name of the client. A scan of one client does not spend
    the request that this takes: there, it is the name of the client, or `None`. `account` is the client or team to call
    for more of the backup: `found.account.project(found.project.id).addon(found.addon.id).backup(found.backup.id)`.
    """

    team_id: str | None
    project: Project
    addon: Addon
    backup: Backup
    account_id: str | None = None
    account: AccountResource | None = None


class Scan(AsyncIterator[Found]):
    """Reads all backups of many projects concurrently and yields them in the order in which they arrive.

        async with Scan(acme, Query(globex, projects=["billing"])) as scan:
            async for found in scan:
                print(found.account_id, found.project.id, found.addon.id, found.backup.id)
        print(scan.failures)

    A project, addon or backup that cannot be read is listed in `failures`, and the scan continues. An error that
    ends the scan, such as a rejected token, is raised after all backups that arrived before it; of several clients,
    it ends only that client's part, and is listed, too, unless no client can be read. At most twice `concurrency`
    pages are held in memory, however slowly they are consumed. Leaving the block cancels all requests in flight.

    Args:
        *queries: the backups to read, of one or several clients; a client or a team stands for all of them. Each
            client waits for its own rate limit, and they take turns with their requests.
        concurrency: requests in flight, of all clients together, 1 to 100.

    Raises:
        ConfigurationError: an argument is out of range.

    https://northflank.com/docs/v1/api/project/addons/list-addon-backups
    """

    def __init__(self, *queries: Query | AccountResource, concurrency: int = 16) -> None:
        now = datetime.now(UTC)
        self._accounts = Accounts([query.starting(now) for query in Query.of_each_client(queries)], concurrency)
        self._concurrency = concurrency
        self._buffer = _Buffer(concurrency)
        self._found: deque[Found] = deque()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._ended = False
        self._lock = asyncio.Lock()

    @property
    def failures(self) -> list[Failure]:
        """What could not be read so far."""
        accounts = self._accounts
        ends = [failure for index in range(len(accounts.queries)) for failure in accounts.failures(index)]
        return [*(failure for failure in self._buffer.failures if failure.error not in accounts.errors), *ends]

    @property
    def progress(self) -> Progress:
        """The current progress."""
        return self._accounts.progress

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise ConfigurationError("a scan can be opened only once: create another one")
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._found.clear()
        self._buffer.close()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def __anext__(self) -> Found:
        if self._task is None:
            raise ConfigurationError("open the scan with `async with` before reading it")
        if self._found:
            return self._found.popleft()
        async with self._lock:
            while not self._found:
                await self._load_page()
            return self._found.popleft()

    async def _run(self) -> None:
        try:
            await self._accounts.run(self._crawl)
        except Exception as error:
            self._error = error  # raised to the consumer
        self._buffer.close()

    async def _crawl(self, index: int, query: Query) -> None:
        if self._accounts.are_several:
            self._accounts.ids[index] = await find_account_id(query.accounts[0])
        tree = Tree(query, account_id=self._accounts.ids[index])
        crawler = self._accounts.crawlers[index] = Crawler(tree, self._buffer, concurrency=self._concurrency)
        await crawler.run()

    async def _load_page(self) -> None:
        if self._ended:
            raise StopAsyncIteration
        fetched = await self._buffer.get()
        if fetched is None or self._ended:
            self._ended = True
            error, self._error = self._error, None
            raise error or StopAsyncIteration
        page = fetched.parse()
        listing = page.listing
        assert listing.project is not None
        assert listing.addon is not None
        self._found.extend(
            [
                Found(
                    listing.account.team_id,
                    listing.project,
                    listing.addon,
                    row.record,
                    listing.account_id,
                    listing.account,
                )
                for _, row in self._buffer.new_items(page)
                if isinstance(row.record, Backup) and fetched.tree.query.matches_columns(row.values)
            ]
        )


class _Buffer(FailureCollector):
    """Holds pages of backups until they are consumed, and stops the crawler while it is full."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._pages: asyncio.Queue[FetchedPage | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(size)

    async def handle_page(self, page: FetchedPage) -> Handled:
        if page.listing.kind is Kind.BACKUPS:
            self._pages.put_nowait(page)  # before waiting for room, so that another request's error cannot lose it
            await self._room.acquire()
            return Handled()
        parsed = page.parse()
        self.new_items(parsed)
        return Handled(parsed.children)

    async def get(self) -> FetchedPage | None:
        """Wait for a page; `None` means that there are no more."""
        page = await self._pages.get()
        self._room.release()
        return page

    def close(self) -> None:
        """Wake everybody who waits for a page."""
        self._pages.put_nowait(None)
