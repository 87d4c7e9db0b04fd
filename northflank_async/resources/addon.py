from northflank_async.paging import Paginator
from northflank_async.protocol import MAX_PER_PAGE, segment
from northflank_async.records import Addon, Backup, Restore
from northflank_async.resources.backup import BackupResource
from northflank_async.resources.resource import Resource


class AddonResource(Resource):
    """An addon of a project: `…/addons/{addonId}`."""

    async def get(self) -> Addon:
        """Get the addon.

        Raises:
            NotFound: there is no such addon, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon
        """
        return await self._get(Addon)

    def backups(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Backup]:
        """List the addon's backups.

        Args:
            per_page: backups a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        return self._list("backups", Backup, per_page=per_page, page=page, cursor=cursor)

    def restores(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Restore]:
        """List the restores of all of the addon's backups; each names its `backup_id`.

        Args:
            per_page: restores a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-restores
        """
        return self._list("restores", Restore, per_page=per_page, page=page, cursor=cursor)

    def backup(self, backup_id: str) -> BackupResource:
        """One backup, by its id. Nothing is sent.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
        """
        return BackupResource(self._transport, f"{self._path}/backups/{segment('the backup id', backup_id)}")
