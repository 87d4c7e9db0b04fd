"""What every request passes, whatever it asks for: the token, the faults, the rate limit, and the record."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable

import attrs
from aiohttp import web

from northflank_async.simulator.answers import Refusal, error
from northflank_async.simulator.faults import Fault, FaultDraw, deliver, html_page
from northflank_async.simulator.window import Window

SERVER_ERRORS = (500, 502, 503, 504)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.frozen
class RequestRecord:
    """A request that came in: the path still percent-encoded, and the status, 0 where no answer was sent."""

    method: str
    path: str
    query: dict[str, str]
    status: int


@attrs.frozen(kw_only=True)
class Gate:
    """What every request passes; those to `storage`, a service of its own, are recorded and no more."""

    token: str
    window: Window
    draw: FaultDraw
    latency: float
    requests: list[RequestRecord]
    storage: str

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Decide on the answer at once, so that it depends on the order of arrival alone; then wait and send it."""
        if request.can_read_body:
            await request.read()  # before anything is decided, because it can take its time
        fault = Fault()
        if request.path.startswith(self.storage):
            response = await _handled(request, handler)
        else:
            if self._authenticated(request):
                fault = self.draw.next(request.method, request.raw_path)
                response = await self._response(request, handler, fault)
            else:
                response = error(401, "The API token is missing or not valid.")
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
            return error(429, "Too many requests at once.")
        if not self.window.admit():
            return error(429, "The rate limit has been reached.")
        if fault.kind == "errors":
            return _server_error(fault.variant)
        return await _handled(request, handler)


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.answer()
    except web.HTTPMethodNotAllowed as refusal:
        return error(405, f"{request.method} is not allowed here.", {"Allow": refusal.headers["Allow"]})
    except web.HTTPNotFound:
        return error(404, "There is nothing at this path.")


def _server_error(variant: int) -> web.Response:
    status = SERVER_ERRORS[variant % len(SERVER_ERRORS)]
    sometimes = status == 503 and variant % 8 == 2
    return error(status, "Something went wrong.", {"Retry-After": "1"} if sometimes else None)
