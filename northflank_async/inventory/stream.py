"""From the API into a stream."""

import asyncio
from typing import BinaryIO

from northflank_async.inventory.crawl.crawler import Collector, Walk
from northflank_async.inventory.crawl.listings import Branch, Kind, Visit
from northflank_async.inventory.encoding import dump
from northflank_async.inventory.formats.json_lines import line
from northflank_async.inventory.outcome import OnStart, Outcome
from northflank_async.inventory.scope import Scope
from northflank_async.inventory.selection import Selection


async def stream(file: BinaryIO, scope: Scope, *, on_start: OnStart | None = None) -> Outcome:
    """Write JSON Lines as the pages come. There is nothing to go on with after an interruption.

    Raises:
        OSError: the stream cannot be written.
        NorthflankError: the API cannot be read at all, or not any more.
    """
    lines = _Lines(file, scope.selection)
    walk = Walk(scope.roots(), visitor=lines, concurrency=scope.concurrency, wants=scope.selection)
    if on_start:
        on_start(lambda: walk.progress)
    await walk.run()
    return Outcome(progress=walk.progress, backups=lines.count, failures=lines.failures)


class _Lines(Collector):
    """Writes each page as it comes."""

    def __init__(self, file: BinaryIO, selection: Selection) -> None:
        super().__init__()
        self.count = 0
        self._file = file
        self._selection = selection
        self._turn = asyncio.Lock()

    async def visit(self, visit: Visit) -> list[Branch]:
        self.failures += visit.failures
        branch, addon = visit.branch, visit.branch.addon
        if branch.kind is Kind.BACKUPS and branch.project and addon:
            wanted = [raw for raw, backup in visit.items if self._selection.wants(backup)] + visit.unreadable
            addon_type = None if addon.spec is None else addon.spec.type
            where = (branch.view.team_id, branch.project.id, addon.id, addon_type)
            async with self._turn:
                await asyncio.to_thread(self._write, b"".join(line(*where, dump(raw)) for raw in wanted))
            self.count += len(wanted)
        return visit.children

    def _write(self, lines: bytes) -> None:
        """In a thread: a reader that takes its time must not keep the requests from being answered in theirs."""
        self._file.write(lines)
        self._file.flush()
