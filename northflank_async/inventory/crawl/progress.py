"""How far a crawl is, and when it will probably end."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from attrs import frozen

from northflank_async.http.budget import Budget
from northflank_async.inventory.crawl.listings import Kind, Listing, Tree


@frozen(kw_only=True)
class Progress:
    """How far a crawl is.

    Finding: the addons of `projects` of the `projects_found` projects are all listed. More projects may follow unless
    `found_all_projects`. `addons` addons were found; of all projects, there are probably `addons_expected`.

    Reading: `addons_done` counts the addons whose backups are all read or cannot be read, `listings_done` of
    `listings` does the same for listings of backups and of restores. `backups` were read. `done_at` estimates the end,
    waits for the rate limit included; `None` before there is something to go by, and when nothing is left to read.

    `requests` counts all requests of the client since the start, and `retries` those of them that were retries.
    `waiting_until` is the reset of the rate limit while requests wait for it.

    The progress of several accounts is their sum. `accounts_done` of `accounts` have ended or failed; `waiting_until`
    is set only while all others wait.
    """

    projects: int
    projects_found: int
    found_all_projects: bool
    addons: int
    addons_expected: int
    addons_done: int
    listings: int
    listings_done: int
    backups: int
    requests: int
    retries: int
    waiting_until: datetime | None
    done_at: datetime | None
    accounts: int = 1
    accounts_done: int = 0


OnStart: TypeAlias = Callable[[Callable[[], Progress]], None]
"""Called once, with a function that returns the current progress."""


class Meter:
    """Counts the listings that are open and the requests that they took, and estimates what is left.

    Args:
        tree: the listings to read.
        counts: the projects, addons and backups so far, which the crawler updates.
        spent_before: the client's requests before the crawl.
    """

    def __init__(self, tree: Tree, counts: Counter[str], spent_before: int) -> None:
        self._tree = tree
        self._counts = counts
        self._budget: Budget = tree.query.budget
        self._spent_before = spent_before
        self._retries_before = self._budget.retries
        self._started = self._budget.time() - self._budget.total_wait
        self._open = Counter[Kind]()
        self._failed = Counter[Kind]()
        self._ended = Counter[Kind]()
        self._pages = Counter[Kind]()
        self._done_at: datetime | None = None

    def opened(self, listing: Listing) -> None:
        """Count a listing that is to be read."""
        self._open[listing.kind] += 1

    def answered(self, listing: Listing, *, ended: bool) -> None:
        """Count a page, which may be the last of its listing. The crawler's counts include it."""
        self._pages[listing.kind] += 1
        self._open[listing.kind] -= ended
        self._ended[listing.kind] += ended
        self._estimate()

    def failed(self, listing: Listing) -> None:
        """Count a listing that is given up."""
        self._open[listing.kind] -= 1
        self._failed[listing.kind] += 1
        self._estimate()

    @property
    def progress(self) -> Progress:
        """The current progress. Changes nothing, so that another thread may call it."""
        counts, open_, budget = self._counts, self._open, self._budget
        listings = counts["addons"] * len(self._tree.of_each_addon)
        return Progress(
            projects=counts["projects"],
            projects_found=counts["projects"] + open_[Kind.ADDONS] + self._failed[Kind.ADDONS],
            found_all_projects=not open_[Kind.PROJECTS],
            addons=counts["addons"],
            addons_expected=counts["addons"] + round(open_[Kind.ADDONS] * self._addons_each),
            addons_done=counts["addons_done"],
            listings=listings,
            listings_done=listings - sum(open_[kind] for kind in self._tree.of_each_addon),
            backups=counts["backups"],
            requests=budget.spent - self._spent_before,
            retries=budget.retries - self._retries_before,
            waiting_until=waiting_until(budget),
            done_at=self._done_at,
        )

    @property
    def _addons_each(self) -> float:
        """Addons of a project, on average."""
        return self._counts["addons"] / max(1, self._counts["projects"])

    def _estimate(self) -> None:
        """Estimate the end from the requests that listings took so far."""
        self._done_at = None
        is_known = self._ended[Kind.BACKUPS] or not self._counts["addons"]
        if not self._open.total() or not is_known:
            return
        of_each_addon = sum(self._pages_each(kind) for kind in self._tree.of_each_addon)
        left = sum(number * self._pages_each(kind) for kind, number in self._open.items())
        left += self._open[Kind.ADDONS] * self._addons_each * of_each_addon
        spent = max(1, self._budget.spent - self._spent_before)
        requests = max(1, round(left * spent / max(1, self._pages.total())))  # with as many retries as so far
        seconds_each = (self._budget.time() - self._budget.total_wait - self._started) / spent
        self._done_at = datetime.now(UTC) + timedelta(seconds=time_left(self._budget, requests, seconds_each))

    def _pages_each(self, kind: Kind) -> float:
        """Pages of a listing, on average."""
        return self._pages[kind] / self._ended[kind] if self._ended[kind] else 1.0


def waiting_until(budget: Budget) -> datetime | None:
    """Return the time for which requests wait; `None` if none waits."""
    wait = budget.reset_wait
    return None if wait is None else datetime.now(UTC) + timedelta(seconds=wait)


def time_left(budget: Budget, requests: int, seconds_each: float) -> float:
    """Estimate the seconds until so many requests are made, waits for the rate limit included."""
    wait = budget.time_to_afford(requests)
    rate_limit = budget.rate_limit  # read once: the window may end at any time
    limit = rate_limit.limit if rate_limit else None
    after_wait = min(requests, limit) if wait and limit else requests  # the others are made before the last reset
    return max(wait + after_wait * seconds_each, requests * seconds_each)
