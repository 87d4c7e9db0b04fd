"""The bookkeeping of a sync run in the database: pages, checkpoints, counts and failures."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from northflank_async.errors import DecodeError, NorthflankError
from northflank_async.inventory.crawl import Failure, Kind, Listing, ParsedPage, Tree
from northflank_async.inventory.encoding import storable, storable_json
from northflank_async.inventory.identity import Visibility
from northflank_async.inventory.store.readings import (
    UNREAD,
    Authority,
    Key,
    Reading,
    State,
    end_readings,
    find_listings,
    remember_ids,
)
from northflank_async.inventory.store.schema import (
    COUNTS,
    LISTING_KEY,
    ROWS,
    accounts,
    backup_rows,
    excluded_ids,
    failures,
    listings,
    seen_ids,
    sync_runs,
)
from northflank_async.inventory.store.statements import (
    delete_of_listing,
    execute_prepared,
    insert_listing,
    insert_missing,
    matches_key,
    update_item,
    update_listing,
    upsert_item,
    upsert_named_project,
)
from northflank_async.records import Addon, Auth, Project
from northflank_async.resources import AccountResource

RESUME_MAX_AGE = timedelta(hours=24)
"""How long after its start an interrupted sync run is resumed by default."""

_NO_RUN = 0
_NO_SIBLINGS: Mapping[int, datetime | None] = {}


class Ledger:
    """Records one sync run. Each method is one transaction's work, which may run again if it was not committed.

    Args:
        tree: what the run reads.
        temporary: the store is only for this export: a new run empties it, except for the runs of `fingerprints`.
        fingerprints: those of all runs that are made together.
        resume_max_age: how long after its start an interrupted run is resumed.
        allow_mass_deletion: believe a listing of projects or addons that has lost all, or most, of its items.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        temporary: bool = False,
        fingerprints: Collection[str] = (),
        resume_max_age: timedelta = RESUME_MAX_AGE,
        allow_mass_deletion: bool = False,
    ) -> None:
        self.run_id = _NO_RUN
        self.resumed_from: datetime | None = None
        self.discarded_from: datetime | None = None
        self.open_listings: list[Listing] = []
        """What to crawl, as of `begin`."""
        self.counts: Counter[str] = Counter()
        """The progress, as of `begin`."""
        self._tree = tree
        self._query = tree.query
        self._temporary = temporary
        self._fingerprints = fingerprints
        self._resume_max_age = resume_max_age
        self._allow_mass_deletion = allow_mass_deletion
        self._account_id = ""
        self._visibility: Visibility | None = None
        self._authority: Authority | None = None

    @property
    def has_begun(self) -> bool:
        return self.run_id != _NO_RUN

    # A run, from its beginning to its end.

    def begin(
        self,
        connection: Connection,
        account_id: str,
        auth: Auth | None,
        siblings: Mapping[int, datetime | None] = _NO_SIBLINGS,
    ) -> None:
        """Resume the account's last run that is unfinished and reads the same; otherwise start a new one.

        A sibling that reads the same is shared: only what it could not read is read again.

        Args:
            connection: the transaction.
            account_id: the account, as `find_account` returned it.
            auth: whose token it is; `None` if the API did not say.
            siblings: the runs of the same account that have begun together with this one, and what they have resumed.
        """
        self.resumed_from = self.discarded_from = None
        self._query = self._tree.query
        self._account_id = account_id
        self._visibility = None if auth is None else Visibility.of(auth)
        last = next((run for run in self._unfinished(connection) if self._reads_the_same(run)), None)
        if last is None:
            self._start(connection, siblings)
        elif not self._is_recent(last, datetime.now(UTC)):
            self.discarded_from = last.started_at if last.pages else None
            self._start(connection, siblings)
        else:
            self._resume(connection, last)
            self.resumed_from = siblings.get(last.id, last.started_at)
        self._authority = self._authorize(connection)

    def finish(self, connection: Connection) -> None:
        """Finish the run: the next one starts from the beginning."""
        self._close_listings(connection, [self.run_id])
        connection.execute(update(sync_runs).where(sync_runs.c.id == self.run_id).values(finished_at=datetime.now(UTC)))

    def reopen(self, connection: Connection) -> None:
        """Have the next run read the listings with unreadable items again; those that failed themselves are open."""
        if self.run_id not in {run.id for run in self._unfinished(connection)}:
            return
        key = [failures.c[name] for name in LISTING_KEY]
        failed = select(*key).where(failures.c.run_id == self.run_id, failures.c.item_id.is_not(None))
        counts = Counter[str]()
        found = find_listings(connection, {tuple(row) for row in connection.execute(failed)}).values()
        states = [state for state in found if state["opened_by"] in (None, self.run_id)]
        for state in states:
            counts.subtract(_counted(state))
            state |= {**UNREAD, "opened_by": self.run_id}
        self._save(connection, states)
        self._delete_seen(connection, states)
        self._delete_failures(connection, states)  # not those of a listing that a run besides this one reads again
        self._add_counts(connection, counts)

    def _unfinished(self, connection: Connection) -> Sequence[Row[Any]]:
        """Return the runs of the account that can be resumed, the last one first."""
        query = select(sync_runs).where(
            sync_runs.c.account_id == self._account_id,
            sync_runs.c.finished_at.is_(None),
            sync_runs.c.superseded_by.is_(None),
        )
        return connection.execute(query.order_by(sync_runs.c.id.desc())).all()

    def _reads_the_same(self, last: Any) -> bool:
        """Whether an earlier run reads what this one would, with a token that sees the same."""
        if self._visibility is None or last.visibility is None:
            is_same_token = last.token == self._token
        else:
            is_same_token = last.visibility == self._visibility_text
        return is_same_token and bool(last.fingerprint == self._query.fingerprint)

    @property
    def _token(self) -> str:
        return self._query.accounts[0].token_fingerprint

    @property
    def _visibility_text(self) -> str | None:
        return None if self._visibility is None else self._visibility.to_json()

    def _authorize(self, connection: Connection) -> Authority:
        query = select(sync_runs.c.id, sync_runs.c.visibility, sync_runs.c.token).where(
            sync_runs.c.account_id == self._account_id
        )
        read: dict[str, Visibility] = {}
        visibilities, own_runs = {}, set()
        for run_id, text, token in connection.execute(query):
            if token == self._token:
                own_runs.add(run_id)
            if text is not None and text not in read:
                with suppress(ValueError, DecodeError):
                    read[text] = Visibility.from_json(text)
            if text in read:
                visibilities[run_id] = read[text]
        return Authority(
            is_identified=self._visibility is not None and self.run_id in visibilities,
            is_anonymous=self._is_anonymous(connection),
            own_runs=own_runs,
            visibility=self._visibility,
            visibilities=visibilities,
            allow_mass_deletion=self._allow_mass_deletion,
        )

    def _is_anonymous(self, connection: Connection) -> bool:
        """Whether no run of the account has found out what the API calls it."""
        query = select(accounts.c.visibility).where(accounts.c.account_id == self._account_id)
        return connection.execute(query).scalar() is None

    def _resume(self, connection: Connection, last: Any) -> None:
        self.run_id = last.id
        self._query = self._query.starting(last.started_at)
        self.counts = Counter({name: getattr(last, name) for name in COUNTS})
        is_ours = failures.c.run_id == self.run_id
        connection.execute(delete(failures).where(is_ours, failures.c.item_id.is_(None)))  # these are read again
        resources = {storable(account.team_id or ""): account for account in self._query.accounts}
        is_open = (listings.c.account_id == self._account_id, listings.c.opened_by == self.run_id)
        query = select(listings).where(*is_open).order_by(listings.c.cursor.is_(None), listings.c.listing_id)
        self.open_listings = [
            _listing(resources[row.team_id], self._tree.account_id, row) for row in connection.execute(query)
        ]

    def _start(self, connection: Connection, siblings: Collection[int]) -> None:
        fingerprint, now = self._query.fingerprint, datetime.now(UTC)
        run = insert(sync_runs).values(
            account_id=self._account_id,
            fingerprint=fingerprint,
            visibility=self._visibility_text,
            token=self._token,
            started_at=now,
        )
        self._query = self._query.starting(now)
        (self.run_id,) = connection.execute(run).inserted_primary_key or (_NO_RUN,)
        others = [run for run in self._unfinished(connection) if run.id not in (self.run_id, *siblings)]
        superseded = [run.id for run in others if not self._can_be_resumed(run, now)]
        self._supersede(connection, superseded)
        kept = [self.run_id, *siblings, *(run.id for run in others if run.id not in superseded)]
        is_ours = failures.c.account_id == self._account_id
        connection.execute(delete(failures).where(is_ours, failures.c.run_id.not_in(kept)))
        if self._temporary:
            self._empty(connection, kept)
        self.counts = Counter()
        self.open_listings = self._open(connection, self._tree.roots())

    def _is_recent(self, run: Any, now: datetime) -> bool:
        """Whether a run is young enough. The age of one that started in the future is not known: a clock was wrong."""
        return bool(abs(now - run.started_at) <= self._resume_max_age)

    def _can_be_resumed(self, other: Row[Any], now: datetime) -> bool:
        """Whether a sync with another query may resume an unfinished run after this one."""
        is_wanted = not self._temporary or other.fingerprint in self._fingerprints
        return self._is_recent(other, now) and is_wanted and other.fingerprint != self._tree.query.fingerprint

    def _empty(self, connection: Connection, kept: Sequence[int]) -> None:
        """Delete what only other runs have read of the account."""
        is_kept = or_(listings.c.run_id.in_(kept), listings.c.opened_by.in_(kept))
        others = (listings.c.account_id == self._account_id, func.coalesce(is_kept, False).is_(False))
        listing_ids = select(listings.c.listing_id).where(*others)
        for table in (*ROWS.values(), seen_ids, excluded_ids):
            connection.execute(delete(table).where(table.c.listing_id.in_(listing_ids)))
        connection.execute(delete(listings).where(*others))

    def _supersede(self, connection: Connection, run_ids: Sequence[int]) -> None:
        """Have other runs start anew instead of being resumed: this one reads what they had left."""
        if run_ids:
            self._close_listings(connection, run_ids)
            superseded = update(sync_runs).where(sync_runs.c.id.in_(run_ids))
            connection.execute(superseded.values(superseded_by=self.run_id))

    def _close_listings(self, connection: Connection, run_ids: Sequence[int]) -> None:
        is_open = (listings.c.account_id == self._account_id, listings.c.opened_by.in_(run_ids))
        connection.execute(
            delete(seen_ids).where(seen_ids.c.listing_id.in_(select(listings.c.listing_id).where(*is_open)))
        )
        closed = {**UNREAD, "is_open": False, "opened_by": None}
        connection.execute(update(listings).where(*is_open).values(closed))

    # Pages.

    def confirm(self, auth: Auth | None) -> None:
        """Compare what the token may see now with what it could see at the start.

        If that has changed, nothing is deleted any longer in this run: it is not known which pages it has affected.
        """
        assert self._authority is not None
        is_same = auth is not None and storable(auth.entity_id) == self._account_id
        if auth is None or not is_same or Visibility.of(auth) != self._visibility:
            self._authority = evolve(self._authority, is_identified=False)

    def store_pages(
        self, connection: Connection, pages: Sequence[ParsedPage], *, is_confirmed: bool = False
    ) -> list[Reading]:
        """Store pages, each with its listing's checkpoint.

        Args:
            connection: the transaction.
            pages: pages of different listings.
            is_confirmed: `confirm` was called after they had been fetched.

        Raises:
            Unconfirmed: that has to be done first.
        """
        now = datetime.now(UTC)
        states = self._states(connection, [page.listing.store_id for page in pages])
        readings = [Reading(page, states[page.listing.store_id]) for page in pages]
        self._open_children(connection, readings)
        self._see_named_projects(connection, readings)
        self._store_items(connection, readings)
        for reading in readings:
            reading.add_page()
        remember_ids(connection, readings)
        assert self._authority is not None
        authority = evolve(self._authority, is_confirmed=is_confirmed)
        if not authority.is_identified:  # what this run has seen may be another account's
            connection.execute(update(sync_runs).where(sync_runs.c.id == self.run_id).values(visibility=None))
        for kind in Kind:
            ended = [reading for reading in readings if reading.kind is kind and reading.page.listing.ended]
            is_filtered = kind is Kind.BACKUPS and self._query.filters_backups
            end_readings(connection, ended, authority, run_id=self.run_id, is_filtered=is_filtered, now=now)
        for reading in readings:
            reading.state["opened_by"] = self.run_id if reading.state["is_open"] else None
        counts = self._count(readings, states)
        self._save(connection, [reading.state for reading in readings])
        self._delete_failures(connection, [reading.state for reading in readings if reading.reads_again])
        self._insert_failures(
            connection,
            [
                (each.page.listing, failure)
                for each in readings
                if not each.reads_again
                for failure in each.page.failures
            ],
        )
        self._add_counts(connection, counts)
        return readings

    def store_failure(self, connection: Connection, listing: Listing, failure: Failure) -> None:
        """Store why a listing could not be read. Its checkpoint stays."""
        self._insert_failures(connection, [(listing, failure)])

    def restart(self, connection: Connection, listing: Listing) -> None:
        """Read a listing again from its first page."""
        (state,) = self._states(connection, [listing.store_id]).values()
        self._add_counts(
            connection, Counter(backups=-state["items_read"]) if listing.kind is Kind.BACKUPS else Counter()
        )
        kept = {"previous_digest": state["previous_digest"], "restarts": listing.restarts}
        if state["previous_digest"] is not None:
            kept["reading_started_at"] = state["reading_started_at"]
        state |= {**UNREAD, **kept}
        self._save(connection, [state])
        self._delete_seen(connection, [state])
        self._delete_failures(connection, [state])

    # What is known of the run.

    def count_backups(self, connection: Connection, run_ids: Collection[int]) -> int:
        """Return the number of stored backups that some runs of the account have seen."""
        is_ours = (listings.c.account_id == self._account_id, listings.c.kind == Kind.BACKUPS)
        is_there = (backup_rows.c.deleted_at.is_(None), backup_rows.c.last_seen_at.is_(None))
        of_listing = backup_rows.join(listings, backup_rows.c.listing_id == listings.c.listing_id)
        ended = (~listings.c.is_open, listings.c.run_id.in_(run_ids))
        in_ended = select(func.count()).select_from(of_listing).where(*is_ours, *is_there, *ended)
        seen = (seen_ids.c.listing_id == backup_rows.c.listing_id) & (seen_ids.c.id == backup_rows.c.id)
        is_open = listings.c.opened_by.in_(run_ids)
        in_open = select(func.count()).select_from(of_listing.join(seen_ids, seen)).where(*is_ours, *is_there, is_open)
        return sum(connection.execute(query).scalar() or 0 for query in (in_ended, in_open))

    def failures(self, connection: Connection) -> list[Failure]:
        """Return what the run could not read."""
        query = select(failures).where(failures.c.run_id == self.run_id).order_by(failures.c.id)
        return [
            Failure(
                account_id=row.account_id or None,
                team_id=row.team_id or None,
                project_id=row.project_id or None,
                addon_id=row.addon_id or None,
                item_id=row.item_id,
                error=NorthflankError(row.error),
            )
            for row in connection.execute(query)
        ]

    # Listings.

    def _key(self, listing: Listing) -> Key:
        ids = (listing.account.team_id, listing.project_id, listing.addon_id)
        return (self._account_id, *(storable(value or "") for value in ids), str(listing.kind))

    def _states(self, connection: Connection, listing_ids: Sequence[int]) -> dict[int, State]:
        rows = connection.execute(select(listings).where(listings.c.listing_id.in_(listing_ids))).mappings()
        return {row["listing_id"]: dict(row) for row in rows}

    def _open(self, connection: Connection, found: Iterable[Listing]) -> list[Listing]:
        """Open listings, and return them, except those that the run has opened before."""
        by_key: dict[Key, Listing] = {}
        for listing in found:
            by_key.setdefault(self._key(listing), listing)
        known = find_listings(connection, by_key)
        others = set[int]()
        for key, state in known.items():
            if state["opened_by"] == self.run_id or (not state["is_open"] and state["run_id"] == self.run_id):
                del by_key[key]
            elif state["is_open"]:
                others.add(state["opened_by"])
        self._supersede(connection, sorted(others))
        opened = {**UNREAD, "opened_by": self.run_id}
        self._save(connection, [{**state, **opened} for key, state in known.items() if key in by_key])
        self._insert(connection, [key for key in by_key if key not in known], is_open=True)
        for key, state in find_listings(connection, by_key).items():
            by_key[key].store_id = state["listing_id"]
        return list(by_key.values())

    def _open_children(self, connection: Connection, readings: Sequence[Reading]) -> None:
        if any(reading.page.children for reading in readings):
            new = set(self._open(connection, [child for each in readings for child in each.page.children]))
            for reading in readings:
                reading.children = [child for child in reading.page.children if child in new]

    def _insert(self, connection: Connection, keys: Sequence[Key], *, is_open: bool) -> None:
        opened_by = self.run_id if is_open else None
        unread = {**UNREAD, "is_open": is_open, "opened_by": opened_by, "read_at": None, "run_id": None}
        rows = [{**dict(zip(LISTING_KEY, key, strict=True)), **unread} for key in keys]
        execute_prepared(connection, insert_listing(connection.dialect.name), rows)

    def _save(self, connection: Connection, states: Sequence[State]) -> None:
        rows = [{**state, "key_listing_id": state["listing_id"]} for state in states]
        execute_prepared(connection, update_listing(), rows)

    def _delete_seen(self, connection: Connection, states: Sequence[State]) -> None:
        rows = [{"key_listing_id": state["listing_id"]} for state in states]
        execute_prepared(connection, delete_of_listing(seen_ids), rows)

    # Items.

    def _store_items(self, connection: Connection, readings: Sequence[Reading]) -> None:
        """Upsert what the query matches, and update other rows only if they exist."""
        for kind in Kind:
            matching: list[dict[str, Any]] = []
            others: list[dict[str, Any]] = []
            for reading in (each for each in readings if each.kind is kind):
                shared = self._written(reading.listing_id, reading.page.requested_at)
                for raw, row in reading.page.items:
                    if row.id is None:
                        continue
                    is_match = kind is not Kind.BACKUPS or self._query.matches_columns(row.values)
                    (matching if is_match else others).append({**shared, **row.values, "data": storable_json(raw)})
            keys = [{"key_listing_id": row["listing_id"], "key_id": row["id"]} for row in others]
            execute_prepared(connection, upsert_item(kind, connection.dialect.name), matching)
            execute_prepared(
                connection, update_item(kind), [{**row, **key} for row, key in zip(others, keys, strict=True)]
            )
            if kind is Kind.BACKUPS and self._query.restores:
                self._remember_excluded(connection, readings, others)

    def _remember_excluded(
        self, connection: Connection, readings: Sequence[Reading], excluded: Sequence[dict[str, Any]]
    ) -> None:
        begun = [
            {"key_listing_id": reading.listing_id}
            for reading in readings
            if reading.kind is Kind.BACKUPS and not reading.state["pages_read"]
        ]
        execute_prepared(connection, delete_of_listing(excluded_ids), begun)
        execute_prepared(connection, insert_missing(excluded_ids, connection.dialect.name), excluded)

    def _see_named_projects(self, connection: Connection, readings: Sequence[Reading]) -> None:
        """Store the projects that were named in the query, and are in no listing: their addons were listed."""
        if self._query.projects is None:
            return
        named = [
            (self._key(reading.page.listing), reading.page.requested_at)
            for reading in readings
            if reading.kind is Kind.ADDONS and not reading.state["pages_read"]
        ]
        parents = {key: (*key[:2], "", "", str(Kind.PROJECTS)) for key, _ in named}
        known = find_listings(connection, set(parents.values()))
        self._insert(connection, [key for key in set(parents.values()) if key not in known], is_open=False)
        known = find_listings(connection, set(parents.values()))
        rows = [
            {
                **self._written(known[parents[key]]["listing_id"], time),
                "id": key[2],
                "name": None,
                "data": storable_json({"id": key[2]}),
            }
            for key, time in named
        ]
        execute_prepared(connection, upsert_named_project(connection.dialect.name), rows)

    def _written(self, listing_id: int, time: datetime) -> dict[str, Any]:
        times = {"first_seen_at": time, "written_at": time, "last_seen_at": None, "deleted_at": None}
        return {"listing_id": listing_id, "run_id": self.run_id, **times}

    # Failures and counts.

    def _insert_failures(self, connection: Connection, found: Iterable[tuple[Listing, Failure]]) -> None:
        rows = [
            {
                **dict(zip(LISTING_KEY, self._key(listing), strict=True)),
                "run_id": self.run_id,
                "item_id": failure.item_id,
                "error": storable(str(failure.error)),
            }
            for listing, failure in found
        ]
        if rows:
            connection.execute(insert(failures), rows)

    def _delete_failures(self, connection: Connection, states: Sequence[State]) -> None:
        rows = [{f"key_{name}": state[name] for name in LISTING_KEY} for state in states]
        if rows:
            is_ours = (failures.c.run_id == self.run_id, matches_key(failures, LISTING_KEY))
            connection.execute(delete(failures).where(*is_ours), rows)

    def _count(self, readings: Sequence[Reading], states: dict[int, State]) -> Counter[str]:
        counts = Counter[str]()
        for reading in readings:
            listing = reading.page.listing
            ended = listing.ended and not reading.reads_again and reading.error is None
            counts.update(listing.count(len(reading.page.items), reading.children, ended=ended))
            if reading.reads_again and listing.kind is Kind.BACKUPS:
                counts["backups"] -= listing.items_read
        return counts

    def _add_counts(self, connection: Connection, counts: Counter[str]) -> None:
        values: dict[str, Any] = {name: sync_runs.c[name] + number for name, number in counts.items()}
        if values:
            connection.execute(update(sync_runs).where(sync_runs.c.id == self.run_id).values(values))


def _counted(state: State) -> Counter[str]:
    """What a listing that has ended has added to the progress."""
    if state["is_open"]:
        return Counter()
    return Counter(
        projects=int(state["kind"] == Kind.ADDONS),
        addons_done=int(state["kind"] == Kind.BACKUPS),
        backups=state["items_read"] if state["kind"] == Kind.BACKUPS else 0,
    )


def _listing(account: AccountResource, account_id: str | None, row: Any) -> Listing:
    """Restore a listing from its checkpoint."""
    return Listing(
        account=account,
        account_id=account_id,
        kind=Kind(row.kind),
        project=Project(id=row.project_id) if row.project_id else None,
        addon=Addon(id=row.addon_id) if row.addon_id else None,
        cursor=row.cursor,
        page=row.page,
        items_read=row.items_read,
        restarts=row.restarts,
        store_id=row.listing_id,
    )
