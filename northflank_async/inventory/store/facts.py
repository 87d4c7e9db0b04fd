"""What the store knows of each addon and each account, and how far."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from attrs import evolve, frozen
from sqlalchemy import Connection, Text, and_, case, cast, func, select

from northflank_async.errors import DecodeError, printable
from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.crawl.columns import read_row
from northflank_async.inventory.drills import DrillOutcome
from northflank_async.inventory.encoding import load
from northflank_async.inventory.facts import (
    AccountFacts,
    AddonFacts,
    BackupFact,
    CopyFact,
    Known,
    RestoreFact,
    UnreadPlace,
)
from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.schema import (
    LISTING_KEY,
    accounts,
    addon_rows,
    backup_rows,
    copies,
    drills,
    failures,
    listings,
    project_rows,
    restore_rows,
    schedule_rows,
    sync_runs,
)
from northflank_async.inventory.store.statements import chunks
from northflank_async.records import Addon, BackupSchedule

Place: TypeAlias = tuple[str, str, str, str]
"""The ids of an account, a team, a project and an addon; empty for what there is not."""

_ADDONS_AT_ONCE = 40
"""Addons per query: an addon has at most about 1,500 backups that have not expired."""
_OF_EACH_ADDON = (Kind.BACKUPS, Kind.RESTORES, Kind.SCHEDULES)
_DESTINATIONS = "additionalDestinations"
_JUDGED_FIELDS = ("id", "spec", "status", "tags")
"""The fields of an addon without which it cannot be judged."""
_SHOWN_ID = 60
"""Characters of an item's id in a failure."""
_FIRST_TIME, _LAST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Other times mean that there is none, such as that of the year 1, and cannot be calculated with."""


@frozen(kw_only=True)
class _Failure:
    item_id: str | None
    error: str


_Failures: TypeAlias = Mapping[tuple[str, ...], Sequence[_Failure]]
"""What the last sync run of each account could not read, by the key of the listing."""


@frozen(kw_only=True)
class _StoredAddon:
    """An addon without its items, and the rows of its listings."""

    facts: AddonFacts
    listing_ids: Mapping[Kind, int]


async def read_addon_facts(database: Database) -> AsyncIterator[AddonFacts]:
    """Yield what is known of every addon, ordered by account, team, project and id.

    No transaction is open in between.
    """
    addons = await database.read(_read_addons)
    for part in chunks(addons, _ADDONS_AT_ONCE):
        for facts in await database.read(partial(_read_items, part)):
            yield facts


async def read_account_facts(database: Database) -> list[AccountFacts]:
    """Read what is known of every account, ordered by id."""
    return await database.read(_read_accounts)


# Addons


def _read_addons(connection: Connection) -> list[_StoredAddon]:
    key = ("account_id", "team_id", "project_id")
    children: dict[Place, dict[Kind, Any]] = defaultdict(dict)
    for row in connection.execute(select(listings).where(listings.c.kind.in_(_OF_EACH_ADDON))):
        children[row.account_id, row.team_id, row.project_id, row.addon_id][Kind(row.kind)] = row
    failed = _read_failures(connection)
    filtered = _read_filtered_runs(connection)
    drilled = _read_drilled(connection)
    copied = _read_copied(connection)
    query = (
        select(*(listings.c[name] for name in key), *_columns("id", "type", "status", "last_seen_at", "deleted_at"))
        .add_columns(cast(addon_rows.c.data, Text).label("json"))
        .select_from(addon_rows.join(listings, addon_rows.c.listing_id == listings.c.listing_id))
        .order_by(*(listings.c[name] for name in key), addon_rows.c.id)
    )
    return [
        _stored_addon(
            row, children[row.account_id, row.team_id, row.project_id, row.id], failed, filtered, drilled, copied
        )
        for row in connection.execute(query)
    ]


def _read_drilled(connection: Connection) -> dict[Place, datetime]:
    """Read when the last drill of each addon that passed ended."""
    c = drills.c
    place = (c.account_id, func.coalesce(c.team_id, ""), c.project_id, c.addon_id)
    query = select(*place, func.max(c.ended_at)).where(c.outcome == DrillOutcome.PASSED).group_by(*place)
    return {(row[0], row[1], row[2], row[3]): row[4] for row in connection.execute(query) if row[4] is not None}


def _read_copied(connection: Connection) -> dict[Place, list[CopyFact]]:
    """Read the newest copy of each addon's dumps at each destination, by the source of the dumps.

    A backup that was deleted still says its source. A copy of one that has the id of another is of an unknown source,
    and an empty one is none.
    """
    key, c = LISTING_KEY[:-1], copies.c
    of_addon = and_(listings.c.kind == Kind.BACKUPS, *(listings.c[name] == c[name] for name in key))
    of_backup = and_(
        backup_rows.c.listing_id == listings.c.listing_id,
        backup_rows.c.id == c.backup_id,
        backup_rows.c.created_at == c.created_at,
    )
    group = (*(c[name] for name in key), backup_rows.c.source_type, c.destination)
    query = (
        select(*group, func.max(c.created_at))
        .select_from(copies.outerjoin(listings, of_addon).outerjoin(backup_rows, of_backup))
        .where(c.size > 0)
        .group_by(*group)
        .order_by(*group)
    )
    found: dict[Place, list[CopyFact]] = defaultdict(list)
    for row in connection.execute(query):
        source_type, destination, created_at = row[4], row[5], row[6]
        if _is_credible(created_at):
            found[row[0], row[1], row[2], row[3]].append(CopyFact(created_at, source_type, destination))
    return found


def _columns(*names: str) -> list[Any]:
    return [addon_rows.c[name] for name in names]


def _stored_addon(
    row: Any,
    children: Mapping[Kind, Any],
    failed: _Failures,
    filtered: set[int],
    drilled: Mapping[Place, datetime],
    copied: Mapping[Place, Sequence[CopyFact]],
) -> _StoredAddon:
    place: Place = (row.account_id, row.team_id, row.project_id, row.id)
    is_listed = row.deleted_at is None and row.last_seen_at is None

    def known(kind: Kind) -> Known[Any]:
        listing = children.get(kind)
        gap = _find_gap(kind, listing, failed.get((*place, kind), ()), filtered)
        return Known(read_at=None if listing is None else listing.read_at, gap=gap)

    tags, unread = _read_tags(row.json)
    facts = AddonFacts(
        account_id=row.account_id or None,
        team_id=row.team_id or None,
        project_id=row.project_id,
        addon_id=row.id,
        addon_type=row.type,
        tags=tags,
        status=row.status if is_listed else None,
        is_deleted=row.deleted_at is not None,
        drilled_at=drilled.get(place),
        copies=tuple(copied.get(place, ())),
        backups=known(Kind.BACKUPS),
        restores=known(Kind.RESTORES),
        schedules=known(Kind.SCHEDULES),
    )
    errors = [
        None if is_listed else "it is no longer listed, but not known to be deleted",
        unread,
        next((each.error for each in failed.get((*place, Kind.BACKUPS), ()) if each.item_id is None), None),
        facts.backups.gap if facts.backups.read_at is None else None,
    ]
    return _StoredAddon(
        facts=evolve(facts, unreadable=next(filter(None, errors), None)),
        listing_ids={kind: listing.listing_id for kind, listing in children.items()},
    )


def _read_tags(text: str) -> tuple[tuple[str, ...], str | None]:
    """Read an addon's tags; and why it cannot be judged, or `None`."""
    try:
        row = read_row(Kind.ADDONS, load(text), "addon")
    except DecodeError as error:
        return (), str(error)
    judged = tuple(f"addon.{name}" for name in _JUDGED_FIELDS)
    unread = next((str(error) for error in row.errors if error.place.startswith(judged)), None)
    return (row.record.tags or () if isinstance(row.record, Addon) else ()), unread


