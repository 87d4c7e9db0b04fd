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
            NotFound: there is no such destination, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/get-backup-destination
        """
        return await self._get(CustomDestination)

    def backups(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[DestinationBackup]:
        """List the backups that are stored in the destination, of all projects and addons.

        Args:
            per_page: backups a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/team/backup-destinations/list-destinations-backups
        """
        return self._list("backups", DestinationBackup, items=None, per_page=per_page, page=page, cursor=cursor)

    async def update(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        credentials: DestinationCredentials | None = None,
    ) -> None:
        """Change the backup destination; what is left out stays as it is.

        Args:
            name: 3 to 100 letters and digits, with single `-` or spaces between.
            description: 200 characters at the most.
            credentials: how the bucket is reached; all of them.

        Raises:
            ConfigurationError: an argument is not as documented, or there is none.
            NotFound: there is no such destination, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/patch-backup-destination
        """
        body = destination_changes(name=name, description=description, credentials=credentials)
        await self._change("PATCH", json=body)

    async def delete(self) -> None:
        """Delete the backup destination. What is in the bucket stays there.

        Raises:
            NotFound: there is no such destination, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/delete-backup-destination
        """
        await self._change("DELETE")
