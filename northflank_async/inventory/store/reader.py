"""Backups from the store, in batches."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from attrs import fields_dict
from sqlalchemy import RowMapping, Select, Text, and_, cast, select, tuple_

from northflank_async.inventory.store.database import Session
from northflank_async.inventory.store.schema import addons, backups, restores
from northflank_async.inventory.store.stored_backup import StoredBackup, StoredRestore

BATCH_SIZE = 1000
"""Rows per query."""
_BACKUP_FIELDS = [name for name in fields_dict(StoredBackup) if name != "restores"]


async def read_backups(
    session: Session, *, deleted: bool = False, with_restores: bool = False
) -> AsyncIterator[list[StoredBackup]]:
    """Yield batches of backups, ordered by team, project, addon and id. No transaction is open in between.

    Args:
        session: the database.
        deleted: include deleted backups.
        with_restores: read the restores of each backup.
    """
    query = _backups_query(deleted)
    rows = await _fetch(session, query.limit(BATCH_SIZE))
    while rows:
        restores_of = await _read_restores(session, rows) if with_restores else {}
        yield [_stored_backup(row, restores_of) for row in rows]
        last = tuple_(*(rows[-1][column.name] for column in backups.primary_key))
        rows = await _fetch(session, query.where(tuple_(*backups.primary_key) > last).limit(BATCH_SIZE))


async def _fetch(session: Session, query: Select[Any]) -> Sequence[RowMapping]:
    return await session.transaction(lambda connection: connection.execute(query).mappings().all())


async def _read_restores(session: Session, rows: Sequence[RowMapping]) -> dict[tuple[str, ...], list[StoredRestore]]:
    """Read the restores of all addons from the first row's to the last row's, by their backups' keys."""
    addon = tuple_(restores.c.team_id, restores.c.project_id, restores.c.addon_id)
    first, last = (tuple_(row["team_id"], row["project_id"], row["addon_id"]) for row in (rows[0], rows[-1]))
    query = (
        select(restores)
        .where(addon >= first, addon <= last, restores.c.deleted_at.is_(None))
        .where(restores.c.backup_id.in_([row["id"] for row in rows]))
        .order_by(restores.c.restore_timestamp.desc().nulls_last(), restores.c.id)
    )
    restores_of: dict[tuple[str, ...], list[StoredRestore]] = {}
    for row in await _fetch(session, query):
        key = (row["team_id"], row["project_id"], row["addon_id"], row["backup_id"])
        restore = StoredRestore(**{name: row[name] for name in fields_dict(StoredRestore)})
        restores_of.setdefault(key, []).append(restore)
    return restores_of


def _stored_backup(row: RowMapping, restores_of: Mapping[tuple[str, ...], list[StoredRestore]]) -> StoredBackup:
    columns = {name: row[name] for name in _BACKUP_FIELDS}
    key = (row["team_id"], row["project_id"], row["addon_id"], row["id"])
    return StoredBackup(**{**columns, "team_id": row["team_id"] or None}, restores=tuple(restores_of.get(key, ())))


def _backups_query(deleted: bool) -> Select[Any]:
    c = backups.c
    is_parent = and_(c.team_id == addons.c.team_id, c.project_id == addons.c.project_id, c.addon_id == addons.c.id)
    query = (
        select(
            *(column for column in c if column.name in _BACKUP_FIELDS),
            addons.c.type.label("addon_type"),
            cast(c.data, Text).label("json"),  # not decoded: most of it is written as it was stored
        )
        .select_from(backups.outerjoin(addons, is_parent))
        .order_by(*backups.primary_key)
    )
    return query if deleted else query.where(c.deleted_at.is_(None))
