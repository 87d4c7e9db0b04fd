from northflank_async.paging import Paginator
from northflank_async.protocol import MAX_PER_PAGE
from northflank_async.records import Backup, Restore
from northflank_async.resources.resource import Resource


class BackupResource(Resource):
    """A backup of an addon: `…/backups/{backupId}`."""

    async def get(self) -> Backup:
        """Get the backup, with its `last_restore`.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup
        """
        return await self._get(Backup)

    def restores(
        self,
        *,
        source_project_id: str | None = None,
        source_addon_id: str | None = None,
        per_page: int = MAX_PER_PAGE,
        page: int | None = None,
        cursor: str | None = None,
    ) -> Paginator[Restore]:
        """List the restores of the backup.

        Args:
            source_project_id: for a global backup, the project whose addon made it.
            source_addon_id: for a global backup, the addon that made it.
            per_page: restores a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backup-restores
        """
        source = {"sourceProjectId": source_project_id, "sourceAddonId": source_addon_id}
        return self._list("restores", Restore, per_page=per_page, page=page, cursor=cursor, params=source)
