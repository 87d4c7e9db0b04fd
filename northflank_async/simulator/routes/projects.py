"""Projects and their addons."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses
from northflank_async.simulator.routes.lookup import ADDON, Lookup, Routes


@attrs.frozen
class ProjectRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", "/projects", self.list_projects),
            ("GET", "/projects/{project}", self.get_project),
            ("GET", "/projects/{project}/addons", self.list_addons),
            ("GET", ADDON, self.get_addon),
        ]

    async def list_projects(self, request: web.Request) -> web.Response:
        """GET projects."""
        return self.lookup.page(request, "projects", self.lookup.projects(request))

    async def get_project(self, request: web.Request) -> web.Response:
        """GET projects/{project}."""
        return responses.data(self.lookup.project(request).details())

    async def list_addons(self, request: web.Request) -> web.Response:
        """GET …/addons."""
        return self.lookup.page(request, "addons", self.lookup.project(request).addons)

    async def get_addon(self, request: web.Request) -> web.Response:
        """GET …/addons/{addon}."""
        return responses.data(self.lookup.addon(request).details())
