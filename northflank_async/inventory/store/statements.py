"""The statements that run for each row."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Table,
    Text,
    UpdateBase,
    and_,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.store.schema import BOOKKEEPING, LISTING_KEY, ROWS, Json, listings, project_rows

T = TypeVar("T")

MOST_VALUES = 800
"""Values in a list of a statement: SQLite before 3.32 allows 999 variables in all."""


def chunks(values: Sequence[T], size: int = MOST_VALUES) -> Iterator[Sequence[T]]:
    """Split values so that a statement can list them."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def matches_key(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a row's columns equal the parameters `key_…`."""
    return and_(*(table.c[name] == bindparam(f"key_{name}") for name in names))


def _insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Return the insert statement of a dialect, which can handle conflicts.

    In PostgreSQL, its one parameter is a JSON array of all rows: it is sent and planned once.
    """
    if dialect != "postgresql":
        return sqlite.insert(table)
    columns = [column(each.name, Text if isinstance(each.type, Json) else each.type) for each in table.columns]
    function = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON))
    rows = function.table_valued(*columns, name="given").render_derived(with_types=True)
    query = select(*(cast(rows.c[each.name], each.type) for each in table.columns))
    return postgresql.insert(table).from_select([each.name for each in table.columns], query)


@cache
def insert_missing(table: Table, dialect: str) -> Any:
    """Return the statement that inserts a row unless its key exists."""
    return _insert(table, dialect).on_conflict_do_nothing()


@cache
def upsert_item(kind: Kind, dialect: str) -> Any:
    """Return the statement that inserts an item, or updates its row if that differs."""
    rows = ROWS[kind]
    statement = _insert(rows, dialect)
    new = {name: statement.excluded[name] for name in _columns(rows)}
    return statement.on_conflict_do_update(
        index_elements=list(rows.primary_key), set_=_update(statement.excluded, new), where=_differs(rows, new)
    )


@cache
def update_item(kind: Kind) -> Any:
    """Return the statement that updates an item's row if there is one, and it differs."""
    rows = ROWS[kind]
    names = (*_columns(rows), "written_at", "run_id")
    given = {name: bindparam(name, type_=rows.c[name].type) for name in names}
    new = {name: given[name] for name in _columns(rows)}
    return update(rows).where(matches_key(rows, ("listing_id", "id")), _differs(rows, new)).values(_update(given, new))


@cache
def upsert_named_project(dialect: str) -> Any:
    """Return the statement that inserts a project that was named in a query, or marks its row as seen."""
    statement = _insert(project_rows, dialect)
    return statement.on_conflict_do_update(
        index_elements=list(project_rows.primary_key), set_=_update(statement.excluded, {})
    )


@cache
def mark_missing(kind: Kind) -> Any:
    """Return the statement that marks a row which its listing no longer has."""
    rows = ROWS[kind]
    new = {name: bindparam(name, type_=rows.c[name].type) for name in ("last_seen_at", "run_id", "deleted_at")}
    return update(rows).where(matches_key(rows, ("listing_id", "id"))).values(new)


@cache
def delete_rows(kind: Kind) -> Any:
    """Return the statement that soft-deletes all rows of a listing, which was last read at `read_at`."""
    rows = ROWS[kind]
    read_at = bindparam("read_at", type_=rows.c.written_at.type)
    last_seen = case(
        (rows.c.last_seen_at.is_not(None), rows.c.last_seen_at),
        (read_at > rows.c.written_at, read_at),
        else_=rows.c.written_at,
    )
    deleted_at = bindparam("now", type_=rows.c.deleted_at.type)
    return (
        update(rows)
        .where(matches_key(rows, ("listing_id",)), rows.c.deleted_at.is_(None))
        .values(last_seen_at=last_seen, deleted_at=deleted_at)
    )


@cache
def insert_listing(dialect: str) -> Any:
    """Return the statement that inserts a listing unless its key exists."""
    given = {column.name: bindparam(column.name, type_=column.type) for column in listings.c if not column.primary_key}
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(listings).values(given).on_conflict_do_nothing().inline()


@cache
def update_listing() -> Any:
    """Return the statement that updates everything of a listing but its key."""
    fixed = ("listing_id", *LISTING_KEY)
    given = {
        column.name: bindparam(column.name, type_=column.type) for column in listings.c if column.name not in fixed
    }
    return update(listings).where(matches_key(listings, ("listing_id",))).values(given)


@cache
def delete_of_listing(table: Table) -> Any:
    """Return the statement that deletes what a table has of a listing."""
    return delete(table).where(matches_key(table, ("listing_id",)))


def _columns(rows: Table) -> list[str]:
    return [column.name for column in rows.columns if column.name not in BOOKKEEPING] + ["data"]


def _update(given: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    seen = {"written_at": given["written_at"], "run_id": given["run_id"], "last_seen_at": null(), "deleted_at": null()}
    return {**new, **seen}


def _differs(rows: Table, new: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return the condition that a row has to be rewritten: an unchanged row costs a database no space."""
    return or_(
        rows.c.deleted_at.is_not(None),
        rows.c.last_seen_at.is_not(None),
        cast(rows.c.data, Text) != cast(new["data"], Text),
        *(rows.c[name].is_distinct_from(value) for name, value in new.items() if name != "data"),
    )


def execute_prepared(connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute one of these statements for many rows, compiled once and passed directly to the driver.

    SQLAlchemy would take several times as long to bind a row as the database takes to store it.
    """
    if not rows:
        return
    schema = (connection.get_execution_options().get("schema_translate_map") or {}).get(None)
    text, is_positional, binds = _prepare(statement, connection.dialect, schema)
    values: Any
    if isinstance(statement, Insert) and statement.select is not None:
        key = [each.name for each in statement.table.primary_key]
        distinct = {tuple(row[name] for name in key): row for row in rows}  # no row can be updated twice
        values = {"rows": orjson.dumps(list(distinct.values())).decode()}
    elif is_positional:
        values = [tuple([bind(row[name]) if bind else row[name] for name, bind in binds]) for row in rows]
    else:
        values = [{name: bind(row[name]) if bind else row[name] for name, bind in binds} for row in rows]
    connection.exec_driver_sql(text, values)


_Bind = tuple[str, Callable[[Any], Any] | None]


@lru_cache(maxsize=64)  # each open database has its own dialect object
def _prepare(statement: UpdateBase, dialect: Dialect, schema: str | None) -> tuple[str, bool, list[_Bind]]:
    """Return a statement's text and its parameters' names, each with the function that converts a value."""
    compiled: Any = statement.compile(
        dialect=dialect,
        schema_translate_map={None: schema} if schema else None,
        render_schema_translate=bool(schema),
    )
    binds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    is_positional = bool(compiled.positional)
    names = compiled.positiontup if is_positional else list(binds)
    return str(compiled), is_positional, [(name, binds[name]) for name in names or ()]
