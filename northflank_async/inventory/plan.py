import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, evolve, frozen

from northflank_async.http.request import MAX_PER_PAGE
from northflank_async.inventory.crawl import (
    AccountError,
    Accounts,
    Crawler,
    Failure,
    FailureCollector,
    FetchedPage,
    Handled,
    Kind,
    Tree,
    time_left,
)
from northflank_async.inventory.identity import find_account_id
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
class AccountPlan:
    """What an export will take of one account.

    `account_id` is what the API calls the account, or else the `name` of the client; the plan of one client spends
    no request to find it. `error` is why the account could not be read; it is also the last of the `failures`. The
    other fields are as in `Plan`.
    """

    account_id: str | None
    name: str | None
    projects: int = 0
    addons: int = 0
    requests: int = _OF_THE_ACCOUNT
    expected_requests: int | None = None
    limit: int | None = None
    remaining: int | None = None
    done_at: datetime | None = None
    failures: list[Failure] = Factory(list)
    error: AccountError | None = None


@frozen(kw_only=True)
class Plan:
    """An estimate of what an export will take.

    `requests` is the least number: one for the account, one for each page of projects and addons, and for each addon
    one page of backups (and one of restores, if the query wants them). An addon with more than 100 backups takes one
    more for each further 100. `expected_requests` adds those for as many backups and restores as an earlier sync has
    stored; `None` without an inventory. `remaining` of `limit` requests are left in the window, or `None` if the API
    does not report them. `done_at` is the time by which the expected requests can be made, or the least number.

    The plan of several clients is the sum of their plans, which `accounts` has in the order in which they were given.
    Each has its own rate limit, so `limit` and `remaining` are `None`, and `done_at` is the latest time.
    """

    projects: int
    addons: int
    requests: int
    expected_requests: int | None
    limit: int | None
    remaining: int | None
    done_at: datetime
    failures: list[Failure]
    accounts: list[AccountPlan]


async def plan(*queries: Query | AccountResource, concurrency: int = 16, inventory: "Inventory | None" = None) -> Plan:
    """Estimate what an export will take, by reading the projects and addons once.

    Args:
        *queries: what to export, of one or several clients; a client or team means everything in it. Only projects,
            addon types and restores make a difference: statuses and times save no requests.
        concurrency: requests in flight, of all clients together, 1 to 100.
        inventory: an open inventory of an earlier sync, from which the number of backups is estimated.

    Raises:
        ConfigurationError: an argument is out of range.
        OSError: the inventory cannot be read.
        NorthflankError: the API cannot be read at all, by any of the clients.

    https://northflank.com/docs/v1/api/project/addons/list-addons
    """
    accounts = Accounts(Query.of_each_client(queries), concurrency)
    stored = await _stored_addons(inventory)
    plans = [AccountPlan(account_id=query.name, name=query.name) for query in accounts.queries]

    async def estimate(index: int, query: Query) -> None:
        if accounts.are_several or len(stored) > 1:
            accounts.ids[index] = await find_account_id(query.accounts[0])
            addons = stored.get(accounts.ids[index])
        else:
            addons = next(iter(stored.values()), None)
        plans[index] = await _plan_account(query, accounts.ids[index], addons, concurrency)

    await accounts.run(estimate)
    for index, error in enumerate(accounts.errors):
        if error is not None:
            failures = accounts.failures(index)
            plans[index] = evolve(plans[index], account_id=accounts.ids[index], failures=failures, error=error)
    expected = [each.expected_requests for each in plans if each.expected_requests is not None]
    return Plan(
        projects=sum(each.projects for each in plans),
        addons=sum(each.addons for each in plans),
        requests=sum(each.requests for each in plans),
        expected_requests=sum(each.expected_requests or each.requests for each in plans) if expected else None,
        limit=None if accounts.are_several else plans[0].limit,
        remaining=None if accounts.are_several else plans[0].remaining,
        done_at=max((each.done_at for each in plans if each.done_at), default=datetime.now(UTC)),
        failures=[failure for each in plans for failure in each.failures],
        accounts=plans,
    )


async def _plan_account(
    query: Query, account_id: str | None, stored: "dict[Key, StoredAddon] | None", concurrency: int
) -> AccountPlan:
    counter = _AddonCounter(query)
    crawler = Crawler(Tree(query, of_each_addon=(), account_id=account_id), counter, concurrency=concurrency)
    budget = query.budget
    started = budget.time() - budget.total_wait
    await crawler.run()
    seconds_each = (budget.time() - budget.total_wait - started) / max(1, crawler.counts["pages"])
    fixed = _OF_THE_ACCOUNT + crawler.counts["pages"]
    requests = fixed + len(counter.addons) * (1 + query.restores + query.schedules)
    expected = None
    if stored:
        expected = fixed + sum(_expected_pages(stored.get(key), query) for key in counter.addons)
    rate_limit = budget.rate_limit
    return AccountPlan(
        account_id=account_id,
        name=query.name,
        projects=crawler.counts["projects"],
        addons=len(counter.addons),
        requests=requests,
        expected_requests=expected,
        limit=rate_limit.limit if rate_limit else None,
        remaining=rate_limit.remaining if rate_limit else None,
        done_at=datetime.now(UTC) + timedelta(seconds=time_left(budget, expected or requests, seconds_each)),
        failures=counter.failures,
    )


async def _stored_addons(inventory: "Inventory | None") -> "dict[str | None, dict[Key, StoredAddon]]":
    """Return the addons that an inventory has of each account."""
    found: dict[str | None, dict[Key, StoredAddon]] = {}
    if inventory is not None:
        with suppress(FileNotFoundError):
            for addon in await inventory.addons():
                key = (addon.team_id, addon.project_id, addon.addon_id)
                found.setdefault(addon.account_id, {})[key] = addon
    return found


def _expected_pages(stored: "StoredAddon | None", query: Query) -> int:
    """Estimate the pages of an addon's listings. An addon that is new has few backups."""
    items = [stored.backups if stored else 0, *([stored.restores if stored else 0] if query.restores else [])]
    return query.schedules + sum(max(1, math.ceil(number / MAX_PER_PAGE)) for number in items)


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
