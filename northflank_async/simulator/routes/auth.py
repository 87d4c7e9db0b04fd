"""The token's account."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.routes.lookup import Lookup, Routes


@attrs.frozen
class AuthRoutes:
    """The handler, which no team has."""

    lookup: Lookup

    def routes(self) -> Routes:
        """What it serves."""
        return [("GET", "/v1/auth", self.get_auth)]

    async def get_auth(self, request: web.Request) -> web.Response:
        """GET auth: a 404 for a hidden identity."""
        identity = self.lookup.tenant(request).identity
        if identity.is_hidden:
            raise Rejection(404, "There is nothing at this path.")
        return responses.data(identity.shown())
