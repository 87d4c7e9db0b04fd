"""Random sync runs that are killed and resumed, against accounts that change and fail, compared with the truth.

The truth is what a model of the accounts knows: what existed when, and what it has served.
"""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from attrs import Factory, define, field, frozen

from northflank_async import MassDeletion, NorthflankError
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.crawl import AccountOutcome, Outcome
from northflank_async.inventory.store import lease
from tests.support.campaigns import SCALE
from tests.support.command import start
from tests.support.model_account import (
    PERMISSIONS,
    SERVER_ERRORS,
    ListingKey,
    ModelAccounts,
    RowKey,
    Served,
    Token,
    Weather,
    serve_accounts,
)
from tests.support.postgresql import PostgreSQL

pytestmark = pytest.mark.slow

KINDS = ("projects", "addons", "backups", "restores")
PLACE = ("team_id", "project_id", "addon_id")
NO_IDS: Sequence[dict[str, Any]] = ({"id": 7}, {"id": None}, {"id": ""})
ODD: dict[str, Sequence[dict[str, Any]]] = {
    "projects": ({"name": 5},),
    "addons": ({"name": 5}, {"tags": "production"}, {"spec": 3}),
    "backups": ({"config": [1]}, {"createdAt": 5}, {"completedAt": {}}, {"status": ["?"]}),
    "restores": ({"backupId": 8}, {"status": 1}, {"restoreTimestamp": "soon"}),
}
"""What makes one field of an item unreadable; `NO_IDS` make the item unreadable."""
SEEDS = range(4 * SCALE)
"""Few, so that the suite stays fast: run hundreds by hand after a change to the ledger or to readings."""
FIRST, SECOND = "token-of-the-account-acme", "another-token-of-acme"
"""Two tokens of one account; the second one sees less at times."""
SHARED = "shared"
"""The id of a project, and of an addon in it, that all accounts have."""


class Killed(Exception):
    """The process has ended, as far as the database can tell."""


@define
class Death:
    """Kills a writer at one of its transactions: before it, in it, or after its commit."""

    after: int | None = None
    """Transactions until then; it is dead below 0."""
    how: str = "before"

    async def transaction(
        self, write: Callable[[Any, Any], Awaitable[Any]], writer: Any, work: Callable[[Any], Any]
    ) -> Any:
        """Run a transaction of a writer, or die."""
        if self.after is None:
            return await write(writer, work)
        self.after -= 1
        if self.after > 0:
            return await write(writer, work)
        if self.after == 0 and self.how != "before":
            await write(writer, work if self.how == "after" else lambda connection: self._die(work(connection)))
        raise Killed

    @staticmethod
    def _die(_: Any) -> None:
        raise Killed


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Death:
    dying = Death()
    for writer in (lease.Writer, lease._Lease):
        write = writer.transaction
        monkeypatch.setattr(writer, "transaction", lambda self, work, write=write: dying.transaction(write, self, work))
    return dying


@frozen(kw_only=True)
class StoredRow:
    """A row of a view; the account of its key is that of the store."""

    key: RowKey
    first_seen_at: datetime
    last_seen_at: datetime
    deleted_at: datetime | None
    data: Any


