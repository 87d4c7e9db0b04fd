"""The statements that insert, update and soft-delete rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Table, Update, UpdateBase, and_, bindparam, exists, update
from sqlalchemy.dialects import postgresql, sqlite

from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.store.schema import TABLES, addons, backups, projects, restores

_PARENTS: dict[Table, Table] = {addons: projects, backups: addons, restores: addons}
_BELOW: dict[Kind, tuple[Table, ...]] = {Kind.PROJECTS: (addons, backups, restores), Kind.ADDONS: (backups, restores)}


def bind_key(row: Mapping[str, Any], names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the parameters of `matches_key`, whose names differ from those of values to set."""
    return {f"key_{name}": row[name] for name in names or row}


def matches_key(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a row's columns equal the values of `bind_key`."""
    return and_(*(table.c[name] == bindparam(f"key_{name}") for name in names))


@cache
def soft_delete(kind: Kind) -> list[Update]:
    """Return the statements that delete what a listing no longer has, and then everything below it.

    Their parameters are those of `bind_key`, `now`, and the `current_run`, which has seen the rows that remain.
    """
    table = TABLES[kind]
    parents = [column.name for column in table.primary_key if column.name != "id"]
    unseen = update(table).where(
        matches_key(table, parents), table.c.deleted_at.is_(None), table.c.run_id != bindparam("current_run")
    )
    orphaned = [
        update(child).where(
            matches_key(child, parents),
            child.c.deleted_at.is_(None),
            exists().where(_is_parent(child), _PARENTS[child].c.deleted_at.is_not(None)),
        )
        for child in _BELOW.get(kind, ())
    ]
    return [statement.values(deleted_at=bindparam("now")) for statement in (unseen, *orphaned)]


def _is_parent(child: Table) -> ColumnElement[bool]:
    """Return the condition that joins a row with its parent."""
    parent = _PARENTS[child]
    foreign_key = [column.name for column in child.primary_key if column.name != "id"]
    primary_key = [column.name for column in parent.primary_key]
    return and_(*(child.c[name] == parent.c[key] for name, key in zip(foreign_key, primary_key, strict=True)))


def _insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@cache
def insert_missing(table: Table, dialect: str) -> Any:
    """Return the statement that inserts a row unless its key exists."""
    return _insert(table, dialect).on_conflict_do_nothing()


@cache
def upsert(table: Table, dialect: str, preserve: tuple[str, ...] = ("first_seen_at",)) -> Any:
    """Return the statement that inserts a row, or updates all its columns except those to preserve."""
    statement = _insert(table, dialect)
    new = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key and column.name not in preserve
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)


@cache
def update_existing(table: Table) -> Any:
    """Return the statement that updates a row if its key exists."""
    key = [column.name for column in table.primary_key]
    new: dict[str, Any] = {
        column.name: bindparam(column.name) for column in table.columns if column.name not in (*key, "first_seen_at")
    }
    return update(table).where(matches_key(table, key)).values(new)


def execute_prepared(connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute one of these statements for many rows, compiled once and passed directly to the driver.

    SQLAlchemy would take several times as long to bind a row as the database takes to store it.
    """
    if not rows:
        return
    text, columns = _prepare(statement, connection.dialect)
    values = [tuple([bind(row[name]) if bind else row[name] for name, bind in columns]) for row in rows]
    connection.exec_driver_sql(text, values)


@lru_cache(maxsize=16)  # each open database has its own dialect object
def _prepare(statement: UpdateBase, dialect: Dialect) -> tuple[str, list[tuple[str, Callable[[Any], Any] | None]]]:
    """Return a statement's text and its parameters' names, each with the function that converts a value."""
    compiled = statement.compile(dialect=dialect)
    binds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    return str(compiled), [(name, binds[name]) for name in compiled.positiontup or ()]
