"""One pass over the API as the store keeps it: each page, with where its listing goes on, is one transaction."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from attrs import Factory, define
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from northflank_async.errors import ConfigurationError, NorthflankError
from northflank_async.inventory.encoding import storable
from northflank_async.inventory.selection import Selection
from northflank_async.inventory.statements import add, is_its, its, mark_gone, refresh, upsert
from northflank_async.inventory.tables import (
    COUNTS,
    FOUND,
    LISTING_KEY,
    backups,
    columns,
    failures,
    listings,
    projects,
    runs,
)
from northflank_async.inventory.tree import Branch, Failure, Kind, Visit
from northflank_async.records import Addon, Project, unstructure
from northflank_async.resources import Account

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds, that a cancelled run gives its last transaction."""
_FORGOTTEN = 0
"""The run of what has to be seen anew."""


@define(eq=False)
class _Page:
    """A page that waits to be kept, and then which of its children are new."""

    visit: Visit
    opened: list[Branch] = Factory(list)
    error: Exception | None = None


class Run:
    """A pass, begun or gone on with. It takes what a walk finds.

    Args:
        connection: of the store's only writer.
        selection: which backups are wanted.
        alone: the store is for this pass alone: a new one leaves nothing of those before it.
    """

    def __init__(self, connection: AsyncConnection, selection: Selection, *, alone: bool = False) -> None:
        self.id = _FORGOTTEN
        self.resumed = False
        self.branches: list[Branch] = []
        self.counts: dict[str, int] = {}
        self._connection = connection
        self._selection = selection
        self._alone = alone
        self._dialect = connection.dialect.name
        self._turn = asyncio.Lock()
        self._waiting: list[_Page] = []

    async def begin(self, scope: str, roots: Iterable[Branch]) -> None:
        """Go on with the last run, if it was of the same scope and has not ended; else begin another one."""
        await self._transaction(lambda: self._begin(scope, list(roots)))

    async def visit(self, visit: Visit) -> list[Branch]:
        """Keep a page, in one transaction with those that wait for the same."""
        page = _Page(visit)
        self._waiting.append(page)
        await self._transaction(self._keep_waiting)
        if page.error:
            raise page.error
        self.counts["pages"] = self.counts.get("pages", 0) + 1
        return page.opened

    async def fail(self, branch: Branch, failure: Failure) -> None:
        """Keep that a listing cannot be read; where it stands is kept as it is."""
        await self._transaction(lambda: self._log([(branch, failure)]))

    async def begin_again(self, branch: Branch) -> None:
        """Forget what was seen of a listing, as it is read anew."""
        await self._transaction(lambda: self._begin_again(branch))

    async def finish(self) -> None:
        """End the run: the next one begins at the beginning."""
        await self._transaction(self._finish)

    @property
    def is_empty(self) -> bool:
        """Whether it has begun, and there is nothing to go on with."""
        return self.id != _FORGOTTEN and not self.counts.get("pages")

    async def reopen(self) -> None:
        """Have the next pass read anew what had an item that could not be read; what failed itself is open still."""
        await self._transaction(self._reopen)

    async def failures(self) -> list[Failure]:
        """What could not be read, since the run began."""
        return await self._transaction(self._failures)

    async def stored(self) -> int:
        """The number of backups that are there, of those that the run has seen."""
        query = select(func.count()).where(backups.c.run_id == self.id, backups.c.gone_since.is_(None))
        return await self._transaction(lambda: self._connection.scalar(query)) or 0

    async def _transaction(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it in one transaction, to its end even if whoever waits for it is cancelled: the page is paid for.

        A database that does not answer, and a second cancellation, put an end to that.
        """
        task = asyncio.create_task(self._committed(work))
        try:
            return await asyncio.shield(task)
        finally:
            if not task.done():  # cancelled
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task], timeout=_PATIENCE)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if task.done() and not task.cancelled():
                task.exception()  # it has been seen, even if another one is raised

    async def _committed(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with self._turn, self._connection.begin():
            return await work()

    async def _keep_waiting(self) -> None:
        pages, self._waiting = self._waiting, []
        if not pages:
            return  # another one's transaction had this page, too
        try:
            await self._keep(pages)
        except Exception as error:
            for page in pages:
                page.error = error
            raise

    async def _begin(self, scope: str, roots: list[Branch]) -> None:
        last = (await self._connection.execute(select(runs).order_by(runs.c.id.desc()).limit(1))).first()
        if last and not self._alone:
            _check_same_host(last.scope, scope)
        if last and last.finished_at is None and last.scope == scope:
            self.id, self.resumed = last.id, True
            self.counts = {count: getattr(last, count) for count in COUNTS}
            await self._connection.execute(delete(failures).where(failures.c.item_id.is_(None)))  # they are tried again
            views = {branch.view.team_id or "": branch.view for branch in roots}
            begun_first = select(listings).order_by(listings.c.cursor.is_(None), *listings.primary_key)
            rows = await self._connection.execute(begun_first)
            self.branches = [_branch(views[row.team_id], row) for row in rows]
            return
        for table in (listings, failures, *(FOUND.values() if self._alone else ())):
            await self._connection.execute(delete(table))
        result = await self._connection.execute(insert(runs).values(scope=scope, started_at=datetime.now(UTC)))
        (self.id,) = result.inserted_primary_key or (_FORGOTTEN,)
        self.branches = roots
        await self._open(roots)

    async def _keep(self, pages: list["_Page"]) -> None:
        now = datetime.now(UTC)
        for page in pages:
            page.opened = await self._unopened(page.visit)
        visits = [page.visit for page in pages]
        await self._keep_projects(visits, now)
        for kind in Kind:
            await self._keep_items(kind, [visit for visit in visits if visit.branch.kind is kind], now)
        await self._open([branch for page in pages for branch in page.opened])
        await self._move([visit.branch for visit in visits if not visit.branch.ended])
        await self._end([visit.branch for visit in visits if visit.branch.ended], now)
        await self._log([(visit.branch, failure) for visit in visits for failure in visit.failures])
        counts = sum((page.visit.counts(page.opened) for page in pages), Counter[str]())
        values = {name: runs.c[name] + number for name, number in counts.items()}
        await self._connection.execute(update(runs).where(runs.c.id == self.id).values(values))

    async def _unopened(self, visit: Visit) -> list[Branch]:
        """The page's children, less those that an earlier page of this run has led to."""
        if not visit.children:
            return []
        table = FOUND[visit.branch.kind]
        ids = [storable(record.id) for _, record in visit.items]
        where = is_its(table, _key(visit.branch))
        query = select(table.c.id).where(where, table.c.run_id == self.id, table.c.id.in_(ids))
        seen = set((await self._connection.execute(query, its(_key(visit.branch)))).scalars())
        unopened = {
            (child.kind, name): child
            for child in visit.children
            if (name := storable(child.addon_id or child.project_id or "")) not in seen
        }
        return list(unopened.values())

    async def _keep_projects(self, visits: list[Visit], now: datetime) -> None:
        """A project that was asked for by its id is known by nothing but its addons."""
        rows = [
            {
                "team_id": visit.branch.view.team_id or "",
                **self._seen(now),
                **columns(Kind.PROJECTS, visit.branch.project, unstructure(visit.branch.project)),
            }
            for visit in visits
            if visit.branch.kind is Kind.ADDONS
        ]
        await self._execute(upsert(projects, self._dialect, keep=("name", "data", "first_seen")), rows)

    async def _keep_items(self, kind: Kind, visits: list[Visit], now: datetime) -> None:
        wanted: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for visit in visits:
            every = {**_key(visit.branch), **self._seen(now)}
            for raw, record in visit.items:
                is_wanted = kind is not Kind.BACKUPS or self._selection.wants(record)
                (wanted if is_wanted else others).append({**every, **columns(kind, record, raw)})
            for raw in visit.unreadable:
                if isinstance(raw, dict) and isinstance(raw.get("id"), str):
                    wanted.append({**every, **columns(kind, None, raw)})
        await self._execute(upsert(FOUND[kind], self._dialect), wanted)
        key = [column.name for column in FOUND[kind].primary_key]
        await self._execute(refresh(FOUND[kind]), [{**row, **its(row, key)} for row in others])

    async def _open(self, branches: Iterable[Branch]) -> None:
        rows = [{**_listing_key(branch), "cursor": branch.cursor, "page": branch.page} for branch in branches]
        await self._execute(add(listings, self._dialect), rows)

    async def _move(self, branches: Iterable[Branch]) -> None:
        rows = [{**its(_listing_key(branch)), "cursor": branch.cursor, "page": branch.page} for branch in branches]
        moved: dict[str, Any] = {"cursor": bindparam("cursor"), "page": bindparam("page")}
        await self._execute(update(listings).where(is_its(listings, LISTING_KEY)).values(moved), rows)

    async def _end(self, branches: list[Branch], now: datetime) -> None:
        """What a listing that was read to its end does not have is gone, with all that belonged to it."""
        keys = [its(_listing_key(branch)) for branch in branches]
        await self._execute(delete(listings).where(is_its(listings, LISTING_KEY)), keys)
        for kind in Kind:
            rows = [{**its(_key(branch)), "now": now, "its_run": self.id} for branch in branches if branch.kind is kind]
            for gone in mark_gone(kind):
                await self._execute(gone, rows)

    async def _execute(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            await self._connection.execute(statement, rows)

    async def _begin_again(self, branch: Branch) -> None:
        await self._forget(branch.kind, _key(branch))
        await self._execute(delete(failures).where(is_its(failures, LISTING_KEY)), [its(_listing_key(branch))])
        await self._move([branch])

    async def _reopen(self) -> None:
        key = [failures.c[name] for name in LISTING_KEY]
        found = await self._connection.execute(select(*key).where(failures.c.item_id.is_not(None)).distinct())
        rows = [{**row, "cursor": None, "page": None} for row in found.mappings()]
        for row in rows:
            await self._forget(Kind(row["kind"]), {name: row[name] for name in ("team_id", "project_id", "addon_id")})
        await self._connection.execute(delete(failures))
        await self._execute(add(listings, self._dialect), rows)

    async def _forget(self, kind: Kind, key: dict[str, str]) -> None:
        """Have a listing's items seen anew; what is below projects and addons was begun, and stays."""
        if kind in (Kind.BACKUPS, Kind.RESTORES):
            table = FOUND[kind]
            await self._execute(update(table).where(is_its(table, key)).values(run_id=_FORGOTTEN), [its(key)])

    async def _log(self, found: list[tuple[Branch, Failure]]) -> None:
        rows = [
            {**_listing_key(branch), "item_id": failure.item_id, "error": storable(str(failure.error))}
            for branch, failure in found
        ]
        await self._execute(insert(failures), rows)

    async def _failures(self) -> list[Failure]:
        rows = await self._connection.execute(select(failures).order_by(failures.c.id))
        return [
            Failure(
                team_id=row.team_id or None,
                project_id=row.project_id or None,
                addon_id=row.addon_id or None,
                item_id=row.item_id,
                error=NorthflankError(row.error),
            )
            for row in rows
        ]

    async def _finish(self) -> None:
        await self._connection.execute(delete(listings))
        await self._connection.execute(update(runs).where(runs.c.id == self.id).values(finished_at=datetime.now(UTC)))

    def _seen(self, now: datetime) -> dict[str, Any]:
        return {"first_seen": now, "last_seen": now, "gone_since": None, "run_id": self.id}


def _check_same_host(last: str, scope: str) -> None:
    """What another API does not have is not gone from this one."""
    before, now = (URL(json.loads(name)["baseUrl"]).host for name in (last, scope))
    if before != now:
        raise ConfigurationError(f"the inventory is that of {before}, and would be all gone at {now}: use another one")


def _key(branch: Branch) -> dict[str, str]:
    """Where a branch's items belong, in every table's names."""
    key = {"team_id": branch.view.team_id or "", "project_id": branch.project_id, "addon_id": branch.addon_id}
    return {name: storable(value) for name, value in key.items() if value is not None}


def _listing_key(branch: Branch) -> dict[str, str]:
    return {"project_id": "", "addon_id": "", **_key(branch), "kind": str(branch.kind)}


def _branch(view: Account, row: Any) -> Branch:
    """A listing as it stood."""
    return Branch(
        view=view,
        kind=Kind(row.kind),
        project=Project(id=row.project_id) if row.project_id else None,
        addon=Addon(id=row.addon_id) if row.addon_id else None,
        cursor=row.cursor,
        page=row.page,
    )
