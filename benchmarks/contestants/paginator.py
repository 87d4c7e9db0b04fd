"""All backups of one addon, page after page, on one connection.

    python -m benchmarks.contestants.paginator NAME URL ADDON PAGES TURNS

Each imports what it needs and nothing of the others, and reads everything once to warm up, and in so many turns to be
measured.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from benchmarks.answers import PER_PAGE, addon_id, backups_path, cursor_of, project_id
from benchmarks.contestants.stopwatch import report

TOKEN = "benchmark-token"


class Listing(NamedTuple):
    """What there is to read."""

    url: str
    addon: int
    pages: int
    turns: int


async def body(listing: Listing) -> None:
    """aiohttp, asking for what it knows is there, and looking at none of it."""
    import aiohttp

    path = backups_path(0, listing.addon)
    async with aiohttp.ClientSession(listing.url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def read() -> int:
            for page in range(listing.pages):
                async with session.get(f"{path}?per_page={PER_PAGE}&cursor={cursor_of(page)}") as response:
                    response.raise_for_status()
                    await response.read()
            return listing.pages * PER_PAGE

        await report(read, warm_up=read, turns=listing.turns)


async def floor(listing: Listing) -> None:
    """aiohttp and orjson: what a client that turns pages can hardly do without."""
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

        await report(read, warm_up=read, turns=listing.turns)


async def typed(listing: Listing) -> None:
    """This client, as it is used: checked records."""
    from northflank_async import Northflank

    async with Northflank(TOKEN, base_url=listing.url) as nf:
        addon = nf.project(project_id(0)).addon(addon_id(listing.addon))

        async def read() -> int:
            count = 0
            async for _ in addon.backups():
                count += 1
            return count

        await report(read, warm_up=read, turns=listing.turns)


async def data(listing: Listing) -> None:
    """This client, of which only the JSON of each page is looked at."""
    from northflank_async import Northflank

    async with Northflank(TOKEN, base_url=listing.url) as nf:
        addon = nf.project(project_id(0)).addon(addon_id(listing.addon))

        async def read() -> int:
            count = 0
            async for page in addon.backups().pages():
                for _ in page.data["backups"]:
                    count += 1
            return count

        await report(read, warm_up=read, turns=listing.turns)


async def sdk(listing: Listing) -> None:
    """The official SDK with a client of the caller's, which keeps the connection."""
    import httpx
    from northflank import AsyncApiClient

    async with httpx.AsyncClient() as client:
        await _sdk(AsyncApiClient(TOKEN, base_url=listing.url, async_http_client=client), listing)


async def sdk_as_it_comes(listing: Listing) -> None:
    """The official SDK, which makes a client for each call."""
    from northflank import AsyncApiClient

    await _sdk(AsyncApiClient(TOKEN, base_url=listing.url), listing)


async def _sdk(client: Any, listing: Listing) -> None:  # not to import it for the others
    async def read() -> int:
        found = await client.get.addon.backups.all(
            project_id=project_id(0), addon_id=addon_id(listing.addon), per_page=PER_PAGE
        )
        return len(found.data["backups"])

    await report(read, warm_up=read, turns=listing.turns)


CONTESTANTS: dict[str, Callable[[Listing], Awaitable[None]]] = {
    contestant.__name__: contestant for contestant in (body, floor, typed, data, sdk, sdk_as_it_comes)
}


async def main(name: str, url: str, *numbers: str) -> None:
    await CONTESTANTS[name](Listing(url, *map(int, numbers)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
