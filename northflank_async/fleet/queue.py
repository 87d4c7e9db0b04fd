"""The queue of a fleet: Procrastinate's tables and the state of each account, in a PostgreSQL schema of their own."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection, Connection, Error
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier, Literal

from northflank_async.errors import ConfigurationError, printable
from northflank_async.inventory.store.target import SCHEMA, Target

T = TypeVar("T")

SYNC = "sync"
"""The name of the task that syncs one account, whose job has the account's name as its lock."""
STALLED_AFTER = 30.0
"""Seconds without a heartbeat after which a worker counts as dead."""
PATIENCE = 30.0
"""Seconds to wait for a connection."""
_LONGEST_SCHEMA = 63
_MOST_CONNECTIONS = 4
_ACCOUNTS = SQL(
    """
    CREATE TABLE IF NOT EXISTS northflank_accounts (
        name text PRIMARY KEY,
        next_at timestamptz,
        worker text,
        started_at timestamptz,
        succeeded_at timestamptz,
        failed_at timestamptz,
        failures integer NOT NULL DEFAULT 0,
        unread integer NOT NULL DEFAULT 0,
        error text
    )
    """
)
_STATES = """
    SELECT
        account.name, account.started_at, account.succeeded_at, account.failed_at, account.failures, account.unread,
        account.error, CASE job.status WHEN 'doing' THEN account.worker END AS worker,
        CASE
            WHEN job.status = 'doing' AND worker.last_heartbeat >= now() - make_interval(secs => %(stalled_after)s)
            THEN 'running'
            WHEN job.status = 'doing' THEN 'stalled'
            WHEN job.scheduled_at > now() THEN 'retrying'
            WHEN job.status = 'todo' THEN 'waiting'
            ELSE 'idle'
        END AS state,
        CASE WHEN job.status IS NULL THEN account.next_at ELSE job.scheduled_at END AS next_at
    FROM northflank_accounts AS account
    LEFT JOIN procrastinate_jobs AS job
        ON job.lock = account.name AND job.task_name = %(task)s AND job.status IN ('todo', 'doing')
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    ORDER BY account.name
"""


class State(StrEnum):
    """What happens to an account at the moment.

    It is being synced (`running`), its worker is dead (`stalled`: another one takes over soon), it waits for a free
    worker, for a retry, or (`idle`) for the next time of the schedule.
    """

    RUNNING = "running"
    STALLED = "stalled"
    WAITING = "waiting"
    RETRYING = "retrying"
    IDLE = "idle"


@frozen(kw_only=True)
class AccountState:
    """The state of an account. Times are `None` where there is none.

    `worker` is the host and process that is syncing it. `next_at` is when it is synced next, at the earliest.
    `failures` counts the syncs that failed since the last one that succeeded, `error` is the last one's. `unread` is
    the number of listings and items that the last successful sync could not read.
    """

    name: str
    state: str
    worker: str | None
    started_at: datetime | None
    succeeded_at: datetime | None
    next_at: datetime | None
    failures: int
    failed_at: datetime | None
    error: str | None
    unread: int


