"""Addons: their listing, creation and deletion, their containers and credentials."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses, schemas, validation
from northflank_async.simulator.forks import check_fork, find_source, resolve_version
from northflank_async.simulator.inventory import Listing
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.routes.lookup import ADDON, Lookup, Routes

ADDONS = "/projects/{project}/addons"


@attrs.frozen
class AddonRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", ADDONS, self.list_addons),
            ("POST", ADDONS, self.create),
            ("GET", ADDON, self.get_addon),
            ("DELETE", ADDON, self.delete),
            ("GET", ADDON + "/containers", self.list_containers),
            ("GET", ADDON + "/credentials", self.credentials),
            ("POST", ADDON + "/pause", self.pause),
            ("POST", ADDON + "/resume", self.resume),
        ]

    async def list_addons(self, request: web.Request) -> web.Response:
        """GET …/addons."""
        addons = self.lookup.account(request).addons
        return self.lookup.page(request, "addons", addons.listing(self.lookup.project(request)))

    async def create(self, request: web.Request) -> web.Response:
        """POST …/addons: a new addon, blank or forked from a backup."""
        project = self.lookup.project(request)
        account = self.lookup.account(request)
        settings = await validation.read_body(request, schemas.NEW_ADDON)
        if settings.get("projectId", project.id) != project.id:
            raise Rejection(400, f"projectId must be {project.id}, as in the path.")
        settings = {**settings, "version": resolve_version(settings)}
        schemas.check_schedules(settings.get("backupSchedules", []), account.destinations.exists)
        size = None
        if "source" in settings:
            backup = find_source(
                account, project, settings["source"], lambda *ids: self.lookup.named_addon(request, *ids)
            )
            check_fork(account, backup, project, settings)
            size = backup.size
        addon = account.addons.create(project, settings, size)
        for schedule in settings.get("backupSchedules", ()):
            account.schedules.create(addon, schedule)
        return responses.data(addon.described())

    async def get_addon(self, request: web.Request) -> web.Response:
        """GET …/addons/{addon}."""
        return responses.data(self.lookup.addon(request).details())

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE …/addons/{addon}, with its backups."""
        addon, account = self.lookup.addon(request), self.lookup.account(request)
        account.addons.delete(addon)
        account.backups.forget(addon)
        return responses.data({})

    async def list_containers(self, request: web.Request) -> web.Response:
        """GET …/containers."""
        containers = self.lookup.account(request).addons.containers(self.lookup.addon(request))
        return self.lookup.page(request, "containers", Listing(len(containers), containers.__getitem__))

    async def credentials(self, request: web.Request) -> web.Response:
        """GET …/credentials: a 409 until the addon runs."""
        addon = self.lookup.ready_addon(request)
        return responses.data(self.lookup.account(request).addons.credentials(addon))

    async def pause(self, request: web.Request) -> web.Response:
        """POST …/pause."""
        self.lookup.account(request).addons.pause(self.lookup.ready_addon(request), True)
        return responses.data({})

    async def resume(self, request: web.Request) -> web.Response:
        """POST …/resume: a 409 unless it is paused."""
        addon = self.lookup.addon(request)
        if addon.status != "paused":
            raise Rejection(409, f"The addon {addon.id} is not paused: it is {addon.status}.")
        self.lookup.account(request).addons.pause(addon, False)
        return responses.data({})
