import os
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from northflank_async.download import Progress, download
from northflank_async.http.redaction import Secret
from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import Backup, LogLine, Restore
from northflank_async.records.download import DownloadLink
from northflank_async.records.restore import StartedRestore
from northflank_async.resources.arguments import log_query, source_query
from northflank_async.resources.resource import Resource, read_items
from northflank_async.resources.wait import until_ended


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
            ConfigurationError: an argument is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backup-restores
        """
        source = source_query(source_project_id, source_addon_id)
        return self._list(
            "restores", Restore, items="restores", per_page=per_page, page=page, cursor=cursor, params=source
        )

    async def restore(self, *, source_project_id: str | None = None, source_addon_id: str | None = None) -> str:
        """Start a restore of the backup, which overwrites the addon's data. `wait_restore()` waits for its end.

        Args:
            source_project_id: for a global backup, the project whose addon made it.
            source_addon_id: for a global backup, the addon that made it.

        Returns:
            The restore's id.

        Raises:
            ConfigurationError: an argument is no id.
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/restore-addon-backup
        """
        source = source_query(source_project_id, source_addon_id)
        return (await self._call("POST", StartedRestore, "/restore", params=source)).restore_id

    async def abort(self) -> None:
        """Abort the backup, which has to be under way.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure, such as one that has ended already.

        https://northflank.com/docs/v1/api/project/addons/abort-backup
        """
        await self._change("POST", "/abort")

    async def abort_restore(
        self, restore_id: str, *, source_project_id: str | None = None, source_addon_id: str | None = None
    ) -> None:
        """Abort a restore of the backup, which has to be under way.

        Args:
            restore_id: what `restore()` returned.
            source_project_id: for a global backup, the project whose addon made it.
            source_addon_id: for a global backup, the addon that made it.

        Raises:
            ConfigurationError: an argument is no id.
            NotFound: there is no such backup or restore, or the token cannot see it.
            NorthflankError: any other failure, such as one that has ended already.

        https://northflank.com/docs/v1/api/project/addons/abort-backup-restore
        """
        source = source_query(source_project_id, source_addon_id)
        segment("the restore id", restore_id)
        await self._change("POST", "/abort-restore", params=source, json={"restoreId": restore_id})

    async def retain(self) -> None:
        """Keep the backup when its retention time is over.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/retain-backup
        """
        await self._change("POST", "/retain")

    async def delete(self) -> None:
        """Delete the backup, for good.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/delete-addon-backup
        """
        await self._change("DELETE")

    async def download_link(self) -> str:
        """Get a link to the backup's file. It works for a while, for whoever has it; its repr does not show it.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure, such as a backup that is no dump.

        https://northflank.com/docs/v1/api/project/addons/get-backup-download-link
        """
        return Secret((await self._get(DownloadLink, "/download-link")).download_link)

    async def download(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> Path:
        """Download the backup into a file, which appears when it is complete, and not at all if it fails.

        A transfer that breaks off is gone on with where the storage can tell that the file is still the same, else it
        begins anew; a link that has expired is replaced. The requests to the storage are none of the hour's.

        Args:
            path: the file; one that is there is replaced. In the meantime there is a `.part` file beside it.
            progress: is called with the bytes that are there, and of how many; `None` where the storage does not say.

        Returns:
            The path.

        Raises:
            NotFound: there is no such backup, or the token cannot see it.
            TransportError: the storage refuses, or nothing more has come in as many attempts as the client makes.
            NorthflankError: any other failure, such as a backup that is no dump.
            OSError: the file cannot be written.

        https://northflank.com/docs/v1/api/project/addons/get-backup-download-link
        """
        work = download(Path(path), self.download_link, transport=self._transport, progress=progress)
        return await self._transport.until_closed(work)

    async def logs(
        self,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        duration: int | None = None,
        line_limit: int | None = None,
        direction: Literal["backward", "forward"] | None = None,
        text_includes: str | None = None,
        text_not_includes: str | None = None,
        regex_includes: str | None = None,
        regex_not_includes: str | None = None,
        container_name: str | None = None,
    ) -> list[LogLine]:
        """Get what the backup has logged, with one request; only a dump logs.

        Args:
            start_time: only lines after this time, which needs a time zone.
            end_time: only lines before this time, which needs a time zone.
            duration: seconds from the start or until the end; goes with one of the two at most.
            line_limit: lines at the most.
            direction: `"forward"` for the oldest line first, `"backward"` for the newest.
            text_includes: only lines with this text.
            text_not_includes: only lines without it.
            regex_includes: only lines that match this regular expression.
            regex_not_includes: only lines that do not.
            container_name: only lines of this container.

        Raises:
            ConfigurationError: an argument is out of range, or does not go with another one.
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup-logs
        """
        query = log_query(
            start_time=start_time,
            end_time=end_time,
            duration=duration,
            line_limit=line_limit,
            direction=direction,
            text_includes=text_includes,
            text_not_includes=text_not_includes,
            regex_includes=regex_includes,
            regex_not_includes=regex_not_includes,
            container_name=container_name,
        )
        return await self._logs("/logs", query)

    async def restore_logs(
        self,
        restore_id: str,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        duration: int | None = None,
        line_limit: int | None = None,
        direction: Literal["backward", "forward"] | None = None,
        text_includes: str | None = None,
        text_not_includes: str | None = None,
        regex_includes: str | None = None,
        regex_not_includes: str | None = None,
        container_name: str | None = None,
    ) -> list[LogLine]:
        """Get what a restore of the backup has logged, with one request.

        Args:
            restore_id: what `restore()` returned.
            start_time: only lines after this time, which needs a time zone.
            end_time: only lines before this time, which needs a time zone.
            duration: seconds from the start or until the end; goes with one of the two at most.
            line_limit: lines at the most.
            direction: `"forward"` for the oldest line first, `"backward"` for the newest.
            text_includes: only lines with this text.
            text_not_includes: only lines without it.
            regex_includes: only lines that match this regular expression.
            regex_not_includes: only lines that do not.
            container_name: only lines of this container.

        Raises:
            ConfigurationError: an argument is out of range, or does not go with another one.
            NotFound: there is no such backup or restore, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-restore-logs
        """
        query = log_query(
            start_time=start_time,
            end_time=end_time,
            duration=duration,
            line_limit=line_limit,
            direction=direction,
            text_includes=text_includes,
            text_not_includes=text_not_includes,
            regex_includes=regex_includes,
            regex_not_includes=regex_not_includes,
            container_name=container_name,
        )
        return await self._logs(f"/restores/{segment('the restore id', restore_id)}/logs", query)

    async def wait(self, timeout: float | None = None) -> Backup:
        """Wait until the backup has ended, and get it.

        It is asked for every 2 seconds, then more and more rarely down to every 30, and still more rarely where that
        would use up the hour's requests. If this fails on its way, the backup goes on, and can be waited for again.

        Args:
            timeout: seconds; else as long as it takes.

        Raises:
            ConfigurationError: `timeout` is not more than 0 seconds.
            RunFailed: it failed, was aborted or is not supported; `record` is the backup.
            TimeoutError: it has not ended in time.
            NotFound: there is no such backup, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/get-addon-backup
        """
        return await self._transport.until_closed(
            until_ended(self.get, name=f"the backup {self._name}", budget=self._transport.budget, timeout=timeout)
        )

    async def wait_restore(
        self,
        restore_id: str,
        timeout: float | None = None,
        *,
        source_project_id: str | None = None,
        source_addon_id: str | None = None,
    ) -> Restore:
        """Wait until a restore of the backup has ended, and get it; it is asked for as rarely as by `wait()`.

        Args:
            restore_id: what `restore()` returned.
            timeout: seconds; else as long as it takes.
            source_project_id: for a global backup, the project whose addon made it.
            source_addon_id: for a global backup, the addon that made it.

        Raises:
            ConfigurationError: an argument is no id, or no time.
            RunFailed: it failed, was aborted or is not supported; `record` is the restore.
            TimeoutError: it has not ended in time.
            NotFound: there is no such backup or restore, or the token cannot see it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backup-restores
        """
        segment("the restore id", restore_id)
        restores = self.restores(source_project_id=source_project_id, source_addon_id=source_addon_id)

        async def find() -> Restore | None:
            async for restore in restores:
                if restore.id == restore_id:
                    return restore
            return None

        name = f"the restore {restore_id} of the backup {self._name}"
        return await self._transport.until_closed(
            until_ended(find, name=name, budget=self._transport.budget, timeout=timeout)
        )

    async def _logs(self, at: str, query: dict[str, Any]) -> list[LogLine]:
        return await self._transport.send(
            "GET", f"{self._path}{at}", lambda envelope: read_items(envelope.data, LogLine), params=query
        )