class Queue:
    """The queue beside an inventory, in the schema `<schema>_queue`. It holds names of accounts, but no tokens.

    Args:
        url: `postgresql://user:password@host/database`, of the server itself and not of a connection pooler.
        schema: the schema of the inventory.
        patience: seconds to wait for a connection.

    Raises:
        ConfigurationError: the URL is not valid, or names a file.
    """

    def __init__(self, url: str, *, schema: str = SCHEMA, patience: float = PATIENCE) -> None:
        self._target = Target.parse(url, schema=schema)
        if self._target.schema is None or self._target.path is not None:
            raise ConfigurationError("a worker needs PostgreSQL, which holds its queue: postgresql://…, not a file")
        self._schema = f"{schema}_queue"
        if len(self._schema.encode()) > _LONGEST_SCHEMA:
            raise ConfigurationError(f"the schema {schema!r} is too long: the queue's is called {self._schema!r}")
        self.app = App(
            connector=PsycopgConnector(
                kwargs=self._target.connection_parameters,
                configure=self._configure,
                min_size=1,
                max_size=_MOST_CONNECTIONS,
                timeout=patience,
            ),
            periodic_defaults={"max_delay": float("inf")},  # the first worker does not wait for the next full hour
        )

    def __str__(self) -> str:
        return str(self._target)

    async def create(self) -> None:
        """Create the tables, or bring those of an older Procrastinate up to date.

        Raises:
            ConfigurationError: the URL is that of a connection pooler.
            OSError: the database cannot be reached or changed.
        """
        await asyncio.to_thread(self._run, self._create)

    async def states(self, *, stalled_after: float = STALLED_AFTER) -> list[AccountState]:
        """Return the states of the accounts, by name.

        Raises:
            FileNotFoundError: no worker was ever started.
            OSError: the database cannot be read.
        """

        def read(connection: Connection[Any]) -> list[AccountState]:
            self._check_exists(connection)
            with connection.cursor(row_factory=class_row(AccountState)) as cursor:
                return cursor.execute(_STATES, {"stalled_after": stalled_after, "task": SYNC}).fetchall()

        return await asyncio.to_thread(self._run, read)

    async def due(self, names: Iterable[str], since: datetime) -> list[str]:
        """Return the accounts that have to be enqueued: neither queued, nor started since this time of the schedule."""
        query = """
            SELECT wanted.name FROM unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, place)
            LEFT JOIN northflank_accounts AS account ON account.name = wanted.name
            WHERE (account.started_at IS NULL OR account.started_at < %(since)s) AND NOT EXISTS (
                SELECT FROM procrastinate_jobs AS job
                WHERE job.lock = wanted.name AND job.task_name = %(task)s AND job.status IN ('todo', 'doing')
            )
            ORDER BY wanted.place
        """
        async with self._connection() as connection:
            cursor = await connection.execute(query, {"names": list(names), "since": since, "task": SYNC})
            return [str(name) for (name,) in await cursor.fetchall()]

    async def schedule(self, names: Iterable[str], next_at: datetime) -> None:
        """Record when each account is synced next. Other accounts have no next time any more."""
        insert = """
            INSERT INTO northflank_accounts (name, next_at) SELECT unnest(%(names)s::text[]), %(next_at)s
            ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at
        """
        forget = "UPDATE northflank_accounts SET next_at = NULL WHERE name <> ALL (%(names)s::text[])"
        arguments = {"names": sorted(names), "next_at": next_at}
        async with self._connection() as connection:
            await connection.execute(insert, arguments)
            await connection.execute(forget, arguments)

    async def analyze(self) -> None:
        """Let PostgreSQL know how many jobs there are now: without that, each worker reads all of them for its next."""
        async with self._connection() as connection:
            await connection.execute("ANALYZE procrastinate_jobs")

    async def record_start(self, name: str, worker: str) -> None:
        """Record that a worker has started to sync an account."""
        await self._record(
            """
            INSERT INTO northflank_accounts (name, worker, started_at) VALUES (%(name)s, %(worker)s, now())
            ON CONFLICT (name) DO UPDATE SET worker = excluded.worker, started_at = excluded.started_at
            """,
            name=name,
            worker=worker,
        )

    async def record_success(self, name: str, unread: int) -> None:
        """Record that a sync has succeeded, except for what could not be read."""
        await self._record(
            """
            UPDATE northflank_accounts SET succeeded_at = now(), failures = 0, unread = %(unread)s, error = NULL
            WHERE name = %(name)s
            """,
            name=name,
            unread=unread,
        )

    async def record_failure(self, name: str, error: str) -> None:
        """Record that a sync has failed."""
        await self._record(
            """
            UPDATE northflank_accounts SET failed_at = now(), failures = failures + 1, error = %(error)s
            WHERE name = %(name)s
            """,
            name=name,
            error=error,
        )

    async def take_over(self, stalled_after: float) -> list[str]:
        """Have the accounts of dead workers synced by others, and return their names."""
        stalled = await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after)
        # Another worker may have done the same meanwhile: the job must still be that of the dead one.
        retry = """
            SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs
            WHERE id = %s AND status = 'doing' AND worker_id IS NOT DISTINCT FROM %s FOR UPDATE
        """
        taken = []
        for job in stalled:
            async with self._connection() as connection:
                cursor = await connection.execute(retry, [job.id, job.worker_id])
                if cursor.rowcount and job.task_name == SYNC:
                    taken.append(str(job.lock))
        return taken

    def _connection(self) -> Any:
        connector = self.app.connector
        assert isinstance(connector, PsycopgConnector)
        return connector.pool.connection()

    async def _record(self, statement: str, **values: Any) -> None:
        async with self._connection() as connection:
            await connection.execute(statement, values)

    async def _configure(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute(self._search_path)
        await connection.commit()

    @property
    def _search_path(self) -> Any:
        return SQL("SET search_path TO {}").format(Identifier(self._schema))

    def _run(self, work: Callable[[Connection[Any]], T]) -> T:
        """Run work in one transaction, for a caller in a thread."""
        try:
            with self._target.connect() as connection:
                self._check_direct(connection)
                connection.execute(self._search_path)
                return work(connection)
        except Error as error:
            raise self.os_error(error) from None

    def _check_direct(self, connection: Connection[Any]) -> None:
        """Refuse a connection pooler: the process that answers is not the one that accepted the connection."""
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        if row is None or row[0] != connection.info.backend_pid:
            raise ConfigurationError(
                f"{self} is a connection pooler, which hides the notifications of the queue: use the server's own URL"
            )

    def _check_exists(self, connection: Connection[Any]) -> None:
        row = connection.execute("SELECT to_regclass('northflank_accounts')").fetchone()
        if row is None or row[0] is None:
            raise FileNotFoundError(errno.ENOENT, "there is no queue yet: start a worker", str(self))

    def _create(self, connection: Connection[Any]) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [self._schema])
        connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(self._schema)))
        row = connection.execute(
            "SELECT to_regclass('procrastinate_jobs'), obj_description(to_regnamespace(%s), 'pg_namespace')",
            [Identifier(self._schema).as_string(connection)],
        ).fetchone()
        exists, version = row or (None, None)
        migrations = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
        if exists is None:
            connection.execute(SchemaManager.get_schema())
        else:
            for migration in migrations:
                if version and migration.stem > version:
                    connection.execute(migration.read_bytes())
        comment = SQL("COMMENT ON SCHEMA {} IS {}")
        if exists is None or (version and version < migrations[-1].stem):
            connection.execute(comment.format(Identifier(self._schema), Literal(migrations[-1].stem)))
        connection.execute(_ACCOUNTS)

    def os_error(self, error: Error | ConnectorException) -> OSError:
        """Describe an error of the database in one line without secrets."""
        cause = error.__cause__ if isinstance(error, ConnectorException) and error.__cause__ else error
        text = " ".join(str(cause).split()) or type(cause).__name__
        return OSError(errno.EIO, printable(self._target.redact(text)), str(self))


def this_worker() -> str:
    """Name this process in the whole fleet."""
    return f"{socket.gethostname()}:{os.getpid()}"
