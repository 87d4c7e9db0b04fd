"""Sync runs: from the API into a store, page by page, of one or several accounts."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from attrs import Factory, define
from sqlalchemy import Connection

from northflank_async.errors import ConfigurationError, NorthflankError
from northflank_async.inventory.crawl import (
    AccountOutcome,
    Accounts,
    Crawler,
    Failure,
    FetchedPage,
    Handled,
    Kind,
    Listing,
    OnStart,
    Outcome,
    ParsedPage,
    Tree,
)
from northflank_async.inventory.identity import identify
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.accounts import find_account
from northflank_async.inventory.store.lease import Store, Writer
from northflank_async.inventory.store.ledger import RESUME_MAX_AGE, Ledger
from northflank_async.inventory.store.readings import Reading, Unconfirmed
from northflank_async.records import Auth

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("northflank_async")


@define(eq=False)
class _QueuedPage:
    """A page that waits for a transaction, which then has a result."""

    fetched: FetchedPage
    stored: Reading | None = None


@define(eq=False)
class _Account:
    """An account of the store. Runs of the same account take turns, with the same writer."""

    host: str
    writer: Writer | None = None
    runs: "list[SyncRun]" = Factory(list)
    turn: asyncio.Lock = Factory(asyncio.Lock)


class Sync:
    """A sync run for each client, at the same time. Leaving its block lets others write to the accounts.

    The runs are finished together, so that none has to be repeated if another one is interrupted.

    Args:
        store: the inventory.
        queries: what to read, of each client.
        concurrency: requests in flight, of all clients together.
        temporary: the store is only for this export: a new run empties it.
        resume_max_age: how long after its start an interrupted run is resumed.
        allow_mass_deletion: believe a listing of projects or addons that has lost all, or most, of its items.
    """

    def __init__(
        self,
        store: Store,
        queries: Sequence[Query],
        *,
        concurrency: int,
        temporary: bool = False,
        resume_max_age: timedelta = RESUME_MAX_AGE,
        allow_mass_deletion: bool = False,
    ) -> None:
        self._store = store
        self._accounts = Accounts(queries, concurrency)
        self._concurrency = concurrency
        self._temporary = temporary
        self._options: dict[str, Any] = {
            "temporary": temporary,
            "fingerprints": {query.fingerprint for query in queries},
            "resume_max_age": resume_max_age,
            "allow_mass_deletion": allow_mass_deletion,
        }
        self._runs: list[SyncRun | None] = [None] * len(queries)
        self._opened: dict[str, _Account] = {}
        self._leases = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leases.aclose()

    @property
    def have_begun(self) -> bool:
        """Whether it is known of each run what the store has of it."""
        return None not in self._runs

    @property
    def are_resumable(self) -> bool:
        """Whether a run has stored something, and is not finished."""
        begun = [run for run in self._runs if run is not None]
        finished = {run.id for run in begun if run.has_finished}
        return any(not run.is_empty and run.id not in finished for run in begun)

    @property
    def complete(self) -> "list[SyncRun]":
        """The runs that have ended."""
        return [run for run in self._runs if run is not None and run.is_complete]

    async def run(self, on_start: OnStart | None = None) -> Outcome:
        """Read the API into the store. The runs are not finished yet: resumed, they would have nothing left to read.

        Raises:
            ConfigurationError: it is not clear whose rows the store has, or it has the same account of another host.
            BlockingIOError: another process is writing to the account.
            NorthflankError: the API could not be read, or failed partway; of several clients, that is so of each.
        """
        if on_start:
            on_start(lambda: self._accounts.progress)
        await self._accounts.run(self._sync)
        backups = 0
        for account in self._opened.values():
            runs = [run for run in account.runs if self._keeps(run)]
            if runs:
                backups += await runs[0].count_backups({run.id for run in runs})
        return self._accounts.outcome([self._outcome(index) for index in range(len(self._runs))], backups)

    async def finish(self) -> None:
        """Finish the runs that have ended: the next ones start from the beginning."""
        for run in self.complete:
            await run.finish()

    async def reopen(self) -> None:
        """Have the next runs read again what failed in these."""
        for run in self.complete:
            await run.reopen()

    async def _sync(self, index: int, query: Query) -> None:
        accounts = self._accounts
        must_answer = accounts.are_several and query.name is None
        auth = await identify(query.accounts[0], must_answer=must_answer)
        account_id = await self._store.exclusive(
            lambda connection: find_account(
                connection,
                query,
                auth,
                self._store.release,
                is_only=not accounts.are_several,
                temporary=self._temporary,
            )
        )
        accounts.ids[index] = account_id or None
        account = self._opened.setdefault(account_id, _Account(query.host))
        if account.host != query.host:
            raise ConfigurationError(
                f"{account.host} and {query.host} both have the account {account_id}: use another target for one"
            )
        async with account.turn:
            if account.writer is None:
                account.writer = await self._leases.enter_async_context(self._store.writing(account_id))
            label = f"{query.name or account_id}: " if accounts.are_several or query.name else ""
            run = SyncRun(
                account.writer, query, account_id, concurrency=self._concurrency, label=label, **self._options
            )
            accounts.crawlers[index] = await run.begin(
                auth, siblings={each.id: each.resumed_from for each in account.runs}
            )
            accounts.continued.update(
                number for number, earlier in enumerate(self._runs) if earlier in account.runs and earlier.id == run.id
            )
            self._runs[index] = run
            account.runs.append(run)
            await run.read()

    def _keeps(self, run: "SyncRun") -> bool:
        """Whether what the run has read stays: a file has only the accounts that were read to their end."""
        return run.is_complete or (run.is_counted and not self._temporary)

    def _outcome(self, index: int) -> AccountOutcome:
        run = self._runs[index]
        return AccountOutcome(
            account_id=self._accounts.ids[index],
            name=self._accounts.queries[index].name,
            progress=self._accounts.progress_of(index),
            backups=run.backups if run and self._keeps(run) else 0,
            failures=self._accounts.failures(index, run.failures if run else []),
            error=self._accounts.errors[index],
            resumed_from=run.resumed_from if run else None,
            discarded_from=run.discarded_from if run else None,
        )


class SyncRun:
    """One sync run, which resumes an interrupted one. Pages that arrive during a transaction share the next one.

    Args:
        writer: the only writer of the account.
        query: what to read.
        account_id: the account in the store.
        concurrency: requests in flight.
        label: what its log messages begin with.
        options: as of `Ledger`.
    """

    def __init__(
        self, writer: Writer, query: Query, account_id: str, *, concurrency: int, label: str = "", **options: Any
    ) -> None:
        wanted = {Kind.BACKUPS: True, Kind.RESTORES: query.restores, Kind.SCHEDULES: query.schedules}
        kinds = tuple(kind for kind, is_wanted in wanted.items() if is_wanted)
        self._tree = Tree(query, kinds, account_id or None)
        self._account_id = account_id
        self._concurrency = concurrency
        self._label = label
        self._writer = writer
        self._ledger = Ledger(self._tree, **options)
        self._crawler: Crawler | None = None
        self._lock = asyncio.Lock()
        self._queue: list[_QueuedPage] = []
        self._storing: asyncio.Task[None] | None = None
        self._has_stored = False
        self.is_complete = False
        self.is_counted = False
        self.has_finished = False
        self.backups = 0
        """The stored backups that it has seen, once it is counted."""
        self.failures: list[Failure] = []
        """What it could not read, once it is counted."""

    @property
    def id(self) -> int:
        return self._ledger.run_id

    @property
    def is_empty(self) -> bool:
        """Whether the run has stored no page: there is nothing to resume."""
        return not (self._has_stored or self._ledger.counts["pages"])

    @property
    def resumed_from(self) -> datetime | None:
        """When the interrupted run had started that it resumes."""
        return self._ledger.resumed_from

    @property
    def discarded_from(self) -> datetime | None:
        """When an interrupted run had started that was too old to be resumed."""
        return self._ledger.discarded_from

    async def begin(self, auth: Auth | None, siblings: Mapping[int, datetime | None]) -> Crawler:
        """Find out what is left to read.

        Args:
            auth: whose token it is; `None` if the API did not say.
            siblings: the runs of the same account that have begun together with this one, and what they have resumed.
        """
        await self._transaction(self._ledger.begin, self._account_id, auth, siblings)
        self._log_start()
        self._crawler = Crawler(
            self._tree,
            self,
            concurrency=self._concurrency,
            listings=self._ledger.open_listings,
            counts=self._ledger.counts,
        )
        return self._crawler

    async def read(self) -> None:
        """Read the API into the store. The run is not finished yet: resumed, it would have nothing left to read.

        Raises:
            BlockingIOError: another process has become the writer.
            NorthflankError: the API could not be read, or failed partway.
        """
        assert self._crawler is not None
        try:
            await self._crawler.run()
        except NorthflankError:
            await self._count()
            if self._crawler.completed:  # there is nothing to resume
                await self.finish()
            raise
        await self._count()
        self.is_complete = True

    async def _count(self) -> None:
        self.backups = await self.count_backups([self.id])
        self.failures = await self._transaction(self._ledger.failures)
        self.is_counted = True

    async def count_backups(self, run_ids: Collection[int]) -> int:
        """Count the stored backups that some runs of the account have seen."""
        return await self._transaction(self._ledger.count_backups, run_ids)

    async def finish(self) -> None:
        """Finish the run: the next one starts from the beginning."""
        await self._transaction(self._ledger.finish)
        self.has_finished = True

    async def reopen(self) -> None:
        """Have the next run read again what failed in this one."""
        await self._transaction(self._ledger.reopen)

    async def handle_page(self, page: FetchedPage) -> Handled:
        """Store a page, in one transaction with those that already wait."""
        queued = _QueuedPage(page)
        self._queue.append(queued)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_queue())
        await self._writer.finish(self._storing)  # refetching its pages would cost requests
        self._has_stored = True
        assert queued.stored is not None
        if queued.stored.reads_again:
            page.listing.restart()
        return Handled(queued.stored.children, queued.stored.error)

    async def handle_failure(self, listing: Listing, failure: Failure) -> None:
        """Store the failure."""
        await self._transaction(self._ledger.store_failure, listing, failure)

    async def handle_restart(self, listing: Listing) -> None:
        """Discard what was seen of the listing."""
        await self._transaction(self._ledger.restart, listing)

    def _log_start(self) -> None:
        if started := self._ledger.resumed_from:
            _log.info("%sresuming the sync run that started %s ago", self._label, _age(started))
        if started := self._ledger.discarded_from:
            if started > datetime.now(UTC):
                why = "starting anew: the interrupted sync run started in the future, at %s, so its age is not known"
                _log.warning(f"%s{why}", self._label, started)
            else:
                why = "starting anew: the interrupted sync run started %s ago, too long to resume it"
                _log.warning(f"%s{why}", self._label, _age(started))

    async def _store_queue(self) -> None:
        async with self._lock:
            queue, self._queue, self._storing = self._queue, [], None  # later pages wait for the next transaction
            pages = await asyncio.to_thread(_parse, queue)
            try:
                stored = await self._writer.transaction(lambda connection: self._ledger.store_pages(connection, pages))
            except Unconfirmed:
                self._ledger.confirm(await identify(self._tree.query.accounts[0]))
                stored = await self._writer.transaction(
                    lambda connection: self._ledger.store_pages(connection, pages, is_confirmed=True)
                )
        for queued, reading in zip(queue, stored, strict=True):
            queued.stored = reading

    async def _transaction(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def in_turn() -> T:
            async with self._lock:
                return await self._writer.transaction(lambda connection: work(connection, *args, **kwargs))

        return await self._writer.finish(in_turn())


def _age(moment: datetime) -> str:
    minutes = max(0, int((datetime.now(UTC) - moment).total_seconds())) // 60
    if minutes < 1:
        return "less than a minute"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _parse(queue: list[_QueuedPage]) -> list[ParsedPage]:
    return [queued.fetched.parse() for queued in queue]
