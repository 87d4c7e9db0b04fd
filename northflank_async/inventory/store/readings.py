"""Readings of listings, page by page, and what becomes of the rows that a listing no longer has."""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from attrs import Factory, define, frozen
from sqlalchemy import Connection, Select, Table, func, select, tuple_

from northflank_async.errors import MassDeletion, NorthflankError
from northflank_async.inventory.crawl import Kind, Listing, ParsedPage
from northflank_async.inventory.identity import Visibility, covers
from northflank_async.inventory.store.schema import LISTING_KEY, ROWS, listings, seen_ids
from northflank_async.inventory.store.statements import (
    chunks,
    delete_of_listing,
    delete_rows,
    execute_prepared,
    insert_missing,
    mark_missing,
)

Key: TypeAlias = tuple[str, ...]
"""The values of `LISTING_KEY`."""
State: TypeAlias = dict[str, Any]
"""A row of `listings`."""

UNREAD: Mapping[str, Any] = {
    "is_open": True,
    "reading_started_at": None,
    "cursor": None,
    "page": None,
    "pages_read": 0,
    "items_read": 0,
    "restarts": 0,
    "is_flawed": False,
    "digest": "",
    "previous_digest": None,
}
"""The checkpoint of a listing whose first page is the next to be read."""
_KEYS_AT_ONCE = 150
_GUARDED = (Kind.PROJECTS, Kind.ADDONS)
"""The kinds of which an account does not lose all, or most, at once."""
_MANY = 10
"""Items, of which more than half are not believed to be deleted."""
_BELOW: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.PROJECTS: (Kind.ADDONS, Kind.BACKUPS, Kind.RESTORES, Kind.SCHEDULES),
    Kind.ADDONS: (Kind.BACKUPS, Kind.RESTORES, Kind.SCHEDULES),
}


@frozen(kw_only=True)
class Authority:
    """What a run may conclude from the absence of an item.

    - `is_identified`: the account of its token is known, and is the one whose rows these are.
    - `is_confirmed`: that was so, and it could see as much, when it was asked again after the last page.
    - `is_anonymous`: no token's account was ever known.
    - `own_runs`: the runs with the same token.
    - `visibility`: what its token can see.
    - `visibilities`: what the tokens of all runs could see, if their account was known.
    """

    is_identified: bool
    is_confirmed: bool = False
    is_anonymous: bool
    own_runs: Container[int]
    visibility: Visibility | None
    visibilities: Mapping[int, Visibility]
    allow_mass_deletion: bool

    def may_delete(self, kind: Kind, seen_by: int) -> bool:
        """Whether an item that was last seen by a run was deleted if its listing does not have it."""
        if not self.is_identified or self.visibility is None:
            return self.is_anonymous and seen_by in self.own_runs and kind is not Kind.PROJECTS
        former = self.visibilities.get(seen_by)
        return former is not None and (kind not in _GUARDED or covers(self.visibility, former))


class Unconfirmed(Exception):
    """Projects or addons are missing from their listing, which a token that sees less by now would explain, too."""


@define(eq=False)
class Reading:
    """A page, and the state of its listing, which `add_page` and `end` bring up to date.

    `error` is why the listing is a failure, `reads_again` whether it has to be read a second time.
    """

    page: ParsedPage
    state: State
    children: list[Listing] = Factory(list)
    error: NorthflankError | None = None
    reads_again: bool = False

    @property
    def kind(self) -> Kind:
        return self.page.listing.kind

    @property
    def listing_id(self) -> int:
        return self.page.listing.store_id

    @property
    def is_single(self) -> bool:
        """Whether the page is a snapshot of the whole listing."""
        return self.page.listing.ended and self.state["pages_read"] == 1 and self.state["previous_digest"] is None

    @property
    def ids(self) -> list[str]:
        return [row.id for _, row in self.page.items if row.id is not None]

    def add_page(self) -> None:
        """Advance the checkpoint."""
        state, listing = self.state, self.page.listing
        state["reading_started_at"] = state["reading_started_at"] or self.page.requested_at
        state["cursor"], state["page"] = listing.cursor, listing.page
        state["pages_read"] += 1
        state["items_read"] += len(self.page.items)
        state["is_flawed"] = state["is_flawed"] or any(row.id is None for _, row in self.page.items)
        digest = json.dumps([state["digest"], self.ids]).encode()
        state["digest"] = hashlib.sha256(digest).hexdigest()

    def read_again(self) -> None:
        """Read the listing a second time, to find out whether it changed while it was read."""
        self.reads_again = True
        kept = {name: self.state[name] for name in ("reading_started_at", "restarts")}
        self.state |= {**UNREAD, **kept, "previous_digest": self.state["digest"]}

    def close(self, run_id: int) -> None:
        """End the reading. A listing that is a failure stays open, for a strict sync that is repeated."""
        kept = {"read_at": self.state["reading_started_at"], "items_read": self.state["items_read"]}
        self.state |= {**UNREAD, **kept, "run_id": run_id, "is_open": self.error is not None}


