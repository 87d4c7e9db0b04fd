"""The crawls of several accounts at once: each with its own rate limit, under one bound of requests in flight."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from attrs import evolve, frozen

from northflank_async.errors import NorthflankError, printable
from northflank_async.http.budget import Slots
from northflank_async.inventory.crawl.crawler import Crawler, check_concurrency
from northflank_async.inventory.crawl.listings import Failure
from northflank_async.inventory.crawl.progress import Progress, waiting_until
from northflank_async.inventory.query import Query

AccountError: TypeAlias = NorthflankError | BlockingIOError
"""What ends an account, but not the others: its API cannot be read, or another process is syncing it."""

_log = logging.getLogger("northflank_async")

_NOTHING = Progress(
    projects=0,
    projects_found=0,
    found_all_projects=False,
    addons=0,
    addons_expected=0,
    addons_done=0,
    listings=0,
    listings_done=0,
    backups=0,
    requests=0,
    retries=0,
    waiting_until=None,
    done_at=None,
)


@frozen(kw_only=True)
class AccountOutcome:
    """The result of one account of a sync, an export or a stream.

    `account_id` is what the API calls the account, or else the `name` of the client; `None` if neither is known.
    `error` is why the account could not be read to its end; it is also the last of the `failures`. The other fields
    are as in `Outcome`.
    """

    account_id: str | None
    name: str | None
    progress: Progress
    backups: int
    failures: list[Failure]
    error: AccountError | None = None
    resumed_from: datetime | None = None
    discarded_from: datetime | None = None


@frozen(kw_only=True)
class Outcome:
    """The result of a sync, an export or a stream.

    `backups` counts the backups written, `failures` names what could not be read. `resumed_from` is when the sync run
    had started that was resumed; `progress` then includes the earlier work, except its requests. `discarded_from` is
    when an interrupted sync run had started that was too old to be resumed; of several accounts, these are the
    earliest times. `accounts` has the result of each client, in the order in which they were given.
    """

    progress: Progress
    backups: int
    failures: list[Failure]
    accounts: list[AccountOutcome]

    @property
    def resumed_from(self) -> datetime | None:
        """When the earliest sync run had started that was resumed."""
        return min((each.resumed_from for each in self.accounts if each.resumed_from), default=None)

    @property
    def discarded_from(self) -> datetime | None:
        """When the earliest interrupted sync run had started that was too old to be resumed."""
        return min((each.discarded_from for each in self.accounts if each.discarded_from), default=None)

    @property
    def resumed(self) -> bool:
        """Whether an interrupted sync run was resumed."""
        return self.resumed_from is not None


class Accounts:
    """Reads several accounts at once, and counts what they did.

    Args:
        queries: one for each client.
        concurrency: requests in flight, of all together.
    """

    def __init__(self, queries: Sequence[Query], concurrency: int) -> None:
        check_concurrency(concurrency)
        self.ids: list[str | None] = [query.name for query in queries]
        """What each account is called, as far as that is known."""
        self.crawlers: list[Crawler | None] = [None] * len(queries)
        """The crawler of each account that has begun."""
        self.errors: list[AccountError | None] = [None] * len(queries)
        """Why each account ended early, if it did."""
        self.continued: set[int] = set()
        """The accounts whose work is part of another one's progress, which is of the same account."""
        self.queries = queries
        self._concurrency = concurrency
        self._done = [False] * len(queries)
        self._before = {query.budget: (query.budget.spent, query.budget.retries) for query in queries}

    @property
    def are_several(self) -> bool:
        return len(self.queries) > 1

    async def run(self, work: Callable[[int, Query], Awaitable[object]]) -> None:
        """Run the work of each account, at the same time.

        Args:
            work: gets the number of the account and its query.

        Raises:
            NorthflankError: none of the accounts could be read; this is the first one's error.
            BlockingIOError: the same, because another process is syncing it.
        """
        if not self.are_several:
            await work(0, self.queries[0])
            self._done[0] = True
            return
        try:
            slots = Slots(self._concurrency)
            async with asyncio.TaskGroup() as tasks:
                for index, query in enumerate(self.queries):
                    tasks.create_task(self._run(work, index, query, slots))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        first = self.errors[0]
        if first is not None and None not in self.errors:
            for name, error in zip(self.ids, self.errors, strict=True):
                _log.warning("%s: %s", printable(name or "an account"), error)
            raise first

    async def _run(
        self, work: Callable[[int, Query], Awaitable[object]], index: int, query: Query, slots: Slots
    ) -> None:
        try:
            with slots.shared():
                await work(index, query)
        except (NorthflankError, BlockingIOError) as error:
            self.errors[index] = error
        self._done[index] = True

    def failures(self, index: int, found: Sequence[Failure] = ()) -> list[Failure]:
        """Return what could not be read of an account, and at last why it ended early, if it did.

        Args:
            index: the number of the account.
            found: what its crawl could not read. One of them may be what ended the account.
        """
        error = self.errors[index]
        if error is None:
            return list(found)
        whole = Failure(account_id=self.ids[index], error=error)
        return [*(failure for failure in found if failure.error is not error), whole]

    def progress_of(self, index: int) -> Progress:
        """The progress of one account."""
        crawler, budget = self.crawlers[index], self.queries[index].budget
        spent, retries = self._before[budget]
        return evolve(
            crawler.progress if crawler else evolve(_NOTHING, waiting_until=waiting_until(budget)),
            requests=budget.spent - spent,
            retries=budget.retries - retries,
            accounts_done=int(self._done[index]),
        )

    @property
    def progress(self) -> Progress:
        """The progress of all accounts. Changes nothing, so that another thread may call it."""
        every = [self.progress_of(index) for index in range(len(self.queries))]
        if not self.are_several:
            return every[0]
        running = [each for each in every if not each.accounts_done]
        counted = [each for index, each in enumerate(every) if index not in self.continued]
        waits = [each.waiting_until for each in running if each.waiting_until]
        ends = [each.done_at for each in running if each.done_at]
        return Progress(
            projects=sum(each.projects for each in counted),
            projects_found=sum(each.projects_found for each in counted),
            found_all_projects=all(each.found_all_projects or each.accounts_done for each in every),
            addons=sum(each.addons for each in counted),
            addons_expected=sum(each.addons_expected for each in counted),
            addons_done=sum(each.addons_done for each in counted),
            listings=sum(each.listings for each in counted),
            listings_done=sum(each.listings_done for each in counted),
            backups=sum(each.backups for each in counted),
            requests=sum(budget.spent - spent for budget, (spent, _) in self._before.items()),
            retries=sum(budget.retries - retries for budget, (_, retries) in self._before.items()),
            waiting_until=min(waits) if waits and len(waits) == len(running) else None,
            done_at=max(ends) if ends and len(ends) == len(running) else None,
            accounts=len(every),
            accounts_done=len(every) - len(running),
        )

    def outcome(self, outcomes: list[AccountOutcome], backups: int | None = None) -> Outcome:
        """Put the results of the accounts together; `backups` is their sum, unless accounts share some."""
        return Outcome(
            progress=self.progress,
            backups=sum(each.backups for each in outcomes) if backups is None else backups,
            failures=[failure for each in outcomes for failure in each.failures],
            accounts=outcomes,
        )
