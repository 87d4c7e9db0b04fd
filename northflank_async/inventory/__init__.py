"""Many addons at once: read with many requests, kept in a database, written to files."""

from typing import TYPE_CHECKING, Any

from northflank_async.inventory.crawl.crawler import Progress
from northflank_async.inventory.crawl.listings import Failure
from northflank_async.inventory.extras import extra
from northflank_async.inventory.outcome import Outcome
from northflank_async.inventory.plan import Plan, plan
from northflank_async.inventory.scan import Found, Scan
from northflank_async.inventory.selection import Selection

if TYPE_CHECKING:
    from northflank_async.inventory.inventory import Inventory as Inventory

__all__ = ["Failure", "Found", "Inventory", "Outcome", "Plan", "Progress", "Scan", "Selection", "plan"]


def __getattr__(name: str) -> Any:
    """`Inventory` needs the extra `sql`, which is loaded where it is asked for."""
    if name != "Inventory":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extra():
        from northflank_async.inventory.inventory import Inventory
    return Inventory
