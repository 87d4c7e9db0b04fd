from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from northflank_async.inventory.crawl.crawler import Progress
from northflank_async.inventory.crawl.listings import Failure

OnStart: TypeAlias = Callable[[Callable[[], Progress]], object]
"""Called once, with a function that tells at any time how far it is."""


@frozen(kw_only=True)
class Outcome:
    """What came of a pass over the API.

    `backups` is how many of it were written; `failures` are what could not be read; `resumed` is whether it went on
    with a pass that had been interrupted, which `progress` counts, too, other than its requests.
    """

    progress: Progress
    backups: int
    failures: list[Failure]
    resumed: bool = False
