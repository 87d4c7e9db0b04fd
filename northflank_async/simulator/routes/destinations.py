"""Backup destinations."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses, schemas, validation
from northflank_async.simulator.destinations import Destinations
from northflank_async.simulator.inventory import Json
from northflank_async.simulator.responses import found
from northflank_async.simulator.routes.lookup import Lookup, Routes

DESTINATIONS = "/backup-destinations"
DESTINATION = DESTINATIONS + "/{destination}"


@attrs.frozen
class DestinationRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", DESTINATIONS, self.list_destinations),
            ("POST", DESTINATIONS, self.create),
            ("GET", DESTINATION, self.get_destination),
            ("PATCH", DESTINATION, self.patch),
            ("DELETE", DESTINATION, self.delete),
            ("GET", DESTINATION + "/backups", self.list_backups),
        ]

    async def list_destinations(self, request: web.Request) -> web.Response:
        """GET backup-destinations, with the ids that the documented schema lacks."""
        return self.lookup.page(request, "backupDestinations", self._destinations(request).listing)

    async def create(self, request: web.Request) -> web.Response:
        """POST backup-destinations."""
        return responses.data(
            self._destinations(request).create(await validation.read_body(request, schemas.NEW_DESTINATION))
        )

    async def get_destination(self, request: web.Request) -> web.Response:
        """GET backup-destinations/{destination}."""
        return responses.data(self._destination(request))

    async def patch(self, request: web.Request) -> web.Response:
        """PATCH backup-destinations/{destination}."""
        destination = self._destination(request)
        self._destinations(request).patch(destination, await validation.read_body(request, schemas.CHANGED_DESTINATION))
        return responses.data({})

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE backup-destinations/{destination}."""
        self._destinations(request).delete(self._destination(request))
        return responses.data({})

    async def list_backups(self, request: web.Request) -> web.Response:
        """GET backup-destinations/{destination}/backups."""
        return self.lookup.page(request, None, self._destinations(request).backups_in(self._destination(request)["id"]))

    def _destinations(self, request: web.Request) -> Destinations:
        return self.lookup.account(request).destinations

    def _destination(self, request: web.Request) -> Json:
        destination_id = request.match_info["destination"]
        return found(self._destinations(request).find(destination_id), "backup destination", destination_id)
