"""How far a crawl is, and what came of it."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from attrs import frozen

from northflank_async.inventory.crawl.listings import Failure


@frozen(kw_only=True)
class Progress:
    """How far a crawl is.

    `addons` counts the addons found, `addons_done` those whose backups are all read or cannot be read. `requests`
    counts all requests of the client since the start, retries included. `waiting_until` is the reset of the rate
    limit while requests wait for it.
    """

    projects: int
    addons: int
    addons_done: int
    backups: int
    requests: int
    waiting_until: datetime | None


OnStart: TypeAlias = Callable[[Callable[[], Progress]], object]
"""Called once, with a function that returns the current progress."""


@frozen(kw_only=True)
class Outcome:
    """The result of a sync, an export or a stream.

    `backups` counts the backups written, `failures` names what could not be read. `resumed` says whether an
    interrupted sync run was resumed; `progress` then includes the earlier work, except its requests.
    """

    progress: Progress
    backups: int
    failures: list[Failure]
    resumed: bool = False