def remember_ids(connection: Connection, readings: Iterable[Reading]) -> None:
    """Remember the items of pages of which there are several in a listing."""
    rows = [
        {"listing_id": reading.listing_id, "id": item_id}
        for reading in readings
        if not reading.is_single
        for item_id in reading.ids
    ]
    execute_prepared(connection, insert_missing(seen_ids, connection.dialect.name), rows)


def end_readings(
    connection: Connection,
    readings: Sequence[Reading],
    authority: Authority,
    *,
    run_id: int,
    is_filtered: bool,
    now: datetime,
) -> None:
    """End readings whose last page was stored, and mark the rows that they miss.

    Args:
        connection: the transaction.
        readings: of one kind.
        authority: what may be concluded from absence.
        run_id: the sync run.
        is_filtered: not every item is stored.
        now: when rows are deleted.

    Raises:
        Unconfirmed: the authority has to be confirmed first.
    """
    missing = _missing_from_pages(connection, [each for each in readings if each.is_single], is_filtered)
    for reading in readings:
        found = missing.get(reading.listing_id, [])
        if not reading.is_single:
            found = _missing_from_readings(connection, reading)
        _end(connection, reading, found, authority, run_id, now)
    ended = [{"key_listing_id": each.listing_id} for each in readings if not each.reads_again and not each.is_single]
    execute_prepared(connection, delete_of_listing(seen_ids), ended)
    for reading in readings:
        if not reading.reads_again:
            reading.close(run_id)


def _end(
    connection: Connection,
    reading: Reading,
    missing: Sequence[Any],
    authority: Authority,
    run_id: int,
    now: datetime,
) -> None:
    kind, state = reading.kind, reading.state
    seen_by = {row.id: _last_seen_by(row, state) for row in missing}
    deleted: set[str] = set()
    if not state["is_flawed"]:
        deleted = {item_id for item_id, run in seen_by.items() if authority.may_delete(kind, run)}
    if deleted and not reading.is_single:
        if state["previous_digest"] is None:
            reading.read_again()
            return
        if state["previous_digest"] != state["digest"]:
            deleted = set()
    if deleted and kind in _GUARDED and not authority.allow_mass_deletion:
        reading.error = _check_number(connection, reading, len(missing), len(deleted))
        deleted = deleted if reading.error is None else set()
    if deleted and kind in _GUARDED and authority.is_identified and not authority.is_confirmed:
        raise Unconfirmed
    marks = [
        _mark(row, state, now if row.id in deleted else None)
        for row in missing
        if row.id in deleted or row.last_seen_at is None
    ]
    execute_prepared(connection, mark_missing(kind), marks)
    if kind in _BELOW and deleted:
        _delete_below(connection, kind, state, sorted(deleted), authority, now)


def _mark(row: Any, state: Mapping[str, Any], deleted_at: datetime | None) -> dict[str, Any]:
    """The values that mark a row which its listing no longer has."""
    return {
        "key_listing_id": state["listing_id"],
        "key_id": row.id,
        "last_seen_at": row.last_seen_at or max(row.written_at, state["read_at"] or row.written_at),
        "run_id": _last_seen_by(row, state),
        "deleted_at": deleted_at,
    }


def _last_seen_by(row: Any, state: Mapping[str, Any]) -> int:
    """Find the run that has seen a row last, of those that are known."""
    is_own = row.last_seen_at is not None or state["read_at"] is None or row.written_at > state["read_at"]
    run: int = row.run_id if is_own else state["run_id"]
    return run


