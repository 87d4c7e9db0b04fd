"""Export an inventory from the API to a stream."""

import asyncio
from datetime import UTC, datetime
from typing import Any, BinaryIO

from northflank_async.inventory.crawl import (
    Crawler,
    FailureCollector,
    FetchedPage,
    Handled,
    Kind,
    Listing,
    OnStart,
    Outcome,
    Tree,
    check_concurrency,
)
from northflank_async.inventory.crawl.columns import Row
from northflank_async.inventory.encoding import storable, storable_json
from northflank_async.inventory.formats.json_lines import line
from northflank_async.inventory.identity import identify
from northflank_async.inventory.query import Query
from northflank_async.resources import AccountResource
from northflank_async.validation import plain_callback


async def stream(
    file: BinaryIO, query: Query | AccountResource, *, concurrency: int = 16, on_start: OnStart | None = None
) -> Outcome:
    """Write backups as JSON Lines as soon as their pages arrive. An interrupted stream cannot be resumed.

    Args:
        file: the stream.
        query: the backups to read; a client or a team stands for all of them.
        concurrency: requests in flight, 1 to 100.
        on_start: called once, with a function that returns the current progress.

    Raises:
        OSError: the stream cannot be written.
        NorthflankError: the API could not be read, or failed partway.
    """
    on_start = None if on_start is None else plain_callback("on_start", on_start)
    check_concurrency(concurrency)
    query = Query.of(query).starting(datetime.now(UTC))
    account = query.accounts[0]
    spent_before = account.budget.spent
    auth = await identify(account)
    writer = _LineWriter(file, query, storable(auth.entity_id) if auth else None)
    crawler = Crawler(Tree(query), writer, concurrency=concurrency, spent_before=spent_before)
    if on_start:
        on_start(lambda: crawler.progress)
    await crawler.run()
    return Outcome(progress=crawler.progress, backups=writer.count, failures=writer.failures)


class _LineWriter(FailureCollector):
    """Writes the backups of each page."""

    def __init__(self, file: BinaryIO, query: Query, account_id: str | None) -> None:
        super().__init__()
        self.count = 0
        self._file = file
        self._query = query
        self._account_id = account_id
        self._lock = asyncio.Lock()

    async def handle_page(self, page: FetchedPage) -> Handled:
        parsed = page.parse()
        items = self.new_items(parsed)
        if parsed.listing.kind is Kind.BACKUPS:
            lines = self._lines(parsed.listing, items)
            async with self._lock:
                await asyncio.to_thread(self._write, b"".join(lines))
            self.count += len(lines)
        return Handled(parsed.children)

    def _lines(self, listing: Listing, items: list[tuple[Any, Row]]) -> list[bytes]:
        addon = listing.addon
        assert listing.project is not None
        assert addon is not None
        addon_type = None if addon.spec is None else addon.spec.type
        place = (self._account_id, listing.account.team_id, listing.project.id, addon.id, addon_type)
        return [line(*place, storable_json(raw)) for raw, row in items if self._query.matches_row(row)]

    def _write(self, lines: bytes) -> None:
        """Runs in a thread: a slow reader must not block the event loop."""
        self._file.write(lines)
        self._file.flush()
