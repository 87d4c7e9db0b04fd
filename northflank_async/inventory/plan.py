import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from northflank_async.http.request import MAX_PER_PAGE
from northflank_async.inventory.crawl import (
    Crawler,
    Failure,
    FailureCollector,
    FetchedPage,
    Handled,
    Kind,
    Tree,
    time_left,
)
from northflank_async.inventory.query import Query
from northflank_async.records import Addon
from northflank_async.resources import AccountResource

if TYPE_CHECKING:  # they need the extra `sql`
    from northflank_async.inventory.inventory import Inventory
    from northflank_async.inventory.store.stored_backup import StoredAddon

Key: TypeAlias = tuple[str | None, str, str]
"""The ids of an addon's team, of its project, and its own."""

_OF_THE_ACCOUNT = 1
"""Requests with which an export learns whose token it is."""


@frozen(kw_only=True)
class Plan:
    """An estimate of what an export will take.

    `requests` is the least number: one for the account, one for each page of projects and addons, and for each addon
    one page of backups (and one of restores, if the query wants them). An addon with more than 100 backups takes one
    more for each further 100. `expected_requests` adds those for as many backups and restores as an earlier sync has
    stored; `None` without an inventory. `remaining` of `limit` requests are left in the window, or `None` if the API
    does not report them. `done_at` is the time by which the expected requests can be made, or the least number.
    """

    projects: int
    addons: int
    requests: int
    expected_requests: int | None
    limit: int | None
    remaining: int | None
    done_at: datetime
    failures: list[Failure]


async def plan(query: Query | AccountResource, *, concurrency: int = 16, inventory: "Inventory | None" = None) -> Plan:
    """Estimate what an export will take, by reading the projects and addons once.

    Args:
        query: what to export; a client or team means everything in it. Only projects, addon types and
            restores make a difference: statuses and times save no requests.
        concurrency: requests in flight, 1 to 100.
        inventory: an open inventory of an earlier sync, from which the number of backups is estimated.

    Raises:
        ConfigurationError: an argument is out of range.
        OSError: the inventory cannot be read.
        NorthflankError: the API cannot be read at all.

    https://northflank.com/docs/v1/api/project/addons/list-addons
    """
    query = Query.of(query)
    counter = _AddonCounter(query)
    crawler = Crawler(Tree(query, of_each_addon=()), counter, concurrency=concurrency)
    budget = query.accounts[0].budget
    started = budget.time() - budget.total_wait
    await crawler.run()
    seconds_each = (budget.time() - budget.total_wait - started) / max(1, crawler.counts["pages"])
    fixed = _OF_THE_ACCOUNT + crawler.counts["pages"]
    requests = fixed + len(counter.addons) * (2 if query.restores else 1)
    stored = await _stored_addons(inventory)
    expected = None
    if stored:
        expected = fixed + sum(_expected_pages(stored.get(key), query) for key in counter.addons)
    rate_limit = budget.rate_limit
    return Plan(
        projects=crawler.counts["projects"],
        addons=len(counter.addons),
        requests=requests,
        expected_requests=expected,
        limit=rate_limit.limit if rate_limit else None,
        remaining=rate_limit.remaining if rate_limit else None,
        done_at=datetime.now(UTC) + timedelta(seconds=time_left(budget, expected or requests, seconds_each)),
        failures=counter.failures,
    )


async def _stored_addons(inventory: "Inventory | None") -> "dict[Key, StoredAddon] | None":
    if inventory is None:
        return None
    try:
        addons = await inventory.addons()
    except FileNotFoundError:
        return None
    return {(addon.team_id, addon.project_id, addon.addon_id): addon for addon in addons} or None


def _expected_pages(stored: "StoredAddon | None", query: Query) -> int:
    """Estimate the pages of an addon's listings. An addon that is new has few backups."""
    items = [stored.backups if stored else 0, *([stored.restores if stored else 0] if query.restores else [])]
    return sum(max(1, math.ceil(number / MAX_PER_PAGE)) for number in items)


class _AddonCounter(FailureCollector):
    """Collects the addons that a query matches."""

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.addons: list[Key] = []
        self._query = query

    async def handle_page(self, page: FetchedPage) -> Handled:
        parsed = page.parse()
        items = self.new_items(parsed)
        listing = parsed.listing
        if listing.kind is Kind.ADDONS:
            self.addons += [
                (listing.account.team_id, listing.project_id or "", row.record.id)
                for _, row in items
                if isinstance(row.record, Addon) and self._query.matches_addon(row.record)
            ]
        return Handled(parsed.children)
