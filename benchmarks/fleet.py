"""What a fleet of workers costs, and which resource ends first as it grows.

    python -m benchmarks.fleet postgresql://USER:PASSWORD@HOST/DATABASE [--help]

It measures one worker, with simulated accounts and then with a queue of syncs that do nothing. The database must be on
this Linux machine and used by nobody else; the tables are in schemas of their own. From these costs it computes how
long one sync of all accounts takes with more workers, and which resource decides that:

- requests: the rate limit of each account, 1,000 an hour;
- workers: one processor each;
- rows: the processors of PostgreSQL, for the rows of the inventory;
- queue: the same, for the jobs.

Disks, networks and the contention of hundreds of workers are not measured. It prints Markdown.
"""

import argparse
import asyncio
import os
import time
from pathlib import Path
from typing import Any

import psycopg
from attrs import define, field, frozen
from psycopg.sql import SQL, Identifier

from benchmarks.accounts import simulating
from benchmarks.table import subtitle
from northflank_async.fleet import AccountEntry, load_accounts
from northflank_async.fleet.queue import Queue
from northflank_async.fleet.worker import ENQUEUE, ENQUEUE_LOCK, Worker
from northflank_async.http.redaction import Secret

PROJECTS = 2
SMALL, LARGE = 20, 80
"""Backups of each addon: the same number of requests for a different number of rows."""
RATE_LIMIT = 1000
YEARLY = "0 0 1 1 *"
"""A schedule that has only the time before the start of a worker."""
_SCHEMA = "northflank_benchmark"
_QUEUE = f"{_SCHEMA}_queue"
_TICKS = os.sysconf("SC_CLK_TCK")


@frozen(kw_only=True)
class Cost:
    """Seconds of time and of processors for each account, and the most connections to the database."""

    seconds: float
    worker: float
    database: float
    connections: int


@define
class Database:
    """PostgreSQL on this machine."""

    url: str
    _connection: psycopg.Connection[Any] = field(init=False)
    _server: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connection = psycopg.connect(self.url, autocommit=True)
        (folder,) = self.execute("SHOW data_directory")
        self._server = int(Path(folder, "postmaster.pid").read_text().split()[0])

    def execute(self, statement: Any) -> Any:
        cursor = self._connection.execute(statement)
        return cursor.fetchone() if cursor.description else None

    def clear(self) -> None:
        for schema in (_SCHEMA, _QUEUE):
            self.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))

    def connections(self) -> int:
        (number,) = self.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(number)

    def processor_seconds(self) -> float:
        """Return the processor time of all the server's processes, also of those that have ended."""
        ticks = sum(_stat(self._server)[13:15])
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = _stat(int(folder.name))
            except OSError:  # it has ended
                continue
            if fields[1] == self._server:
                ticks += sum(fields[11:13])
        return ticks / _TICKS


class IdleWorker(Worker):
    """A worker whose syncs do nothing."""

    async def _sync(self, name: str, entry: AccountEntry | None) -> int:
        return 0


async def measure(database: Database, worker: Worker) -> Cost:
    """Run a worker until it has synced each account once."""
    queue, number, most = Queue(database.url, schema=_SCHEMA), len(worker.entries), 0
    await queue.create()
    database.execute(f"UPDATE {_QUEUE}.northflank_accounts SET succeeded_at = NULL")
    async with queue.app.open_async():
        enqueue = queue.app.configure_task(ENQUEUE, queue="northflank", lock=ENQUEUE_LOCK)
        await enqueue.defer_async(timestamp=int(time.time()))
    seconds, own, of_database = time.perf_counter(), time.process_time(), database.processor_seconds()
    task, done = asyncio.create_task(worker.run()), 0
    while done < number and not task.done():
        await asyncio.sleep(0.1)
        most = max(most, database.connections())
        (done,) = database.execute(f"SELECT count(succeeded_at) FROM {_QUEUE}.northflank_accounts")
    seconds = time.perf_counter() - seconds
    task.cancel()
    await asyncio.wait([task])
    return Cost(
        seconds=seconds / number,
        worker=(time.process_time() - own) / number,
        database=(database.processor_seconds() - of_database) / number,
        connections=most,
    )


