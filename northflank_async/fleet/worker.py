"""A worker of a fleet: syncs the accounts that the queue gives it into one inventory."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import Factory, field, frozen
from croniter import croniter
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job
from psycopg import Error

from northflank_async.errors import ConfigurationError, NorthflankError, RateLimited
from northflank_async.fleet.accounts import AccountEntry
from northflank_async.fleet.queue import PATIENCE, STALLED_AFTER, SYNC, Queue, this_worker
from northflank_async.inventory.inventory import Inventory
from northflank_async.inventory.store.target import SCHEMA
from northflank_async.validation import check_integer

ENQUEUE = "enqueue"
"""The name of the task that enqueues the sync of each account."""
ENQUEUE_LOCK = " enqueue"
"""Two of them at once would enqueue each account twice. No account's name begins with a space."""
_QUEUE = "northflank"
_RETRIES = 5
"""Retries of a failed sync; then the account waits for the next time of the schedule."""
_LONGEST_BACKOFF = 3600.0
_BATCH = 1000
"""Jobs that are enqueued in one statement."""
_log = logging.getLogger("northflank_async")
for _name in ("procrastinate", "psycopg.pool"):  # this module logs what matters
    logging.getLogger(_name).addHandler(logging.NullHandler())


@frozen(kw_only=True)
class Timing:
    """The times of a worker, in seconds; shorter ones are for tests.

    `backoff` is the time before the first retry of a failed sync, which doubles with each. `poll` is how often the
    queue is looked at where no notification comes, `patience` how long a worker outlasts a database that is down.
    """

    backoff: float = 60.0
    patience: float = PATIENCE
    poll: float = 5.0
    heartbeat: float = 10.0
    stalled_after: float = STALLED_AFTER


def cron_of(span: timedelta) -> str:
    """Write a time span as a cron expression, such as `0 */6 * * *` for 6 hours.

    Raises:
        ConfigurationError: the span does not divide an hour or a day, and is not a week.
    """
    minutes, rest = divmod(span, timedelta(minutes=1))
    if not rest and 0 < minutes < 60 and 60 % minutes == 0:
        return f"*/{minutes} * * * *"
    hours, rest = divmod(span, timedelta(hours=1))
    if not rest and 0 < hours < 24 and 24 % hours == 0:
        return f"0 */{hours} * * *"
    if span == timedelta(days=1):
        return "0 0 * * *"
    if span == timedelta(weeks=1):
        return "0 0 * * 0"
    raise ConfigurationError("the time span must divide an hour or a day (15m, 1h, 6h, 1d), or be a week (7d)")


def check_cron(text: str) -> None:
    """Check a cron expression.

    Raises:
        ConfigurationError: it is not one.
    """
    if len(text.split()) not in (5, 6) or not croniter.is_valid(text):
        raise ConfigurationError(f"{text!r} is not a cron expression such as '0 * * * *' (each hour)")


