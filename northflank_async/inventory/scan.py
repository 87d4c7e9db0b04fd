import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import NamedTuple, Self

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.crawl.crawler import Collector, Progress, Walk, check_concurrency
from northflank_async.inventory.crawl.listings import Branch, Kind, Visit, roots
from northflank_async.records import Addon, Backup, Project
from northflank_async.resources import AccountResource


class Found(NamedTuple):
    """A backup, and where it was found. A project that was asked for by its id has nothing but this."""

    team_id: str | None
    project: Project
    addon: Addon
    backup: Backup


class Scan(Collector, AsyncIterator[Found]):
    """Every backup of many projects, read with many requests at once, in the order in which they come.

        async with nf.scan() as scan:
            async for found in scan:
                print(found.project.id, found.addon.id, found.backup.id)
        print(scan.failures)

    A project, addon or backup that cannot be read is named in `failures`, and the others go on. What ends the scan,
    such as a token that is not accepted, is raised after everything that came before it. At most twice `concurrency`
    pages are held, however slowly they are read. Leaving the block cancels what is under way.

    Args:
        views: the client, its teams, or several of them.
        projects: ids, in each of the views; all projects if left out.
        concurrency: requests in flight, 1 to 100.

    Raises:
        ConfigurationError: an argument is out of range.

    https://northflank.com/docs/v1/api/project/addons/list-addon-backups
    """

    def __init__(self, *views: AccountResource, projects: Iterable[str] | None = None, concurrency: int = 16) -> None:
        check_concurrency(concurrency)
        super().__init__()
        self._walk = Walk(roots(views, projects), visitor=self, concurrency=concurrency)
        self._pages: asyncio.Queue[Visit | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(concurrency)
        self._found: deque[Found] = deque()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._ended = False
        self._turn = asyncio.Lock()

    @property
    def progress(self) -> Progress:
        """How far the scan is."""
        return self._walk.progress

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise ConfigurationError("a scan is made once: open another one")
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._found.clear()
        self._pages.put_nowait(None)  # for whoever still reads
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def __anext__(self) -> Found:
        if self._task is None:
            raise ConfigurationError("open the scan with `async with` before reading it")
        if self._found:
            return self._found.popleft()
        async with self._turn:
            while not self._found:
                await self._turn_page()
            return self._found.popleft()

    async def visit(self, visit: Visit) -> list[Branch]:
        """Hold a page until it is read."""
        if visit.branch.kind is Kind.BACKUPS:
            self._pages.put_nowait(visit)  # before it waits for room: what has come is not lost to an error of another
            await self._room.acquire()
            return []
        self.failures += visit.failures
        return visit.children

    async def _run(self) -> None:
        try:
            await self._walk.run()
        except Exception as error:
            self._error = error  # for whoever reads
        self._pages.put_nowait(None)

    async def _turn_page(self) -> None:
        if self._ended:
            raise StopAsyncIteration
        visit = await self._pages.get()
        self._room.release()
        if visit is None or self._ended:
            self._ended = True
            error, self._error = self._error, None
            raise error or StopAsyncIteration
        team_id, project, addon = visit.branch.view.team_id, visit.branch.project, visit.branch.addon
        assert project is not None
        assert addon is not None
        self.failures += visit.failures
        self._found.extend([Found(team_id, project, addon, backup) for _, backup in visit.items])
