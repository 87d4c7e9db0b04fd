import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import define, evolve, field
from prometheus_client.parser import text_string_to_metric_families

from northflank_async import ConfigurationError, Northflank, TransportError
from northflank_async.audit import Report, audit
from northflank_async.audit.renderers import render
from northflank_async.audit.watch import Watch
from northflank_async.inventory import Inventory, Query
from northflank_async.simulator import Simulator
from tests.audit.facts import DAY, HOUR, NOW
from tests.audit.test_report import ACCOUNT, STALE, healthy, report
from tests.support.browser import Browser
from tests.support.prometheus import scraping

ALERTS = Path(__file__).parent.parent.parent / "examples" / "alerts.yaml"


@define
class Timer:
    """A clock that stands still until the next sync is due; `turn` begins it."""

    now: datetime = NOW
    slept: list[float] = field(factory=list)
    is_asleep: asyncio.Event = field(factory=asyncio.Event)
    _turn: asyncio.Event = field(factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds))
        self.is_asleep.set()
        await self._turn.wait()
        self._turn.clear()

    async def turn(self) -> None:
        """Let the next sync and audit happen, and wait until they have."""
        self.is_asleep.clear()
        self._turn.set()
        await self.is_asleep.wait()


@define(slots=False)
class Store:
    """What a watch syncs and audits."""

    timer: Timer
    syncs: list[BaseException | None] = field(factory=list)
    synced_at: datetime | None = None

    async def sync(self) -> None:
        error = self.syncs.pop(0) if self.syncs else None
        if error is not None:
            raise error
        self.synced_at = self.timer.now

    async def audit(self) -> Report:
        if self.synced_at is None:
            raise FileNotFoundError
        return report(STALE, healthy("a"), account=evolve(ACCOUNT, synced_at=self.synced_at), now=self.timer.now)


@asynccontextmanager
async def watching(store: Store) -> AsyncIterator[Callable[[str], Awaitable[tuple[int, str]]]]:
    """Run a watch until its first sync has ended, and yield a function that gets a path of it."""
    timer, url = store.timer, asyncio.get_running_loop().create_future()
    watch = Watch(store.sync, lambda: store.audit(), every=HOUR, now=lambda: timer.now, sleep=timer.sleep)
    task = asyncio.ensure_future(watch.run(on_listening=url.set_result))
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(f"{await url}{path}") as response:
                return response.status, await response.text()

        try:
            done = asyncio.ensure_future(timer.is_asleep.wait())
            await asyncio.wait({task, done}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                done.cancel()
                await task
            yield get
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, ConfigurationError):
                await task


def sync_times(metrics: str) -> list[float]:
    families = {each.name: each for each in text_string_to_metric_families(metrics)}
    return [each.value for each in families["northflank_sync_last_success_timestamp_seconds"].samples]


async def test_a_watch_serves_the_metrics_and_the_report() -> None:
    store = Store(Timer())
    async with watching(store) as get:
        found = await store.audit()
        assert await get("/metrics") == (200, render(found, "prometheus"))
        assert sync_times((await get("/metrics"))[1]) == [NOW.timestamp()]
        assert await get("/") == (200, render(found, "html"))
        assert (await get("/other"))[0] == 404
        status, text = await get("/healthz")
        assert (status, json.loads(text)["status"], json.loads(text)["age_seconds"]) == (200, "ok", 0)
    assert store.timer.slept == [3600]


async def test_a_failed_sync_leaves_the_last_state_with_its_age() -> None:
    timer = Timer()
    store = Store(timer, syncs=[None, TransportError("no route to host"), OSError("disk full"), None])
    async with watching(store) as get:
        timer.now += 2 * HOUR
        await timer.turn()
        status, text = await get("/healthz")
        health = json.loads(text)
        assert (status, health["age_seconds"], health["error"]) == (200, 7200, "no route to host")
        assert sync_times((await get("/metrics"))[1]) == [NOW.timestamp()]
        assert "(2 h ago)" in (await get("/"))[1]
        timer.now += timedelta(seconds=1)
        assert (await get("/healthz"))[0] == 503
        await timer.turn()
        assert json.loads((await get("/healthz"))[1])["error"] == "disk full"
        await timer.turn()
        status, text = await get("/healthz")
        assert (status, json.loads(text)["error"], json.loads(text)["age_seconds"]) == (200, None, 0)