@define
class Store:
    """The contents of a database, read with SQL and nothing of the product."""

    target: str
    rows: dict[RowKey, StoredRow] = Factory(dict)

    def read(self) -> "Store":
        """Read the views."""
        self.rows = {}
        for kind in KINDS:
            place = PLACE[: KINDS.index(kind) + 1] if kind != "restores" else PLACE
            names = ("account_id", *place, "id", "first_seen_at", "last_seen_at", "deleted_at", "data")
            for row in self.query(f"SELECT {', '.join(names)} FROM {kind}"):
                values = dict(zip(names, row, strict=True))
                listing = ListingKey(kind=kind, **{name: values[name] for name in ("account_id", *place)})
                key = RowKey(listing, values["id"])
                assert key not in self.rows, f"{key} is there twice"
                times: dict[str, Any] = {name: _time(values[name]) for name in names if name.endswith("_at")}
                data = values["data"]
                self.rows[key] = StoredRow(key=key, data=json.loads(data) if isinstance(data, str) else data, **times)
        return self

    def query(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query; no rows if there is no such table yet."""
        if "://" in self.target:
            import psycopg

            with psycopg.connect(self.target, options="-c search_path=northflank") as connection:
                try:
                    return connection.execute(query.encode()).fetchall()
                except psycopg.errors.UndefinedTable:
                    return []
        with closing(sqlite3.connect(self.target)) as database:
            try:
                return database.execute(query).fetchall()
            except sqlite3.OperationalError as error:
                assert "no such table" in str(error), error
                return []

    def written(self) -> list[tuple[Any, ...]]:
        """The rows of all items, as they are stored."""
        return [row for kind in KINDS for row in self.query(f"SELECT * FROM {kind[:-1]}_rows ORDER BY listing_id, id")]


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


class Wanted(NamedTuple):
    """What a sync run reads."""

    token: str
    teams: tuple[str, ...]
    options: dict[str, Any]


class Sighting(NamedTuple):
    """When the API had an item."""

    at: datetime
    row: RowKey


@define
class Campaign:
    """Random sync runs into one database, and what each of them must leave behind."""

    model: ModelAccounts
    store: Store
    death: Death
    random: Random
    parties: float = 0.0
    """How often several clients are synced at once, from 0 to 1."""
    wanted: Wanted | None = None
    party: list[Wanted] = Factory(list)
    """What several clients read in one sync."""
    spans: list[tuple[Wanted, datetime, datetime]] = Factory(list)
    """When each query was synced."""
    strangers: dict[str, dict[RowKey, list[Sighting]]] = Factory(dict)
    """What runs have seen that did not know whose token they had: by the store's accounts, and keys without one."""
    sights: list[Token] = Factory(list)
    """What the second token can see, one of these at a time."""
    guests: set[str] = Factory(set)
    """The accounts of tokens of which only a role was known, which no other token is known to cover."""
    log: list[str] = field(factory=list)
    results: Counter[str] = field(factory=Counter)

    @classmethod
    def create(cls, seed: int, target: str, death: Death) -> "Campaign":
        """Make two accounts that share a few ids, one of them with a team and a second token."""
        random = Random(seed)
        model = ModelAccounts(seed=seed, page_size=random.randint(2, 4))
        model.add_account("acme", teams=("", "crew"))
        model.add_account("globex", projects=1)
        for account in ("acme", "globex"):
            root = ListingKey(account, "projects")
            model.insert(root, SHARED, children=0)
            addons = root.child("addons", SHARED)
            model.insert(addons, SHARED, children=random.randint(0, 6))
        model.tokens[SECOND] = Token("acme")
        return cls(model, Store(target), death, random)

    # What happens to the accounts.

    def disturb(self) -> None:
        """Change what the accounts have, and how the API answers until the next run."""
        model, random = self.model, self.random
        model.recover()
        for _ in range(random.choice((0, 0, 1, 3, 8))):
            model.change_something()
        if random.random() < 0.1:
            self._empty(random.choice(model.listings()))
        if random.random() < 0.1:
            self._revive()
        if random.random() < 0.3:
            model.expire_cursors()
        for key in model.listings():
            if random.random() < 0.04:
                model.failing[key] = random.choice((0, 403, 404, *SERVER_ERRORS))
            elif random.random() < 0.04:
                model.nulls.add(key)
            for item in model.items(key):
                if random.random() < 0.03:
                    self._distort(key, item.id)
        if random.random() < 0.7:
            rates = [random.choice((0.0, 0.0, 0.05, 0.2)) for _ in range(4)]
            model.weather = Weather(changes=rates[0], errors=rates[1] / 2, expiries=rates[2], duplicates=rates[3])
            if random.random() < 0.2:
                model.weather.rotations = 0.7
        for token in model.tokens.values():
            token.auth_status = random.choice((403, 404, 500, 503)) if random.random() < 0.1 else 200
        self._narrow(model.tokens[SECOND])

    def _empty(self, listing: ListingKey) -> None:
        for item in list(self.model.items(listing)):
            self.model.delete(listing, item.id)

    def _revive(self) -> None:
        """Insert something again that was deleted."""
        present = self.model.rows()
        listings = self.model.listings()
        gone = [key for key in self.model.known() if key not in present and key.listing in listings]
        if gone:
            key = self.random.choice(gone)
            self.model.insert(key.listing, key.id)

    def _distort(self, listing: ListingKey, item_id: str) -> None:
        if self.random.random() < 0.1:
            self.model.replace(listing, item_id, self.random.choice((None, "text", [], 7)))
        else:
            self.model.distort(listing, item_id, **self.random.choice((*NO_IDS, *ODD[listing.kind])))

    def _narrow(self, token: Token) -> None:
        """Let a token see everything, or less, as `/v1/auth` tells; what it sees comes back in later runs."""
        if not self.sights or self.random.random() < 0.1:
            self.sights = [Token("acme"), *self.random.sample(self._narrow_tokens(), 2)]
        sight = self.random.choice(self.sights)
        token.role, token.permissions = sight.role, sight.permissions
        token.restrictions, token.hidden = sight.restrictions, sight.hidden

    def _narrow_tokens(self) -> list[Token]:
        projects = [item.id for key in self.model.listings("acme", "projects") for item in self.model.items(key)]
        some = self.random.sample(projects, self.random.randint(0, len(projects)))
        hidden = self.random.randint(1, 3)
        return [
            Token("acme", restrictions={"enabled": True, "projects": some, "restrictionMode": "in"}),
            Token("acme", restrictions={"enabled": True, "projects": some, "restrictionMode": "notIn"}),
            Token("acme", permissions={"projectScope": PERMISSIONS[hidden:]}, hidden=hidden),
            Token("acme", {"roleId": f"guest-{hidden}", "roleType": "team"}, permissions=None, hidden=hidden),
        ]

    # Sync runs.

    def _choose(self) -> Wanted:
        """Choose what to read; mostly what the run before has read, so that it is resumed."""
        random = self.random
        if self.wanted and random.random() < 0.7:
            return self.wanted
        token = random.choice((*self.model.tokens, SECOND))
        account = self.model.tokens[token].account_id
        teams = random.choice((("",), ("",), ("", "crew"), ("crew",))) if account == "acme" else ("",)
        options: dict[str, Any] = {"restores": random.random() < 0.6}
        if random.random() < 0.2:
            listings = [ListingKey(account, "projects", team) for team in teams]
            ids = [item.id for key in listings for item in self.model.items(key)]
            options["projects"] = random.sample(ids, random.randint(0, len(ids))) or ["missing"]
        if random.random() < 0.15:
            options["statuses"] = random.choice(("failed", "completed"))
        if random.random() < 0.1:
            options["since"] = datetime(2026, 6, 1, tzinfo=UTC)
        if random.random() < 0.1:
            options["addon_types"] = "redis"
        return Wanted(token, teams, options)

    def _choose_party(self) -> list[Wanted]:
        """Choose what several clients read, mostly what they have read last.

        Two of them may have the same account, of which they then read different parts: else they could share a run.
        """
        random = self.random
        if not self.party or random.random() < 0.3:
            tokens = random.sample(list(self.model.tokens), random.randint(2, len(self.model.tokens)))
            restores = random.random() < 0.5
            teams = {FIRST: random.choice((("",), ("crew",))), SECOND: ("", "crew")}
            self.party = [Wanted(token, teams.get(token, ("",)), {"restores": restores}) for token in tokens]
        return self.party

    async def sync(self, *wanted: Wanted, **options: Any) -> Outcome:
        """Run a sync to its end, with a client for each query."""
        attempts, started = options.pop("attempts", 1), datetime.now(UTC)
        try:
            async with AsyncExitStack() as stack:
                queries = []
                for each in wanted:
                    nf = await stack.enter_async_context(self.model.client(each.token, attempts=attempts))
                    queries.append(Query([nf.team(team) if team else nf for team in each.teams], **each.options))
                inventory = await stack.enter_async_context(Inventory(self.store.target))
                return await inventory.sync(*queries, **{"concurrency": 1, **options})
        finally:
            self.spans += [(each, started, datetime.now(UTC)) for each in wanted]

    async def run(self) -> None:
        """Run one sync, undisturbed or not, and compare the store with the truth."""
        self.disturb()
        random = self.random
        before, self.wanted = dict(self.store.read().rows), self._choose()
        party = self._choose_party() if random.random() < self.parties else [self.wanted]
        tokens = [self.model.tokens[each.token] for each in party]
        how = random.choice(("ends", "ends", "ends", "cancelled", "killed"))
        started = datetime.now(UTC)
        self.death.after, self.death.how = None, random.choice(("before", "in", "after"))
        if how == "killed":
            self.death.after = random.randint(1, 25)
        options = {"attempts": random.choice((1, 3)), "concurrency": random.choice((1, 1, 4, 16))}
        options |= {"strict": random.random() < 0.3, "allow_mass_deletion": random.random() < 0.5}
        task = asyncio.ensure_future(self.sync(*party, **options))
        if how == "cancelled":
            self.call_after(random.randint(1, 30), task.cancel)
        outcome: Outcome | None = None
        try:
            outcome = await task
            result = "ended"
        except (Killed, asyncio.CancelledError, NorthflankError) as error:
            result = type(error).__name__
        self.model.on_answer, self.death.after = None, None
        self.results[result] += 1
        self.log.append(f"{started:%H:%M:%S.%f} {party} {tokens} {how} {options} {self.model.weather} -> {result}")
        self.store.read()
        identified = self._identified_since(started)
        self.guests |= {token.account_id for token in tokens if token.permissions is None}
        if len(party) == 1:  # one of several is not synced unless it is known whose token it has
            self.note_strangers(tokens[0].account_id, started)
        self.check_rows(before, {token.account_id for token in tokens} if identified else None)
        if outcome:
            self.results["complete"] += all(each.error is None for each in outcome.accounts)
            self.results["resumed"] += outcome.resumed
            for wanted, each in zip(party, outcome.accounts, strict=True):
                if each.error is None:
                    self.check_outcome(wanted, each, started)

    def call_after(self, answers: int, action: Callable[[], object]) -> None:
        """Do something when the API has answered so often; sometimes with the next answer, too."""
        moments = {answers, answers + 1} if self.random.random() < 0.2 else {answers}
        numbers = count(1)

        def act(_: Served) -> None:
            if next(numbers) in moments:
                action()

        self.model.on_answer = act

    def note_strangers(self, account: str, since: datetime) -> None:
        """Remember what a run may have stored without a name: in the only account that the store knows."""
        known = [row[0] for row in self.store.query("SELECT account_id FROM accounts")]
        if "" in self.strangers and "" not in known:  # it has got a name
            self.strangers.setdefault(account, {}).update(self.strangers.pop(""))
        if len(known) == 1 and not self._identified_since(since):
            seen = self.strangers.setdefault(known[0], {})
            for answer in self.model.answers(since):
                for row in _rows_of(answer):
                    seen.setdefault(_nameless(row), []).append(Sighting(answer.at, row))

    def _identified_since(self, since: datetime) -> bool:
        return any(answer.path == "/v1/auth" and answer.status == 200 for answer in self.model.answers(since))

    # What must be true.

    def last_sighting(self, key: RowKey, until: datetime | None = None) -> Sighting | None:
        """When the API last had what a row stands for, which may be an item of an account that was not known."""
        seen = list(self.strangers.get(key.listing.account_id, {}).get(_nameless(key), ()))
        if served := self.model.last_served(key, until):
            seen.append(Sighting(served, key))
        if key.listing.kind == "projects":  # a project is seen with its addons, too
            seen += [Sighting(each.at, key) for each in self.model.answers() if key in _rows_of(each)]
        return max((each for each in seen if until is None or each.at <= until), default=None)

    def check_rows(self, before: dict[RowKey, StoredRow], accounts: set[str] | None) -> None:
        """Compare each row with the truth, and those of other accounts with what they were."""
        for row in self.store.rows.values():
            assert row.first_seen_at <= row.last_seen_at, row
            if row.deleted_at is not None:
                assert row.last_seen_at <= row.deleted_at, row
                self._check_deleted(row.key, row.deleted_at)
            seen = self.last_sighting(row.key)
            assert seen, f"was never served: {row}"
            assert row.last_seen_at <= seen.at, f"looks fresher than it is, {seen.at}: {row}"
        if accounts is not None:
            for key, row in before.items():
                if key.listing.account_id not in {*accounts, ""}:
                    assert self.store.rows.get(key) == row, f"changed in a run of {accounts}: {row}"

    def _check_deleted(self, key: RowKey, deleted_at: datetime) -> None:
        seen = self.last_sighting(key, deleted_at)
        assert seen, f"was never served: {key}"
        above = _listings_above(seen.row.listing)
        answers = (answer.at for answer in self.model.answers(seen.at) if answer.listing in above)
        last = max((at for at in answers if at <= deleted_at), default=seen.at)
        if seen.row != key and not all(self.model.existed(item, deleted_at) for item in _items_above(key.listing)):
            return  # what a stranger's token has added to an item of this account was deleted with that
        existed = self.model.existed_throughout(seen.row, seen.at, last)
        assert not existed, f"existed: {seen.row}, deleted at {deleted_at}"

    def check_outcome(self, wanted: Wanted, outcome: AccountOutcome, started: datetime) -> None:
        """Compare what a run says with what it was served."""
        answers = self._answers_to(wanted, outcome.resumed_from or started)
        self._check_failures(outcome, outcome.resumed_from or started, answers)
        self._check_served(wanted, started)
        served = {
            RowKey(answer.listing, item_id)
            for answer in answers
            if answer.listing and answer.listing.kind == "backups"
            for item_id in answer.ids
        }
        assert outcome.backups <= len(served)
        assert outcome.progress.addons_done == outcome.progress.addons, outcome.progress

    def _answers_to(self, wanted: Wanted, since: datetime) -> list[Served]:
        """What the syncs of a query were served since then: others may have come between them.

        An interrupted one may have had another token of the account, which sees the same.
        """
        account = self.model.tokens[wanted.token].account_id
        spans = [
            (each.token, started, ended)
            for each, started, ended in self.spans
            if each[1:] == wanted[1:] and self.model.tokens[each.token].account_id == account
        ]
        return [
            answer
            for answer in self.model.answers(since)
            if any(answer.token == token and started <= answer.at <= ended for token, started, ended in spans)
        ]

    def _check_failures(self, outcome: AccountOutcome, since: datetime, answers: list[Served]) -> None:
        closed = {
            ListingKey(kind=kind, team_id=team, project_id=project, addon_id=addon, account_id="")
            for kind, team, project, addon, read_at in self.store.query(
                "SELECT kind, team_id, project_id, addon_id, read_at FROM listings WHERE read_at IS NOT NULL"
                f" AND account_id = '{outcome.account_id or ''}'"
            )
            if datetime.fromisoformat(str(read_at)) >= since
        }
        named = Counter(
            (failure.team_id or "", failure.project_id or "", failure.addon_id or "", failure.item_id is None)
            for failure in outcome.failures
        )
        for key, answer in {answer.listing: answer for answer in answers if answer.listing}.items():
            if answer.failed and key._replace(account_id="") not in closed:
                assert named[(*_place(key), True)], f"the failure of {key} is not named: {outcome.failures}"
        failed = {_place(answer.listing) for answer in answers if answer.listing and answer.failed}
        for failure in outcome.failures:
            place = (failure.team_id or "", failure.project_id or "", failure.addon_id or "")
            if failure.item_id is None and not _is_mass_deletion(failure.error):
                assert place in failed, f"did not fail: {failure}"
        for listing, reading in _last_readings(answers).items():
            broken = {item_id for answer in reading.values() for item_id in (*answer.unreadable, *answer.odd)}
            if broken and not named[(*_place(listing), True)]:
                assert named[(*_place(listing), False)] >= 1, f"not named of {listing}: {broken}"

    def _check_served(self, wanted: Wanted, started: datetime) -> None:
        """Check that what the run was served is there, as its account was served it last."""
        account = self.model.tokens[wanted.token].account_id
        identified = self._identified_since(started)
        last: dict[RowKey, Any] = {}
        for answer in self.model.answers(started):
            if answer.listing and answer.listing.account_id == account:
                last |= {RowKey(answer.listing, item_id): item for item_id, item in answer.json.items()}
        for key, item in last.items():
            if identified:
                rows = [row for row in [self.store.rows.get(key)] if row]
            else:
                rows = [row for row in self.store.rows.values() if _nameless(row.key) == _nameless(key)]
            if not rows and key.listing.kind == "backups" and not _matches(wanted, item):
                continue
            assert rows, f"was served, and is not there: {key}"
            assert any(row.data == item for row in rows), f"is not what was served, {item}: {rows}"

    # The end.

    async def converge(self) -> None:
        """Sync everything undisturbed: then the store has the truth, as far as it can be known."""
        self.model.recover()
        self._narrow_nothing()
        for name, teams in (("acme", ("", "crew")), ("globex", ("",))):
            token = next(token for token, known in self.model.tokens.items() if known.account_id == name)
            wanted = self.wanted = Wanted(token, teams, {"restores": True})
            before, started = dict(self.store.read().rows), datetime.now(UTC)
            outcome = await self.sync(wanted, concurrency=4, allow_mass_deletion=True, resume_max_age=timedelta(0))
            self.note_strangers(name, started)
            self.store.read()
            self.check_rows(before, {name})
            self.check_outcome(wanted, outcome.accounts[0], started)
            assert outcome.failures == []
            truth = {
                RowKey(listing, item.id): item.json
                for listing in self.model.listings(name)
                for item in self.model.items(listing)
            }
            assert outcome.backups == sum(key.listing.kind == "backups" for key in truth)
            assert outcome.progress.projects == sum(key.listing.kind == "projects" for key in truth)
            assert outcome.progress.addons == sum(key.listing.kind == "addons" for key in truth)
            present = {key: row for key, row in self.store.rows.items() if row.deleted_at is None}
            for key, item in truth.items():
                assert key in present, f"is missing: {key}"
                assert present[key].data == item
                assert present[key].last_seen_at >= started
            for key, row in present.items():
                if key.listing.account_id == name and key not in truth:
                    assert row.last_seen_at < started
                    assert not self._is_provably_deleted(key), f"was deleted, which the run could know: {row}"
            written = self.store.written()
            await self.sync(wanted, concurrency=4)
            assert self.store.written() == written
        assert self.store.query("SELECT * FROM seen_ids") == []
        assert self.store.query("SELECT * FROM listings WHERE is_open") == []

    def _narrow_nothing(self) -> None:
        for token in self.model.tokens.values():
            token.auth_status, token.hidden, token.restrictions = 200, 0, None
            token.role, token.permissions = Token("").role, Token("").permissions

    def _is_provably_deleted(self, key: RowKey) -> bool:
        """Whether all runs that can have seen an item knew whose token they had, and saw less than the last one."""
        return not {key.listing.account_id, ""} & {*self.strangers, *self.guests}


def _matches(wanted: Wanted, item: Any) -> bool:
    """Whether a query with filters wants a backup, for certain."""
    statuses, since = wanted.options.get("statuses"), wanted.options.get("since")
    if statuses and item["status"] != statuses:
        return False
    return since is None or not isinstance(item["createdAt"], str) or item["createdAt"] >= "2026-06"


def _listings_above(listing: ListingKey) -> set[ListingKey]:
    """A listing, and those of its addon and its project."""
    root = ListingKey(listing.account_id, "projects", listing.team_id)
    addons = root.child("addons", listing.project_id)
    return {listing, root, addons}


def _last_readings(answers: Iterable[Served]) -> dict[ListingKey, dict[str | None, Served]]:
    """The pages of the last reading of each listing, by their cursors: one may be read again after a kill."""
    readings: dict[ListingKey, dict[str | None, Served]] = {}
    for answer in answers:
        if answer.listing and answer.status == 200:
            if answer.cursor is None:
                readings[answer.listing] = {}
            readings.setdefault(answer.listing, {})[answer.cursor] = answer
    return readings


def _items_above(listing: ListingKey) -> list[RowKey]:
    """The project and the addon of a listing."""
    root = ListingKey(listing.account_id, "projects", listing.team_id)
    ids = ((root, listing.project_id), (root.child("addons", listing.project_id), listing.addon_id))
    return [RowKey(key, item_id) for key, item_id in ids if item_id]


def _rows_of(answer: Served) -> list[RowKey]:
    """What an answer has shown to exist."""
    listing = answer.listing
    if listing is None or answer.status != 200:
        return []
    parent = [RowKey(listing._replace(kind="projects", project_id=""), listing.project_id)]
    return [*(parent if listing.kind == "addons" else []), *(RowKey(listing, item_id) for item_id in answer.ids)]


def _nameless(key: RowKey) -> RowKey:
    """The key of a row without its account."""
    return RowKey(key.listing._replace(account_id=""), key.id)


def _place(listing: ListingKey) -> tuple[str, str, str]:
    return (listing.team_id, listing.project_id, listing.addon_id)


def _is_mass_deletion(error: Exception) -> bool:
    return isinstance(error, MassDeletion) or "--allow-mass-deletion" in str(error)


async def fight(seed: int, target: str, death: Death, runs: int, *, parties: float = 0.0) -> Campaign:
    """Run a campaign; its log says what has happened if something is wrong."""
    campaign = Campaign.create(seed, target, death)
    campaign.parties = parties
    async with serve_accounts(campaign.model):
        try:
            for _ in range(runs):
                await campaign.run()
            await campaign.converge()
        except BaseException as error:
            error.add_note("\n".join((f"seed {seed}", *campaign.log)))
            raise
    return campaign


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_store_in_sqlite_is_never_wrong_about_what_exists(tmp_path: Path, death: Death, seed: int) -> None:
    await fight(seed, str(tmp_path / "inventory.db"), death, runs=15)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_store_of_several_clients_is_never_wrong_about_what_exists(
    tmp_path: Path, death: Death, seed: int
) -> None:
    await fight(1000 + seed, str(tmp_path / "inventory.db"), death, runs=12, parties=0.8)


async def test_several_clients_in_postgresql_are_never_wrong_about_what_exists(
    postgresql: PostgreSQL, death: Death
) -> None:
    await fight(1100, postgresql.create("campaign_of_several"), death, runs=6, parties=0.8)


async def test_a_store_in_postgresql_is_never_wrong_about_what_exists(postgresql: PostgreSQL, death: Death) -> None:
    await fight(100, postgresql.create("campaign"), death, runs=6)


async def test_a_store_of_killed_processes_is_never_wrong_about_what_exists(tmp_path: Path, death: Death) -> None:
    campaign = Campaign.create(7, str(tmp_path / "inventory.db"), death)
    random = campaign.random
    wanted = campaign.wanted = Wanted(FIRST, ("",), {"restores": True})
    async with serve_accounts(campaign.model) as model:
        while campaign.results["-9"] < 2 and campaign.results.total() < 8:
            campaign.disturb()
            before, started = dict(campaign.store.rows), datetime.now(UTC)
            environment = {"NORTHFLANK_API_TOKEN": wanted.token, "NORTHFLANK_API_BASE_URL": model.server.url}
            model.failing.clear()
            process = await start("export", campaign.store.target, "--restores", "--attempts", 1, **environment)
            campaign.call_after(random.randint(3, 20), process.kill)
            await process.communicate()
            await asyncio.sleep(0.1)  # requests that it has sent are still answered
            model.on_answer = None
            campaign.results[str(process.returncode)] += 1
            campaign.store.read()
            campaign.note_strangers("acme", started)
            campaign.check_rows(before, None)
        assert campaign.results["-9"] == 2, campaign.results
        campaign.disturb()
        started = datetime.now(UTC)
        outcome = await campaign.sync(wanted)
        campaign.store.read()
        campaign.check_outcome(wanted, outcome.accounts[0], started)
        await campaign.converge()


@pytest.mark.parametrize("first", [True, False])
async def test_a_page_that_is_null_is_a_failure_of_a_listing_with_other_pages(tmp_path: Path, *, first: bool) -> None:
    model = ModelAccounts(page_size=2)
    token = model.add_account("acme", projects=0)
    root = ListingKey("acme", "projects")
    model.insert(root, "p", children=0)
    model.insert(root.child("addons", "p"), "a", children=3)
    backups = root.child("addons", "p").child("backups", "a")

    def spoil(answer: Served) -> None:
        if first or answer.listing == backups:
            model.nulls.add(backups)

    model.on_answer = spoil
    async with serve_accounts(model), model.client(token) as nf, Inventory(tmp_path / "inventory.db") as inventory:
        outcome = await inventory.sync(Query(nf))
    (failure,) = outcome.failures
    assert "data.backups: expected an array, got null" in str(failure)
    assert outcome.backups == (0 if first else 2)
