"""Restore drills: a backup is restored into a scratch addon, which is checked and then removed."""

from northflank_async.drill.run import CHECK_TIMEOUT, TIMEOUT, drill
from northflank_async.drill.sweep import Leftover, find_leftovers, remove_leftover
from northflank_async.inventory.drills import Check, CheckStatus, Drill, DrillOutcome

__all__ = [
    "CHECK_TIMEOUT",
    "TIMEOUT",
    "Check",
    "CheckStatus",
    "Drill",
    "DrillOutcome",
    "Leftover",
    "drill",
    "find_leftovers",
    "remove_leftover",
]
