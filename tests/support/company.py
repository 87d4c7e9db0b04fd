"""A company that a test can change: projects, addons, backups and restores, served on a real socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from attrs import Factory, define, field

from tests.support.scripted_server import ScriptedServer, envelope, serve

PER_PAGE = 100


@define
class Company:
    """`addons` maps `project/addon` to its backups, `restores` to its restores; `refused` paths to answers."""

    addons: dict[str, list[Any]] = Factory(dict)
    restores: dict[str, list[Any]] = Factory(dict)
    refused: dict[str, web.Response] = Factory(dict)
    types: dict[str, str] = Factory(dict)
    cursors: str = "c"
    """What cursors begin with: others are not accepted."""
    server: ScriptedServer = field(init=False)

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, below /v1, each with its cursor."""
        return [
            request.path.removeprefix("/v1/") + (f"@{cursor}" if (cursor := request.query.get("cursor")) else "")
            for request in self.server.requests
        ]

    def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/v1/")
        cursor = request.query.get("cursor", "")
        refused = self.refused.get(path + (f"@{cursor}" if cursor else ""))
        if refused is not None:
            return web.Response(status=refused.status, body=refused.body, content_type="application/json")
        if cursor and not cursor.startswith(self.cursors):
            return web.json_response({"error": {"status": 400, "message": "no such cursor"}}, status=400)
        parts = path.split("/")
        if parts[0] == "teams":
            parts = parts[2:]
        items = self._items(parts)
        start = int(cursor.removeprefix(self.cursors) or 0)
        more = start + PER_PAGE < len(items)
        pagination = {
            "hasNextPage": more,
            "count": 0,
            **({"cursor": f"{self.cursors}{start + PER_PAGE}"} if more else {}),
        }
        return envelope({parts[-1]: items[start : start + PER_PAGE]}, **pagination)

    def _items(self, parts: list[str]) -> list[Any]:
        match parts:
            case ["projects"]:
                return [{"id": project} for project in dict.fromkeys(name.split("/")[0] for name in self.addons)]
            case ["projects", project, "addons"]:
                return [
                    {"id": name.split("/")[1], "spec": {"type": self.types.get(name, "redis")}, "status": "running"}
                    for name in self.addons
                    if name.split("/")[0] == project
                ]
            case ["projects", project, "addons", addon, "backups"]:
                return self.addons[f"{project}/{addon}"]
            case ["projects", project, "addons", addon, "restores"]:
                return self.restores.get(f"{project}/{addon}", [])
        raise AssertionError(parts)


@asynccontextmanager
async def serve_company(company: Company) -> AsyncIterator[Company]:
    """Serve the company as it is at each moment."""
    async with serve(company.answer) as company.server:
        yield company


def refusal(status: int) -> web.Response:
    """A documented error."""
    body = json.dumps({"error": {"status": status, "message": f"refused with {status}"}})
    return web.Response(status=status, text=body)


def backups(count: int, **fields: Any) -> list[dict[str, Any]]:
    """So many backups, `b0`, `b1` and so on."""
    return [
        {"id": f"b{number}", "status": "completed", "createdAt": "2026-01-01T00:00:00.000Z", **fields}
        for number in range(count)
    ]
