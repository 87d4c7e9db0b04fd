"""The concurrent crawl of the listings of accounts."""

from northflank_async.inventory.crawl.accounts import AccountError, AccountOutcome, Accounts, Outcome
from northflank_async.inventory.crawl.crawler import (
    MAX_CONCURRENCY,
    Crawler,
    FailureCollector,
    Handled,
    check_concurrency,
    ends_reading,
)
from northflank_async.inventory.crawl.listings import Failure, Kind, Listing, Tree
from northflank_async.inventory.crawl.pages import FetchedPage, ParsedPage
from northflank_async.inventory.crawl.progress import OnStart, Progress, time_left

__all__ = [
    "MAX_CONCURRENCY",
    "AccountError",
    "AccountOutcome",
    "Accounts",
    "Crawler",
    "Failure",
    "FailureCollector",
    "FetchedPage",
    "Handled",
    "Kind",
    "Listing",
    "OnStart",
    "Outcome",
    "ParsedPage",
    "Progress",
    "Tree",
    "check_concurrency",
    "ends_reading",
    "time_left",
]
