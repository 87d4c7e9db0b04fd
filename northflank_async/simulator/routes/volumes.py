"""Volumes and their backups."""

import attrs
from aiohttp import web

from northflank_async.simulator import answers, bodies, fields
from northflank_async.simulator.answers import Refusal, found
from northflank_async.simulator.routes.lookup import Lookup, Routes
from northflank_async.simulator.volumes import Volume, Volumes

VOLUMES = "/projects/{project}/volumes"
BACKUPS = VOLUMES + "/{volume}/backups"


@attrs.frozen
class VolumeRoutes:
    """The handlers."""

    lookup: Lookup

    def routes(self) -> Routes:
        """What they serve."""
        return [
            ("GET", VOLUMES, self.list_volumes),
            ("GET", VOLUMES + "/{volume}", self.get_volume),
            ("GET", BACKUPS, self.list_backups),
            ("POST", BACKUPS, self.create_backup),
            ("GET", BACKUPS + "/{backup}", self.get_backup),
            ("DELETE", BACKUPS + "/{backup}", self.delete_backup),
        ]

    async def list_volumes(self, request: web.Request) -> web.Response:
        """GET …/volumes."""
        return self.lookup.page(request, None, self._volumes.listing(self.lookup.project(request)))

    async def get_volume(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}."""
        return answers.data(self._volume(request).details())

    async def list_backups(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}/backups."""
        return self.lookup.page(request, None, self._volumes.backups(self._volume(request)))

    async def create_backup(self, request: web.Request) -> web.Response:
        """POST …/volumes/{volume}/backups."""
        volume = self._volume(request)
        settings = await fields.read(request, bodies.VOLUME_BACKUP)
        return answers.data(self._volumes.create(volume, settings["name"], settings.get("description")))

    async def get_backup(self, request: web.Request) -> web.Response:
        """GET …/volumes/{volume}/backups/{backup}."""
        backup_id = request.match_info["backup"]
        return answers.data(found(self._volumes.find_backup(self._volume(request), backup_id), "backup", backup_id))

    async def delete_backup(self, request: web.Request) -> web.Response:
        """DELETE …/volumes/{volume}/backups/{backup}."""
        backup_id = request.match_info["backup"]
        if not self._volumes.delete(self._volume(request), backup_id):
            raise Refusal(404, f"There is no backup {backup_id}.")
        return answers.data({})

    @property
    def _volumes(self) -> Volumes:
        return self.lookup.account.volumes

    def _volume(self, request: web.Request) -> Volume:
        volume_id = request.match_info["volume"]
        return found(self._volumes.find(self.lookup.project(request), volume_id), "volume", volume_id)
