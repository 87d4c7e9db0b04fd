"""The application: routes, authentication, pages and error bodies, as Northflank documents them."""

import asyncio
import base64
import hmac
import json
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from http import HTTPStatus
from typing import TypeVar

import attrs
from aiohttp import web

from northflank_async.simulator.faults import Fault, FaultDraw, deliver, html_page
from northflank_async.simulator.inventory import Addon, Backup, Inventory, Json, Listing, Project
from northflank_async.simulator.window import Window

SLUG = "[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*"
DEFAULT_PAGE, LARGEST_PAGE = 50, 100
SERVER_ERRORS = (500, 502, 503, 504)

Found = TypeVar("Found")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.frozen
class RequestRecord:
    """A request that came in: the path still percent-encoded, and the status, 0 where no answer was sent."""

    method: str
    path: str
    query: dict[str, str]
    status: int


class Refusal(Exception):
    """Why a request is not answered with data."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def application(
    inventory: Inventory, *, token: str, window: Window, draw: FaultDraw, latency: float, requests: list[RequestRecord]
) -> web.Application:
    """The application; it appends to `requests` what comes in."""
    gate = Gate(token=token, window=window, draw=draw, latency=latency, requests=requests)
    app = web.Application(middlewares=[gate.answer])
    routes = Routes(inventory)
    project = "/projects/{project}"
    addon = project + "/addons/{addon}"
    backup = addon + "/backups/{backup}"
    for prefix in ("/v1", f"/v1/teams/{{team:{SLUG}}}"):
        for path, handler in (
            ("/projects", routes.list_projects),
            (project, routes.get_project),
            (project + "/addons", routes.list_addons),
            (addon, routes.get_addon),
            (addon + "/backups", routes.list_backups),
            (backup, routes.get_backup),
            (backup + "/restores", routes.list_backup_restores),
            (addon + "/restores", routes.list_restores),
        ):
            app.router.add_get(prefix + path, handler, allow_head=False)
    return app


@attrs.frozen(kw_only=True)
class Gate:
    """What every request passes, whatever it asks for."""

    token: str
    window: Window
    draw: FaultDraw
    latency: float
    requests: list[RequestRecord]

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Decide on the answer at once, so that it depends on the order of arrival alone; then wait and send it."""
        fault = Fault()
        if self._authenticated(request):
            fault = self.draw.next(request.method, request.raw_path)
            response = await self._response(request, handler, fault)
        else:
            response = _error(401, "The API token is missing or not valid.")
        if fault.counted:
            response.headers.update(self.window.headers())
        status = 0 if fault.kind == "drops" else response.status
        path = request.raw_path.partition("?")[0]
        self.requests.append(RequestRecord(request.method, path, dict(request.query), status))
        await asyncio.sleep(self.latency + fault.delay)
        return await deliver(request, response, fault)

    def _authenticated(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, f"Bearer {self.token}".encode())

    async def _response(self, request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        if fault.kind == "html":
            return html_page(fault)
        if fault.kind == "bursts":
            return _error(429, "Too many requests at once.")
        if not self.window.admit():
            return _error(429, "The rate limit has been reached.")
        if fault.kind == "errors":
            return _server_error(fault.variant)
        try:
            return await handler(request)
        except Refusal as refusal:
            return _error(refusal.status, refusal.message)
        except web.HTTPMethodNotAllowed as refusal:
            return _error(405, f"{request.method} is not allowed here.", {"Allow": refusal.headers["Allow"]})
        except web.HTTPNotFound:
            return _error(404, "There is nothing at this path.")


@attrs.frozen
class Routes:
    """The handlers of the eight endpoints."""

    inventory: Inventory

    async def list_projects(self, request: web.Request) -> web.Response:
        """GET projects."""
        return self._page(request, "projects", self.inventory.projects)

    async def get_project(self, request: web.Request) -> web.Response:
        """GET projects/{project}."""
        return _json({"data": self._project(request).details()})

    async def list_addons(self, request: web.Request) -> web.Response:
        """GET …/addons."""
        return self._page(request, "addons", self._project(request).addons)

    async def get_addon(self, request: web.Request) -> web.Response:
        """GET …/addons/{addon}."""
        return _json({"data": self._addon(request).details()})

    async def list_backups(self, request: web.Request) -> web.Response:
        """GET …/backups."""
        return self._page(request, "backups", self._addon(request).backups)

    async def get_backup(self, request: web.Request) -> web.Response:
        """GET …/backups/{backup}."""
        return _json({"data": self._backup(request, self._addon(request)).details()})

    async def list_restores(self, request: web.Request) -> web.Response:
        """GET …/addons/{addon}/restores."""
        return self._page(request, "restores", self._addon(request).restores)

    async def list_backup_restores(self, request: web.Request) -> web.Response:
        """GET …/backups/{backup}/restores, where the backup may be one that another addon made."""
        addon = self._addon(request)
        source = [request.query.get(name) for name in ("sourceProjectId", "sourceAddonId")]
        match source:
            case [str(project_id), str(addon_id)]:
                addon = self._find_addon(project_id, addon_id)
            case [str(), None] | [None, str()]:
                raise Refusal(400, "sourceProjectId and sourceAddonId are given together or not at all.")
        return self._page(request, "restores", self._backup(request, addon).restores)

    def _page(self, request: web.Request, key: str, listing: Listing) -> web.Response:
        query = request.query
        size = _whole_number(query.get("per_page"), "per_page", DEFAULT_PAGE, LARGEST_PAGE)
        page = _whole_number(query.get("page"), "page", 1)
        source = [query.get(name, "") for name in ("sourceProjectId", "sourceAddonId")]
        name = "\n".join([str(self.inventory.seed), request.path, *source])
        cursor = query.get("cursor")
        offset = (page - 1) * size if cursor is None else _offset(name, cursor)
        items = listing.slice(offset, size)
        more = offset + size < listing.length
        pagination: Json = {"hasNextPage": more, "count": len(items)}
        if more:
            pagination["cursor"] = _cursor(name, offset + size)
        return _json({"data": {key: items}, "pagination": pagination})

    def _project(self, request: web.Request) -> Project:
        return self._find_project(request.match_info["project"])

    def _addon(self, request: web.Request) -> Addon:
        return self._find_addon(request.match_info["project"], request.match_info["addon"])

    def _backup(self, request: web.Request, addon: Addon) -> Backup:
        return _found(addon.backup(request.match_info["backup"]), "backup", request.match_info["backup"])

    def _find_project(self, project_id: str) -> Project:
        return _found(self.inventory.project(project_id), "project", project_id)

    def _find_addon(self, project_id: str, addon_id: str) -> Addon:
        return _found(self._find_project(project_id).addon(addon_id), "addon", addon_id)


def _found(item: Found | None, kind: str, name: str) -> Found:
    if item is None:
        raise Refusal(404, f"There is no {kind} {name}.")
    return item


def _whole_number(text: str | None, name: str, default: int, largest: int | None = None) -> int:
    if text is None:
        return default
    # No more than twenty digits, because Python refuses to read thousands of them.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
    if number < 1 or (largest is not None and number > largest):
        raise Refusal(400, f"{name} is a whole number {f'from 1 to {largest}' if largest else 'from 1 on'}.")
    return number


def _cursor(listing: str, offset: int) -> str:
    """Where a page of that listing begins; 24 characters that need no encoding, as some clients do none."""
    place = offset.to_bytes(5, "big")
    checksum = blake2b(listing.encode("utf-8", "surrogateescape") + place, key=b"cursor", digest_size=13).digest()
    return base64.urlsafe_b64encode(checksum + place).decode()


def _offset(listing: str, cursor: str) -> int:
    try:
        offset = int.from_bytes(base64.urlsafe_b64decode(cursor)[13:18], "big")
    except ValueError:
        offset = 0
    if cursor != _cursor(listing, offset):
        raise Refusal(400, "The cursor is not one of this listing.")
    return offset


def _server_error(variant: int) -> web.Response:
    status = SERVER_ERRORS[variant % len(SERVER_ERRORS)]
    sometimes = status == 503 and variant % 8 == 2
    return _error(status, "Something went wrong.", {"Retry-After": "1"} if sometimes else None)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    problem_id = HTTPStatus(status).phrase.lower().replace(" ", "-")
    return _json({"error": {"status": status, "message": message, "id": problem_id}}, status, headers)


def _json(content: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(content, separators=(",", ":")).encode()
    return web.Response(status=status, headers=headers, body=body, content_type="application/json")
