"""Backups of addons."""

import attrs
from aiohttp import web

from northflank_async.simulator import answers, bodies, fields
from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.logs import LogQuery, container_of, lines
from northflank_async.simulator.routes.lookup import ADDON, BACKUP, Lookup, Routes
from northflank_async.simulator.storage import Storage


@attrs.frozen
class BackupRoutes:
    """The handlers."""

    lookup: Lookup
    storage: Storage

    def routes(self) -> Routes:
        """What they serve."""
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
        return self.lookup.page(request, "backups", self.lookup.account.backups.listing(self.lookup.addon(request)))

    async def get_backup(self, request: web.Request) -> web.Response:
        """GET …/backups/{backup}."""
        return answers.data(self.lookup.account.backups.details(self.lookup.backup(request)))

    async def create(self, request: web.Request) -> web.Response:
        """POST …/backups."""
        addon = self.lookup.addon(request)
        settings = await fields.read(request, bodies.BACKUP)
        bodies.check_kind(settings, self.lookup.account.destinations.exists)
        source = "sameAddon" if settings.get("backupType") == "dump" else "snapshot"
        backups = self.lookup.account.backups
        return answers.data(backups.details(backups.create(addon, source, settings)))

    async def import_backup(self, request: web.Request) -> web.Response:
        """POST …/import, whose answer is not documented: it is that of a backup."""
        addon = self.lookup.addon(request)
        settings = await fields.read(request, bodies.IMPORT)
        bodies.check_destinations(settings, self.lookup.account.destinations.exists)
        source = "externalDump" if "importUrl" in settings else "liveInstance"
        backups = self.lookup.account.backups
        return answers.data(backups.details(backups.create(addon, source, settings)))

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE …/backups/{backup}."""
        self.lookup.account.backups.delete(self.lookup.backup(request))
        return answers.data({})

    async def abort(self, request: web.Request) -> web.Response:
        """POST …/abort: a 409 unless it runs."""
        self.lookup.account.backups.abort(self.lookup.backup(request))
        return answers.data({})

    async def retain(self, request: web.Request) -> web.Response:
        """POST …/retain; no documented answer shows what was retained, and nothing here is deleted by itself."""
        self.lookup.backup(request)
        return answers.data({})

    async def download_link(self, request: web.Request) -> web.Response:
        """GET …/download-link: a 400 for a snapshot, which has none, and a 409 for a dump that is not complete."""
        backup = self.lookup.backup(request)
        status = self.lookup.account.backups.status(backup)
        if not backup.is_dump:
            raise Refusal(400, f"The backup {backup.id} is a snapshot: only dumps can be downloaded.")
        if status != "completed":
            raise Refusal(409, f"The backup {backup.id} cannot be downloaded: it is {status}.")
        return answers.data({"downloadLink": str(self.storage.link(request, backup))})

    async def logs(self, request: web.Request) -> web.Response:
        """GET …/logs: none for a snapshot."""
        backup = self.lookup.backup(request)
        query = LogQuery.parse(request.query)
        account = self.lookup.account
        written = []
        if backup.is_dump:
            container = container_of(backup.addon.id, "backup", backup.id)
            written = lines(account.backups.run(backup), f"backup {backup.id}", container, account.time.now())
        return answers.data(query.select(written))