async def measure_syncs(database: Database, options: argparse.Namespace, backups: int) -> tuple[Cost, Cost]:
    """Measure the first sync of accounts, and the next one, which finds nothing new."""
    database.clear()
    with simulating(options.tenants, 0.0, PROJECTS, options.addons // PROJECTS, backups) as file:
        worker = Worker(url=database.url, entries=load_accounts(file), cron=YEARLY, schema=_SCHEMA)
        return await measure(database, worker), await measure(database, worker)


async def measure_queue(database: Database, jobs: int) -> Cost:
    database.clear()
    entries = [AccountEntry(name=f"account-{number}", read_token=lambda: Secret("x")) for number in range(jobs)]
    return await measure(database, IdleWorker(url=database.url, entries=entries, cron=YEARLY, schema=_SCHEMA))


def report(options: argparse.Namespace, small: tuple[Cost, Cost], large: tuple[Cost, Cost], queue: Cost) -> str:
    """Write the measured costs, and what follows from them, as Markdown."""
    requests, rows = 1 + 1 + PROJECTS + options.addons, PROJECTS + options.addons * (1 + options.backups)
    further = options.addons * (LARGE - SMALL)
    lines = [
        "| measured | first sync | unchanged |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {cells[0]:,.3g} | {cells[1]:,.3g} |"
            for name, cells in {
                f"ms of a worker's processor for an account with {options.addons} addons and"
                f" {SMALL * options.addons:,} backups": [each.worker * 1e3 for each in small],
                "the same, for each request": [each.worker * 1e3 / requests for each in small],
                "µs of a worker's processor for each further row": [
                    (b.worker - a.worker) * 1e6 / further for a, b in zip(small, large, strict=True)
                ],
                "ms of PostgreSQL's processor for the account": [each.database * 1e3 for each in small],
                "rows a second and processor of PostgreSQL": [
                    (PROJECTS + options.addons * (1 + LARGE)) / each.database for each in large
                ],
                "connections of a worker, at most": [each.connections for each in small],
            }.items()
        ),
        "",
        f"The queue takes {queue.database * 1e3:,.3g} ms of PostgreSQL's processor a job, and one worker does"
        f" {1 / queue.seconds:,.0f} jobs a second that do nothing.",
        "",
        f"{options.accounts:,} accounts of {options.addons} addons with {options.backups} backups each:"
        f" {requests * options.accounts:,} requests and {rows * options.accounts:,} rows, with"
        f" {options.processors} processors for PostgreSQL.",
        "",
        "| workers | time of an unchanged sync | what decides it | of the first sync | what decides it | connections |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for workers in options.workers:
        cells = []
        for first, second in zip(small[::-1], large[::-1], strict=True):
            times = find_times(options, workers, first, second, queue)
            slowest = max(times, key=lambda name: times[name])
            cells += [f"{times[slowest] / 3600:,.2g} h", slowest]
        connections = workers * max(each.connections for each in (*small, *large))
        lines.append(f"| {workers:,} | {' | '.join(cells)} | {connections:,} |")
    return "\n".join(lines)


def find_times(options: argparse.Namespace, workers: int, small: Cost, large: Cost, queue: Cost) -> dict[str, float]:
    """Compute the seconds that each resource needs for one sync of all accounts."""
    share = (options.backups - SMALL) / (LARGE - SMALL)
    worker, of_rows = (a + (b - a) * share for a, b in ((small.worker, large.worker), (small.database, large.database)))
    requests = 2 + PROJECTS + options.addons
    return {
        "requests": (requests - 1) // RATE_LIMIT * 3600.0,
        "workers": worker * options.accounts / workers,
        "rows": max(0.0, of_rows - queue.database) * options.accounts / options.processors,
        "queue": queue.database * options.accounts / options.processors,
    }


def _stat(process: int) -> list[int]:
    """Read the fields of a process after its name; the first one is not a number. See proc_pid_stat(5)."""
    return [0, *map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1:15])]


async def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("url", help="an empty database on this machine")
    parser.add_argument("--accounts", type=int, default=100_000, help="accounts to compute")
    parser.add_argument("--addons", type=int, default=50, help="addons of each account, an even number")
    parser.add_argument("--backups", type=int, default=20, help="backups of each addon to compute, at most 100")
    parser.add_argument("--processors", type=int, default=8, help="processors of PostgreSQL to compute")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1000], help="workers to compute")
    parser.add_argument("--tenants", type=int, default=40, help="accounts to measure")
    parser.add_argument("--jobs", type=int, default=5000, help="jobs to measure")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    database = Database(options.url)
    small, large = [await measure_syncs(database, options, backups) for backups in (SMALL, LARGE)]
    queue = await measure_queue(database, options.jobs)
    database.clear()
    print(report(options, small, large, queue))
    print(f"\n{subtitle()} The load was {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    asyncio.run(main())
