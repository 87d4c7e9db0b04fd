"""From the API into a store."""

from northflank_async.inventory.outcome import OnStart, Outcome
from northflank_async.inventory.run import Run
from northflank_async.inventory.scope import Scope
from northflank_async.inventory.walk import Walk


async def sync(run: Run, scope: Scope, on_start: OnStart | None = None) -> Outcome:
    """Read the API into the run's store, going on where an interrupted run of the same scope was.

    Raises:
        NorthflankError: the API cannot be read at all, or not any more.
    """
    branches = scope.roots()
    await run.begin(scope.name(branches), branches)
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
    await walk.run()
    return Outcome(
        progress=walk.progress,
        backups=await run.stored(),
        failures=await run.failures(),
        resumed=run.resumed,
    )
