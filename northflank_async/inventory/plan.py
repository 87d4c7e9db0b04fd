from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from attrs import frozen

from northflank_async.inventory.crawl.crawler import Collector, Walk
from northflank_async.inventory.crawl.listings import Branch, Failure, Kind, Visit, roots
from northflank_async.inventory.selection import Selection
from northflank_async.resources import AccountResource


@frozen(kw_only=True)
class Plan:
    """What an export will take.

    `requests` is the least number: one for each page of projects and addons, and for each addon one page of backups
    (and one of restores, if they are wanted); an addon with more than 100 backups takes more. `remaining` of `limit`
    requests are left in the window now, as far as the API tells. `done_at` is when so many can have been made.
    """

    projects: int
    addons: int
    requests: int
    limit: int | None
    remaining: int | None
    done_at: datetime
    failures: list[Failure]


async def plan(
    *views: AccountResource,
    projects: Iterable[str] | None = None,
    selection: Selection | None = None,
    restores: bool = False,
    concurrency: int = 16,
) -> Plan:
    """Find out what an export will take, from one pass over projects and addons.

    Args:
        views: the client, its teams, or several of them; all of one client.
        projects: ids, in each of the views; all projects if left out.
        selection: which backups are wanted; what counts is the type of their addons.
        restores: whether restores are wanted as well.
        concurrency: requests in flight, 1 to 100.

    Raises:
        ConfigurationError: an argument is out of range.
        NorthflankError: the API cannot be read at all.

    https://northflank.com/docs/v1/api/project/addons/list-addons
    """
    found = _Found(selection or Selection())
    walk = Walk(roots(views, projects), visitor=found, concurrency=concurrency, listings=())
    budget = views[0].budget
    began = budget.time() - budget.total_wait
    await walk.run()
    seconds_each = (budget.time() - budget.total_wait - began) / max(1, walk.counts["pages"])
    requests = walk.counts["pages"] + found.addons * (2 if restores else 1)
    rate_limit = budget.rate_limit
    return Plan(
        projects=walk.counts["projects"],
        addons=found.addons,
        requests=requests,
        limit=rate_limit.limit if rate_limit else None,
        remaining=rate_limit.remaining if rate_limit else None,
        done_at=datetime.now(UTC) + timedelta(seconds=budget.time_to_afford(requests) + requests * seconds_each),
        failures=found.failures,
    )


class _Found(Collector):
    """Counts the addons that are wanted."""

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self.addons = 0
        self._selection = selection

    async def visit(self, visit: Visit) -> list[Branch]:
        self.failures += visit.failures
        if visit.branch.kind is Kind.ADDONS:
            self.addons += sum(self._selection.wants_addon(addon) for _, addon in visit.items)
        return visit.children
