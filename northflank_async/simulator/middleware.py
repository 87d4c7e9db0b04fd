"""The steps that every request goes through: authentication, faults, the rate limit and the request record."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs
from aiohttp import web

from northflank_async.simulator.faults import Fault, deliver, html_page
from northflank_async.simulator.responses import Rejection, error
from northflank_async.simulator.routes.lookup import TENANT
from northflank_async.simulator.tenants import Tenant, Tenants

SERVER_ERRORS = (500, 502, 503, 504)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.frozen
class RequestRecord:
    """A received request: its path, still percent-encoded, and the response's status, or 0 if none was sent.

    - `tenant`: the name of the tenant whose token or link it has, even if it was refused; empty for an unknown token
      and without `tenants=`.
    - `at`: when it arrived, in seconds of the simulator's clock.
    - `peer`: the client's host and port, which identify its connection. `user_agent`: how it calls itself.

    The last three do not count when records are compared.
    """

    method: str
    path: str
    query: dict[str, str]
    status: int
    tenant: str = ""
    at: float = attrs.field(default=0.0, eq=False)
    peer: str = attrs.field(default="", eq=False)
    user_agent: str = attrs.field(default="", eq=False)


@attrs.frozen(kw_only=True)
class Middleware:
    """The middleware of all routes. Requests below `storage`, a service of its own, are only recorded."""

    tenants: Tenants
    clock: Callable[[], float]
    latency: float
    requests: list[RequestRecord]
    storage: str

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Choose the response before waiting, so that it depends only on the order of arrival; then send it."""
        if request.can_read_body:
            await request.read()  # first, because it can take time
        at = self.clock()
        fault = Fault()
        if request.path.startswith(self.storage):
            response = await _run_handler(request, handler)
        else:
            tenant = self.tenants.of_token(request.headers.get("Authorization", ""))
            if tenant is not None:
                request[TENANT] = tenant
            if tenant is not None and tenant.outage is not None:
                response = error(tenant.outage, "The API is not available.")
            else:
                if tenant is None or tenant.is_revoked:
                    response = error(401, "The API token is missing or not valid.")
                else:
                    fault = tenant.fault_generator.next(request.method, request.raw_path)
                    response = await self._respond(request, handler, tenant, fault)
                limited = self.tenants.limited_by(tenant)
                if limited is not None and fault.is_counted:
                    response.headers.update(limited.limit.headers())
        self._record(request, at, 0 if fault.kind == "drops" else response.status)
        await asyncio.sleep(self.latency + fault.delay)
        return await deliver(request, response, fault)

    def _record(self, request: web.Request, at: float, status: int) -> None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        tenant = request.get(TENANT)
        record = RequestRecord(
            request.method,
            request.raw_path.partition("?")[0],
            dict(request.query),
            status,
            tenant=tenant.name if tenant else "",
            at=at,
            peer=f"{peer[0]}:{peer[1]}" if peer else "",
            user_agent=request.headers.get("User-Agent", ""),
        )
        self.requests.append(record)

    async def _respond(
        self, request: web.Request, handler: Handler, tenant: Tenant, fault: Fault
    ) -> web.StreamResponse:
        if fault.kind == "html":
            return html_page(fault)
        if fault.kind == "bursts":
            return error(429, "Too many requests at once.")
        if not tenant.limit.admit():
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
