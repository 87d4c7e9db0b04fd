"""Backups from the store, in batches."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import evolve, fields_dict, frozen
from sqlalchemy import Connection, RowMapping, Text, and_, cast, func, or_, select

from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.encoding import load
from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.schema import (
    addon_rows,
    backup_rows,
    excluded_ids,
    last_seen_at,
    listings,
    restore_rows,
)
from northflank_async.inventory.store.stored_backup import (
    StoredAddon,
    StoredBackup,
    StoredRestore,
    StoredRow,
    UnlistedRestores,
)

BATCH_SIZE = 1000
"""Backups per query."""
_ADDONS_AT_ONCE = 400
"""Addons per query, each of which is a variable."""
_COLUMNS = [
    backup_rows.c[name] for name in fields_dict(StoredBackup) if name in backup_rows.c and name != "last_seen_at"
]


@frozen
class _Addon:
    """An addon: the fields of `StoredBackup` that name it, its listings (0 if there is none), and how many backups."""

    place: dict[str, Any]
    backups: int
    restores: int
    count: int


@frozen
class _Part:
    """What one transaction reads: the backups of some addons, or some of one addon, by their ids."""

    addons: Sequence[_Addon]
    deleted: bool
    with_restores: bool
    after: str | None = None
    limit: int | None = None


async def read_backups(
    database: Database,
    *,
    deleted: bool = False,
    with_restores: bool = False,
    run_ids: Collection[int] | None = None,
) -> AsyncIterator[list[StoredRow]]:
    """Yield batches of backups, ordered by account, team, project, addon and id.

    No transaction is open in between.

    Args:
        database: where the inventory is.
        deleted: include deleted backups.
        with_restores: read the restores of each backup, and, after the backups of an addon, those of no backup.
        run_ids: only the addons that these sync runs have read; by default, all.
    """
    for addons in _groups(await database.read(partial(_read_addons, run_ids=run_ids))):
        part = _Part(addons, deleted, with_restores)
        if len(addons) == 1 and addons[0].count > BATCH_SIZE:
            async for batch in _read_in_parts(database, part):
                yield batch
        elif batch := (await database.read(partial(_read, part)))[0]:
            yield batch


async def read_addons(database: Database) -> list[StoredAddon]:
    """Read the addons whose backups were listed, ordered by account, team, project and id."""
    return await database.read(_count_items)


async def read_project_ids(database: Database) -> set[str]:
    """Read the ids of the projects whose addons were listed."""
    query = select(listings.c.project_id).where(listings.c.kind == Kind.ADDONS).distinct()
    return set(await database.read(lambda connection: list(connection.execute(query).scalars())))


async def _read_in_parts(database: Database, part: _Part) -> AsyncIterator[list[StoredRow]]:
    """Read one addon; its unlisted restores are found with the backups that surround them, and come last."""
    (addon,) = part.addons
    unlisted: list[StoredRestore] = []
    last: str | None = ""
    part = evolve(part, limit=BATCH_SIZE)
    while last is not None:
        batch, last = await database.read(partial(_read, part))
        if batch and isinstance(batch[-1], UnlistedRestores):
            unlisted += batch.pop().restores
        if last is None and unlisted:
            batch.append(UnlistedRestores(**addon.place, restores=tuple(sorted(unlisted, key=_newest_first))))
        if batch:
            yield batch
        part = evolve(part, after=last)


def _groups(addons: Sequence[_Addon]) -> Iterator[list[_Addon]]:
    """Group addons so that a group has as many backups as a batch, unless one addon has more."""
    group: list[_Addon] = []
    count = 0
    for addon in addons:
        if group and (count + addon.count > BATCH_SIZE or len(group) == _ADDONS_AT_ONCE):
            yield group
            group, count = [], 0
        group.append(addon)
        count += addon.count
    if group:
        yield group


def _read_addons(connection: Connection, run_ids: Collection[int] | None = None) -> list[_Addon]:
    """Read which addons there are, and count their backups with nothing but the index."""
    key = ("account_id", "team_id", "project_id", "addon_id")
    counted = select(backup_rows.c.listing_id, func.count()).group_by(backup_rows.c.listing_id)
    counts: dict[int, int] = {row[0]: row[1] for row in connection.execute(counted)}
    parents = listings.alias()
    is_parent = and_(*(parents.c[name] == listings.c[name] for name in key[:3]), parents.c.kind == Kind.ADDONS)
    is_addon = and_(addon_rows.c.listing_id == parents.c.listing_id, addon_rows.c.id == listings.c.addon_id)
    query = (
        select(*(listings.c[name] for name in (*key, "kind", "listing_id")), addon_rows.c.type)
        .select_from(listings.outerjoin(parents, is_parent).outerjoin(addon_rows, is_addon))
        .where(listings.c.kind.in_([Kind.BACKUPS, Kind.RESTORES]))
        .order_by(*(listings.c[name] for name in key))
    )
    if run_ids is not None:
        query = query.where(or_(listings.c.run_id.in_(run_ids), listings.c.opened_by.in_(run_ids)))
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    ids: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for row in connection.execute(query):
        place = tuple(row)[:4]
        found[place] = {
            "account_id": row.account_id or None,
            "team_id": row.team_id or None,
            "project_id": row.project_id,
            "addon_id": row.addon_id,
            "addon_type": row.type,
        }
        ids[place][row.kind] = row.listing_id
    return [
        _Addon(
            place=fields,
            backups=ids[place].get(Kind.BACKUPS, 0),
            restores=ids[place].get(Kind.RESTORES, 0),
            count=counts.get(ids[place].get(Kind.BACKUPS, 0), 0),
        )
        for place, fields in found.items()
    ]


def _count_items(connection: Connection) -> list[StoredAddon]:
    counts: dict[int, int] = {}
    for table in (backup_rows, restore_rows):
        counted = select(table.c.listing_id, func.count()).where(table.c.deleted_at.is_(None))
        counts |= {row[0]: row[1] for row in connection.execute(counted.group_by(table.c.listing_id))}
    return [
        StoredAddon(**addon.place, backups=counts.get(addon.backups, 0), restores=counts.get(addon.restores, 0))
        for addon in _read_addons(connection)
    ]


def _read(part: _Part, connection: Connection) -> tuple[list[StoredRow], str | None]:
    """Read a batch; and the id after which the next part begins, or `None` if there is none."""
    found = _fetch_backups(connection, part)
    last: str | None = found[-1]["id"] if part.limit is not None and len(found) == part.limit else None
    backups_of: dict[int, list[RowMapping]] = defaultdict(list)
    for row in found:
        backups_of[row["listing_id"]].append(row)
    restores_of: dict[int, dict[str | None, list[StoredRestore]]] = defaultdict(lambda: defaultdict(list))
    excluded: set[tuple[int, str]] = set()
    if part.with_restores:
        for row in _fetch_restores(connection, part, last):
            restores_of[row["listing_id"]][row["backup_id"]].append(_stored_restore(row))
        query = select(excluded_ids).where(excluded_ids.c.listing_id.in_([addon.backups for addon in part.addons]))
        excluded = {(listing_id, item_id) for listing_id, item_id in connection.execute(query)}
    batch: list[StoredRow] = []
    for addon in part.addons:
        restores = restores_of[addon.restores]
        for row in backups_of[addon.backups]:
            columns = {name: value for name, value in row.items() if name != "listing_id"}
            batch.append(StoredBackup(**addon.place, **columns, restores=tuple(restores.pop(row["id"], ()))))
        unlisted = [
            restore
            for backup_id, those in restores.items()
            if backup_id is None or (addon.backups, backup_id) not in excluded
            for restore in those
        ]
        if unlisted:
            batch.append(UnlistedRestores(**addon.place, restores=tuple(sorted(unlisted, key=_newest_first))))
    return batch, last


def _fetch_backups(connection: Connection, part: _Part) -> Sequence[RowMapping]:
    c = backup_rows.c
    query = (
        select(
            c.listing_id,
            *_COLUMNS,
            last_seen_at(backup_rows),
            cast(c.data, Text).label("json"),  # not decoded: most of it is written as it was stored
        )
        .select_from(backup_rows.join(listings, c.listing_id == listings.c.listing_id))
        .where(c.listing_id.in_([addon.backups for addon in part.addons]))
        .order_by(c.listing_id, c.id)
        .limit(part.limit)
    )
    if not part.deleted:
        query = query.where(c.deleted_at.is_(None))
    if part.after is not None:
        query = query.where(c.id > part.after)
    return connection.execute(query).mappings().all()


def _fetch_restores(connection: Connection, part: _Part, last: str | None) -> Sequence[RowMapping]:
    """Fetch the restores of the backups between `part.after` and `last`, whether these are listed or not."""
    c = restore_rows.c
    query = (
        select(
            c.listing_id,
            c.id,
            c.backup_id,
            c.status,
            c.restore_timestamp,
            c.completed_at,
            cast(c.data, Text).label("json"),
        )
        .where(c.listing_id.in_([addon.restores for addon in part.addons]), c.deleted_at.is_(None))
        .order_by(c.restore_timestamp.desc().nulls_last(), c.id)
    )
    if last is not None:
        query = query.where(c.backup_id <= last)
    if part.after is not None:
        is_after = c.backup_id > part.after
        query = query.where(is_after if last is not None else or_(is_after, c.backup_id.is_(None)))
    return connection.execute(query).mappings().all()


def _stored_restore(row: RowMapping) -> StoredRestore:
    columns = {name: row[name] for name in fields_dict(StoredRestore) if name != "data"}
    return StoredRestore(**columns, data=load(row["json"]))


def _newest_first(restore: StoredRestore) -> tuple[bool, float, str]:
    time = restore.restore_timestamp
    return time is None, 0.0 if time is None else -time.timestamp(), restore.id