def _find_gap(kind: Kind, listing: Any, failed: Sequence[_Failure], filtered: set[int]) -> str | None:
    """Find out why items of a listing, or their fields, may be missing."""
    whole = next((each.error for each in failed if each.item_id is None), None)
    if whole is not None:
        return f"its {kind} could not be read: {whole}"
    if listing is None or listing.read_at is None:
        return f"its {kind} were never read"
    if failed:
        others = f", and {len(failed) - 1} others" if len(failed) > 1 else ""
        return f"some of its {kind} could not be read: {failed[0].item_id}{others}: {failed[0].error}"
    if kind is Kind.BACKUPS and listing.run_id in filtered:
        return "the last sync stored only some of its backups (--status or --since)"
    return None


def _read_failures(connection: Connection) -> dict[tuple[str, ...], list[_Failure]]:
    found: dict[tuple[str, ...], list[_Failure]] = defaultdict(list)
    for row in connection.execute(select(failures).order_by(failures.c.id)):
        key = tuple(getattr(row, name) for name in LISTING_KEY)
        found[key].append(_Failure(item_id=row.item_id, error=row.error))
    return found


def _read_filtered_runs(connection: Connection) -> set[int]:
    """Read which sync runs did not store every backup they have seen."""
    last_runs = select(listings.c.run_id).where(listings.c.kind == Kind.BACKUPS, listings.c.run_id.is_not(None))
    query = select(sync_runs.c.id, sync_runs.c.fingerprint).where(sync_runs.c.id.in_(last_runs.distinct()))
    return {run_id for run_id, text in connection.execute(query) if _is_filtered(json.loads(text))}


