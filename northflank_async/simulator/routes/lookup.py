"""Lookup of the resources that a request's path and query name."""

from collections.abc import Awaitable, Callable

import attrs
from aiohttp import web

from northflank_async.simulator import pages
from northflank_async.simulator.account import Account
from northflank_async.simulator.addons import CreatedAddon
from northflank_async.simulator.backups import StoredBackup
from northflank_async.simulator.inventory import Addon, Listing, Project
from northflank_async.simulator.pages import PagedListing
from northflank_async.simulator.responses import Rejection, found
from northflank_async.simulator.tenants import Tenant

ADDON = "/projects/{project}/addons/{addon}"
BACKUP = ADDON + "/backups/{backup}"
TENANT = web.RequestKey("tenant", Tenant)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Routes = list[tuple[str, str, Handler]]  # method, path, handler


@attrs.frozen
class Lookup:
    """Finds resources of the request's tenant, or raises a 404."""

    def tenant(self, request: web.Request) -> Tenant:
        """The tenant whose token the request has."""
        return request[TENANT]

    def account(self, request: web.Request) -> Account:
        """The tenant's account."""
        return self.tenant(request).account

    def projects(self, request: web.Request) -> PagedListing:
        """The projects that the token may see."""
        inventory, identity = self.account(request).inventory, self.tenant(request).identity
        if not identity.is_restricted:
            return inventory.projects
        every = (Project(inventory, index) for index in range(inventory.project_count))
        seen = [project for project in every if identity.sees(project.id)]
        return Listing(len(seen), lambda place: seen[place].listed())

    def project(self, request: web.Request) -> Project:
        """The project in the path."""
        return self._project(request, request.match_info["project"])

    def addon(self, request: web.Request) -> Addon:
        """The addon in the path."""
        return self.named_addon(request, request.match_info["project"], request.match_info["addon"])

    def ready_addon(self, request: web.Request) -> Addon:
        """The addon in the path; raises a 409 if it is new and does not run."""
        addon = self.addon(request)
        if isinstance(addon, CreatedAddon) and addon.status != "running":
            raise Rejection(409, f"The addon {addon.id} is not running: it is {addon.status}.")
        return addon

    def backup(self, request: web.Request) -> StoredBackup:
        """The backup in the path."""
        return self._backup(self.addon(request), request)

    def global_backup(self, request: web.Request) -> StoredBackup:
        """The backup in the path, which may belong to the addon in the query."""
        addon = self.addon(request)
        source = [request.query.get(name) for name in ("sourceProjectId", "sourceAddonId")]
        match source:
            case [str(project_id), str(addon_id)]:
                addon = self.named_addon(request, project_id, addon_id)
            case [str(), None] | [None, str()]:
                raise Rejection(400, "Pass both sourceProjectId and sourceAddonId, or neither.")
        return self._backup(addon, request)

    def page(self, request: web.Request, key: str | None, listing: PagedListing) -> web.Response:
        """The requested page of the listing."""
        return pages.page_response(request, key, listing, self.account(request).inventory.seed)

    def _backup(self, addon: Addon, request: web.Request) -> StoredBackup:
        backup_id = request.match_info["backup"]
        return found(self.account(request).backups.find(addon, backup_id), "backup", backup_id)

    def _project(self, request: web.Request, project_id: str) -> Project:
        if not self.tenant(request).identity.sees(project_id):
            raise Rejection(403, f"The token is restricted to other projects than {project_id}.")
        return found(self.account(request).inventory.project(project_id), "project", project_id)

    def named_addon(self, request: web.Request, project_id: str, addon_id: str) -> Addon:
        """The addon with these ids."""
        project = self._project(request, project_id)
        addon = found(self.account(request).addons.find(project, addon_id), "addon", addon_id)
        if addon.is_unreadable:
            raise Rejection(403, f"The token may not read the addon {addon_id}.")
        return addon
