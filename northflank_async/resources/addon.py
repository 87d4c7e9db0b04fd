from collections.abc import Sequence

from northflank_async.errors import DecodeError
from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.http.response import Envelope
from northflank_async.paging import Paginator
from northflank_async.records import (
    Addon,
    Backup,
    BackupDestination,
    BackupSchedule,
    BackupType,
    CompressionType,
    Restore,
    ScheduleInterval,
    structure,
)
from northflank_async.records.schedule import CreatedSchedule
from northflank_async.resources.arguments import backup_body, hidden, import_body, schedule_body
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
        return self._list("backups", Backup, items="backups", per_page=per_page, page=page, cursor=cursor)

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
        return self._list("restores", Restore, items="restores", per_page=per_page, page=page, cursor=cursor)

    def backup(self, backup_id: str) -> BackupResource:
        """One backup, by its id. Nothing is sent.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
        """
        return BackupResource(self._transport, f"{self._path}/backups/{segment('the backup id', backup_id)}")

    async def create_backup(
        self,
        *,
        name: str | None = None,
        backup_type: BackupType | str | None = None,
        compression_type: CompressionType | str | None = None,
        custom_destination_id: str | None = None,
        additional_destinations: Sequence[BackupDestination] = (),
    ) -> Backup:
        """Start a backup. It is scheduled when this returns; `backup(…).wait()` waits for its end.

        Args:
            name: 3 to 39 letters and digits, with single `-`, `/`, `:` or spaces between; else the API makes one up.
            backup_type: `"snapshot"`, which is the default, or `"dump"`.
            compression_type: `"gz"`, which is the default, or `"zstd"`; of a dump.
            custom_destination_id: the backup destination that a dump is stored in, instead of Northflank's own.
            additional_destinations: more destinations for a snapshot, each with its retention time in days.

        Raises:
            ConfigurationError: an argument is not as documented, or does not go with the backup type.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/backup-addon
        """
        body = backup_body(
            name=name,
            backup_type=backup_type,
            compression_type=compression_type,
            custom_destination_id=custom_destination_id,
            additional_destinations=additional_destinations,
        )
        return await self._call("POST", Backup, "/backups", json=body)

    async def import_backup(
        self,
        *,
        url: str | None = None,
        connection_string: str | None = None,
        name: str | None = None,
        import_all_databases: bool | None = None,
        compression_type: CompressionType | str | None = None,
        custom_destination_id: str | None = None,
    ) -> Backup | None:
        """Start an import from an archive's URL or from a live database. It becomes one of the addon's `backups()`.

        Args:
            url: where a `.gz` file is; it shows in no message.
            connection_string: of a live database; it shows in no message.
            name: 3 to 39 letters and digits, with single `-`, `/`, `:` or spaces between; else the API makes one up.
            import_all_databases: of a live database, every one that is found, or the one of the connection string.
            compression_type: `"gz"`, which is the default, or `"zstd"`; for a live database.
            custom_destination_id: the backup destination that it is stored in, instead of Northflank's own.

        Returns:
            The backup, where the API answers with it: that is not documented.

        Raises:
            ConfigurationError: an argument is not as documented, or does not go with where the import is from.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/import-addon-backup
        """
        url, connection_string = hidden(url), hidden(connection_string)  # reports of failures show locals
        body = import_body(
            url=url,
            connection_string=connection_string,
            name=name,
            import_all_databases=import_all_databases,
            compression_type=compression_type,
            custom_destination_id=custom_destination_id,
        )
        return await self._transport.send("POST", f"{self._path}/import", _backup_if_any, json=body)

    def backup_schedules(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[BackupSchedule]:
        """List the addon's backup schedules.

        Args:
            per_page: schedules a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup-schedules
        """
        return self._list(
            "backup-schedules", BackupSchedule, items="schedules", per_page=per_page, page=page, cursor=cursor
        )

    async def create_backup_schedule(
        self,
        *,
        interval: ScheduleInterval | str,
        minute: Sequence[int],
        hour: Sequence[int] = (),
        day: Sequence[int] = (),
        backup_type: BackupType | str,
        retention_time: int,
        compression_type: CompressionType | str | None = None,
        custom_destination_id: str | None = None,
        additional_destinations: Sequence[BackupDestination] = (),
    ) -> str:
        """Create a backup schedule. An addon has one for each interval and backup type.

        Args:
            interval: `"hourly"`, `"daily"` or `"weekly"`.
            minute: minutes of the hour, 0 to 59.
            hour: hours of the day, 0 to 23; of a daily or weekly schedule.
            day: days of the week, 0 (Monday) to 6; of a weekly schedule.
            backup_type: `"snapshot"` or `"dump"`.
            retention_time: days for which each backup is kept.
            compression_type: `"gz"`, which is the default, or `"zstd"`; of dumps.
            custom_destination_id: the backup destination that dumps are stored in, instead of Northflank's own.
            additional_destinations: more destinations for snapshots, each with its retention time in days.

        Returns:
            The schedule's id.

        Raises:
            ConfigurationError: an argument is not as documented, or does not go with the interval or backup type.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/create-addon-backup-schedule
        """
        body = schedule_body(
            interval=interval,
            minute=minute,
            hour=hour,
            day=day,
            backup_type=backup_type,
            retention_time=retention_time,
            compression_type=compression_type,
            custom_destination_id=custom_destination_id,
            additional_destinations=additional_destinations,
        )
        return (await self._call("POST", CreatedSchedule, "/backup-schedules", json=body)).id

    async def delete_backup_schedule(self, schedule_id: str) -> None:
        """Delete a backup schedule. The backups that it has made stay.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
            NotFound: there is no such schedule, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/delete-addon-backup-schedule
        """
        await self._change("DELETE", f"/backup-schedules/{segment('the schedule id', schedule_id)}")


def _backup_if_any(envelope: Envelope) -> Backup | None:
    try:
        return structure(envelope.data, Backup, "data")
    except DecodeError:  # the import has begun all the same
        return None