def _check_number(connection: Connection, reading: Reading, missing: int, deleted: int) -> MassDeletion | None:
    rows = ROWS[reading.kind]
    query = select(func.count()).where(
        rows.c.listing_id == reading.listing_id,
        rows.c.deleted_at.is_(None),
        rows.c.first_seen_at < reading.state["reading_started_at"],
    )
    known = connection.execute(query).scalar() or 0
    if missing < known and (known < _MANY or deleted * 2 <= known):
        return None
    return MassDeletion(
        f"{deleted} of {known} known {reading.kind} are no longer listed, so none of them is marked deleted: "
        "use --allow-mass-deletion (allow_mass_deletion=True) if they were deleted"
    )


def _missing_from_pages(
    connection: Connection, readings: Sequence[Reading], is_filtered: bool
) -> dict[int, Sequence[Any]]:
    """Find the rows that listings of one page miss."""
    if not readings:
        return {}
    rows = ROWS[readings[0].kind]
    counts: dict[int, int] = {}
    for part in chunks([reading.listing_id for reading in readings]):
        is_known = (rows.c.listing_id.in_(part), rows.c.deleted_at.is_(None))
        counted = select(rows.c.listing_id, func.count()).where(*is_known).group_by(rows.c.listing_id)
        counts |= {row[0]: row[1] for row in connection.execute(counted)}
    missing: dict[int, Sequence[Any]] = {}
    for reading in readings:
        seen = set(reading.ids)
        if is_filtered or counts.get(reading.listing_id, 0) != len(seen):  # else there are no rows but those seen
            known = connection.execute(_known(rows, reading.listing_id))
            missing[reading.listing_id] = [row for row in known if row.id not in seen]
    return missing


def _missing_from_readings(connection: Connection, reading: Reading) -> Sequence[Any]:
    """Find the rows that all pages of a listing, and of its reading before, miss."""
    rows = ROWS[reading.kind]
    is_seen = select(seen_ids.c.id).where(seen_ids.c.listing_id == rows.c.listing_id, seen_ids.c.id == rows.c.id)
    return connection.execute(_known(rows, reading.listing_id).where(~is_seen.exists())).all()


def _known(rows: Table, listing_id: int) -> Select[Any]:
    c = rows.c
    return select(c.id, c.written_at, c.last_seen_at, c.run_id).where(
        c.listing_id == listing_id, c.deleted_at.is_(None)
    )


def _delete_below(
    connection: Connection, kind: Kind, state: State, ids: Sequence[str], authority: Authority, now: datetime
) -> None:
    """Soft-delete the rows of the listings below deleted projects or addons."""
    column = listings.c.project_id if kind is Kind.PROJECTS else listings.c.addon_id
    same = [listings.c[name] == state[name] for name in ("account_id", "team_id")]
    if kind is Kind.ADDONS:
        same.append(listings.c.project_id == state["project_id"])
    for part in chunks(ids):
        is_below = (*same, column.in_(part), listings.c.kind.in_(_BELOW[kind]))
        found = connection.execute(select(listings).where(*is_below)).mappings().all()
        for below in _BELOW[kind]:
            states = [dict(each) for each in found if each["kind"] == below]
            if authority.is_anonymous:
                _delete_own(connection, below, states, authority, now)
            else:
                rows = [
                    {"key_listing_id": each["listing_id"], "read_at": each["read_at"], "now": now} for each in states
                ]
                execute_prepared(connection, delete_rows(below), rows)


def _delete_own(
    connection: Connection, kind: Kind, states: Iterable[Mapping[str, Any]], authority: Authority, now: datetime
) -> None:
    """Soft-delete the rows of listings that the same token has seen last: others may be another account's."""
    for state in states:
        known = connection.execute(_known(ROWS[kind], state["listing_id"]))
        own = [row for row in known if authority.may_delete(kind, _last_seen_by(row, state))]
        execute_prepared(connection, mark_missing(kind), [_mark(row, state, now) for row in own])


def find_listings(connection: Connection, keys: Iterable[Key]) -> dict[Key, State]:
    """Find the listings that are stored, by their keys."""
    columns = [listings.c[name] for name in LISTING_KEY]
    found: dict[Key, State] = {}
    for part in chunks(list(keys), _KEYS_AT_ONCE):
        for row in connection.execute(select(listings).where(tuple_(*columns).in_(part))).mappings():
            found[tuple(row[name] for name in LISTING_KEY)] = dict(row)
    return found