@frozen(kw_only=True)
class Worker:
    """Syncs accounts into the inventory at `url` until it is cancelled. Any number of workers can share one.

    Args:
        url: `postgresql://user:password@host/database`, which holds the inventory and the queue.
        entries: the accounts. All workers should have the same.
        cron: when each account is synced, in UTC. It is also synced when the first worker starts.
        concurrency: accounts that are synced at the same time.
        schema: the schema of the inventory. The queue's is `<schema>_queue`.
        restores: include restores.
        schedules: include backup schedules.
        client_arguments: of each `Northflank`.
        timing: how often the queue is looked at, and when a worker counts as dead.

    Raises:
        ConfigurationError: an argument is not valid.
    """

    url: str = field(repr=False)
    entries: Sequence[AccountEntry]
    cron: str
    concurrency: int = 8
    schema: str = SCHEMA
    restores: bool = False
    schedules: bool = False
    client_arguments: Mapping[str, Any] = Factory(dict)
    timing: Timing = Timing()

    def __attrs_post_init__(self) -> None:
        check_cron(self.cron)
        check_integer("concurrency", self.concurrency, 1)
        Queue(self.url, schema=self.schema)

    async def run(self) -> None:
        """Work until cancelled. Then each transaction ends, and the accounts are handed back to the queue.

        Raises:
            ConfigurationError: the URL is not valid, or that of a connection pooler.
            OSError: the database cannot be reached, or its connection was lost.
        """
        queue = Queue(self.url, schema=self.schema, patience=self.timing.patience)
        await queue.create()
        self._define_tasks(queue)
        try:
            async with queue.app.open_async():
                recovery = asyncio.create_task(self._recover(queue))
                try:
                    await queue.app.run_worker_async(
                        queues=[_QUEUE],
                        concurrency=self.concurrency,
                        shutdown_graceful_timeout=0.0,
                        install_signal_handlers=False,
                        delete_jobs=DeleteJobCondition.ALWAYS,
                        fetch_job_polling_interval=self.timing.poll,
                        update_heartbeat_interval=self.timing.heartbeat,
                        stalled_worker_timeout=self.timing.stalled_after,
                    )
                finally:
                    recovery.cancel()
                    await asyncio.wait([recovery])
        except (ConnectorException, Error) as error:
            raise queue.os_error(error) from error
        raise ConnectionError(None, "the connection to the queue was lost", str(queue))

    def _define_tasks(self, queue: Queue) -> None:
        entries = {entry.name: entry for entry in self.entries}
        app = queue.app

        @app.task(name=SYNC, queue=_QUEUE, retry=_Retry(self.timing.backoff))
        async def sync(account: str) -> None:
            await queue.record_start(account, this_worker())
            try:
                unread = await self._sync(account, entries.get(account))
            except RateLimited as error:
                _log.info("%s: paused until the rate limit resets: %s", account, error)
                raise
            except BlockingIOError as error:
                _log.info("%s: paused: %s", account, error.strerror)
                raise
            except (NorthflankError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                _log.warning("%s: the sync failed: %s", account, reason)
                await queue.record_failure(account, reason)
                raise
            await queue.record_success(account, unread)

        @app.periodic(cron=self.cron)
        @app.task(name=ENQUEUE, queue=_QUEUE, lock=ENQUEUE_LOCK, priority=1, retry=_Retry(self.timing.backoff))
        async def enqueue(timestamp: int) -> None:
            next_at = croniter(self.cron, timestamp).get_next(float)
            await queue.schedule(entries, datetime.fromtimestamp(next_at, UTC))
            due = await queue.due(entries, datetime.fromtimestamp(timestamp, UTC))
            jobs = [sync.configure(lock=name, task_kwargs={"account": name}).job for name in due]
            for start in range(0, len(jobs), _BATCH):
                await app.job_manager.batch_defer_jobs_async(jobs[start : start + _BATCH])
            await queue.analyze()

    async def _sync(self, name: str, entry: AccountEntry | None) -> int:
        """Sync an account, and return how many listings and items could not be read."""
        if entry is None:
            raise ConfigurationError(f"this worker has no account {name!r}: give all workers the same accounts")
        async with (
            entry.open(**{**self.client_arguments, "on_rate_limit": "raise"}) as nf,
            Inventory(self.url, schema=self.schema) as inventory,
        ):
            outcome = await inventory.sync(entry.query(nf, restores=self.restores, schedules=self.schedules))
            spent = nf.budget.spent
        for failure in outcome.failures:
            _log.warning("%s: could not read %s", name, failure)
        _log.info("%s: synced, %s backups, %s requests", name, f"{outcome.backups:,}", f"{spent:,}")
        return len(outcome.failures)

    async def _recover(self, queue: Queue) -> None:
        """Put the accounts of dead workers back into the queue."""
        while True:
            await asyncio.sleep(self.timing.heartbeat)
            try:
                for name in await queue.take_over(self.timing.stalled_after):
                    _log.warning("%s: its worker has died; another one resumes the sync", name)
            except (ConnectorException, Error) as error:
                _log.warning("cannot look for dead workers: %s", queue.os_error(error).strerror)


@frozen
class _Retry(BaseRetryStrategy):
    """When a sync is run again that did not succeed."""

    backoff: float
    random: Callable[[], float] = random.random

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Decide by the exception; `None` leaves it to the next time of the schedule."""
        seconds = self._seconds(exception, job.attempts)
        return None if seconds is None else RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=seconds))

    def _seconds(self, exception: BaseException, attempts: int) -> float | None:
        match exception:
            case asyncio.CancelledError():  # handed back
                return 0.0
            case RateLimited(reset_after=float() | int() as seconds):
                return seconds + self.random()
            case BlockingIOError():  # somebody else is syncing the account
                return self.backoff
        if attempts >= _RETRIES:
            return None
        return min(self.backoff * 2.0**attempts, _LONGEST_BACKOFF) * (0.5 + self.random() / 2)
