"""Backup schedules of addons."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses, schemas, validation
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.routes.lookup import ADDON, Lookup, Routes


@attrs.frozen
class ScheduleRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", ADDON + "/backup-schedules", self.list_schedules),
            ("POST", ADDON + "/backup-schedules", self.create),
            ("DELETE", ADDON + "/backup-schedules/{schedule}", self.delete),
        ]

    async def list_schedules(self, request: web.Request) -> web.Response:
        """GET …/backup-schedules."""
        addon = self.lookup.addon(request)
        return self.lookup.page(request, "schedules", self.lookup.account(request).schedules.listing(addon))

    async def create(self, request: web.Request) -> web.Response:
        """POST …/backup-schedules: a 409 for a second one with this interval and type. Schedules start no backups."""
        addon = self.lookup.addon(request)
        settings = await validation.read_body(request, schemas.SCHEDULE)
        schemas.check_schedule(settings)
        schemas.check_backup_type(settings, self.lookup.account(request).destinations.exists)
        return responses.data({"id": self.lookup.account(request).schedules.create(addon, settings)["id"]})

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE …/backup-schedules/{schedule}."""
        schedule_id = request.match_info["schedule"]
        if not self.lookup.account(request).schedules.delete(self.lookup.addon(request), schedule_id):
            raise Rejection(404, f"There is no backup schedule {schedule_id}.")
        return responses.data({})
