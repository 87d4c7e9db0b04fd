from collections.abc import Sequence

from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import BackupSchedule, ScheduleInterval, ScheduleIntervalName, Volume, VolumeBackup
from northflank_async.records.schedule import CreatedSchedule
from northflank_async.resources.arguments import volume_backup_body, volume_schedule_body
from northflank_async.resources.resource import Resource


class VolumeResource(Resource):
    """A volume of a project: `…/volumes/{volumeId}`."""

    async def get(self) -> Volume:
        """Get the volume.

        Raises:
            NotFound: the volume does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/get-volume
        """
        return await self._fetch(Volume)

    def backups(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[VolumeBackup]:
        """List the backups of the volume.

        Args:
            per_page: backups per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/volumes/get-volume-backups
        """
        return self._paginate("/backups", VolumeBackup, items=None, per_page=per_page, page=page, cursor=cursor)

    async def create_backup(self, *, name: str, description: str | None = None) -> VolumeBackup:
        """Start a backup of the volume.

        Args:
            name: 3 to 39 letters and digits, separated by single spaces or `-`, with a letter first.
            description: at most 200 characters.

        Raises:
            ConfigurationError: an argument is invalid.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/backup-volume
        """
        body = volume_backup_body(name=name, description=description)
        return await self._create("/backups", VolumeBackup, json=body)

    def backup_schedules(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[BackupSchedule]:
        """List the backup schedules of the volume.

        Args:
            per_page: schedules per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/volumes/get-volume-backup-schedules
        """
        return self._paginate(
            "/backup-schedules",
            BackupSchedule,
            items="schedules",
            per_page=per_page,
            page=page,
            cursor=cursor,
            is_optional=True,
        )

    async def create_backup_schedule(
        self,
        *,
        interval: ScheduleIntervalName | ScheduleInterval,
        minute: Sequence[int],
        hour: Sequence[int] = (),
        day: Sequence[int] = (),
        retention_time: int,
    ) -> str:
        """Create a backup schedule. A volume can have one for each interval; its backups are snapshots.

        Args:
            interval: `"hourly"`, `"daily"` or `"weekly"`.
            minute: minutes of the hour, 0 to 59.
            hour: hours of the day, 0 to 23; required for daily and weekly schedules, not valid for hourly ones.
            day: days of the week, 0 (Monday) to 6; required for weekly schedules, not valid for others.
            retention_time: retention in days: up to 7 for hourly, 60 for daily and 120 for weekly schedules.

        Returns:
            The schedule's id.

        Raises:
            ConfigurationError: an argument is invalid, or not valid for the interval.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/create-volume-backup-schedule
        """
        body = volume_schedule_body(interval=interval, minute=minute, hour=hour, day=day, retention_time=retention_time)
        return (await self._create("/backup-schedules", CreatedSchedule, json=body)).id

    async def delete_backup_schedule(self, schedule_id: str) -> None:
        """Delete a backup schedule. Its backups are kept.

        Raises:
            ConfigurationError: the id is not a valid path segment.
            NotFound: the schedule does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/delete-volume-backup-schedule
        """
        await self._send_change("DELETE", f"/backup-schedules/{segment('the schedule id', schedule_id)}")

    def backup(self, backup_id: str) -> "VolumeBackupResource":
        """The backup of the volume with this id. Sends no request.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return VolumeBackupResource(self._transport, f"{self._path}/backups/{segment('the backup id', backup_id)}")


class VolumeBackupResource(Resource):
    """A backup of a volume: `…/volumes/{volumeId}/backups/{backupId}`."""

    async def get(self) -> VolumeBackup:
        """Get the backup.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/get-volume-backup-details
        """
        return await self._fetch(VolumeBackup)

    async def delete(self) -> None:
        """Delete the backup permanently.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/volumes/delete-volume-backup
        """
        await self._send_change("DELETE")
