"""Volumes, their backups and their backup schedules."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses, schemas, validation
from northflank_async.simulator.responses import Rejection, found
from northflank_async.simulator.routes.lookup import Lookup, Routes
from northflank_async.simulator.schedules import Schedules
from northflank_async.simulator.volumes import Volume, Volumes

VOLUMES = "/projects/{project}/volumes"
BACKUPS = VOLUMES + "/{volume}/backups"
SCHEDULES = VOLUMES + "/{volume}/backup-schedules"


@attrs.frozen
class VolumeRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", VOLUMES, self.list_volumes),
            ("GET", VOLUMES + "/{volume}", self.get_volume),
            ("GET", BACKUPS, self.list_backups),
            ("POST", BACKUPS, self.create_backup),
            ("GET", BACKUPS + "/{backup}", self.get_backup),
            ("DELETE", BACKUPS + "/{backup}", self.delete_backup),
            ("GET", SCHEDULES, self.list_schedules),
            ("POST", SCHEDULES, self.create_schedule),
            ("DELETE", SCHEDULES + "/{schedule}", self.delete_schedule),
        ]

    async def list_volumes(self, request: web.Request) -> web.Response:
        """GET …/volumes."""
        return self.lookup.page(request, None, self._volumes(request).listing(self.lookup.project(request)))

    async def get_volume(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}."""
        return responses.data(self._volumes(request).details(self._volume(request)))

    async def list_backups(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}/backups."""
        return self.lookup.page(request, None, self._volumes(request).backups(self._volume(request)))

    async def create_backup(self, request: web.Request) -> web.Response:
        """POST …/volumes/{volume}/backups."""
        volume = self._volume(request)
        settings = await validation.read_body(request, schemas.VOLUME_BACKUP)
        return responses.data(self._volumes(request).create(volume, settings["name"], settings.get("description")))

    async def get_backup(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}/backups/{backup}."""
        backup_id = request.match_info["backup"]
        return responses.data(
            found(self._volumes(request).find_backup(self._volume(request), backup_id), "backup", backup_id)
        )

    async def delete_backup(self, request: web.Request) -> web.Response:
        """DELETE …/volumes/{volume}/backups/{backup}."""
        backup_id = request.match_info["backup"]
        if not self._volumes(request).delete(self._volume(request), backup_id):
            raise Rejection(404, f"There is no backup {backup_id}.")
        return responses.data({})

    async def list_schedules(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}/backup-schedules."""
        return self.lookup.page(request, "schedules", self._schedules(request).listing(self._volume(request)))

    async def create_schedule(self, request: web.Request) -> web.Response:
        """POST …/volumes/{volume}/backup-schedules: a 409 for a second one with this interval."""
        volume = self._volume(request)
        settings = await validation.read_body(request, schemas.VOLUME_SCHEDULE)
        schemas.check_schedule(settings)
        created = self._schedules(request).create(volume, {**settings, "backupType": "snapshot"})
        return responses.data({"id": created["id"]})

    async def delete_schedule(self, request: web.Request) -> web.Response:
        """DELETE …/volumes/{volume}/backup-schedules/{schedule}."""
        schedule_id = request.match_info["schedule"]
        if not self._schedules(request).delete(self._volume(request), schedule_id):
            raise Rejection(404, f"There is no backup schedule {schedule_id}.")
        return responses.data({})

    def _schedules(self, request: web.Request) -> Schedules:
        return self.lookup.account(request).schedules

    def _volumes(self, request: web.Request) -> Volumes:
        return self.lookup.account(request).volumes

    def _volume(self, request: web.Request) -> Volume:
        volume_id = request.match_info["volume"]
        return found(self._volumes(request).find(self.lookup.project(request), volume_id), "volume", volume_id)
