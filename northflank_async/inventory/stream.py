"""Export an inventory from the API to a stream."""

import asyncio
from datetime import UTC, datetime
from typing import Any, BinaryIO

from northflank_async.inventory.crawl import (
    AccountOutcome,
    Accounts,
    Crawler,
    FailureCollector,
    FetchedPage,
    Handled,
    Kind,
    Listing,
    OnStart,
    Outcome,
    Tree,
)
from northflank_async.inventory.crawl.columns import Row
from northflank_async.inventory.encoding import storable_json
from northflank_async.inventory.formats.json_lines import line
from northflank_async.inventory.identity import find_account_id
from northflank_async.inventory.query import Query
from northflank_async.resources import AccountResource
from northflank_async.validation import plain_callback


async def stream(
    file: BinaryIO, *queries: Query | AccountResource, concurrency: int = 16, on_start: OnStart | None = None
) -> Outcome:
    """Write backups as JSON Lines as soon as their pages arrive. An interrupted stream cannot be resumed.

    Args:
        file: the stream.
        *queries: the backups to read, of one or several clients; a client or a team stands for all of them.
        concurrency: requests in flight, of all clients together, 1 to 100.
        on_start: called once, with a function that returns the current progress.

    Raises:
        ConfigurationError: an argument is out of range. Nothing was read.
        OSError: the stream cannot be written.
        NorthflankError: the API could not be read, or failed partway; of several clients, that is the case of each.
    """
    on_start = None if on_start is None else plain_callback("on_start", on_start)
    now = datetime.now(UTC)
    accounts = Accounts([query.starting(now) for query in Query.of_each_client(queries)], concurrency)
    lock = asyncio.Lock()
    writers = [_LineWriter(file, lock) for _ in accounts.queries]

    async def crawl(index: int, query: Query) -> None:
        accounts.ids[index] = await find_account_id(query.accounts[0])
        tree = Tree(query, account_id=accounts.ids[index])
        crawler = accounts.crawlers[index] = Crawler(tree, writers[index], concurrency=concurrency)
        await crawler.run()

    if on_start:
        on_start(lambda: accounts.progress)
    await accounts.run(crawl)
    outcomes = [
        AccountOutcome(
            account_id=accounts.ids[index],
            name=query.name,
            progress=accounts.progress_of(index),
            backups=writer.count,
            failures=accounts.failures(index, writer.failures),
            error=accounts.errors[index],
        )
        for index, (query, writer) in enumerate(zip(accounts.queries, writers, strict=True))
    ]
    return accounts.outcome(outcomes)


class _LineWriter(FailureCollector):
    """Writes the backups of each page of an account; the lock is for the stream."""

    def __init__(self, file: BinaryIO, lock: asyncio.Lock) -> None:
        super().__init__()
        self.count = 0
        self._file = file
        self._lock = lock

    async def handle_page(self, page: FetchedPage) -> Handled:
        parsed = page.parse()
        items = self.new_items(parsed)
        if parsed.listing.kind is Kind.BACKUPS:
            lines = self._lines(page.tree.query, parsed.listing, items)
            async with self._lock:
                await asyncio.to_thread(self._write, b"".join(lines))
            self.count += len(lines)
        return Handled(parsed.children)

    def _lines(self, query: Query, listing: Listing, items: list[tuple[Any, Row]]) -> list[bytes]:
        addon = listing.addon
        assert listing.project is not None
        assert addon is not None
        addon_type = None if addon.spec is None else addon.spec.type
        place = (listing.account_id, listing.account.team_id, listing.project.id, addon.id, addon_type)
        return [line(*place, storable_json(raw)) for raw, row in items if query.matches_columns(row.values)]

    def _write(self, lines: bytes) -> None:
        """Runs in a thread: a slow reader must not block the event loop."""
        self._file.write(lines)
        self._file.flush()
