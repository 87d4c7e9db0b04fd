"""The tree of projects, addons and backups, asked for at once: what comes next, and how much at a time."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from attrs import frozen

from northflank_async.errors import (
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    NorthflankError,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.inventory.crawl.listings import Branch, Failure, Kind, Visit
from northflank_async.records import Addon, Project

_DEPTHS = {Kind.PROJECTS: 0, Kind.ADDONS: 1, Kind.BACKUPS: 2, Kind.RESTORES: 2}
MOST_CONNECTIONS = 100
"""Of aiohttp at once: a request that waits for one of them would spend its timeout on it."""
_OUTAGE = 10
"""Listings that fail in a row, without an answer or with 5xx, until the API is taken for down."""


@frozen(kw_only=True)
class Progress:
    """How far it is: what has been read, the requests that it took, and until when it waits for the rate limit.

    `addons` are those found, `addons_done` those whose backups are all read, or cannot be; `requests` are all that the
    client has sent in the meantime, repeated ones included.
    """

    projects: int
    addons: int
    addons_done: int
    backups: int
    requests: int
    waiting_until: datetime | None


class Visitor(Protocol):
    """What a walk does with what it finds. It goes on when the call returns."""

    async def visit(self, visit: Visit) -> list[Branch]:
        """Take a page; answers with those of its children that are to be read."""

    async def fail(self, branch: Branch, failure: Failure) -> None:
        """Take that the rest of the branch cannot be read."""

    async def begin_again(self, branch: Branch) -> None:
        """Take that the branch's saved cursor is not accepted any more: its pages come from the first on."""


class Collector:
    """The part that is the same for whoever begins at the roots and keeps nothing for another walk."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    async def fail(self, branch: Branch, failure: Failure) -> None:
        """Name what cannot be read."""
        self.failures.append(failure)

    async def begin_again(self, branch: Branch) -> None:
        """No branch begins with a saved cursor."""
        raise AssertionError(branch)


class Wants(Protocol):
    """Which addons are asked for their listings."""

    def wants_addon(self, addon: Addon) -> bool: ...


def check_concurrency(concurrency: int) -> None:
    """Check how many requests are to be in flight."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= MOST_CONNECTIONS:
        raise ConfigurationError(f"concurrency must be from 1 to {MOST_CONNECTIONS}, not {concurrency!r}")


