from datetime import UTC, datetime, timedelta

from attrs import frozen

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

_OF_THE_ACCOUNT = 1
"""Requests with which an export learns whose token it is."""


@frozen(kw_only=True)
class Plan:
    """An estimate of what an export will take.

    `requests` is the least number: one for the account, one for each page of projects and addons, and for each addon
    one page of backups (and one of restores, if the query wants them). An addon with more than 100 backups takes one
    more for each further 100. `remaining` of `limit` requests are left in the window, or `None` if the API does not
    report them. `done_at` is the earliest time by which so many requests can be made.
    """

    projects: int
    addons: int
    requests: int
    limit: int | None
    remaining: int | None
    done_at: datetime
    failures: list[Failure]


async def plan(query: Query | AccountResource, *, concurrency: int = 16) -> Plan:
    """Estimate what an export will take, by reading the projects and addons once.

    Args:
        query: what to export; a client or a team stands for everything in it. Only projects, addon types and
            restores make a difference: statuses and times save no requests.
        concurrency: requests in flight, 1 to 100.

    Raises:
        ConfigurationError: an argument is out of range.
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
    requests = _OF_THE_ACCOUNT + crawler.counts["pages"] + counter.addons * (2 if query.restores else 1)
    rate_limit = budget.rate_limit
    return Plan(
        projects=crawler.counts["projects"],
        addons=counter.addons,
        requests=requests,
        limit=rate_limit.limit if rate_limit else None,
        remaining=rate_limit.remaining if rate_limit else None,
        done_at=datetime.now(UTC) + timedelta(seconds=time_left(budget, requests, seconds_each)),
        failures=counter.failures,
    )


class _AddonCounter(FailureCollector):
    """Counts the addons that a query matches."""

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.addons = 0
        self._query = query

    async def handle_page(self, page: FetchedPage) -> Handled:
        parsed = page.parse()
        items = self.new_items(parsed)
        if parsed.listing.kind is Kind.ADDONS:
            addons = [row.record for _, row in items]
            self.addons += sum(isinstance(addon, Addon) and self._query.matches_addon(addon) for addon in addons)
        return Handled(parsed.children)
