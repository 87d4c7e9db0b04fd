"""The drills in the store: evidence that no API has, so nothing of it is ever rewritten by a sync."""

from typing import Any

from attrs import fields_dict, frozen
from sqlalchemy import Connection, Text, cast, delete, insert, select

from northflank_async.inventory.drills import Check, Drill
from northflank_async.inventory.encoding import load, storable, storable_json
from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.schema import drills
from northflank_async.records import structure, unstructure

_COLUMNS = [name for name in fields_dict(Drill) if name in drills.c]
_JSON = ("checks", "notes")


@frozen
class _Checks:
    items: tuple[Check, ...]


def save_drill(connection: Connection, account_id: str, drill: Drill) -> None:
    """Insert a drill of the account, or replace what is stored of it."""
    values: dict[str, Any] = {name: _stored(getattr(drill, name)) for name in _COLUMNS}
    values |= {"account_id": account_id, **{name: storable_json(unstructure(values[name])) for name in _JSON}}
    c = drills.c
    connection.execute(delete(drills).where(c.account_id == account_id, c.id == drill.id))
    connection.execute(insert(drills), values)


async def read_drills(database: Database) -> list[Drill]:
    """Read all drills, oldest first."""
    return await database.read(_read_drills)


def _read_drills(connection: Connection) -> list[Drill]:
    columns = [cast(drills.c[name], Text).label(name) if name in _JSON else drills.c[name] for name in _COLUMNS]
    query = select(*columns).order_by(drills.c.started_at, drills.c.id)
    return [_drill(dict(row)) for row in connection.execute(query).mappings()]


def _drill(columns: dict[str, Any]) -> Drill:
    checks, notes = (load(columns.pop(name)) for name in _JSON)
    columns["account_id"] = columns["account_id"] or None
    return Drill(**columns, checks=structure({"items": checks}, _Checks).items, notes=tuple(notes))


def _stored(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value
