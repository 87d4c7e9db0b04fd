"""Projects."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses
from northflank_async.simulator.inventory import without
from northflank_async.simulator.routes.lookup import Lookup, Routes


@attrs.frozen
class ProjectRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", "/projects", self.list_projects),
            ("GET", "/projects/{project}", self.get_project),
        ]

    async def list_projects(self, request: web.Request) -> web.Response:
        """GET projects."""
        return self.lookup.page(request, "projects", self.lookup.projects(request))

    async def get_project(self, request: web.Request) -> web.Response:
        """GET projects/{project}."""
        project = self.lookup.project(request)
        addons = self.lookup.account(request).addons.listing(project)
        shown = [without(addon, "status", "tags") for addon in addons.slice(0, addons.length)]
        return responses.data({**project.details(), "addons": shown})
