"""The steps that every request goes through: authentication, faults, the rate limit and the request record."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable

import attrs
from aiohttp import web

from northflank_async.simulator.faults import Fault, FaultGenerator, deliver, html_page
from northflank_async.simulator.rate_limit import RateLimitWindow
from northflank_async.simulator.responses import Rejection, error

SERVER_ERRORS = (500, 502, 503, 504)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.frozen
class RequestRecord:
    """A received request: its path, still percent-encoded, and the response's status, or 0 if none was sent."""

    method: str
    path: str
    query: dict[str, str]
    status: int


@attrs.frozen(kw_only=True)
class Middleware:
    """The middleware of all routes. Requests below `storage`, a service of its own, are only recorded."""

    token: str
    window: RateLimitWindow
    faults: FaultGenerator
    latency: float
    requests: list[RequestRecord]
    storage: str

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Choose the response before waiting, so that it depends only on the order of arrival; then send it."""
        if request.can_read_body:
            await request.read()  # first, because it can take time
        fault = Fault()
        if request.path.startswith(self.storage):
            response = await _run_handler(request, handler)
        else:
            if self._is_authenticated(request):
                fault = self.faults.next(request.method, request.raw_path)
                response = await self._respond(request, handler, fault)
            else:
                response = error(401, "The API token is missing or not valid.")
            if fault.is_counted:
                response.headers.update(self.window.headers())
        status = 0 if fault.kind == "drops" else response.status
        path = request.raw_path.partition("?")[0]
        self.requests.append(RequestRecord(request.method, path, dict(request.query), status))
        await asyncio.sleep(self.latency + fault.delay)
        return await deliver(request, response, fault)

    def _is_authenticated(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, f"Bearer {self.token}".encode())

    async def _respond(self, request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        if fault.kind == "html":
            return html_page(fault)
        if fault.kind == "bursts":
            return error(429, "Too many requests at once.")
        if not self.window.admit():
            return error(429, "The rate limit has been reached.")
        if fault.kind == "errors":
            return _server_error(fault.variant)
        return await _run_handler(request, handler)


async def _run_handler(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Rejection as rejection:
        return rejection.response()
    except web.HTTPMethodNotAllowed as exception:
        return error(405, f"{request.method} is not allowed here.", {"Allow": exception.headers["Allow"]})
    except web.HTTPNotFound:
        return error(404, "There is nothing at this path.")


def _server_error(variant: int) -> web.Response:
    status = SERVER_ERRORS[variant % len(SERVER_ERRORS)]
    has_retry_after = status == 503 and variant % 8 == 2
    return error(status, "Something went wrong.", {"Retry-After": "1"} if has_retry_after else None)
