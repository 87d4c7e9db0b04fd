"""What the store is told: the statements that keep rows, find them, and mark those that are gone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Table, Update, UpdateBase, and_, bindparam, exists, update
from sqlalchemy.dialects import postgresql, sqlite

from northflank_async.inventory.crawl.listings import Kind
from northflank_async.inventory.store.schema import FOUND, addons, backups, projects, restores

_PARENTS: dict[Table, Table] = {addons: projects, backups: addons, restores: addons}
_BELOW: dict[Kind, tuple[Table, ...]] = {Kind.PROJECTS: (addons, backups, restores), Kind.ADDONS: (backups, restores)}


def its(row: Mapping[str, Any], names: Iterable[str] | None = None) -> dict[str, Any]:
    """Values to find a row by, whose names are not those of values to set."""
    return {f"its_{name}": row[name] for name in names or row}


def is_its(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    """Whether a row is the one to be found."""
    return and_(*(table.c[name] == bindparam(f"its_{name}") for name in names))


@cache
def mark_gone(kind: Kind) -> list[Update]:
    """What marks the rows that a listing of this kind had and has no more, and then all that belonged to them."""
    table = FOUND[kind]
    where = [column.name for column in table.primary_key if column.name != "id"]
    unseen = update(table).where(
        is_its(table, where), table.c.gone_since.is_(None), table.c.run_id != bindparam("its_run")
    )
    below = [
        update(child).where(
            is_its(child, where),
            child.c.gone_since.is_(None),
            exists().where(_belongs(child), _PARENTS[child].c.gone_since.is_not(None)),
        )
        for child in _BELOW.get(kind, ())
    ]
    return [statement.values(gone_since=bindparam("now")) for statement in (unseen, *below)]


def _belongs(child: Table) -> ColumnElement[bool]:
    """Whether a row is below its parent's."""
    parent = _PARENTS[child]
    names = [column.name for column in child.primary_key if column.name != "id"]
    own = [column.name for column in parent.primary_key]
    return and_(*(child.c[name] == parent.c[key] for name, key in zip(names, own, strict=True)))


def _insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@cache
def add(table: Table, dialect: str) -> Any:
    """What makes a row where there is none."""
    return _insert(table, dialect).on_conflict_do_nothing()


@cache
def upsert(table: Table, dialect: str, keep: tuple[str, ...] = ("first_seen",)) -> Any:
    """What makes a row, or brings one up to date but for what is to be kept."""
    statement = _insert(table, dialect)
    new = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key and column.name not in keep
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)


@cache
def refresh(table: Table) -> Any:
    """What keeps a row up to date that is there, and makes none."""
    key = [column.name for column in table.primary_key]
    new: dict[str, Any] = {
        column.name: bindparam(column.name) for column in table.columns if column.name not in (*key, "first_seen")
    }
    return update(table).where(is_its(table, key)).values(new)


def execute_prepared(connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute one of the statements above for many rows, in the driver's own words.

    SQLAlchemy, which prepares the statement, would take several times as long to bind a row as it takes to store it.
    """
    if not rows:
        return
    text, columns = _prepare(statement, connection.dialect)
    values = [tuple([bind(row[name]) if bind else row[name] for name, bind in columns]) for row in rows]
    connection.exec_driver_sql(text, values)


@lru_cache(maxsize=16)  # each database that is opened has a dialect of its own
def _prepare(statement: UpdateBase, dialect: Dialect) -> tuple[str, list[tuple[str, Callable[[Any], Any] | None]]]:
    """A statement's text, and the names of its parameters, each with what makes the driver's value of it."""
    compiled = statement.compile(dialect=dialect)
    binds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    return str(compiled), [(name, binds[name]) for name in compiled.positiontup or ()]