def _is_filtered(fingerprint: Mapping[str, Any]) -> bool:
    return bool(fingerprint.get("since") or fingerprint.get("statuses"))


def _read_items(part: Sequence[_StoredAddon], connection: Connection) -> list[AddonFacts]:
    """Read the items of some addons."""
    ids = {kind: [addon.listing_ids.get(kind, 0) for addon in part] for kind in _OF_EACH_ADDON}
    backups = _fetch_backups(connection, ids[Kind.BACKUPS])
    restores = _fetch_restores(connection, ids[Kind.RESTORES])
    schedules = _fetch_schedules(connection, ids[Kind.SCHEDULES])
    found = []
    for addon in part:
        facts, (of_backups, of_restores, of_schedules) = (
            addon.facts,
            (addon.listing_ids.get(k, 0) for k in _OF_EACH_ADDON),
        )
        found.append(
            evolve(
                facts,
                backups=evolve(facts.backups, items=backups.get(of_backups, ())),
                restores=evolve(facts.restores, items=restores.get(of_restores, ())),
                schedules=evolve(facts.schedules, items=schedules.get(of_schedules, ())),
            )
        )
    return found


def _fetch_backups(connection: Connection, listing_ids: Sequence[int]) -> dict[int, list[BackupFact]]:
    c = backup_rows.c
    data = cast(c.data, Text)
    query = select(
        c.listing_id,
        *(c[name] for name in BackupFact._fields if name in c),
        case((data.contains(_DESTINATIONS), data)).label("json"),  # most have none, and need not be fetched
    ).where(c.listing_id.in_(listing_ids), c.deleted_at.is_(None))
    found: dict[int, list[BackupFact]] = defaultdict(list)
    for listing_id, *values, text in connection.execute(query):
        fact = BackupFact._make((*values, text is not None and _has_destinations(text)))
        if not (_is_credible(fact.created_at) and _is_credible(fact.completed_at)):
            fact = fact._replace(created_at=_credible(fact.created_at), completed_at=_credible(fact.completed_at))
        found[listing_id].append(fact)
    return found


def _credible(time: datetime | None) -> datetime | None:
    return time if _is_credible(time) else None


def _is_credible(time: datetime | None) -> bool:
    return time is None or _FIRST_TIME <= time < _LAST_TIME