class Walk:
    """Reads all branches with `concurrency` requests in flight, as long as there is so much to ask for.

    What was begun is finished before more is opened, so that few listings are open, and known, at a time.

    Args:
        branches: where to begin.
        listings: what is read of each addon: its backups, its restores, both, or nothing.
        wants: which addons that is read of.
        counts: what an earlier walk has counted, to go on from.
        visitor: takes what is found.
    """

    def __init__(
        self,
        branches: Iterable[Branch],
        *,
        visitor: Visitor,
        concurrency: int,
        listings: Sequence[Kind] = (Kind.BACKUPS,),
        wants: Wants | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        check_concurrency(concurrency)
        self.counts = Counter(counts or {})
        self._concurrency = concurrency
        self._visitor = visitor
        self._listings = listings
        self._wants = wants
        self._changed = asyncio.Event()
        self._levels: list[deque[Branch]] = [deque() for _ in range(max(_DEPTHS.values()) + 1)]
        self._open(branches)
        self._budget = next((branch.view.budget for level in self._levels for branch in level), None)
        self._spent_before = self._spent()
        self._working = 0
        self.ended = False
        self._failed_in_a_row = 0
        self._first_failure: NorthflankError | None = None

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        wait = self._budget.reset_wait if self._budget else None
        return Progress(
            projects=self.counts["projects"],
            addons=self.counts["addons"],
            addons_done=self.counts["addons_done"],
            backups=self.counts["backups"],
            requests=self._spent() - self._spent_before,
            waiting_until=None if wait is None else datetime.now(UTC) + timedelta(seconds=wait),
        )

    async def run(self) -> None:
        """Walk until there is nothing left to ask for.

        Raises:
            NorthflankError: something after which nothing else can be read either; or, when all else has been read
                (`ended`), what kept every project from being read.
        """
        errors: tuple[Exception, ...] = ()
        try:
            async with asyncio.TaskGroup() as tasks:
                while self._start_workers(tasks) or self._working:
                    self._changed.clear()
                    await self._changed.wait()
        except ExceptionGroup as group:
            errors = group.exceptions
        self.ended = not errors
        if self._first_failure and not self.counts["projects"]:
            errors = (*errors, self._first_failure)
        if errors:
            raise errors[0]

    def _start_workers(self, tasks: asyncio.TaskGroup) -> bool:
        """Begin as many requests as there may be; whether there was one to begin."""
        started = False
        while self._working < self._concurrency and (branch := self._take()):
            self._working += 1
            tasks.create_task(self._work(branch))
            started = True
        return started

    def _take(self) -> Branch | None:
        """What is to be asked for next: of the deepest level, what was begun before what was not.

        Only when no more is left than can be in flight, the rest is begun at once, so that it ends together.
        """
        levels = [level for level in self._levels if level]
        if not levels:
            return None
        is_the_rest = len(levels) == 1 and len(levels[0]) <= self._concurrency
        return levels[-1].pop() if is_the_rest else levels[-1].popleft()

    async def _work(self, branch: Branch | None) -> None:
        """Ask for one page after the other: the next request goes out before anybody else's answer is looked at."""
        while branch:
            await self._step(branch)
            branch = self._take()
        self._working -= 1
        self._changed.set()

    def _open(self, branches: Iterable[Branch]) -> None:
        for branch in branches:
            self._levels[_DEPTHS[branch.kind]].append(branch)
            self._changed.set()

    def _go_on(self, branch: Branch) -> None:
        """What was begun comes before what was not."""
        self._levels[_DEPTHS[branch.kind]].appendleft(branch)

    async def _step(self, branch: Branch) -> None:
        resumed = branch.resumed
        try:
            raw = await branch.turn()
        except BadRequest as error:
            if resumed:
                branch.begin_again()
                await self._visitor.begin_again(branch)
                self._go_on(branch)
            else:
                await self._fail(branch, error)
        except NorthflankError as error:
            await self._fail(branch, error)
        else:
            await self._visit(branch, raw)

    async def _visit(self, branch: Branch, raw: list[Any]) -> None:
        self._failed_in_a_row = 0
        visit = Visit(branch, raw, self._children)
        children = await self._visitor.visit(visit)
        self._open(children)
        self.counts += visit.counts(children)
        if not branch.ended:
            self._go_on(branch)

    async def _fail(self, branch: Branch, error: NorthflankError) -> None:
        if isinstance(error, ServerError | TransportError):
            self._failed_in_a_row += 1
        if self._is_the_end(error):
            raise error
        self._first_failure = self._first_failure or error
        await self._visitor.fail(branch, branch.failure(error))
        self.counts["addons_done"] += branch.kind is Kind.BACKUPS

    def _is_the_end(self, error: NorthflankError) -> bool:
        """Whether nothing else can be read either."""
        match error:
            case AuthenticationError() | ConfigurationError() | RateLimited() | TransportError(sent=False):
                return True
        return self._failed_in_a_row >= _OUTAGE

    def _children(self, branch: Branch, record: Any) -> list[Branch]:
        match record:
            case Project():
                return [Branch(view=branch.view, kind=Kind.ADDONS, project=record)]
            case Addon() if self._wants is None or self._wants.wants_addon(record):
                return [
                    Branch(view=branch.view, kind=kind, project=branch.project, addon=record) for kind in self._listings
                ]
        return []

    def _spent(self) -> int:
        return self._budget.spent if self._budget else 0
