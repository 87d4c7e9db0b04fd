"""All backups of one addon, one page after another, on one connection.

    python -m benchmarks.contestants.paginator NAME URL ADDON PAGES REPEATS

Each contestant imports only its own dependencies. It reads everything once to warm up, then REPEATS times measured.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from benchmarks.contestants.measurement import measure
from benchmarks.responses import PER_PAGE, addon_id, backups_path, cursor_for, project_id

TOKEN = "benchmark-token"


class Listing(NamedTuple):
    """The listing to read."""

    url: str
    addon: int
    pages: int
    repeats: int


async def body(listing: Listing) -> None:
    """Fetch the known pages with aiohttp and discard the bodies."""
    import aiohttp

    path = backups_path(0, listing.addon)
    async with aiohttp.ClientSession(listing.url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def read() -> int:
            for page in range(listing.pages):
                async with session.get(f"{path}?per_page={PER_PAGE}&cursor={cursor_for(page)}") as response:
                    response.raise_for_status()
                    await response.read()
            return listing.pages * PER_PAGE

        await measure(read, warm_up=read, repeats=listing.repeats)


async def floor(listing: Listing) -> None:
    """Follow the cursors with aiohttp and orjson: the minimum for any paginator."""
    import aiohttp
    import orjson

    path = f"{backups_path(0, listing.addon)}?per_page={PER_PAGE}"
    async with aiohttp.ClientSession(listing.url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def read() -> int:
            count, url = 0, path
            while url:
                async with session.get(url) as response:
                    response.raise_for_status()
                    page = orjson.loads(await response.read())
                for _ in page["data"]["backups"]:
                    count += 1
                pagination = page["pagination"]
                url = f"{path}&cursor={pagination['cursor']}" if pagination["hasNextPage"] else ""
            return count

        await measure(read, warm_up=read, repeats=listing.repeats)


async def typed(listing: Listing) -> None:
    """Read validated records with this client."""
    from northflank_async import Northflank

    async with Northflank(TOKEN, base_url=listing.url) as nf:
        addon = nf.project(project_id(0)).addon(addon_id(listing.addon))

        async def read() -> int:
            count = 0
            async for _ in addon.backups():
                count += 1
            return count

        await measure(read, warm_up=read, repeats=listing.repeats)


async def data(listing: Listing) -> None:
    """Read the plain JSON of each page with this client."""
    from northflank_async import Northflank

    async with Northflank(TOKEN, base_url=listing.url) as nf:
        addon = nf.project(project_id(0)).addon(addon_id(listing.addon))

        async def read() -> int:
            count = 0
            async for page in addon.backups().pages():
                for _ in page.data["backups"]:
                    count += 1
            return count

        await measure(read, warm_up=read, repeats=listing.repeats)


async def sdk(listing: Listing) -> None:
    """Use the official SDK with one httpx client, which keeps its connection."""
    import httpx
    from northflank import AsyncApiClient

    async with httpx.AsyncClient() as client:
        await _sdk(AsyncApiClient(TOKEN, base_url=listing.url, async_http_client=client), listing)


async def sdk_default(listing: Listing) -> None:
    """Use the official SDK with default settings: it creates an httpx client for each call."""
    from northflank import AsyncApiClient

    await _sdk(AsyncApiClient(TOKEN, base_url=listing.url), listing)


async def _sdk(client: Any, listing: Listing) -> None:  # Any: only two contestants import the SDK
    async def read() -> int:
        response = await client.get.addon.backups.all(
            project_id=project_id(0), addon_id=addon_id(listing.addon), per_page=PER_PAGE
        )
        return len(response.data["backups"])

    await measure(read, warm_up=read, repeats=listing.repeats)


CONTESTANTS: dict[str, Callable[[Listing], Awaitable[None]]] = {
    contestant.__name__: contestant for contestant in (body, floor, typed, data, sdk, sdk_default)
}


async def main(name: str, url: str, *numbers: str) -> None:
    await CONTESTANTS[name](Listing(url, *map(int, numbers)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
