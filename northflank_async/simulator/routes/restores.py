"""Restores of backups."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses, schemas, validation
from northflank_async.simulator.logs import LogQuery, container_id, log_lines
from northflank_async.simulator.responses import Rejection, found
from northflank_async.simulator.routes.lookup import ADDON, BACKUP, Lookup, Routes


@attrs.frozen
class RestoreRoutes:
    """The handlers of these routes."""

    lookup: Lookup

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", BACKUP + "/restores", self.list_of_backup),
            ("GET", ADDON + "/restores", self.list_of_addon),
            ("POST", BACKUP + "/restore", self.restore),
            ("POST", BACKUP + "/abort-restore", self.abort),
            ("GET", BACKUP + "/restores/{restore}/logs", self.logs),
        ]

    async def list_of_backup(self, request: web.Request) -> web.Response:
        """GET …/backups/{backup}/restores, where the backup may belong to another addon."""
        backup = self.lookup.global_backup(request)
        return self.lookup.page(request, "restores", self.lookup.account(request).backups.restores_of(backup))

    async def list_of_addon(self, request: web.Request) -> web.Response:
        """GET …/addons/{addon}/restores."""
        return self.lookup.page(
            request, "restores", self.lookup.account(request).backups.restores(self.lookup.addon(request))
        )

    async def restore(self, request: web.Request) -> web.Response:
        """POST …/restore: a 409 unless the backup is completed."""
        backup = self.lookup.global_backup(request)
        backups = self.lookup.account(request).backups
        status = backups.status(backup)
        if status != "completed":
            raise Rejection(409, f"The backup {backup.id} cannot be restored: it is {status}.")
        addon = self.lookup.ready_addon(request)
        outcome = self.lookup.account(request).outcomes.next("restores")
        return responses.data({"restoreId": backups.restore(addon, backup, outcome).id})

    async def abort(self, request: web.Request) -> web.Response:
        """POST …/abort-restore: a 409 unless the restore is running."""
        backup = self.lookup.global_backup(request)
        restore_id = (await validation.read_body(request, schemas.ABORT_RESTORE))["restoreId"]
        backups = self.lookup.account(request).backups
        run = found(backups.find_restore(backup, restore_id), "restore", restore_id)
        backups.abort_restore(backup, restore_id, run)
        return responses.data({})

    async def logs(self, request: web.Request) -> web.Response:
        """GET …/restores/{restore}/logs: empty for the restore of a snapshot."""
        backup = self.lookup.global_backup(request)
        restore_id = request.match_info["restore"]
        account = self.lookup.account(request)
        run = found(account.backups.find_restore(backup, restore_id), "restore", restore_id)
        query = LogQuery.parse(request.query)
        written = []
        if backup.is_dump:
            container = container_id(self.lookup.addon(request).id, "restore", restore_id)
            written = log_lines(run, f"restore {restore_id}", container, account.time.now())
        return responses.data(query.select(written))