async def test_an_audit_that_fails_leaves_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Timer()
    store = Store(timer)
    async with watching(store) as get:
        page = await get("/")
        monkeypatch.setattr(store, "audit", unreadable)
        timer.now += 3 * HOUR
        await timer.turn()
        assert await get("/") == page
        status, text = await get("/healthz")
        assert (status, json.loads(text)["error"]) == (503, "disk on fire")


async def unreadable() -> Report:
    raise OSError("disk on fire")


async def test_before_the_first_sync_there_is_nothing_to_serve() -> None:
    async with watching(Store(Timer(), syncs=[TransportError("down")])) as get:
        assert [(await get(path))[0] for path in ("/", "/metrics", "/healthz")] == [503, 503, 503]
        assert json.loads((await get("/healthz"))[1])["synced_at"] is None


async def test_what_an_earlier_process_synced_is_served_and_counts() -> None:
    timer = Timer()
    store = Store(timer, syncs=[TransportError("down")] * 2, synced_at=NOW - 2 * HOUR)
    async with watching(store) as get:
        assert [(await get(path))[0] for path in ("/", "/metrics", "/healthz")] == [200, 200, 200]
        timer.now += HOUR
        await timer.turn()
        assert (await get("/healthz"))[0] == 503


async def test_an_error_that_no_later_sync_would_mend_ends_the_watch_at_the_start_only() -> None:
    with pytest.raises(ConfigurationError, match="no token"):
        async with watching(Store(Timer(), syncs=[ConfigurationError("no token")])):
            pass
    timer = Timer()
    async with watching(Store(timer, syncs=[None, ConfigurationError("no token")])) as get:
        await timer.turn()
        assert json.loads((await get("/healthz"))[1])["error"] == "no token"


async def test_an_address_in_use_is_an_error() -> None:
    store = Store(Timer())
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}: "):
            await Watch(store.sync, store.audit, every=HOUR).run(port=port)


@asynccontextmanager
async def watching_a_simulator(path: Path, scenario: str) -> AsyncIterator[str]:
    """Watch a simulated account, and yield the URL."""
    timer, url = Timer(), asyncio.get_running_loop().create_future()
    async with (
        Simulator(scenario=scenario) as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
        Inventory(path) as inventory,
    ):

        async def sync() -> None:
            await inventory.sync(Query(nf, restores=True, schedules=True))

        watch = Watch(sync, lambda: audit(inventory), every=DAY, sleep=timer.sleep)
        task = asyncio.ensure_future(watch.run(on_listening=url.set_result))
        try:
            await timer.is_asleep.wait()
            yield await url
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.mark.slow
async def test_the_served_page_works_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    async with watching_a_simulator(tmp_path / "inventory.db", "audit") as url:
        await asyncio.to_thread(browser.open, url)
        assert await asyncio.to_thread(browser.texts, "h1") == ["Backup audit"]
        assert (await asyncio.to_thread(browser.texts, "#filter-count"))[0].endswith("findings shown")
        requested = [each for each in browser.requested() if not each.startswith(url)]
        assert requested == []
        assert browser.errors() == []


@pytest.mark.slow
async def test_prometheus_scrapes_the_metrics_and_fires_an_alert_on_a_stale_backup(
    tmp_path: Path, promtool: str
) -> None:
    async with watching_a_simulator(tmp_path / "inventory.db", "audit") as url:
        with scraping(url.removeprefix("http://"), ALERTS, tmp_path) as prometheus:
            firing: dict[str, Any] = {}
            async with asyncio.timeout(60):
                while "BackupStale" not in firing:
                    await asyncio.sleep(0.2)
                    alerts = (await asyncio.to_thread(prometheus.get, "alerts") or {"alerts": []})["alerts"]
                    firing = {each["labels"]["alertname"]: each for each in alerts if each["state"] == "firing"}
            targets = await asyncio.to_thread(prometheus.get, "targets")
            assert [(each["health"], each["lastError"]) for each in targets["activeTargets"]] == [("up", "")]
            stale = {(each["labels"]["project"], each["labels"]["addon"]) for each in alerts
                     if each["labels"]["alertname"] == "BackupStale"}  # fmt: skip
            assert ("default-project", "default-project-database") in stale
            names = await asyncio.to_thread(prometheus.get, "label/__name__/values")
            assert len([name for name in names if name.startswith("northflank_")]) == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("check", "rules", ALERTS), ("test", "rules", Path(__file__).with_name("alerts.yaml"))]
)
def test_the_example_of_alert_rules_is_correct(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
async def test_promtool_accepts_the_metrics(promtool: str) -> None:
    metrics = render(report(STALE, healthy("a")), "prometheus")
    done = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
