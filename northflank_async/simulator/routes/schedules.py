"""Backup schedules of addons."""

import attrs
from aiohttp import web

from northflank_async.simulator import answers, bodies, fields
from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.routes.lookup import ADDON, Lookup, Routes


@attrs.frozen
class ScheduleRoutes:
    """The handlers."""

    lookup: Lookup

    def routes(self) -> Routes:
        """What they serve."""
        return [
            ("GET", ADDON + "/backup-schedules", self.list_schedules),
            ("POST", ADDON + "/backup-schedules", self.create),
            ("DELETE", ADDON + "/backup-schedules/{schedule}", self.delete),
        ]

    async def list_schedules(self, request: web.Request) -> web.Response:
        """GET …/backup-schedules."""
        addon = self.lookup.addon(request)
        return self.lookup.page(request, "schedules", self.lookup.account.schedules.listing(addon))

    async def create(self, request: web.Request) -> web.Response:
        """POST …/backup-schedules; a 409 for a second one of an interval and type. Nothing is run by a schedule."""
        addon = self.lookup.addon(request)
        settings = await fields.read(request, bodies.SCHEDULE)
        bodies.check_schedule(settings)
        bodies.check_kind(settings, self.lookup.account.destinations.exists)
        return answers.data({"id": self.lookup.account.schedules.create(addon, settings)["id"]})

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE …/backup-schedules/{schedule}."""
        schedule_id = request.match_info["schedule"]
        if not self.lookup.account.schedules.delete(self.lookup.addon(request), schedule_id):
            raise Refusal(404, f"There is no backup schedule {schedule_id}.")
        return answers.data({})
