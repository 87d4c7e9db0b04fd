"""One pass over the API as the store keeps it: each page, with where its listing goes on, is one transaction."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from attrs import Factory, define
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from yarl import URL

from northflank_async.errors import ConfigurationError, NorthflankError
from northflank_async.inventory.crawl.listings import Branch, Failure, Kind, Visit
from northflank_async.inventory.encoding import storable
from northflank_async.inventory.selection import Selection
from northflank_async.inventory.store.database import Database
from northflank_async.inventory.store.schema import (
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
from northflank_async.inventory.store.statements import add, execute_prepared, is_its, its, mark_gone, refresh, upsert
from northflank_async.records import Addon, Project, unstructure
from northflank_async.resources import AccountResource

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


class Run:
    """A pass, begun or gone on with. It takes what a walk finds.

    Args:
        database: with nobody else who writes to it.
        selection: which backups are wanted.
        alone: the store is for this pass alone: a new one leaves nothing of those before it.
    """

    def __init__(self, database: Database, selection: Selection, *, alone: bool = False) -> None:
        self.id = _FORGOTTEN
        self.resumed = False
        self.branches: list[Branch] = []
        self.counts: dict[str, int] = {}
        self._database = database
        self._selection = selection
        self._alone = alone
        self._turn = asyncio.Lock()
        self._waiting: list[_Page] = []
        self._keeper: asyncio.Task[None] | None = None  # of the pages that wait

    async def begin(self, scope: str, roots: Iterable[Branch]) -> None:
        """Go on with the last run, if it was of the same scope and has not ended; else begin another one."""
        await self._transaction(lambda connection: self._begin(connection, scope, list(roots)))

    async def visit(self, visit: Visit) -> list[Branch]:
        """Keep a page, in one transaction with those that wait for the same."""
        page = _Page(visit)
        self._waiting.append(page)
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_waiting())
        await _to_its_end(self._keeper)
        self.counts["pages"] = self.counts.get("pages", 0) + 1
        return page.opened

    async def fail(self, branch: Branch, failure: Failure) -> None:
        """Keep that a listing cannot be read; where it stands is kept as it is."""
        await self._transaction(lambda connection: self._log(connection, [(branch, failure)]))

    async def begin_again(self, branch: Branch) -> None:
        """Forget what was seen of a listing, as it is read anew."""
        await self._transaction(lambda connection: self._begin_again(connection, branch))

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
        return await self._transaction(lambda connection: connection.scalar(query)) or 0

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        return await _to_its_end(self._in_turn(work))

    async def _in_turn(self, work: Callable[[Connection], T]) -> T:
        async with self._turn:
            return await self._database.run(work)

    async def _keep_waiting(self) -> None:
        async with self._turn:
            pages, self._waiting, self._keeper = self._waiting, [], None  # who comes later waits for the next one
            await self._database.run(lambda connection: self._keep(connection, pages))

    def _begin(self, connection: Connection, scope: str, roots: list[Branch]) -> None:
        last = (connection.execute(select(runs).order_by(runs.c.id.desc()).limit(1))).first()
        if last and not self._alone:
            _check_same_host(last.scope, scope)
        if last and last.finished_at is None and last.scope == scope:
            self.id, self.resumed = last.id, True
            self.counts = {count: getattr(last, count) for count in COUNTS}
            connection.execute(delete(failures).where(failures.c.item_id.is_(None)))  # they are tried again
            views = {branch.view.team_id or "": branch.view for branch in roots}
            begun_first = select(listings).order_by(listings.c.cursor.is_(None), *listings.primary_key)
            rows = connection.execute(begun_first)
            self.branches = [_branch(views[row.team_id], row) for row in rows]
            return
        for table in (listings, failures, *(FOUND.values() if self._alone else ())):
            connection.execute(delete(table))
        result = connection.execute(insert(runs).values(scope=scope, started_at=datetime.now(UTC)))
        (self.id,) = result.inserted_primary_key or (_FORGOTTEN,)
        self.branches = roots
        self._open(connection, roots)

    def _keep(self, connection: Connection, pages: list["_Page"]) -> None:
        now = datetime.now(UTC)
        for page in pages:
            page.opened = self._unopened(connection, page.visit)
        visits = [page.visit for page in pages]
        self._keep_projects(connection, visits, now)
        for kind in Kind:
            self._keep_items(connection, kind, [visit for visit in visits if visit.branch.kind is kind], now)
        self._open(connection, [branch for page in pages for branch in page.opened])
        self._move(connection, [visit.branch for visit in visits if not visit.branch.ended])
        self._end(connection, [visit.branch for visit in visits if visit.branch.ended], now)
        self._log(connection, [(visit.branch, failure) for visit in visits for failure in visit.failures])
        counts = sum((page.visit.counts(page.opened) for page in pages), Counter[str]())
        values = {name: runs.c[name] + number for name, number in counts.items()}
        connection.execute(update(runs).where(runs.c.id == self.id).values(values))

    def _unopened(self, connection: Connection, visit: Visit) -> list[Branch]:
        """The page's children, less those that an earlier page of this run has led to."""
        if not visit.children:
            return []
        table = FOUND[visit.branch.kind]
        ids = [storable(record.id) for _, record in visit.items]
        where = is_its(table, _key(visit.branch))
        query = select(table.c.id).where(where, table.c.run_id == self.id, table.c.id.in_(ids))
        seen = set((connection.execute(query, its(_key(visit.branch)))).scalars())
        unopened = {
            (child.kind, name): child
            for child in visit.children
            if (name := storable(child.addon_id or child.project_id or "")) not in seen
        }
        return list(unopened.values())

    def _keep_projects(self, connection: Connection, visits: list[Visit], now: datetime) -> None:
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
        self._execute(connection, upsert(projects, connection.dialect.name, keep=("name", "data", "first_seen")), rows)

    def _keep_items(self, connection: Connection, kind: Kind, visits: list[Visit], now: datetime) -> None:
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
        key = [column.name for column in FOUND[kind].primary_key]
        execute_prepared(connection, upsert(FOUND[kind], connection.dialect.name), wanted)
        execute_prepared(connection, refresh(FOUND[kind]), [{**row, **its(row, key)} for row in others])

    def _open(self, connection: Connection, branches: Iterable[Branch]) -> None:
        rows = [{**_listing_key(branch), "cursor": branch.cursor, "page": branch.page} for branch in branches]
        self._execute(connection, add(listings, connection.dialect.name), rows)

    def _move(self, connection: Connection, branches: Iterable[Branch]) -> None:
        rows = [{**its(_listing_key(branch)), "cursor": branch.cursor, "page": branch.page} for branch in branches]
        moved: dict[str, Any] = {"cursor": bindparam("cursor"), "page": bindparam("page")}
        self._execute(connection, update(listings).where(is_its(listings, LISTING_KEY)).values(moved), rows)

    def _end(self, connection: Connection, branches: list[Branch], now: datetime) -> None:
        """What a listing that was read to its end does not have is gone, with all that belonged to it."""
        keys = [its(_listing_key(branch)) for branch in branches]
        self._execute(connection, delete(listings).where(is_its(listings, LISTING_KEY)), keys)
        for kind in Kind:
            rows = [{**its(_key(branch)), "now": now, "its_run": self.id} for branch in branches if branch.kind is kind]
            for gone in mark_gone(kind):
                self._execute(connection, gone, rows)

    def _execute(self, connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(statement, rows)

    def _begin_again(self, connection: Connection, branch: Branch) -> None:
        self._forget(connection, branch.kind, _key(branch))
        self._execute(connection, delete(failures).where(is_its(failures, LISTING_KEY)), [its(_listing_key(branch))])
        self._move(connection, [branch])

    def _reopen(self, connection: Connection) -> None:
        key = [failures.c[name] for name in LISTING_KEY]
        found = connection.execute(select(*key).where(failures.c.item_id.is_not(None)).distinct())
        rows = [{**row, "cursor": None, "page": None} for row in found.mappings()]
        for row in rows:
            self._forget(
                connection, Kind(row["kind"]), {name: row[name] for name in ("team_id", "project_id", "addon_id")}
            )
        connection.execute(delete(failures))
        self._execute(connection, add(listings, connection.dialect.name), rows)

    def _forget(self, connection: Connection, kind: Kind, key: dict[str, str]) -> None:
        """Have a listing's items seen anew; what is below projects and addons was begun, and stays."""
        if kind in (Kind.BACKUPS, Kind.RESTORES):
            table = FOUND[kind]
            self._execute(connection, update(table).where(is_its(table, key)).values(run_id=_FORGOTTEN), [its(key)])

    def _log(self, connection: Connection, found: list[tuple[Branch, Failure]]) -> None:
        rows = [
            {**_listing_key(branch), "item_id": failure.item_id, "error": storable(str(failure.error))}
            for branch, failure in found
        ]
        self._execute(connection, insert(failures), rows)

    def _failures(self, connection: Connection) -> list[Failure]:
        rows = connection.execute(select(failures).order_by(failures.c.id))
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

    def _finish(self, connection: Connection) -> None:
        connection.execute(delete(listings))
        connection.execute(update(runs).where(runs.c.id == self.id).values(finished_at=datetime.now(UTC)))

    def _seen(self, now: datetime) -> dict[str, Any]:
        return {"first_seen": now, "last_seen": now, "gone_since": None, "run_id": self.id}


async def _to_its_end(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """Do it even if whoever waits for it is cancelled: the page is paid for.

    A database that does not answer, and a second cancellation, put an end to that.
    """
    task = asyncio.ensure_future(work)
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


def _branch(view: AccountResource, row: Any) -> Branch:
    """A listing as it stood."""
    return Branch(
        view=view,
        kind=Kind(row.kind),
        project=Project(id=row.project_id) if row.project_id else None,
        addon=Addon(id=row.addon_id) if row.addon_id else None,
        cursor=row.cursor,
        page=row.page,
    )
