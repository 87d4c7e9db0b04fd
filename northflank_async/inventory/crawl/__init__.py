"""The concurrent crawl of an account's listings."""

from northflank_async.inventory.crawl.crawler import (
    MAX_CONCURRENCY,
    Crawler,
    FailureCollector,
    Handled,
    OnStart,
    Outcome,
    Progress,
    check_concurrency,
)
from northflank_async.inventory.crawl.listings import Failure, Kind, Listing, Tree
from northflank_async.inventory.crawl.pages import FetchedPage, ParsedPage

__all__ = [
    "MAX_CONCURRENCY",
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
]
