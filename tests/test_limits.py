"""The README's table of limits is made from these tests: each row has a test that its limit holds.

    python -m tests.test_limits

rewrites the table in the README.
"""

import ast
import asyncio
import importlib
import inspect
import itertools
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from aiohttp import web
from attrs import frozen

from northflank_async import (
    ConfigurationError,
    Northflank,
    NorthflankError,
    NotFound,
    PaginationError,
    RateLimited,
    ServerError,
    TransportError,
    UnknownName,
    resources,
)
from northflank_async.audit.renderers import html, render
from northflank_async.drill import checks, drill, scratch
from northflank_async.http import budget, retry
from northflank_async.http.rate_limit import RateLimit, read_rate_limit
from northflank_async.http.redaction import Redactor, Secret
from northflank_async.inventory import Inventory
from northflank_async.inventory.crawl import Kind
from northflank_async.inventory.crawl.columns import read_row
from northflank_async.inventory.encoding import storable_json
from northflank_async.inventory.export import export
from northflank_async.inventory.names import check_known
from northflank_async.inventory.store import connections, lease
from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.target import Target
from northflank_async.inventory.stream import stream
from northflank_async.mirror import mirror
from northflank_async.resources.resource import Resource
from northflank_async.simulator import Simulator
from tests.audit import facts
from tests.audit.test_report import report
from tests.audit.test_watch import Store, Timer, watching
from tests.support.clocks import AutojumpClock
from tests.support.command import invoke
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.scripted_server import TOKEN, backup, envelope, http_response, serve, serve_bytes
from tests.support.threads import in_thread

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PACKAGE = ROOT / "northflank_async"
TABLE = re.compile(r"(?<=<!-- limits: made by python -m tests.test_limits -->\n).*?(?=\n<!-- end of limits -->)", re.S)
LONGEST_BACKOFF = retry.LONGEST_BACKOFF  # the fixtures set it to 0
Test = TypeVar("Test", bound=Callable[..., Any])


@frozen
class Row:
    """A row of the table."""

    what: str
    limit: str
    set_by: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.limit} | {self.set_by} |"


ROWS: list[Row] = []
DOCUMENTED: set[str] = set()
"""The constants in the package that hold these limits."""
NOT_FOR_USERS = {
    "atomic_write.PRIVATE": "a file's mode",
    "atomic_write._PUBLIC": "a file's mode",
    "audit.due_times.WEEK": "a week",
    "audit.due_times._MINUTE": "a minute",
    "audit.fixes._DAY": "a day",
    "audit.policy._LARGEST": "an error names it",
    "audit.policy._LONGEST": "an error names it",
    "audit.renderers.html._DAY": "a day",
    "audit.watch._PATIENCE": "for slow readers at the end",
    "audit.renderers.html.charts._MOST_DOTS": "part of a chart",
    "audit.rules._DAY": "a day",
    "cli.commands.mirror._MAX_LISTED": "of addons without a dump, the others are counted",
    "download._CHUNK": "bytes per write",
    "drill.cancellation._ATTEMPTS": "cancellations that a removal survives",
    "drill.checks._KEPT_OUTPUT": "bytes of output that secrets are looked for in",
    "drill.checks._KILL": "a signal",
    "drill.checks._POLL": "how often a command is looked at",
    "drill.run._LOG_LINES": "lines of a log in a message",
    "drill.run._SHOWN_LOGS": "characters of a log in a message",
    "drill.scratch._APPEARANCE": "how late a new addon can appear",
    "fleet.accounts._LARGEST_TOKEN": "what a token's file can be taken for",
    "fleet.accounts._LONGEST_NAME": "of an account in a message",
    "fleet.queue._LONGEST_SCHEMA": "PostgreSQL's own limit",
    "fleet.queue._MOST_CONNECTIONS": "described with the workers",
    "fleet.queue.PATIENCE": "described with the workers",
    "fleet.queue.STALLED_AFTER": "described with the workers",
    "fleet.worker._BATCH": "jobs per statement",
    "fleet.worker._LONGEST_BACKOFF": "described with the workers",
    "fleet.worker._RETRIES": "described with the workers",
    "fleet.checkup._CONCURRENCY": "requests for tokens",
    "fleet.checkup.EXPIRES_SOON": "described with the command doctor",
    "fleet.checkup.MOST_SKEW": "described with the command doctor",
    "http.rate_limit._ROUNDING": "how far two times of one reset differ",
    "http.retry.BACKOFF_JITTER": "part of the backoff",
    "inventory.crawl.columns._LARGEST_INTEGER": "what a column can hold",
    "inventory.crawl.crawler._PROBES": "requests that decide whether the API is down",
    "inventory.crawl.pages._MAX_ID_LENGTH": "of an id in a message",
    "inventory.formats.compression._GZIP_LEVEL": "speed against size",
    "inventory.formats.parquet.ROW_GROUP": "rows per group",
    "inventory.names._CONCURRENCY": "requests for names",
    "inventory.plan._OF_THE_ACCOUNT": "a request, not a limit",
    "inventory.store.copies._ROWS_AT_ONCE": "rows per statement",
    "inventory.store.connections._BUSY_SLICE": "of the wait for a lock",
    "inventory.store.facts._ADDONS_AT_ONCE": "addons per query",
    "inventory.store.facts._SHOWN_ID": "of an id in a message",
    "inventory.store.ledger._NO_RUN": "a number of a run",
    "inventory.store.lease._REPEATS": "of a renewal",
    "inventory.store.ownership.APPLICATION_ID": "a mark in a file",
    "inventory.store.ownership._CREATION_LOCK": "the name of a lock",
    "inventory.store.ownership._HEADER": "bytes of a file",
    "inventory.store.reader.BATCH_SIZE": "rows per query",
    "inventory.store.reader._ADDONS_AT_ONCE": "addons per query",
    "inventory.store.readings._KEYS_AT_ONCE": "keys per statement",
    "inventory.store.statements.MOST_VALUES": "variables per statement",
    "mirror.folder._BLOCK": "bytes per reading",
    "mirror.folder._CHECKPOINT": "described with the mirror",
    "mirror.layout._MOST": "characters of a path's segment; a longer id gets a hash",
    "mirror.mirroring._LISTING": "requests for listings",
    "mirror.mirroring._READERS": "entries of a manifest per reading",
    "mirror.object_store._MOST_PARTS": "S3's own limit",
    "mirror.object_store._PART": "bytes per part of an upload",
    "mirror.object_store._PARTS_IN_FLIGHT": "parts per upload",
    "mirror.object_store._PATIENCE": "for an upload to be aborted",
    "records.values._MAX_SHOWN": "characters of a value in a message",
    "resources.wait._PAUSE_GROWTH": "part of the pauses between polls",
    "validation._SIMILARITY": "of a name that is suggested",
}
"""Other numbers, and what they are. Those of the layout of tables and bars are not listed."""


