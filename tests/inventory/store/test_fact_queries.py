"""The queries of an audit use indexes: it reads each row of backups once, and no table for each addon."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from northflank_async import Northflank
from northflank_async.audit import audit
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.store import facts

ROWS = ("backup_rows", "restore_rows", "schedule_rows")


@contextmanager
def explained(prefix: str) -> Iterator[list[tuple[str, list[str]]]]:
    """Explain every query of a block: the query, and the lines of its plan."""
    found: list[tuple[str, list[str]]] = []
    is_explaining = False

    def explain(connection: Connection, _: Any, statement: str, parameters: Any, *rest: Any) -> None:
        nonlocal is_explaining
        if is_explaining or not statement.startswith("SELECT"):
            return
        is_explaining = True
        try:
            rows = connection.exec_driver_sql(f"{prefix} {statement}", parameters)
            found.append((statement, [str(row[-1]) for row in rows]))
        finally:
            is_explaining = False

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


@pytest.mark.parametrize("at_once", [1, 40])
async def test_an_audit_reads_the_items_of_addons_by_the_primary_key(
    nf: Northflank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(facts, "_ADDONS_AT_ONCE", at_once)
    async with Inventory(tmp_path / "inventory.db") as inventory:
        await inventory.sync(Query(nf, restores=True, schedules=True))
        with explained("EXPLAIN QUERY PLAN") as queries:
            report = await audit(inventory)
    plans = [
        line for statement, lines in queries if any(f"FROM {name}" in statement for name in ROWS) for line in lines
    ]
    assert len(plans) >= 3 * len(report.addons) // at_once
    assert [line for line in plans if not line.startswith("SEARCH") and "ORDER BY" not in line] == []
    assert all("INDEX" in line for line in plans if line.startswith("SEARCH"))


@pytest.mark.slow
async def test_postgresql_reads_them_by_the_primary_key_too(nf: Northflank, postgresql: Any) -> None:
    async with Inventory(postgresql.create("fact_queries")) as inventory:
        await inventory.sync(Query(nf, restores=True, schedules=True))
        with preferring_indexes(), explained("EXPLAIN") as queries:
            await audit(inventory)
    plans = [line for statement, lines in queries if any(f"FROM northflank.{name}" in statement for name in ROWS)
             for line in lines]  # fmt: skip
    assert any("_rows_pkey" in line for line in plans)
    assert [line for line in plans if "Seq Scan" in line] == []


@contextmanager
def preferring_indexes() -> Iterator[None]:
    """Make the planner scan a small table only if no index serves, as it does a large one."""

    def prepare(connection: Connection) -> None:
        connection.execute(text("SET LOCAL enable_seqscan = off"))

    event.listen(Engine, "begin", prepare)
    try:
        yield
    finally:
        event.remove(Engine, "begin", prepare)
