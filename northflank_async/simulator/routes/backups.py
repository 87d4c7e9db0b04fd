"""Backups of addons."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses, schemas, validation
from northflank_async.simulator.logs import LogQuery, container_id, log_lines
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.routes.lookup import ADDON, BACKUP, Lookup, Routes
from northflank_async.simulator.storage import Storage


@attrs.frozen
class BackupRoutes:
    """The handlers of these routes."""

    lookup: Lookup
    storage: Storage

    def routes(self) -> Routes:
        """Every method and path, with its handler."""
        return [
            ("GET", ADDON + "/backups", self.list_backups),
            ("POST", ADDON + "/backups", self.create),
            ("GET", BACKUP, self.get_backup),
            ("DELETE", BACKUP, self.delete),
            ("POST", ADDON + "/import", self.import_backup),
            ("POST", BACKUP + "/abort", self.abort),
            ("POST", BACKUP + "/retain", self.retain),
            ("GET", BACKUP + "/download-link", self.download_link),
            ("GET", BACKUP + "/logs", self.logs),
        ]

    async def list_backups(self, request: web.Request) -> web.Response:
        """GET …/backups."""
        return self.lookup.page(
            request, "backups", self.lookup.account(request).backups.listing(self.lookup.addon(request))
        )

    async def get_backup(self, request: web.Request) -> web.Response:
        """GET …/backups/{backup}."""
        return responses.data(self.lookup.account(request).backups.details(self.lookup.backup(request)))

    async def create(self, request: web.Request) -> web.Response:
        """POST …/backups."""
        addon = self.lookup.ready_addon(request)
        settings = await validation.read_body(request, schemas.BACKUP)
        schemas.check_backup_type(settings, self.lookup.account(request).destinations.exists)
        source = "sameAddon" if settings.get("backupType") == "dump" else "snapshot"
        backups = self.lookup.account(request).backups
        return responses.data(backups.details(backups.create(addon, source, settings)))

    async def import_backup(self, request: web.Request) -> web.Response:
        """POST …/import. Its response is not documented: it is a backup here.

        A download link of the simulator's own must be valid, or the import fails; so does an import that should.
        """
        addon = self.lookup.ready_addon(request)
        settings = await validation.read_body(request, schemas.IMPORT)
        schemas.check_destinations(settings, self.lookup.account(request).destinations.exists)
        source, size = "liveInstance", None
        account = self.lookup.account(request)
        outcome = account.outcomes.next("imports")
        if "importUrl" in settings:
            source = "externalDump"
            try:
                size = self.storage.size_behind(request, settings["importUrl"])
            except Rejection:
                outcome = "failed"
        backup = account.backups.create(addon, source, settings, size=size, outcome=outcome)
        return responses.data(account.backups.details(backup))

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE …/backups/{backup}."""
        self.lookup.account(request).backups.delete(self.lookup.backup(request))
        return responses.data({})

    async def abort(self, request: web.Request) -> web.Response:
        """POST …/abort: a 409 unless the backup is running."""
        self.lookup.account(request).backups.abort(self.lookup.backup(request))
        return responses.data({})

    async def retain(self, request: web.Request) -> web.Response:
        """POST …/retain. It changes nothing: no documented response shows it, and no backup expires here."""
        self.lookup.backup(request)
        return responses.data({})

    async def download_link(self, request: web.Request) -> web.Response:
        """GET …/download-link: a 400 for a snapshot, and a 409 for a dump that is not completed."""
        backup = self.lookup.backup(request)
        status = self.lookup.account(request).backups.status(backup)
        if not backup.is_dump:
            raise Rejection(400, f"The backup {backup.id} is a snapshot: only dumps can be downloaded.")
        if status != "completed":
            raise Rejection(409, f"The backup {backup.id} cannot be downloaded: it is {status}.")
        return responses.data({"downloadLink": str(self.storage.link(request, backup))})

    async def logs(self, request: web.Request) -> web.Response:
        """GET …/logs: empty for a snapshot."""
        backup = self.lookup.backup(request)
        query = LogQuery.parse(request.query)
        account = self.lookup.account(request)
        written = []
        if backup.is_dump:
            container = container_id(backup.addon.id, "backup", backup.id)
            written = log_lines(account.backups.run(backup), f"backup {backup.id}", container, account.time.now())
        return responses.data(query.select(written))
