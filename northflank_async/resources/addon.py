from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from northflank_async.errors import DecodeError
from northflank_async.http.redaction import as_secret
from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import (
    Addon,
    AddonCredentials,
    Backup,
    BackupDestination,
    BackupSchedule,
    BackupType,
    BackupTypeName,
    CompressionType,
    CompressionTypeName,
    Restore,
    ScheduleInterval,
    ScheduleIntervalName,
)
from northflank_async.records.schedule import CreatedSchedule
from northflank_async.resources.arguments import backup_body, import_body, schedule_body
from northflank_async.resources.backup import BackupResource
from northflank_async.resources.resource import Resource
from northflank_async.resources.wait import Poll, wait_until_final


class AddonResource(Resource):
    """An addon of a project: `…/addons/{addonId}`."""

    async def get(self) -> Addon:
        """Get the addon.

        Raises:
            NotFound: the addon does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon
        """
        return await self._fetch(Addon)

    async def wait(self, timeout: float | None = None) -> Addon:
        """Wait until the addon is running, and return it. Polls like `BackupResource.wait()`.

        An error here does not stop the addon: call `wait()` again. A new addon may be missing for the first 30 seconds.

        Args:
            timeout: seconds; `None` waits without a limit, also for an addon that is paused.

        Raises:
            ConfigurationError: `timeout` is not a number greater than 0.
            RunFailed: the addon failed, could not be allocated, or is being deleted; `record` is the addon.
            TimeoutError: the addon is not running within `timeout` seconds.
            NotFound: the addon does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon
        """

        async def fetch() -> Poll[Addon]:
            return Poll(await self.get())

        return await self._transport.until_closed(
            wait_until_final(fetch, name=f"the addon {self._id}", budget=self._transport.budget, timeout=timeout)
        )

    async def credentials(self) -> AddonCredentials:
        """Get what a client of the addon needs to connect. No repr shows the values, which are text.

        Raises:
            NotFound: the addon does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-credentials
        """
        found = await self._fetch(AddonCredentials, "/credentials")
        return AddonCredentials(secrets=_hidden(found.secrets), envs=found.envs and _hidden(found.envs))

    async def delete(self) -> None:
        """Delete the addon with its data permanently.

        Raises:
            NotFound: the addon does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/delete-addon
        """
        await self._send_change("DELETE")

    def backups(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Backup]:
        """List the backups of the addon.

        Args:
            per_page: backups per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        return self._paginate("/backups", Backup, items="backups", per_page=per_page, page=page, cursor=cursor)

    def restores(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Restore]:
        """List the restores of all the addon's backups, with their `backup_id`.

        Args:
            per_page: restores per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-restores
        """
        return self._paginate("/restores", Restore, items="restores", per_page=per_page, page=page, cursor=cursor)

    def backup(self, backup_id: str) -> BackupResource:
        """The backup with this id. Sends no request.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return BackupResource(self._transport, f"{self._path}/backups/{segment('the backup id', backup_id)}")

    async def create_backup(
        self,
        *,
        name: str | None = None,
        backup_type: BackupTypeName | BackupType | None = None,
        compression_type: CompressionTypeName | CompressionType | None = None,
        custom_destination_id: str | None = None,
        additional_destinations: Sequence[BackupDestination] = (),
    ) -> Backup:
        """Start a backup of the addon. The returned backup is scheduled; `backup(…).wait()` waits until it has ended.

        If the response lacks `status` or `created_at`, they are `"unknown"` and the current time.

        Args:
            name: 3 to 39 letters and digits, separated by single spaces, `-`, `/` or `:`; defaults to a generated name.
            backup_type: `"snapshot"` (default) or `"dump"`.
            compression_type: `"gz"` (default) or `"zstd"`; for dumps only.
            custom_destination_id: the backup destination to use instead of Northflank's storage; for dumps only.
            additional_destinations: additional destinations, each with its retention in days; for snapshots only.

        Raises:
            ConfigurationError: an argument is invalid, or not valid for the backup type.
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
        return await self._create("/backups", Backup, json=body, defaults=_missing_fields())

    async def import_backup(
        self,
        *,
        url: str | None = None,
        connection_string: str | None = None,
        name: str | None = None,
        import_all_databases: bool | None = None,
        compression_type: CompressionTypeName | CompressionType | None = None,
        custom_destination_id: str | None = None,
    ) -> Backup | None:
        """Start the import of a backup from a URL or a live database. It is then listed in `backups()`.

        Args:
            url: the URL of a `.gz` file; no message shows it.
            connection_string: the connection string of a live database; no message shows it.
            name: 3 to 39 letters and digits, separated by single spaces, `-`, `/` or `:`; defaults to a generated name.
            import_all_databases: import all databases, not only the one in the connection string.
            compression_type: `"gz"` (default) or `"zstd"`; with a connection string only.
            custom_destination_id: the backup destination to use instead of Northflank's storage.

        Returns:
            The backup, or `None` if the response does not contain it: the API does not document the response.

        Raises:
            ConfigurationError: an argument is invalid, or not valid for this source.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/import-addon-backup
        """
        url, connection_string = as_secret(url), as_secret(connection_string)  # error reports show locals
        body = import_body(
            url=url,
            connection_string=connection_string,
            name=name,
            import_all_databases=import_all_databases,
            compression_type=compression_type,
            custom_destination_id=custom_destination_id,
        )
        envelope = await self._send_change("POST", "/import", json=body)
        try:
            return envelope.change(Backup, _missing_fields()) if envelope else None
        except DecodeError:  # the import has started anyway
            return None

    def backup_schedules(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[BackupSchedule]:
        """List the backup schedules of the addon.

        Args:
            per_page: schedules per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup-schedules
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
        backup_type: BackupTypeName | BackupType,
        retention_time: int,
        compression_type: CompressionTypeName | CompressionType | None = None,
        custom_destination_id: str | None = None,
        additional_destinations: Sequence[BackupDestination] = (),
    ) -> str:
        """Create a backup schedule. An addon can have up to three: one for each interval and backup type.

        A schedule keeps at most 500 backups.

        Args:
            interval: `"hourly"`, `"daily"` or `"weekly"`.
            minute: minutes of the hour, 0 to 59.
            hour: hours of the day, 0 to 23; required for daily and weekly schedules, not valid for hourly ones.
            day: days of the week, 0 (Monday) to 6; required for weekly schedules, not valid for others.
            backup_type: `"snapshot"` or `"dump"`.
            retention_time: retention in days: up to 7 for hourly, 60 for daily and 120 for weekly schedules.
            compression_type: `"gz"` (default) or `"zstd"`; for dumps only.
            custom_destination_id: the backup destination to use instead of Northflank's storage; for dumps only.
            additional_destinations: additional destinations, each with its retention in days; for snapshots only.

        Returns:
            The schedule's id.

        Raises:
            ConfigurationError: an argument is invalid, or not valid for the interval or the backup type.
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
        return (await self._create("/backup-schedules", CreatedSchedule, json=body)).id

    async def delete_backup_schedule(self, schedule_id: str) -> None:
        """Delete a backup schedule. Its backups are kept.

        Raises:
            ConfigurationError: the id is not a valid path segment.
            NotFound: the schedule does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/delete-addon-backup-schedule
        """
        await self._send_change("DELETE", f"/backup-schedules/{segment('the schedule id', schedule_id)}")


def _hidden(values: dict[str, Any]) -> dict[str, Any]:
    return {name: as_secret(value) for name, value in values.items()}


def _missing_fields() -> dict[str, str]:
    """What stands for the required fields of a backup that has just been started, where the response lacks them."""
    return {"status": "unknown", "createdAt": datetime.now(UTC).isoformat()}
