"""Many addons at once: scanned concurrently, stored in a database, exported to files."""

from typing import TYPE_CHECKING, Any

from northflank_async.inventory.crawl import AccountOutcome, Failure, OnStart, Outcome, Progress
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.plan import AccountPlan, Plan, plan
from northflank_async.inventory.query import Query
from northflank_async.inventory.scan import Found, Scan

if TYPE_CHECKING:
    from northflank_async.inventory.inventory import Inventory as Inventory

__all__ = [
    "AccountOutcome",
    "AccountPlan",
    "Failure",
    "Found",
    "Inventory",
    "OnStart",
    "Outcome",
    "Plan",
    "Progress",
    "Query",
    "Scan",
    "plan",
]


def __getattr__(name: str) -> Any:
    """Load `Inventory`, which needs the extra `sql`, only when it is used."""
    if name != "Inventory":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with require_extra():
        from northflank_async.inventory.inventory import Inventory
    return Inventory