def documented(
    what: str, limit: float, unit: str = "", set_by: str = "", *, constants: tuple[str, ...] = ()
) -> Callable[[Test], Test]:
    """Add a row to the table. The test gets the limit as its argument, and shows that it holds.

    Args:
        what: what is limited.
        limit: the limit.
        unit: `"s"`, `"bytes"`, or a noun.
        set_by: the argument or option that sets another limit.
        constants: the constants in the package that hold it.
    """
    ROWS.append(Row(what, spoken(limit, unit), set_by))
    DOCUMENTED.update(constants)
    mark = pytest.mark.parametrize("limit", [limit])
    return lambda test: mark(test)  # type: ignore[no-any-return, unused-ignore]


def spoken(limit: float, unit: str) -> str:
    """A limit with its unit, as a reader would say it."""
    if unit == "s":
        for size, name in ((3600, "h"), (60, "min")):
            if limit >= size and limit % size == 0:
                return f"{limit / size:g} {name}"
        return f"{limit:g} s"
    if unit == "bytes" and limit >= 2**20:
        return f"{limit / 2**20:g} MiB"
    return f"{limit:,g} {unit}".strip()


def default(function: Callable[..., Any], argument: str) -> Any:
    return inspect.signature(function).parameters[argument].default


# Requests


@documented("items on a page", 100, set_by="`per_page`, `--per_page`", constants=("http.request.MAX_PER_PAGE",))
async def test_the_largest_page_is_the_default(limit: int) -> None:
    async with Simulator() as simulator, Northflank(simulator.token, base_url=simulator.url) as nf:
        assert len((await nf.project("billing").addon("billing-cache").backups()).items) == limit
        with pytest.raises(ConfigurationError):
            nf.projects(per_page=limit + 1)
    classes = [cls for cls in map(vars(resources).get, resources.__all__) if isinstance(cls, type)]
    defaults = {
        default(function, "per_page")
        for cls in classes if issubclass(cls, Resource)
        for _, function in inspect.getmembers(cls, inspect.isfunction)
        if "per_page" in inspect.signature(function).parameters and not function.__name__.startswith("_")
    }  # fmt: skip
    assert defaults == {limit}


@documented("items on a page of a command, as Northflank's own has", 50, set_by="`--per_page`",
            constants=("cli.options._API_PER_PAGE",))  # fmt: skip
