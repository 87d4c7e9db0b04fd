"""An account that a test can change: projects, addons, backups, restores and schedules, served over a real socket.

Its pages have short names: `#0` is the first page of projects, `p#1` the second page of the addons of project `p`,
`p/a#0` the first page of the backups of its addon `a`, `p/a/restores#0` of its restores, `p/a/schedules#0` of its
schedules; `red:#0` is a team's.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from attrs import Factory, define, field

from northflank_async import Northflank
from tests.support.scripted_server import drop_connection, envelope, serve

PER_PAGE = 100


@define
class FakeAccount:
    """Serves `addons` (by `project/addon`, their backups), `restores` and `schedules`, 100 a page, and `pages`, which
    replace these. `addon_fields` are more fields of addons.

    `auth` is what `/v1/auth` says of the token, which is not a page, but can be among the `faults`.
    `faults` are the pages that get another answer: a status, a response, other data, or (`None`) no answer at all. A
    page for which `holds` is true is answered when the test calls `release`.
    """

    addons: dict[str, list[Any]] = Factory(dict)
    restores: dict[str, list[Any]] = Factory(dict)
    schedules: dict[str, list[Any]] = Factory(dict)
    addon_types: dict[str, str] = Factory(dict)
    addon_fields: dict[str, dict[str, Any]] = Factory(dict)
    pages: dict[str, list[list[Any]]] = Factory(dict)
    faults: dict[str, Any] = Factory(dict)
    holds: Callable[[str], bool] = lambda _: False
    cursor_prefix: str = ""
    """Cursors without it are rejected."""
    auth: dict[str, Any] = Factory(lambda: {"entityId": "acme", "entityType": "team"})
    requested: list[str] = field(factory=list, init=False)
    auth_requests: int = field(default=0, init=False)
    held: dict[str, asyncio.Event] = field(factory=dict, init=False)
    max_in_flight: int = field(default=0, init=False)
    _in_flight: int = field(default=0, init=False)

    @asynccontextmanager
    async def serve(self, **options: Any) -> AsyncIterator[Northflank]:
        """Serve the account as it is at each moment, and open a client of it."""
        async with serve(self._handle) as server, server.client(**options) as nf:
            yield nf

    def release(self, page: str) -> None:
        """Answer a page that is held."""
        self.held.pop(page).set()

    @property
    def requested_backups(self) -> list[str]:
        """The pages of backups that were requested."""
        return [page for page in self.requested if is_of_backups(page)]

    async def _handle(self, request: web.Request) -> web.Response:
        if request.path == "/v1/auth":
            self.auth_requests += 1
            return _fault(request, self.faults["auth"]) if "auth" in self.faults else envelope(self.auth)
        place, kind, cursor = (
            _place(request),
            request.path.rpartition("/")[2].removeprefix("backup-"),
            request.query.get("cursor", ""),
        )
        page = f"{place}#{cursor or 0}"
        self.requested.append(page)
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        if self.holds(page):
            self.held[page] = asyncio.Event()
            await self.held[page].wait()
        self._in_flight -= 1
        if page in self.faults:
            return _fault(request, self.faults[page])
        if not cursor.startswith(self.cursor_prefix) and cursor:
            return refusal(400)
        return self._page(place, kind, int(cursor.removeprefix(self.cursor_prefix) or 0))

    def _page(self, place: str, kind: str, number: int) -> web.Response:
        pages = self._pages(place.rpartition(":")[2])
        more = {"cursor": f"{self.cursor_prefix}{number + 1}"} if number + 1 < len(pages) else {}
        return envelope({kind: pages[number]}, hasNextPage=bool(more), count=len(pages[number]), **more)

    def _pages(self, place: str) -> list[list[Any]]:
        if place in self.pages:
            return self.pages[place]
        items = self._items(place)
        return [items[start : start + PER_PAGE] for start in range(0, len(items), PER_PAGE)] or [[]]

    def _items(self, place: str) -> list[Any]:
        match place.split("/"):
            case [""]:
                return [{"id": project} for project in dict.fromkeys(name.split("/")[0] for name in self.addons)]
            case [project]:
                return [self._addon(name) for name in self.addons if name.split("/")[0] == project]
            case [project, addon]:
                return self.addons[f"{project}/{addon}"]
            case [_, _, "schedules"]:
                return self.schedules.get(place.removesuffix("/schedules"), [])
        return self.restores.get(place.removesuffix("/restores"), [])

    def _addon(self, name: str) -> dict[str, Any]:
        addon_type = self.addon_types.get(name, "redis")
        fields = self.addon_fields.get(name, {})
        return {"id": name.split("/")[1], "spec": {"type": addon_type}, "status": "running", **fields}


def is_of_backups(page: str) -> bool:
    return page.count("/") == 1


def refusal(status: int) -> web.Response:
    """A documented error."""
    body = {"error": {"status": status, "message": f"refused with {status}"}}
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")


def backups(count: int, **fields: Any) -> list[dict[str, Any]]:
    """So many backups, `b0`, `b1` and so on."""
    return [
        {"id": f"b{number}", "status": "completed", "createdAt": "2026-01-01T00:00:00.000Z", **fields}
        for number in range(count)
    ]


def _place(request: web.Request) -> str:
    """The name of a request's listing."""
    parts = request.path.removeprefix("/v1/").split("/")
    team = ""
    if parts[0] == "teams":
        team, parts = f"{parts[1]}:", parts[2:]
    place = "/".join(parts[1::2])
    kind = parts[-1].removeprefix("backup-")
    return team + (f"{place}/{kind}" if kind in ("restores", "schedules") else place)


def _fault(request: web.Request, fault: Any) -> web.Response:
    match fault:
        case None:
            return drop_connection(request)
        case int():
            return web.Response(status=fault)
        case web.Response():
            return web.Response(status=fault.status, body=fault.body, content_type="application/json")
    return envelope(fault)
