"""A server of one addon's dumps, which all have the same random bytes, sent from a file.

    python -m benchmarks.dump_server --dumps 20 --size 50000000

It prints its URL and runs until it is terminated.
"""

import argparse
import asyncio
import os
import signal
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

ADDON = "/v1/projects/project-0/addons"
PER_PAGE = 100
BLOCK = 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dumps", type=int, required=True)
    parser.add_argument("--size", type=int, required=True, help="bytes of each dump")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "dump")
        with file.open("wb") as target:
            for start in range(0, arguments.size, BLOCK):
                target.write(os.urandom(min(BLOCK, arguments.size - start)))
        asyncio.run(serve(file, arguments.dumps))


async def serve(file: Path, dumps: int) -> None:
    runner = web.AppRunner(application(file, dumps), access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    terminated = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, terminated.set)
    await terminated.wait()
    await runner.cleanup()


def application(file: Path, dumps: int) -> web.Application:
    size = file.stat().st_size
    newest = datetime(2026, 11, 1, tzinfo=UTC)
    backups = [
        {
            "id": f"dump-{number}",
            "status": "completed",
            "createdAt": (newest - timedelta(days=number)).isoformat(),
            "config": {"source": {"type": "liveInstance"}, "size": str(size), "compressionType": "gz"},
        }
        for number in range(dumps)
    ]

    async def auth(_: web.Request) -> web.Response:
        return web.json_response({"data": {"entityId": "benchmark"}})

    async def projects(_: web.Request) -> web.Response:
        return listing("projects", [{"id": "project-0"}], 0)

    async def addons(_: web.Request) -> web.Response:
        return listing("addons", [{"id": "addon-0", "spec": {"type": "postgresql"}}], 0)

    async def dumps_of_addon(request: web.Request) -> web.Response:
        return listing("backups", backups, int(request.query.get("cursor", "0")))

    async def link(request: web.Request) -> web.Response:
        return web.json_response({"data": {"downloadLink": f"http://{request.host}/{request.match_info['dump']}"}})

    async def send(_: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    app = web.Application()
    app.router.add_get("/v1/auth", auth)
    app.router.add_get("/v1/projects", projects)
    app.router.add_get(ADDON, addons)
    app.router.add_get(f"{ADDON}/addon-0/backups", dumps_of_addon)
    app.router.add_get(f"{ADDON}/addon-0/backups/{{dump}}/download-link", link)
    app.router.add_get("/{dump}", send)
    return app


def listing(key: str, items: list[dict[str, Any]], start: int) -> web.Response:
    page = items[start : start + PER_PAGE]
    more = start + PER_PAGE < len(items)
    pagination = {"hasNextPage": more, "count": len(page), **({"cursor": str(start + PER_PAGE)} if more else {})}
    return web.json_response({"data": {key: page}, "pagination": pagination})


if __name__ == "__main__":
    main()
