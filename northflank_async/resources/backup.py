import os
from pathlib import Path
from typing import Unpack

from northflank_async.download import Progress, Resume, Sink, download, transfer
from northflank_async.http.redaction import Secret
from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import Backup, LogLine, Restore
from northflank_async.records.download import DownloadLink
from northflank_async.records.restore import StartedRestore
from northflank_async.resources.arguments import source_query
from northflank_async.resources.logs import LogFilters, log_query
from northflank_async.resources.resource import Resource
from northflank_async.resources.wait import Poll, wait_until_final


class BackupResource(Resource):
    """A backup of an addon: `…/backups/{backupId}`."""

    async def get(self) -> Backup:
        """Get the backup, with its `last_restore`.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup
        """
        return await self._fetch(Backup)

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
            source_project_id: for a global backup, the id of its source project.
            source_addon_id: for a global backup, the id of its source addon.
            per_page: restores per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: an argument is invalid.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backup-restores
        """
        source = source_query(source_project_id, source_addon_id)
        return self._paginate(
            "/restores",
            Restore,
            items="restores",
            per_page=per_page,
            page=page,
            cursor=cursor,
            params=source,
            is_optional=True,
        )

    async def restore(self, *, source_project_id: str | None = None, source_addon_id: str | None = None) -> str:
        """Start a restore, which overwrites the addon's data. `wait_restore()` waits until it has ended.

        Args:
            source_project_id: for a global backup, the id of its source project.
            source_addon_id: for a global backup, the id of its source addon.

        Returns:
            The restore's id.

        Raises:
            ConfigurationError: an argument is not a valid id.
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/restore-addon-backup
        """
        source = source_query(source_project_id, source_addon_id)
        return (await self._create("/restore", StartedRestore, params=source)).restore_id

    async def abort(self) -> None:
        """Abort the backup, which must be scheduled or running.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure; for example, the backup has already ended.

        https://northflank.com/docs/v1/api/project/addons/abort-backup
        """
        await self._send_change("POST", "/abort")

    async def abort_restore(
        self, restore_id: str, *, source_project_id: str | None = None, source_addon_id: str | None = None
    ) -> None:
        """Abort a restore of the backup, which must be scheduled or running.

        Args:
            restore_id: the id that `restore()` returned.
            source_project_id: for a global backup, the id of its source project.
            source_addon_id: for a global backup, the id of its source addon.

        Raises:
            ConfigurationError: an argument is not a valid id.
            NotFound: the backup or the restore does not exist, or the token has no access to it.
            NorthflankError: any other failure; for example, the restore has already ended.

        https://northflank.com/docs/v1/api/project/addons/abort-backup-restore
        """
        source = source_query(source_project_id, source_addon_id)
        segment("the restore id", restore_id)
        await self._send_change("POST", "/abort-restore", params=source, json={"restoreId": restore_id})

    async def retain(self) -> None:
        """Keep the backup after its retention period ends.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/retain-backup
        """
        await self._send_change("POST", "/retain")

    async def delete(self) -> None:
        """Delete the backup permanently.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/delete-addon-backup
        """
        await self._send_change("DELETE")

    async def download_link(self) -> str:
        """Get a temporary link to the backup's file. Anyone with the link can download it; its repr is hidden.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure; for example, the backup is not a dump.

        https://northflank.com/docs/v1/api/project/addons/get-backup-download-link
        """
        return Secret((await self._fetch(DownloadLink, "/download-link")).download_link)

    async def download(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> Path:
        """Download the backup to a file with an atomic write: the file appears complete or not at all.

        An interrupted transfer is resumed if the storage service confirms that its file is unchanged, and otherwise
        restarted. An expired link is replaced. Requests to the storage service do not count toward the rate limit.

        Args:
            path: the file, which is replaced if it exists. A `.part` file beside it holds the data until then.
            progress: called with the bytes downloaded and the total, which is `None` if the service does not send it.

        Returns:
            The path.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            TransportError: the storage service rejects the link, or all attempts in a row received no data.
            NorthflankError: any other failure; for example, the backup is not a dump.
            OSError: the file cannot be written.

        https://northflank.com/docs/v1/api/project/addons/get-backup-download-link
        """
        work = download(Path(path), self.download_link, transport=self._transport, progress=progress)
        return await self._transport.until_closed(work)

    async def download_into(
        self, sink: Sink, *, progress: Progress | None = None, resume: Resume | None = None
    ) -> None:
        """Download the backup to something else than a file, such as an upload to an object store. See `download`.

        Args:
            sink: is told to begin with the first byte, at least once unless there is something to resume, and is passed
                the bytes in order.
            progress: called with the bytes downloaded and the total, which is `None` if the service does not send it.
            resume: what the sink has already: the rest is requested, if the storage service has the same file.

        Raises:
            NotFound: the backup does not exist, or the token has no access to it.
            TransportError: the storage service rejects the link, or all attempts in a row received no data.
            NorthflankError: any other failure; for example, the backup is not a dump.

        https://northflank.com/docs/v1/api/project/addons/get-backup-download-link
        """
        work = transfer(sink, self._id, self.download_link, transport=self._transport, progress=progress, resume=resume)
        await self._transport.until_closed(work)

    async def logs(self, **filters: Unpack[LogFilters]) -> list[LogLine]:
        """Get the logs of the backup, with one request. Only dumps have logs.

        Args:
            filters: see `LogFilters`, such as `logs(line_limit=100, direction="forward")`.

        Raises:
            ConfigurationError: a filter is invalid.
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup-logs
        """
        return await self._fetch_logs("/logs", filters)

    async def restore_logs(self, restore_id: str, **filters: Unpack[LogFilters]) -> list[LogLine]:
        """Get the logs of a restore of the backup, with one request.

        Args:
            restore_id: the id that `restore()` returned.
            filters: see `LogFilters`, such as `restore_logs("r", text_includes="error")`.

        Raises:
            ConfigurationError: a filter is invalid, or the id is not a valid path segment.
            NotFound: the backup or the restore does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-restore-logs
        """
        return await self._fetch_logs(f"/restores/{segment('the restore id', restore_id)}/logs", filters)

    async def wait(self, timeout: float | None = None) -> Backup:
        """Wait until the backup has ended, and return it.

        Polls with pauses that grow from 2 to 30 seconds, and less often when the rate limit is nearly
        spent: waiters together use at most half of the remaining requests. An error here does not stop the backup;
        call `wait()` again. A new backup may be missing for the first 30 seconds.

        Args:
            timeout: seconds; `None` waits without a limit.

        Raises:
            ConfigurationError: `timeout` is not a number greater than 0.
            RunFailed: the backup failed, was aborted or is not supported, or ended with an unknown status; `record` is
                the backup.
            TimeoutError: the backup has not ended within `timeout` seconds.
            NotFound: the backup does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup
        """

        async def fetch() -> Poll[Backup]:
            return Poll(await self.get())

        return await self._transport.until_closed(
            wait_until_final(fetch, name=f"the backup {self._id}", budget=self._transport.budget, timeout=timeout)
        )

    async def wait_restore(
        self,
        restore_id: str,
        timeout: float | None = None,
        *,
        source_project_id: str | None = None,
        source_addon_id: str | None = None,
    ) -> Restore:
        """Wait until a restore of the backup has ended, and return it. Polls like `wait()`.

        Args:
            restore_id: the id that `restore()` returned.
            timeout: seconds; `None` waits without a limit.
            source_project_id: for a global backup, the id of its source project.
            source_addon_id: for a global backup, the id of its source addon.

        Raises:
            ConfigurationError: an argument is not a valid id, or `timeout` is not a number greater than 0.
            RunFailed: the restore failed, was aborted or is not supported, or ended with an unknown status; `record` is
                the restore.
            TimeoutError: the restore has not ended within `timeout` seconds.
            NotFound: the backup or the restore does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backup-restores
        """
        segment("the restore id", restore_id)
        restores = self.restores(source_project_id=source_project_id, source_addon_id=source_addon_id)

        async def find() -> Poll[Restore]:
            requests = 0
            async for page in restores.pages():
                requests += 1
                for restore in page.read():
                    if isinstance(restore, Restore):
                        if restore.id == restore_id:
                            return Poll(restore, requests)
                    elif isinstance(restore.raw, dict) and restore.raw.get("id") == restore_id:
                        raise restore
            return Poll(None, requests)

        name = f"the restore {restore_id} of the backup {self._id}"
        return await self._transport.until_closed(
            wait_until_final(find, name=name, budget=self._transport.budget, timeout=timeout)
        )

    async def _fetch_logs(self, subpath: str, filters: LogFilters) -> list[LogLine]:
        envelope = await self._transport.send("GET", f"{self._path}{subpath}", log_query(filters))
        return envelope.records(LogLine)
