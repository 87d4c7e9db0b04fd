"""One pass over the API as the store keeps it: each page, with where its listing goes on, is one transaction."""

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from northflank_async.errors import NorthflankError
from northflank_async.inventory.encoding import storable
from northflank_async.inventory.selection import Selection
from northflank_async.inventory.tables import (
    FOUND,
    addons,
    backups,
    columns,
    failures,
    listings,
    projects,
    restores,
    runs,
)
from northflank_async.inventory.walk import Branch, Failure, Kind, Visit
from northflank_async.records import Addon, Project, unstructure
from northflank_async.resources import Account

T = TypeVar("T")

_COUNTS = ("projects", "addons", "addons_done", "backups", "pages")
_PARENTS: dict[Table, Table] = {addons: projects, backups: addons, restores: addons}
_BELOW: dict[Kind, tuple[Table, ...]] = {Kind.PROJECTS: (addons, backups, restores), Kind.ADDONS: (backups, restores)}
_FORGOTTEN = 0
"""The run of what has to be seen anew."""


class Run:
    """A pass, begun or gone on with. It takes what a walk finds."""

    def __init__(self, connection: AsyncConnection, selection: Selection) -> None:
        self.id = _FORGOTTEN
        self.resumed = False
        self.branches: list[Branch] = []
        self.counts: dict[str, int] = {}
        self._connection = connection
        self._selection = selection
        self._turn = asyncio.Lock()

    async def begin(self, scope: str, roots: Iterable[Branch]) -> None:
        """Go on with the last run, if it was of the same scope and has not ended; else begin another one."""
        await self._transaction(self._begin(scope, list(roots)))

    async def visit(self, visit: Visit) -> list[Branch]:
        """Keep a page."""
        children = await self._transaction(self._visit(visit))
        self.counts["pages"] = self.counts.get("pages", 0) + 1
        return children

    async def fail(self, branch: Branch, failure: Failure) -> None:
        """Keep that a listing cannot be read; where it stands is kept as it is."""
        await self._transaction(self._log(branch, [failure]))

    async def begin_again(self, branch: Branch) -> None:
        """Forget what was seen of a listing, as it is read anew."""
        await self._transaction(self._begin_again(branch))

    async def finish(self) -> None:
        """End the run: the next one begins at the beginning."""
        await self._transaction(self._finish())

    async def failures(self) -> list[Failure]:
        """What could not be read, since the run began."""
        return await self._transaction(self._failures())

    async def stored(self) -> int:
        """The number of backups that are there, of those that the run has seen."""
        query = select(func.count()).where(backups.c.run_id == self.id, backups.c.gone_since.is_(None))
        return await self._transaction(self._connection.scalar(query)) or 0

    async def _transaction(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in one transaction, to its end even if whoever waits for it is cancelled: the page is paid for."""
        task = asyncio.create_task(self._committed(work))
        try:
            return await asyncio.shield(task)
        finally:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])

    async def _committed(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._turn, self._connection.begin():
            return await work

    async def _begin(self, scope: str, roots: list[Branch]) -> None:
        last = (await self._connection.execute(select(runs).order_by(runs.c.id.desc()).limit(1))).first()
        if last and last.finished_at is None and last.scope == scope:
            self.id, self.resumed = last.id, True
            self.counts = {count: getattr(last, count) for count in _COUNTS}
            await self._connection.execute(delete(failures).where(failures.c.item_id.is_(None)))  # they are tried again
            views = {branch.view.team_id or "": branch.view for branch in roots}
            begun_first = select(listings).order_by(listings.c.cursor.is_(None), *listings.primary_key)
            rows = await self._connection.execute(begun_first)
            self.branches = [_branch(views[row.team_id], row) for row in rows]
            return
        await self._connection.execute(delete(listings))
        await self._connection.execute(delete(failures))
        result = await self._connection.execute(insert(runs).values(scope=scope, started_at=datetime.now(UTC)))
        (self.id,) = result.inserted_primary_key or (_FORGOTTEN,)
        self.branches = roots
        await self._open(roots)

    async def _visit(self, visit: Visit) -> list[Branch]:
        branch, now = visit.branch, datetime.now(UTC)
        children = await self._unopened(visit)
        if branch.project and branch.kind is Kind.ADDONS:
            await self._keep_project(branch, branch.project, now)
        await self._keep_items(visit, now)
        await self._open(children)
        if branch.ended:
            await self._connection.execute(delete(listings).where(_is_listing(listings, branch)))
            await self._mark_gone(branch, now)
        else:
            await self._move(branch)
        await self._log(branch, visit.failures)
        counts = {name: runs.c[name] + number for name, number in visit.counts(children).items()}
        await self._connection.execute(update(runs).where(runs.c.id == self.id).values(counts))
        return children

    async def _unopened(self, visit: Visit) -> list[Branch]:
        """The page's children, less those that an earlier page of this run has led to."""
        if not visit.children:
            return []
        table = FOUND[visit.branch.kind]
        ids = [storable(record.id) for _, record in visit.items]
        query = select(table.c.id).where(_where(table, visit.branch), table.c.run_id == self.id, table.c.id.in_(ids))
        seen = set((await self._connection.execute(query)).scalars())
        unopened = {
            (child.kind, name): child
            for child in visit.children
            if (name := storable(child.addon_id or child.project_id or "")) not in seen
        }
        return list(unopened.values())

    async def _keep_project(self, branch: Branch, project: Project, now: datetime) -> None:
        """A project that was asked for by its id is known by nothing else."""
        where = {"team_id": branch.view.team_id or ""}
        row = {**where, **self._seen(now), **columns(Kind.PROJECTS, project, unstructure(project))}
        await self._connection.execute(self._upsert(projects, keep={"name", "data", "first_seen"}), row)

    async def _keep_items(self, visit: Visit, now: datetime) -> None:
        branch, kind = visit.branch, visit.branch.kind
        every = {**_key(branch), **self._seen(now)}
        wanted: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for raw, record in visit.items:
            is_wanted = kind is not Kind.BACKUPS or self._selection.wants(record)
            (wanted if is_wanted else others).append({**every, **columns(kind, record, raw)})
        for raw in visit.unreadable:
            if isinstance(raw, dict) and isinstance(raw.get("id"), str):
                wanted.append({**every, **columns(kind, None, raw)})
        if wanted:
            await self._connection.execute(self._upsert(FOUND[kind], keep={"first_seen"}), wanted)
        if others:
            key = [column.name for column in FOUND[kind].primary_key]
            rows = [{**row, **{f"its_{name}": row[name] for name in key}} for row in others]
            await self._connection.execute(_update(FOUND[kind]), rows)

    async def _open(self, branches: Iterable[Branch]) -> None:
        rows = [{**_listing_key(branch), "cursor": branch.cursor, "page": branch.page} for branch in branches]
        if rows:
            await self._connection.execute(self._insert(listings).on_conflict_do_nothing(), rows)

    async def _move(self, branch: Branch) -> None:
        values = {"cursor": branch.cursor, "page": branch.page}
        await self._connection.execute(update(listings).where(_is_listing(listings, branch)).values(values))

    async def _mark_gone(self, branch: Branch, now: datetime) -> None:
        """What a listing that was read to its end does not have is gone, with all that belonged to it."""
        table = FOUND[branch.kind]
        gone = update(table).where(_where(table, branch), table.c.gone_since.is_(None), table.c.run_id != self.id)
        await self._connection.execute(gone.values(gone_since=now))
        for child in _BELOW.get(branch.kind, ()):
            belongs = exists().where(_belongs(child), _PARENTS[child].c.gone_since.is_not(None))
            gone = update(child).where(_where(child, branch), child.c.gone_since.is_(None), belongs)
            await self._connection.execute(gone.values(gone_since=now))

    async def _begin_again(self, branch: Branch) -> None:
        if branch.kind in (Kind.BACKUPS, Kind.RESTORES):  # what is below the others was begun, and stays
            table = FOUND[branch.kind]
            await self._connection.execute(update(table).where(_where(table, branch)).values(run_id=_FORGOTTEN))
        await self._connection.execute(delete(failures).where(_is_listing(failures, branch)))
        await self._move(branch)

    async def _log(self, branch: Branch, found: list[Failure]) -> None:
        if found:
            key = _listing_key(branch)
            rows = [{**key, "item_id": failure.item_id, "error": storable(str(failure.error))} for failure in found]
            await self._connection.execute(insert(failures), rows)

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

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return postgresql.insert(table) if self._connection.dialect.name == "postgresql" else sqlite.insert(table)

    def _seen(self, now: datetime) -> dict[str, Any]:
        return {"first_seen": now, "last_seen": now, "gone_since": None, "run_id": self.id}

    def _upsert(self, table: Table, keep: set[str]) -> Any:
        statement = self._insert(table)
        new = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if not column.primary_key and column.name not in keep
        }
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)


