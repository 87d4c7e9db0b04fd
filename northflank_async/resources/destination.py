from northflank_async.http.request import MAX_PER_PAGE
from northflank_async.paging import Paginator
from northflank_async.records import CustomDestination, DestinationBackup, DestinationCredentials
from northflank_async.resources.arguments import destination_changes
from northflank_async.resources.resource import Resource


class DestinationResource(Resource):
    """A backup destination: `/v1/backup-destinations/{backupDestinationId}`."""

    async def get(self) -> CustomDestination:
        """Get the backup destination.

        Raises:
            NotFound: the destination does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/get-backup-destination
        """
        return await self._fetch(CustomDestination)

    def backups(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[DestinationBackup]:
        """List the backups in the destination, of all projects and addons.

        Args:
            per_page: backups per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/team/backup-destinations/list-destinations-backups
        """
        return self._paginate("/backups", DestinationBackup, items=None, per_page=per_page, page=page, cursor=cursor)

    async def update(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        credentials: DestinationCredentials | None = None,
    ) -> None:
        """Update the backup destination. Omitted arguments leave their values unchanged.

        Args:
            name: 3 to 100 letters and digits, separated by single spaces or `-`.
            description: at most 200 characters.
            credentials: the bucket, and its access keys or a workload identity.

        Raises:
            ConfigurationError: an argument is invalid, or all are omitted.
            NotFound: the destination does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/patch-backup-destination
        """
        body = destination_changes(name=name, description=description, credentials=credentials)
        await self._send_change("PATCH", json=body)

    async def delete(self) -> None:
        """Delete the backup destination. The contents of the bucket are kept.

        Raises:
            NotFound: the destination does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/delete-backup-destination
        """
        await self._send_change("DELETE")
