"""The bookkeeping of a sync run in the database: pages, checkpoints, counts and failures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from yarl import URL

from northflank_async.errors import ConfigurationError, NorthflankError
from northflank_async.inventory.crawl import Failure, Kind, Listing, ParsedPage, Tree
from northflank_async.inventory.encoding import storable
from northflank_async.inventory.store.schema import (
    COUNTS,
    LISTING_KEY,
    TABLES,
    backups,
    checkpoints,
    failures,
    projects,
    record_row,
    sync_runs,
)
from northflank_async.inventory.store.statements import (
    bind_key,
    execute_prepared,
    insert_missing,
    matches_key,
    soft_delete,
    update_existing,
    upsert,
)
from northflank_async.records import Addon, Project, unstructure
from northflank_async.resources import AccountResource

_NO_RUN = 0
"""The run of rows that have to be seen again."""


class Ledger:
    """Records one sync run. Each method is one transaction's work; the caller commits it.

    Args:
        tree: what the run reads.
        temporary: the store is only for this export: a new run empties it.
    """

    def __init__(self, tree: Tree, *, temporary: bool = False) -> None:
        self.run_id = _NO_RUN
        self.resumed = False
        self.open_listings: list[Listing] = []
        """What to crawl, as of `begin`."""
        self.counts: Counter[str] = Counter()
        """The progress, as of `begin`."""
        self._tree = tree
        self._query = tree.query
        self._temporary = temporary

    @property
    def has_begun(self) -> bool:
        return self.run_id != _NO_RUN

    def begin(self, connection: Connection) -> None:
        """Resume the last run if it is unfinished and its fingerprint is this query's; otherwise start a new one.

        Raises:
            ConfigurationError: the store's last run was of another host.
        """
        last = connection.execute(select(sync_runs).order_by(sync_runs.c.id.desc()).limit(1)).first()
        if last and not self._temporary:
            _check_same_host(last.base_url, self._query.base_url)
        if last and last.finished_at is None and last.fingerprint == self._query.fingerprint:
            self._resume(connection, last)
        else:
            self._start(connection)

    def _resume(self, connection: Connection, last: Any) -> None:
        self.run_id, self.resumed = last.id, True
        self.counts = Counter({name: getattr(last, name) for name in COUNTS})
        connection.execute(delete(failures).where(failures.c.item_id.is_(None)))  # these listings are read again
        accounts = {account.team_id or "": account for account in self._query.accounts}
        open_first = select(checkpoints).order_by(checkpoints.c.cursor.is_(None), *checkpoints.primary_key)
        self.open_listings = [_listing(accounts[row.team_id], row) for row in connection.execute(open_first)]

    def _start(self, connection: Connection) -> None:
        for table in (checkpoints, failures, *(TABLES.values() if self._temporary else ())):
            connection.execute(delete(table))
        run = insert(sync_runs).values(
            base_url=self._query.base_url, fingerprint=self._query.fingerprint, started_at=datetime.now(UTC)
        )
        (self.run_id,) = connection.execute(run).inserted_primary_key or (_NO_RUN,)
        self.open_listings = self._tree.roots()
        self._insert_checkpoints(connection, self.open_listings)

    def store_pages(self, connection: Connection, pages: Sequence[ParsedPage]) -> list[list[Listing]]:
        """Store pages, each with its listing's checkpoint; return the listings below each that are new."""
        now = datetime.now(UTC)
        children = [self._new_children(connection, page) for page in pages]
        self._upsert_projects(connection, pages, now)
        for kind in Kind:
            self._store_items(connection, kind, [page for page in pages if page.listing.kind is kind], now)
        self._insert_checkpoints(connection, [child for each in children for child in each])
        self._save_checkpoints(connection, [page.listing for page in pages if not page.listing.ended])
        self._end_listings(connection, [page.listing for page in pages if page.listing.ended], now)
        self._insert_failures(connection, [(page.listing, failure) for page in pages for failure in page.failures])
        self._add_counts(connection, pages, children)
        return children

    def store_failure(self, connection: Connection, listing: Listing, failure: Failure) -> None:
        """Store why a listing could not be read. Its checkpoint stays."""
        self._insert_failures(connection, [(listing, failure)])

    def restart(self, connection: Connection, listing: Listing) -> None:
        """Read a listing again from its first page."""
        self._reset_seen(connection, listing.kind, _parents(listing))
        self._execute(connection, delete(failures).where(matches_key(failures, LISTING_KEY)), [bind_key(_key(listing))])
        self._save_checkpoints(connection, [listing])

    def reopen(self, connection: Connection) -> None:
        """Have the next run read the listings with unreadable items again; those that failed themselves are open."""
        key = [failures.c[name] for name in LISTING_KEY]
        found = connection.execute(select(*key).where(failures.c.item_id.is_not(None)).distinct())
        rows = [{**row, "cursor": None, "page": None} for row in found.mappings()]
        for row in rows:
            parents = {name: row[name] for name in ("team_id", "project_id", "addon_id")}
            self._reset_seen(connection, Kind(row["kind"]), parents)
        connection.execute(delete(failures))
        self._execute(connection, insert_missing(checkpoints, connection.dialect.name), rows)

    def finish(self, connection: Connection) -> None:
        """Finish the run: the next one starts from the beginning."""
        connection.execute(delete(checkpoints))
        connection.execute(update(sync_runs).where(sync_runs.c.id == self.run_id).values(finished_at=datetime.now(UTC)))

    def count_backups(self, connection: Connection) -> int:
        """Return the number of stored backups that the run has seen."""
        seen = select(func.count()).where(backups.c.run_id == self.run_id, backups.c.deleted_at.is_(None))
        return connection.scalar(seen) or 0

    def failures(self, connection: Connection) -> list[Failure]:
        """Return what the run could not read."""
        return [
            Failure(
                team_id=row.team_id or None,
                project_id=row.project_id or None,
                addon_id=row.addon_id or None,
                item_id=row.item_id,
                error=NorthflankError(row.error),
            )
            for row in connection.execute(select(failures).order_by(failures.c.id))
        ]

    def _new_children(self, connection: Connection, page: ParsedPage) -> list[Listing]:
        """Return the listings below a page, except those below a record that the run has already seen."""
        if not page.children:
            return []
        table, parents = TABLES[page.listing.kind], _parents(page.listing)
        ids = [storable(record.id) for _, record in page.items]
        query = select(table.c.id).where(
            matches_key(table, parents), table.c.run_id == self.run_id, table.c.id.in_(ids)
        )
        seen = set(connection.execute(query, bind_key(parents)).scalars())
        children = {
            (child.kind, record_id): child
            for child in page.children
            if (record_id := storable(child.addon_id or child.project_id or "")) not in seen
        }
        return list(children.values())

    def _upsert_projects(self, connection: Connection, pages: Sequence[ParsedPage], now: datetime) -> None:
        """Store the projects of addon listings: one named in the query is in no listing."""
        rows = [
            {
                "team_id": page.listing.account.team_id or "",
                **self._seen(now),
                **record_row(Kind.PROJECTS, page.listing.project, unstructure(page.listing.project)),
            }
            for page in pages
            if page.listing.kind is Kind.ADDONS
        ]
        preserve = ("name", "data", "first_seen_at")
        self._execute(connection, upsert(projects, connection.dialect.name, preserve), rows)

    def _store_items(self, connection: Connection, kind: Kind, pages: Sequence[ParsedPage], now: datetime) -> None:
        """Upsert what the query matches, and update other rows only if they exist."""
        matching: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for page in pages:
            shared = {**_parents(page.listing), **self._seen(now)}
            for raw, record in page.items:
                is_match = kind is not Kind.BACKUPS or self._query.matches(record)
                (matching if is_match else others).append({**shared, **record_row(kind, record, raw)})
            for raw in page.unreadable:
                if isinstance(raw, dict) and isinstance(raw.get("id"), str):
                    matching.append({**shared, **record_row(kind, None, raw)})
        key = [column.name for column in TABLES[kind].primary_key]
        execute_prepared(connection, upsert(TABLES[kind], connection.dialect.name), matching)
        execute_prepared(connection, update_existing(TABLES[kind]), [{**row, **bind_key(row, key)} for row in others])

    def _insert_checkpoints(self, connection: Connection, listings: Iterable[Listing]) -> None:
        rows = [{**_key(listing), "cursor": listing.cursor, "page": listing.page} for listing in listings]
        self._execute(connection, insert_missing(checkpoints, connection.dialect.name), rows)

    def _save_checkpoints(self, connection: Connection, listings: Iterable[Listing]) -> None:
        rows = [{**bind_key(_key(listing)), "cursor": listing.cursor, "page": listing.page} for listing in listings]
        position: dict[str, Any] = {"cursor": bindparam("cursor"), "page": bindparam("page")}
        self._execute(
            connection, update(checkpoints).where(matches_key(checkpoints, LISTING_KEY)).values(position), rows
        )

    def _end_listings(self, connection: Connection, listings: Sequence[Listing], now: datetime) -> None:
        """Remove the checkpoints of complete listings, and soft-delete what they no longer have."""
        keys = [bind_key(_key(listing)) for listing in listings]
        self._execute(connection, delete(checkpoints).where(matches_key(checkpoints, LISTING_KEY)), keys)
        for kind in Kind:
            rows = [
                {**bind_key(_parents(listing)), "now": now, "current_run": self.run_id}
                for listing in listings
                if listing.kind is kind
            ]
            for statement in soft_delete(kind):
                self._execute(connection, statement, rows)

    def _insert_failures(self, connection: Connection, found: Iterable[tuple[Listing, Failure]]) -> None:
        rows = [
            {**_key(listing), "item_id": failure.item_id, "error": storable(str(failure.error))}
            for listing, failure in found
        ]
        self._execute(connection, insert(failures), rows)

    def _add_counts(
        self, connection: Connection, pages: Sequence[ParsedPage], children: Sequence[Sequence[Listing]]
    ) -> None:
        counts = Counter[str]()
        for page, new in zip(pages, children, strict=True):
            counts += page.listing.count(len(page.items) + len(page.unreadable), new)
        values = {name: sync_runs.c[name] + number for name, number in counts.items()}
        connection.execute(update(sync_runs).where(sync_runs.c.id == self.run_id).values(values))

    def _reset_seen(self, connection: Connection, kind: Kind, parents: dict[str, str]) -> None:
        """Mark a listing's backups or restores as unseen. Projects and addons stay seen: those below are open."""
        if kind in (Kind.BACKUPS, Kind.RESTORES):
            table = TABLES[kind]
            reset = update(table).where(matches_key(table, parents)).values(run_id=_NO_RUN)
            self._execute(connection, reset, [bind_key(parents)])

    def _execute(self, connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(statement, rows)

    def _seen(self, now: datetime) -> dict[str, Any]:
        return {"first_seen_at": now, "last_seen_at": now, "deleted_at": None, "run_id": self.run_id}


def _check_same_host(stored: str, queried: str) -> None:
    """Refuse another host: it would mark every backup as deleted."""
    before, now = URL(stored).host, URL(queried).host
    if before != now:
        raise ConfigurationError(
            f"this inventory belongs to {before}; syncing from {now} would mark everything deleted: use another target"
        )


def _parents(listing: Listing) -> dict[str, str]:
    """Return the columns that the rows of a listing's items share."""
    ids = {"team_id": listing.account.team_id or "", "project_id": listing.project_id, "addon_id": listing.addon_id}
    return {name: storable(value) for name, value in ids.items() if value is not None}


def _key(listing: Listing) -> dict[str, str]:
    """Return a listing's key in the tables of checkpoints and failures."""
    return {"project_id": "", "addon_id": "", **_parents(listing), "kind": str(listing.kind)}


def _listing(account: AccountResource, row: Any) -> Listing:
    """Restore a listing from its checkpoint."""
    return Listing(
        account=account,
        kind=Kind(row.kind),
        project=Project(id=row.project_id) if row.project_id else None,
        addon=Addon(id=row.addon_id) if row.addon_id else None,
        cursor=row.cursor,
        page=row.page,
    )