def test_a_command_lists_fifty(northflank_simulator: Simulator, limit: int) -> None:
    result = invoke(
        "get", "addon", "backups", "--projectId", "billing", "--addonId", "billing-cache", "--page", 1, "-o", "json"
    )
    assert len(json.loads(result.stdout)["backups"]) == limit


@documented("time of an attempt, without the wait for a connection", 30, "s", "`timeout`, `--timeout`")
async def test_an_attempt_has_a_timeout(limit: float) -> None:
    async with serve(lambda _: envelope({})) as server, server.client() as nf:
        assert nf._transport.timeout == limit


@documented("attempts per request", 5, set_by="`attempts`")
async def test_a_request_has_five_attempts(limit: int) -> None:
    async with serve(lambda _: web.Response(status=500)) as server, server.client() as nf:
        with pytest.raises(ServerError):
            await nf.auth()
        assert len(server.requests) == limit


@documented("backoff before the second attempt; it doubles, with jitter of up to 1 s", 0.5, "s",
            constants=("http.retry.FIRST_BACKOFF",))  # fmt: skip
def test_the_first_backoff(monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", LONGEST_BACKOFF)
    monkeypatch.setattr("random.uniform", lambda low, high: low)
    assert [retry.backoff(attempt) for attempt in (1, 2, 3)] == [limit, 2 * limit, 4 * limit]
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    assert retry.backoff(1) == limit + 1


@documented("backoff before any attempt", 30, "s", constants=("http.retry.LONGEST_BACKOFF",))
def test_the_longest_backoff(monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", LONGEST_BACKOFF)
    assert retry.backoff(100) == limit


@documented("`Retry-After` of a 408 or 5xx that is obeyed", 300, "s", constants=("http.retry.LONGEST_HINT",))
async def test_a_longer_hint_of_a_failed_server_is_shortened(limit: float) -> None:
    clock = AutojumpClock()
    answer = http_response("", "503 Service Unavailable", f"Retry-After: {limit + 60:g}")
    async with serve_bytes(answer) as url, Northflank(TOKEN, base_url=url, clock=clock, attempts=2) as nf:
        with pytest.raises(ServerError):
            await nf.auth()
    assert clock.pauses == [limit]


@documented("size of a response", 64 * 2**20, "bytes", "`max_response_bytes`")
async def test_the_largest_response(limit: int) -> None:
    async with serve(lambda _: envelope({})) as server, server.client() as nf:
        assert nf._transport._max_response_bytes == limit


# Waiting for the rate limit


def rate_limit(status: int = 429, **headers: Any) -> RateLimit | None:
    return read_rate_limit(status, {name.replace("_", "-"): str(value) for name, value in headers.items()})


@documented("`Retry-After` of a 429 that is obeyed, if the reset is not known or sooner than that", 3600, "s",
            constants=("http.rate_limit._WINDOW",))  # fmt: skip
def test_a_longer_hint_of_a_429_is_shortened(limit: float) -> None:
    assert rate_limit(Retry_After=limit) == rate_limit(Retry_After=limit + 1)
    found = rate_limit(Retry_After=limit + 1)
    assert found is not None
    assert found.reset_after == limit


@documented("a wait that a header names; one that is longer is ignored", 86_400, "s",
            constants=("http.rate_limit._LONGEST_WAIT",))  # fmt: skip
def test_a_wait_of_more_than_a_day_is_ignored(limit: float) -> None:
    headers: dict[str, Any] = {"x_ratelimit_remaining": 0}
    assert rate_limit(200, **headers, x_ratelimit_reset=limit)
    assert rate_limit(200, **headers, x_ratelimit_reset=limit + 1) is None
    assert rate_limit(Retry_After=limit + 1) is None


@documented("wait after a 429 that names no time; then one request probes", 60, "s",
            constants=("http.rate_limit._LONGEST_PAUSE",))  # fmt: skip
async def test_a_429_without_a_time_waits_a_minute_at_most(limit: float) -> None:
    clock = AutojumpClock()
    async with serve(lambda _: web.Response(status=429)) as server, server.client(clock=clock, attempts=15) as nf:
        with pytest.raises(RateLimited):
            await nf.auth()
    assert max(clock.pauses) == pytest.approx(limit)


@documented("wait for the answer to a lost request; then one request probes", 30, "s",
            constants=("http.rate_limit._GRACE",))  # fmt: skip
async def test_lost_requests_are_awaited_for_half_a_minute(limit: float) -> None:
    clock, lost = AutojumpClock(), [False]

    def answer(request: web.Request) -> web.Response:
        if lost[0]:
            assert request.transport
            request.transport.abort()
            lost[0] = False
        response = envelope({"entityId": "e", "entityType": "team"})
        response.headers.update({"x-ratelimit-limit": "9", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "3000"})
        return response

    async with serve(answer) as server, server.client(clock=clock, attempts=1) as nf:
        await nf.request("GET", "/v1/x")
        lost[0] = True
        with pytest.raises(TransportError):
            await nf.request("GET", "/v1/x")
        await nf.request("GET", "/v1/x")
    assert clock.pauses == [limit]


@documented("time after which a wait notices that the machine was suspended", 10, "s",
            constants=("http.budget._LONGEST_NAP",))  # fmt: skip
async def test_a_wait_looks_at_the_clock(limit: float) -> None:
    clock = budget._WakefulClock()
    clock.time = lambda: 0.0
    timer = clock.call_at(3000, lambda: None)
    assert isinstance(timer, budget._WakefulTimer)
    assert limit - 1 < timer._handle.when() - asyncio.get_running_loop().time() <= limit
    timer.cancel()


# Listings, waits, downloads


@documented("pages in a row with nothing new", 100, constants=("paging._MAX_IDLE_PAGES",))
async def test_a_listing_without_an_end_is_an_error(limit: int) -> None:
    def answer(_: web.Request) -> web.Response:
        return envelope({"projects": []}, hasNextPage=True, count=0, cursor=f"c{len(server.requests)}")

    async with serve(answer) as server, server.client() as nf:
        with pytest.raises(PaginationError):
            await nf.projects().all()
        assert len(server.requests) == limit


async def polled(status: int, clock: AutojumpClock, polls: int) -> int:
    """Wait for a backup that is in progress, or whose answers have a status, and ends after so many polls."""

    def answer(_: web.Request) -> web.Response:
        done = len(server.requests) > polls
        return (
            envelope({**backup(1), "status": "completed" if done else "in-progress"})
            if status == 200
            else (refusal(status))
        )

    async with serve(answer) as server, server.client(clock=clock) as nf:
        with suppress(NotFound):
            await nf.project("p").addon("a").backup("b").wait()
        return len(server.requests)


@documented("pause after the first poll of `wait()`; it grows by half each time", 2, "s",
            constants=("resources.wait._FIRST_PAUSE",))  # fmt: skip
async def test_the_first_pause_of_a_wait(limit: float) -> None:
    clock = AutojumpClock()
    await polled(200, clock, 3)
    assert clock.pauses[:2] == pytest.approx([limit, 1.5 * limit])


@documented("pause between polls of `wait()`, while more than half of the requests are left", 30, "s",
            constants=("resources.wait._MAX_PAUSE",))  # fmt: skip
async def test_the_longest_pause_of_a_wait(limit: float) -> None:
    clock = AutojumpClock()
    await polled(200, clock, 20)
    assert max(clock.pauses) == limit


@documented("time in which `wait()` tolerates that the run is not found", 30, "s",
            constants=("resources.wait._GRACE",))  # fmt: skip
async def test_a_new_run_may_be_missing_for_a_while(limit: float) -> None:
    clock = AutojumpClock()
    await polled(404, clock, 0)
    assert sum(clock.pauses[:-1]) < limit <= sum(clock.pauses)


@documented("polls in a row in which a restore may be missing from its listing after that", 3,
            constants=("resources.wait._MAX_MISSES",))  # fmt: skip
async def test_a_restore_may_be_missing_three_times(limit: int) -> None:
    clock = AutojumpClock()
    began = {"restores": [{"id": "r", "status": "running", "restoreTimestamp": "2026-01-01T00:00:00Z"}]}

    def answer(_: web.Request) -> web.Response:
        return envelope(began if clock.now < 100 else {"restores": []})

    async with serve(answer) as server, server.client(clock=clock) as nf:
        with pytest.raises(NotFound):
            await nf.project("p").addon("a").backup("b").wait_restore("r")
        found = 1 + sum(sum(clock.pauses[:count]) < 100 for count in range(1, len(clock.pauses) + 1))
        assert len(server.requests) - found == limit


@documented("redirects of a download", 5, constants=("download._MAX_REDIRECTS",))
async def test_a_download_follows_five_redirects(tmp_path: Path, limit: int) -> None:
    def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/download-link"):
            return envelope({"downloadLink": f"{server.url}/storage"})
        return web.Response(status=302, headers={"Location": f"{server.url}/storage"})

    async with serve(answer) as server, server.client() as nf:
        with pytest.raises(TransportError, match=f"more than {limit} redirects"):
            await nf.project("p").addon("a").backup("b").download(tmp_path / "b")
        assert len(server.requests) == 1 + 1 + limit


# Inventories


@documented("requests in flight of a scan, an export or a sync", 16, set_by="`concurrency`, `--concurrency`")
def test_the_default_concurrency(limit: int) -> None:
    assert default(Northflank.scan, "concurrency") == default(Inventory.sync, "concurrency") == limit
    assert default(export, "concurrency") == default(stream, "concurrency") == limit


@documented("requests in flight that can be set", 100,
            constants=("inventory.crawl.crawler.MAX_CONCURRENCY", "cli.options._MAX_CONCURRENCY"))  # fmt: skip
async def test_the_largest_concurrency(tmp_path: Path, limit: int) -> None:
    async with FakeAccount({}).serve() as nf, Inventory(tmp_path / "x.db") as inventory:
        await inventory.sync(nf, concurrency=limit)
        with pytest.raises(ConfigurationError):
            await inventory.sync(nf, concurrency=limit + 1)
    assert invoke("export", "--simulate", tmp_path / "x.jsonl", "--concurrency", limit + 1).exit_code == 2


@documented("restarts of a listing whose cursors are rejected", 3, constants=("inventory.crawl.listings.MAX_RESTARTS",))
async def test_a_listing_restarts_three_times(tmp_path: Path, limit: int) -> None:
    account = FakeAccount({"p/a": backups(150)}, faults={"p/a#1": refusal(400)})
    async with account.serve() as nf, Inventory(tmp_path / "x.db") as inventory:
        await inventory.sync(nf)
    assert account.requested.count("p/a#0") == 1 + limit


@documented("listings in a row that fail without an answer or with 5xx, before a sync checks if the API is down", 10,
            constants=("inventory.crawl.crawler._OUTAGE",))  # fmt: skip
async def test_an_outage_is_checked_with_one_request(tmp_path: Path, limit: int) -> None:
    for failing in (limit - 1, limit):
        names = [f"p/a{number}" for number in range(failing)]
        account = FakeAccount({name: [] for name in names}, faults={f"{name}#0": refusal(500) for name in names})
        async with account.serve(attempts=1) as nf, Inventory(tmp_path / f"{failing}.db") as inventory:
            assert len((await inventory.sync(nf, concurrency=1)).failures) == failing
        assert len(account.requested) == 1 + 1 + failing + (failing == limit)


@documented("age of an interrupted sync that is resumed", 86_400, "s", "`resume_max_age`, `--resume-max-age`",
            constants=("inventory.store.ledger.RESUME_MAX_AGE",))  # fmt: skip
async def test_a_sync_of_yesterday_is_resumed(tmp_path: Path, limit: float) -> None:
    path = tmp_path / "x.db"
    account = FakeAccount({"p/a": backups(150)})
    async with account.serve(attempts=1) as nf, Inventory(path) as inventory:
        for change, is_resumed in ((-60, True), (60, False)):
            account.faults["p/a#1"] = refusal(401)
            with pytest.raises(NorthflankError):
                await inventory.sync(nf)
            account.faults.clear()
            started = datetime.now(UTC) - timedelta(seconds=limit + change)
            with closing(sqlite3.connect(path)) as database, database:
                changed = "UPDATE sync_runs SET started_at = ? WHERE finished_at IS NULL"
                database.execute(changed, (started.isoformat(" ", "milliseconds"),))
            assert (await inventory.sync(nf)).resumed is is_resumed


@documented("addons or projects of which more than half may be missing at once; of fewer, all but one", 9,
            set_by="`allow_mass_deletion`, `--allow-mass-deletion`",
            constants=("inventory.store.readings._MANY",))  # fmt: skip
async def test_most_of_many_addons_are_not_deleted_at_once(tmp_path: Path, limit: int) -> None:
    for known, failures in ((limit, 0), (limit + 1, 1)):
        account = FakeAccount({"q/a": [], **{f"p/a{number}": [] for number in range(known)}})
        async with account.serve() as nf, Inventory(tmp_path / f"{known}.db") as inventory:
            await inventory.sync(nf)
            account.pages["p"] = [[{"id": "a0"}]]
            assert len((await inventory.sync(nf)).failures) == failures


@documented("levels of JSON in a database; what is deeper is stored as text", 100,
            constants=("inventory.encoding._STORED_DEPTH",))  # fmt: skip
def test_json_is_stored_to_a_depth(limit: int) -> None:
    def stored(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        value = json.loads(storable_json(value))
        while isinstance(value, list):
            (value,) = value
        return value

    assert stored(limit) == 1
    assert stored(limit + 1) == "[1]"


# Databases


@documented("time to connect to PostgreSQL", 10, "s", "`?connect_timeout=` in the URL")
def test_connecting_has_a_timeout(monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    monkeypatch.setattr("psycopg.connect", lambda **parameters: parameters)
    parameters: Any = Target.parse("postgresql://u@h/d").connect()
    assert parameters["connect_timeout"] == str(limit)


@documented("wait for a lock in PostgreSQL", 10, "s")
def test_a_lock_is_awaited(limit: float) -> None:
    assert f"lock_timeout = '{limit:g}s'" in connections._SETTINGS


@documented("time after which PostgreSQL ends a transaction whose client is lost", 60, "s")
def test_a_lost_transaction_ends(limit: float) -> None:
    assert f"idle_in_transaction_session_timeout = '{limit:g}s'" in connections._SETTINGS


@documented("wait for the lock of a SQLite file", 30, "s", constants=("inventory.store.connections._BUSY_TIMEOUT",))
async def test_a_lock_of_sqlite_is_awaited(tmp_path: Path, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    seconds = itertools.count(0, limit / 2)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(connections, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
        async with Database(Target.parse(path)) as database:
            with pytest.raises(BlockingIOError):
                await database.transaction(lambda c: c.exec_driver_sql("CREATE TABLE t (x)").close())
    assert next(seconds) == limit * 1.5


@documented(
    "length of an id in a scan or an inventory",
    500,
    "bytes",
    constants=("inventory.encoding.LONGEST_ID",),
)
def test_an_id_that_is_too_long_is_unreadable(limit: int) -> None:
    assert read_row(Kind.BACKUPS, {"id": "x" * limit}, "data.backups[0]").id == "x" * limit
    assert read_row(Kind.BACKUPS, {"id": "x" * (limit + 1)}, "data.backups[0]").id is None


@documented(
    "time after which an unused connection to a database is closed",
    1,
    "s",
    constants=("inventory.store.connections.IDLE",),
)
def test_an_unused_connection_is_closed(limit: float) -> None:
    assert default(Database.__init__, "idle") == limit


@documented("pauses, in all, while a transaction is repeated whose connection was lost", 30.8, "s")
async def test_a_lost_connection_is_opened_again_for_a_while(limit: float) -> None:
    assert sum(connections.BACKOFF) == pytest.approx(limit)


@documented(
    "time for the last transaction of a call that is cancelled",
    10,
    "s",
    constants=("inventory.store.connections.PATIENCE",),
)
def test_a_cancelled_transaction_may_end(limit: float) -> None:
    assert default(Database.__init__, "patience") == limit


@documented(
    "time for that transaction to notice that it is interrupted",
    3,
    "s",
    constants=("inventory.store.connections._GRACE",),
)
def test_an_interrupted_transaction_may_notice_it(limit: float) -> None:
    assert limit == connections._GRACE


@documented(
    "time after which the lease of a lost writer to PostgreSQL expires",
    30,
    "s",
    constants=("inventory.store.lease.TTL",),
)
def test_a_lease_expires(limit: float) -> None:
    assert default(lease.open_store, "ttl") == limit


@documented("time between two renewals of a lease", 10, "s", constants=("inventory.store.lease.HEARTBEAT",))
def test_a_lease_is_renewed(limit: float) -> None:
    assert default(lease.open_store, "heartbeat") == limit


@documented("time between two looks at a lease that may be lost", 1, "s", constants=("inventory.store.lease.POLL",))
def test_a_lease_is_polled(limit: float) -> None:
    assert default(lease.open_store, "poll") == limit


@documented("length of the name of a schema in PostgreSQL", 63, "bytes of UTF-8", "`schema`, `--schema`",
            constants=("inventory.store.target._LONGEST_NAME",))  # fmt: skip
def test_the_longest_name_of_a_schema(limit: int) -> None:
    assert Target.parse("postgresql://u@h/d", schema="s" * limit).schema
    with pytest.raises(ConfigurationError):
        Target.parse("postgresql://u@h/d", schema="s" * (limit + 1))


# Audits


@documented("due times missed until a backup is critically stale", 2, constants=("audit.rules._MANY",))
def test_missed_due_times_are_critical(limit: int) -> None:
    for missed in (limit - 1, limit):
        newest = facts.backup(timedelta(hours=10, minutes=2) + (missed - 1) * facts.DAY)
        found = facts.outcome("stale", facts.addon([newest], schedules=[facts.schedule()]))
        assert found == ("critical" if missed == limit else "medium")


@documented("time before its due time when a backup may start", 60, "s", constants=("audit.rules.EARLY",))
def test_a_backup_may_start_early(limit: float) -> None:
    for early, expected in ((limit, None), (limit + 1, "medium")):
        newest = facts.backup(timedelta(hours=10, seconds=early))
        assert facts.outcome("stale", facts.addon([newest], schedules=[facts.schedule()])) == expected


@documented("time after which a restore that has not ended counts as failed", 86_400, "s",
            constants=("audit.rules._LONGEST_RESTORE",))  # fmt: skip
def test_a_restore_has_to_end(limit: float) -> None:
    for age, expected in ((limit, None), (limit + 1, "medium")):
        restores = [facts.restore(timedelta(seconds=age), "in-progress")]
        assert facts.outcome("restore-failed", facts.addon(restores=restores)) == expected


@documented("addons that a table lists of one finding", 5, constants=("audit.renderers.table._MOST_PLACES",))
def test_a_table_lists_some_addons(limit: int) -> None:
    addons = [facts.addon(schedules=None, addon_id=f"a{number}") for number in range(limit + 1)]
    assert f"acme/billing/a{limit - 1} and 1 more" in render(report(*addons), "table")


@documented("days in the calendars of a report", 90, constants=("audit.history.DAYS",))
def test_a_calendar_has_some_days(limit: int) -> None:
    backups = [facts.backup(number * facts.DAY) for number in range(limit + 1)]
    page = render(report(facts.addon(backups)), "html")
    assert f"Backups of the last {limit} days, by day: {limit} completed" in page


@documented("restores of an addon in a report", 10, constants=("audit.history.MOST_RESTORES",))
def test_a_report_has_the_last_restores(limit: int) -> None:
    restores = [facts.restore(number * facts.DAY, backup_id=f"of-{number}-days") for number in range(limit + 1)]
    page = render(report(facts.addon(restores=restores)), "html")
    assert f"of-{limit - 1}-days" in page
    assert f"of-{limit}-days" not in page
    assert f"Restores: the last {limit} of {limit + 1}" in page


@documented("missed or failed days that a report names of an addon", 6, constants=("audit.renderers.html._MOST_DATES",))
def test_a_report_names_some_days(limit: int) -> None:
    backups = [facts.backup(number * facts.DAY, "failed") for number in range(limit + 1)]
    assert "30 Oct, 31 Oct, 1 Nov, 2 Nov, 3 Nov, 4 Nov, and 1 earlier" in render(report(facts.addon(backups)), "html")


@documented("addons with a calendar in a report", 200, constants=("audit.renderers.html.MOST_CARDS",))
def test_a_report_has_some_calendars(limit: int) -> None:
    addons = [facts.addon(addon_id=f"a{number}") for number in range(limit + 1)]
    assert render(report(*addons), "html").count("<article") == limit


@documented("addons without a calendar that a report lists", 2000, constants=("audit.renderers.html.MOST_LINES",))
def test_a_report_lists_some_addons(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(html, "MOST_CARDS", 1)
    addons = [facts.addon(addon_id=f"a{number}") for number in range(limit + 2)]
    page = render(report(*addons), "html")
    assert f"{limit:,} addons without a calendar" in page
    assert "1 more addon is not listed here" in page


@documented("findings of one rule that a report lists", 300, constants=("audit.renderers.html.MOST_FINDINGS",))
def test_a_report_lists_some_findings(limit: int) -> None:
    addons = [facts.addon(schedules=None, restores=None, addon_id=f"a{number}") for number in range(limit + 1)]
    page = render(report(*addons), "html")
    assert "Of the unknown findings of <code>untested</code>, 1 more is not listed here" in page


@documented("intervals of a watch until it is not healthy", 2, constants=("audit.watch._LATE",))
async def test_a_watch_is_unhealthy_if_its_last_sync_is_old(limit: int) -> None:
    timer = Timer()
    async with watching(Store(timer)) as get:
        for late, status in ((timedelta(), 200), (timedelta(seconds=1), 503)):
            timer.now = facts.NOW + limit * facts.HOUR + late
            assert (await get("/healthz"))[0] == status


# Mirrors and drills


@documented("downloads at a time of a mirror", 2, set_by="`concurrency`, `--concurrency`")
def test_the_default_downloads_at_a_time(limit: int) -> None:
    assert default(mirror, "concurrency") == limit


@documented("dumps in a row that fail without an answer or with 5xx, before a mirror ends", 10,
            constants=("mirror.mirroring._OUTAGE",))  # fmt: skip
async def test_a_mirror_ends_in_an_outage(tmp_path: Path, limit: int) -> None:
    def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/download-link"):
            return web.Response(status=500)
        match request.path.removeprefix("/v1/").split("/"):
            case ["auth"]:
                return envelope({"entity": {"id": "acme", "type": "team"}})
            case ["projects"]:
                return envelope({"projects": [{"id": "p"}]})
            case [*_, "addons"]:
                return envelope({"addons": [{"id": "a", "spec": {"type": "mysql"}}]})
        dumps = [{**backup(number), "config": {"source": {"type": "liveInstance"}}} for number in range(limit + 5)]
        return envelope({"backups": dumps})

    async with serve(answer) as server, server.client(attempts=1) as nf:
        with pytest.raises(ServerError):
            await mirror(str(tmp_path / "copies"), nf, concurrency=1)
    assert sum(request.path.endswith("/download-link") for request in server.requests) == limit


@documented("time of a drill, without the removal of its addon", 3600, "s", "`timeout`, `--timeout`",
            constants=("drill.run.TIMEOUT",))  # fmt: skip
def test_the_default_time_of_a_drill(limit: float) -> None:
    assert default(drill, "timeout") == limit


@documented("time of a check of a drill", 300, "s", "`check_timeout`, `--check-timeout`",
            constants=("drill.run.CHECK_TIMEOUT",))  # fmt: skip
def test_the_default_time_of_a_check(limit: float) -> None:
    assert default(drill, "check_timeout") == limit


@documented("time in which the containers of a drill's addon have to start", 60, "s",
            constants=("drill.checks._CONTAINER_TIMEOUT",))  # fmt: skip
def test_containers_have_to_start(limit: float) -> None:
    assert limit == checks._CONTAINER_TIMEOUT


@documented("time between the signals that end a check's command and kill it", 3, "s",
            constants=("drill.checks._GRACE",))  # fmt: skip
def test_a_command_may_end(limit: float) -> None:
    assert limit == checks._GRACE


@documented("output of a check's command that is kept", 4000, "characters", constants=("drill.checks._SHOWN_OUTPUT",))
def test_the_end_of_an_output_is_kept(limit: int) -> None:
    assert limit == checks._SHOWN_OUTPUT


@documented("time after its timeout in which a drill may still be running, for `--sweep`", 900, "s",
            constants=("drill.scratch._GRACE",))  # fmt: skip
def test_a_drill_may_be_running_after_its_timeout(limit: float) -> None:
    assert limit == scratch._GRACE.total_seconds()


# Messages


@documented("names that an error suggests", 20, constants=("inventory.names._MAX_LISTED",))
def test_an_error_lists_some_names(limit: int) -> None:
    with pytest.raises(UnknownName) as caught:
        check_known("project", ["zzz"], [f"p{number:02}" for number in range(limit + 1)])
    assert f"p{limit - 1} and 1 more" in str(caught.value)


@documented("failures that a command lists", 20, constants=("cli.exits._MAX_LISTED",))
def test_a_command_lists_some_failures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: int) -> None:
    names = [f"p/a{number}" for number in range(limit + 1)]
    account = FakeAccount({name: [] for name in names}, faults={f"{name}#0": refusal(404) for name in names})
    with in_thread(account.serve()) as nf:
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", TOKEN)
        monkeypatch.setenv("NORTHFLANK_API_BASE_URL", nf.base_url)
        result = invoke("export", tmp_path / "x.jsonl")
    assert f"{limit + 1} failures, {limit} of them listed above" in result.stderr
    assert sum("404" in line for line in result.stderr.splitlines()) == limit


@documented("length of a secret that is redacted wherever it appears", 8, "characters",
            constants=("http.redaction._SHORTEST",))  # fmt: skip
def test_a_short_secret_is_not_redacted(limit: int) -> None:
    assert Redactor([Secret("x" * limit)]).redact("y" + "x" * limit) == "y***"
    assert Redactor([Secret("x" * (limit - 1))]).redact("y" + "x" * (limit - 1)) != "y***"


# The table


def numbers() -> Iterator[str]:
    """The constants of all modules that are numbers or time spans, other than those of a layout."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if module.startswith("simulator.") or module in ("cli.columns", "cli.progress"):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            for name in [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]:
                value = vars(importlib.import_module(f"northflank_async.{module}"))[name]
                if isinstance(value, int | float | timedelta):
                    yield f"{module}.{name}"


def test_every_number_is_a_documented_limit_or_none_for_users() -> None:
    assert sorted(numbers()) == sorted([*DOCUMENTED, *NOT_FOR_USERS])
    assert not DOCUMENTED & NOT_FOR_USERS.keys()


def table() -> str:
    return "\n".join(["| what | at most, or by default | set by |", "| --- | --- | --- |", *map(str, ROWS)])


def test_the_readme_has_these_limits() -> None:
    found = TABLE.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == table(), "run: python -m tests.test_limits"


if __name__ == "__main__":
    README.write_text(TABLE.sub(lambda _: table(), README.read_text(encoding="utf-8")), encoding="utf-8")
