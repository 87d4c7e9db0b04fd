"""A service that mirrors an addon as soon as a backup of it has completed.

    MIRROR_DESTINATION=s3://offsite/northflank WEBHOOK_TOKEN=… python -m examples.mirror_on_backup

Add a notification integration of type `RAW_WEBHOOK` to Northflank, with the token as its secret, the URL of this
service, and the event `trigger:addon-backup:success`. It needs `pip install 'northflank-async[mirror]'`.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from northflank_async import InvalidEvent, Northflank, NorthflankError
from northflank_async.inventory import Query
from northflank_async.mirror import mirror
from northflank_async.webhooks import EventName, parse_event

REMEMBERED = 10_000  # ids of events

log = logging.getLogger("mirror_on_backup")


class Service:
    """Responds to events at once, and mirrors one addon after the other."""

    def __init__(self, nf: Northflank, destination: str, token: str) -> None:
        self._nf = nf
        self._destination = destination
        self._token = token
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._woken = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        """Accept an event. One that is sent again, as the first response got lost, is accepted and ignored."""
        try:
            event = parse_event(request.headers, await request.read(), self._token)
        except InvalidEvent as error:
            log.warning("rejected: %s", error)
            return web.Response(status=error.status, text=str(error))
        if event.id in self._seen:
            return web.Response(text="known")
        self._seen[event.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if event.name != EventName.BACKUP_SUCCESS or event.project_id is None or event.addon_id is None:
            return web.Response(text="ignored")
        self._waiting[event.project_id, event.addon_id] = None
        self._woken.set()
        return web.Response(status=202, text="accepted")

    async def work(self) -> None:
        """Mirror the addons that wait. What fails is copied with the next event, or by a nightly mirror."""
        while await self._woken.wait():
            self._woken.clear()
            while self._waiting:
                (project_id, addon_id), _ = self._waiting.popitem(last=False)
                try:
                    query = Query(self._nf, projects=[project_id], addons=[addon_id])
                    outcome = await mirror(self._destination, query)
                except (NorthflankError, OSError) as error:
                    log.error("%s/%s: %s", project_id, addon_id, error)
                else:
                    log.info("%s/%s: %d dumps copied", project_id, addon_id, len(outcome.copied))
                    for failure in outcome.failures:
                        log.error("%s", failure)


def application(nf: Northflank, destination: str, token: str) -> web.Application:
    service = Service(nf, destination, token)

    async def worker(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(service.work())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = web.Application(client_max_size=2**20)
    app.cleanup_ctx.append(worker)
    app.router.add_post("/", service.handle)
    return app


async def main() -> web.Application:
    nf = Northflank()
    app = application(nf, os.environ["MIRROR_DESTINATION"], os.environ["WEBHOOK_TOKEN"])

    async def close(_: web.Application) -> None:
        await nf.close()

    app.on_cleanup.append(close)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(main(), port=int(os.environ.get("PORT", "8080")))
