from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import Volume, VolumeBackup
from northflank_async.resources.arguments import volume_backup_body
from northflank_async.resources.resource import Resource


class VolumeResource(Resource):
    """A volume of a project: `…/volumes/{volumeId}`."""

    async def get(self) -> Volume:
        """Get the volume.

        Raises:
            NotFound: there is no such volume, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/get-volume
        """
        return await self._get(Volume)

    def backups(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[VolumeBackup]:
        """List the volume's backups.

        Args:
            per_page: backups a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/volumes/get-volume-backups
        """
        return self._list("backups", VolumeBackup, items=None, per_page=per_page, page=page, cursor=cursor)

    async def create_backup(self, *, name: str, description: str | None = None) -> VolumeBackup:
        """Start a backup of the volume.

        Args:
            name: 3 to 39 letters and digits that begin with a letter, with single `-` or spaces between.
            description: 200 characters at the most.

        Raises:
            ConfigurationError: an argument is not as documented.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/backup-volume
        """
        body = volume_backup_body(name=name, description=description)
        return await self._call("POST", VolumeBackup, "/backups", json=body)

    def backup(self, backup_id: str) -> "VolumeBackupResource":
        """One backup of the volume, by its id. Nothing is sent.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
        """
        return VolumeBackupResource(self._transport, f"{self._path}/backups/{segment('the backup id', backup_id)}")


class VolumeBackupResource(Resource):
    """A backup of a volume: `…/volumes/{volumeId}/backups/{backupId}`."""

    async def get(self) -> VolumeBackup:
        """Get the backup.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/get-volume-backup-details
        """
        return await self._get(VolumeBackup)

    async def delete(self) -> None:
        """Delete the backup, for good.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/delete-volume-backup
        """
        await self._change("DELETE")
