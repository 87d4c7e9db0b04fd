"""From the API into a store."""

from northflank_async.errors import NorthflankError
from northflank_async.inventory.crawl.crawler import Walk
from northflank_async.inventory.outcome import OnStart, Outcome
from northflank_async.inventory.scope import Scope
from northflank_async.inventory.store.ledger import Run


async def sync(run: Run, scope: Scope, on_start: OnStart | None = None) -> Outcome:
    """Read the API into the run's store, going on where an interrupted run of the same scope was.

    Raises:
        NorthflankError: the API cannot be read at all, or not any more.
    """
    await run.begin(scope.name, scope.roots())
    walk = Walk(
        run.branches,
        visitor=run,
        concurrency=scope.concurrency,
        listings=scope.listings,
        wants=scope.selection,
        counts=run.counts,
    )
    if on_start:
        on_start(lambda: walk.progress)
    try:
        await walk.run()
    except NorthflankError:
        if walk.ended:  # all that there is has been read: the next run is another one
            await run.finish()
        raise
    return Outcome(
        progress=walk.progress,
        backups=await run.stored(),
        failures=await run.failures(),
        resumed=run.resumed,
    )