def _key(branch: Branch) -> dict[str, str]:
    """Where a branch's items belong, in every table's names."""
    key = {"team_id": branch.view.team_id or "", "project_id": branch.project_id, "addon_id": branch.addon_id}
    return {name: storable(value) for name, value in key.items() if value is not None}


def _where(table: Table, branch: Branch) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in _key(branch).items()))


def _listing_key(branch: Branch) -> dict[str, str]:
    return {"project_id": "", "addon_id": "", **_key(branch), "kind": str(branch.kind)}


def _is_listing(table: Table, branch: Branch) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in _listing_key(branch).items()))


def _belongs(child: Table) -> ColumnElement[bool]:
    """Whether a row is below its parent's."""
    parent = _PARENTS[child]
    names = [column.name for column in child.primary_key if column.name != "id"]
    own = [column.name for column in parent.primary_key]
    return and_(*(child.c[name] == parent.c[key] for name, key in zip(names, own, strict=True)))


def _update(table: Table) -> Any:
    """What keeps a row up to date that is there, and makes none."""
    key = [column.name for column in table.primary_key]
    new: dict[str, Any] = {
        column.name: bindparam(column.name) for column in table.columns if column.name not in (*key, "first_seen")
    }
    return update(table).where(*(table.c[name] == bindparam(f"its_{name}") for name in key)).values(new)


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