def _has_destinations(text: str) -> bool:
    try:
        config = load(text).get("config")
    except DecodeError:
        return False
    return isinstance(config, dict) and bool(config.get(_DESTINATIONS))


def _fetch_restores(connection: Connection, listing_ids: Sequence[int]) -> dict[int, list[RestoreFact]]:
    c = restore_rows.c
    query = select(c.listing_id, c.id, c.backup_id, c.status, c.restore_timestamp, c.completed_at).where(
        c.listing_id.in_(listing_ids), c.deleted_at.is_(None)
    )
    found: dict[int, list[RestoreFact]] = defaultdict(list)
    for listing_id, restore_id, backup_id, status, started_at, completed_at in connection.execute(query):
        times = _credible(started_at), _credible(completed_at)
        found[listing_id].append(RestoreFact(restore_id, backup_id, status, *times))
    return found


def _fetch_schedules(connection: Connection, listing_ids: Sequence[int]) -> dict[int, list[BackupSchedule]]:
    """Fetch the schedules. Of one that is malformed, a failure of the last sync names what could not be read."""
    c = schedule_rows.c
    query = (
        select(c.listing_id, cast(c.data, Text))
        .where(c.listing_id.in_(listing_ids), c.deleted_at.is_(None))
        .order_by(c.listing_id, c.id)
    )
    found: dict[int, list[BackupSchedule]] = defaultdict(list)
    for listing_id, text in connection.execute(query):
        row = read_row(Kind.SCHEDULES, load(text), "schedule")
        if isinstance(record := row.record, BackupSchedule):
            created_at, updated_at = _credible(record.created_at), _credible(record.updated_at)
            found[listing_id].append(evolve(record, created_at=created_at, updated_at=updated_at))
    return found


# Accounts


def _read_accounts(connection: Connection) -> list[AccountFacts]:
    c = sync_runs.c
    finished = select(c.account_id, func.max(c.started_at)).where(c.finished_at.is_not(None)).group_by(c.account_id)
    synced_at = {row[0]: row[1] for row in connection.execute(finished)}
    last_ids = select(func.max(c.id)).group_by(c.account_id)
    last = select(c.account_id, c.finished_at).where(c.id.in_(last_ids))
    is_finished = {row.account_id: row.finished_at is not None for row in connection.execute(last)}
    failed = _read_failures(connection)
    return [
        AccountFacts(
            account_id=account_id or None,
            synced_at=synced_at.get(account_id),
            is_finished=is_finished.get(account_id, False),
            failures=sum(len(each) for key, each in failed.items() if key[0] == account_id),
            unread=tuple(
                place
                for key, each in failed.items()
                if key[0] == account_id
                for place in _unread_places(connection, key, each)
            ),
        )
        for account_id in connection.execute(select(accounts.c.account_id).order_by(accounts.c.account_id)).scalars()
    ]


def _unread_places(connection: Connection, key: tuple[str, ...], failed: Sequence[_Failure]) -> list[UnreadPlace]:
    """Return what of a listing of projects or addons could not be read, except items that are stored."""
    account_id, team_id, project_id, _, kind = key
    if kind not in (Kind.PROJECTS, Kind.ADDONS):
        return []
    rows = project_rows if kind == Kind.PROJECTS else addon_rows
    listing = select(listings.c.listing_id).where(
        *(listings.c[name] == value for name, value in zip(LISTING_KEY, key, strict=True))
    )
    stored = select(rows.c.id).where(rows.c.listing_id.in_(listing))
    known = {printable(item_id[:_SHOWN_ID]) for item_id in connection.execute(stored).scalars()}
    return [
        UnreadPlace(
            account_id=account_id or None,
            team_id=team_id or None,
            project_id=(each.item_id if kind == Kind.PROJECTS else project_id) or None,
            addon_id=each.item_id if kind == Kind.ADDONS else None,
            error=each.error,
        )
        for each in failed
        if each.item_id is None or each.item_id not in known
    ]
