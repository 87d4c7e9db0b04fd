"""Time, memory and size of an audit's outputs, for an inventory in SQLite that is written directly.

    python -m benchmarks.audit [--projects 100] [--addons 100] [--backups 100] [--directory DIRECTORY]

A separate process makes each output. The addons have a daily dump; some of them are stale, failing or were never
restored.
"""

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from northflank_async import Northflank
from northflank_async.audit.renderers import FORMATS
from northflank_async.inventory import Inventory, Query
from northflank_async.simulator import Simulator

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_MEASURE = """
import resource, sys, time
from northflank_async.cli.app import program
start = time.perf_counter()
try:
    program(sys.argv[1:])
except SystemExit as end:
    if end.code not in (0, 1, 2):  # findings, and those of Nagios
        raise
used = resource.getrusage(resource.RUSAGE_SELF)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Measure an audit's outputs.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--projects", type=int, default=100, help="number of projects")
    parser.add_argument("--addons", type=int, default=100, help="addons per project")
    parser.add_argument("--backups", type=int, default=100, help="backups per addon")
    parser.add_argument("--directory", type=Path, help="where to write, and to keep, the inventory and the outputs")
    arguments = parser.parse_args()
    if arguments.directory is not None:
        measure(arguments.directory, arguments.projects, arguments.addons, arguments.backups)
        return
    with tempfile.TemporaryDirectory() as directory:
        measure(Path(directory), arguments.projects, arguments.addons, arguments.backups)


def measure(directory: Path, projects: int, addons: int, backups: int) -> None:
    """Write an inventory, and print the figures of each output."""
    database = directory / "inventory.db"
    if not database.exists():
        asyncio.run(fill(database, projects, addons, backups))
    print(f"{projects * addons:,} addons, {projects * addons * backups:,} backups")
    for output in FORMATS:
        file = directory / f"report.{output}"
        command = ["audit", str(database), "--output", output, "--output-file", str(file)]
        done = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=True)
        wall, processor, memory = map(float, done.stdout.split())
        size = file.stat().st_size / 2**20
        print(f"{output:<10} {wall:6.1f} s, {processor:6.1f} s CPU, {memory:5.0f} MiB memory, {size:6.1f} MiB written")


async def fill(database: Path, projects: int, addons: int, backups: int) -> None:
    """Write an inventory: the sync of a small account creates it, and its addon is the pattern of all others."""
    async with (
        Simulator(projects=1, addons=1, scenario="healthy") as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
        Inventory(database) as inventory,
    ):
        await inventory.sync(Query(nf, restores=True, schedules=True))
    start = time.perf_counter()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        pattern = _Pattern(connection)
        for project in range(projects):
            pattern.write(connection, f"project-{project:03}", addons, backups)
    print(f"written in {time.perf_counter() - start:.0f} s")


class _Pattern:
    """The rows of the addon that exists, and where the next ones go."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._listings = {row["kind"]: row for row in self._rows(connection, "SELECT * FROM listings")}
        (self._addon,) = self._rows(connection, "SELECT * FROM addon_rows")
        self._backup = self._rows(connection, "SELECT * FROM backup_rows WHERE source_type <> 'snapshot' LIMIT 1")[0]
        self._restore = self._rows(connection, "SELECT * FROM restore_rows WHERE status = 'completed' LIMIT 1")[0]
        self._schedules = self._rows(connection, "SELECT * FROM schedule_rows WHERE backup_type = 'dump' LIMIT 1")
        self._next = 1000
        self._now = datetime.now(UTC).replace(microsecond=0)

    def write(self, connection: sqlite3.Connection, project: str, addons: int, backups: int) -> None:
        """Write the addons of a project."""
        listing = self._listing(connection, "addons", project_id=project, addon_id="")
        for number in range(addons):
            addon = f"{project}-addon-{number:03}"
            self._insert(connection, "addon_rows", [{**self._addon, "listing_id": listing, "id": addon}])
            items = {"backups": self._backups(addon, number, backups), "restores": self._restores(addon, number)}
            items["schedules"] = iter(self._schedules)
            for kind, rows in items.items():
                parent = self._listing(connection, kind, project_id=project, addon_id=addon)
                self._insert(connection, f"{kind[:-1]}_rows", [{**row, "listing_id": parent} for row in rows])

    def _backups(self, addon: str, number: int, count: int) -> Iterator[dict[str, Any]]:
        scheduling = json.loads(self._schedules[0]["data"])["scheduling"]
        due = self._now.replace(hour=scheduling["hour"][0], minute=scheduling["minute"][0], second=9)
        newest = due if due + 10 * _MINUTE < self._now else due - _DAY
        newest -= 5 * _DAY if number % 20 == 1 else timedelta()  # 5% are stale
        for age in range(count):
            created = newest - age * _DAY
            status = "failed" if age < 2 and number % 50 == 2 else "completed"
            size = 10**9 - age * 10**6
            data = json.loads(self._backup["data"])
            data |= {"id": f"{addon}-{age}", "createdAt": f"{created:%Y-%m-%dT%H:%M:%S.000Z}", "status": status}
            yield {
                **self._backup,
                "id": f"{addon}-{age}",
                "status": status,
                "created_at": _text(created),
                "completed_at": _text(created + 3 * _MINUTE),
                "size": size,
                "data": json.dumps(data),
            }

    def _restores(self, addon: str, number: int) -> Iterator[dict[str, Any]]:
        if number % 10 == 3:  # 10% were never restored
            return
        time = _text(self._now - 30 * _DAY)
        yield {**self._restore, "id": f"{addon}-r", "backup_id": f"{addon}-30", "restore_timestamp": time}

    def _listing(self, connection: sqlite3.Connection, kind: str, **key: str) -> int:
        self._next += 1
        self._insert(connection, "listings", [{**self._listings[kind], **key, "listing_id": self._next}])
        return self._next

    @staticmethod
    def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            names = ", ".join(f'"{name}"' for name in rows[0])
            marks = ", ".join("?" * len(rows[0]))
            values = [tuple(row.values()) for row in rows]
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)

    @staticmethod
    def _rows(connection: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _text(time: datetime) -> str:
    return time.isoformat(" ", "milliseconds")


if __name__ == "__main__":
    main()
