"""Audits on a timer, and their results over HTTP: `/metrics` for Prometheus, `/healthz`, and the report at `/`."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from attrs import frozen

from northflank_async.audit.policy import Severity
from northflank_async.audit.renderers import load_renderer, summary_line
from northflank_async.audit.report import Report
from northflank_async.errors import ConfigurationError, NorthflankError, printable

_log = logging.getLogger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # a page's own policy cannot contain this
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PATIENCE = 5.0
"""Seconds that slow readers have at the end."""
_LATE = 2
"""Intervals after which the last sync is too old."""


@frozen(kw_only=True)
class _Rendered:
    """An audit, as it is served."""

    report: Report
    metrics: bytes
    page: bytes


class Watch:
    """Syncs and audits an inventory on a timer, and serves the last audit.

        async def sync() -> None:
            await inventory.sync(Query(nf, restores=True, schedules=True))

        watch = Watch(sync, lambda: audit(inventory), every=timedelta(hours=1))
        await watch.run()

    After a sync that failed, the inventory is audited as it is: a rule finds that its data are too old.

    Args:
        sync: brings the inventory up to date.
        audit: judges it.
        every: the time from the start of one sync to that of the next one.
        fail_on: the severity from which the page counts findings as failures.
        now: returns the time.
        sleep: waits for a number of seconds.

    Raises:
        ConfigurationError: a package that an output needs is not installed.
    """

    def __init__(
        self,
        sync: Callable[[], Awaitable[object]],
        audit: Callable[[], Awaitable[Report]],
        *,
        every: timedelta,
        fail_on: Severity = Severity.HIGH,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._sync, self._audit = sync, audit
        self._every, self._fail_on = every, fail_on
        self._now, self._sleep = now, sleep
        self._render_metrics, self._render_page = load_renderer("prometheus"), load_renderer("html")
        self._rendered: _Rendered | None = None
        self._synced_at: datetime | None = None
        self._error: str | None = None

    async def run(
        self, host: str = "127.0.0.1", port: int = 0, *, on_listening: Callable[[str], object] | None = None
    ) -> None:
        """Serve, and sync and audit again and again, until it is cancelled. A sync then ends its transaction.

        Args:
            host: the address to listen at.
            port: the port; 0 is any free one.
            on_listening: called once with the URL.

        Raises:
            ConfigurationError: the address cannot be used; or the first sync fails for a reason that another one would
                have, too, such as a database of something else.
        """
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_PATIENCE)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                reason = error.strerror or error
                raise ConfigurationError(f"cannot listen on {_address(host, port)}: {reason}") from None
            if on_listening is not None:
                on_listening(f"http://{_address(host, runner.addresses[0][1])}")
            await self._refresh()
            while True:
                started = time.monotonic()
                synced_at = await self._sync_once()
                if await self._refresh() and synced_at is not None:
                    self._synced_at, self._error = synced_at, None
                await self._sleep(max(0.0, self._every.total_seconds() - (time.monotonic() - started)))
        finally:
            await runner.cleanup()

    async def _sync_once(self) -> datetime | None:
        """Sync, and return when that began; `None` if it failed."""
        started_at = self._now()
        try:
            await self._sync()
        except (NorthflankError, OSError) as error:
            if isinstance(error, ConfigurationError) and self._synced_at is None:
                raise
            self._fail("the sync failed, and what is stored is served", error)
            return None
        return started_at

    async def _refresh(self) -> bool:
        """Audit what is stored, and return whether that succeeded. Otherwise, the last audit is served."""
        try:
            report = await self._audit()
        except FileNotFoundError:  # nothing was ever synced
            return False
        except OSError as error:
            self._fail("the inventory cannot be audited, and the last audit is served", error)
            return False
        self._rendered = await asyncio.to_thread(self._render, report)
        _log.info("%s", summary_line(report))
        return True

    def _fail(self, what: str, error: Exception) -> None:
        self._error = printable(str(error) or type(error).__name__)
        _log.warning("%s: %s", what, self._error)

    def _render(self, report: Report) -> _Rendered:
        metrics, page = (render(report, self._fail_on) for render in (self._render_metrics, self._render_page))
        return _Rendered(
            report=report,
            metrics=metrics.encode("utf-8", "backslashreplace"),
            page=page.encode("utf-8", "backslashreplace"),
        )

    # What is served

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/", self._serve_page)
        application.router.add_get("/metrics", self._serve_metrics)
        application.router.add_get("/healthz", self._serve_health)
        application.router.add_get("/favicon.ico", _serve_nothing)
        return application

    async def _serve_page(self, request: web.Request) -> web.Response:
        if self._rendered is None:
            return _not_yet()
        return web.Response(body=self._rendered.page, headers={**_HEADERS, "Content-Type": "text/html; charset=utf-8"})

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        if self._rendered is None:
            return _not_yet()
        return web.Response(body=self._rendered.metrics, headers={**_HEADERS, "Content-Type": METRICS_TYPE})

    async def _serve_health(self, request: web.Request) -> web.Response:
        synced_at = self._last_sync()
        age = None if synced_at is None else (self._now() - synced_at).total_seconds()
        is_healthy = age is not None and age <= _LATE * self._every.total_seconds()
        health: dict[str, Any] = {
            "status": "ok" if is_healthy else "stale",
            "synced_at": None if synced_at is None else synced_at.isoformat(),
            "age_seconds": age,
            "audited_at": None if self._rendered is None else self._rendered.report.generated_at.isoformat(),
            "error": self._error,
        }
        return web.Response(
            text=json.dumps(health) + "\n",
            status=200 if is_healthy else 503,
            headers=_HEADERS,
            content_type="application/json",
        )

    def _last_sync(self) -> datetime | None:
        """When the last sync that succeeded began. Earlier processes count, too: by the oldest account."""
        if self._synced_at is not None or self._rendered is None:
            return self._synced_at
        times = [account.synced_at for account in self._rendered.report.accounts]
        return min((each for each in times if each is not None), default=None)


async def _serve_nothing(request: web.Request) -> web.Response:
    """There is no icon. Browsers log an error if they are told so."""
    return web.Response(status=204, headers=_HEADERS)


def _not_yet() -> web.Response:
    return web.Response(text="no sync has finished yet\n", status=503, headers={**_HEADERS, "Retry-After": "60"})


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
