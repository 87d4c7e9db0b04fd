"""A drill: a backup is restored into a scratch addon, which is checked and then removed."""

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from northflank_async.drill.cancellation import complete
from northflank_async.drill.checks import (
    Connection,
    check_command,
    check_containers,
    check_query_possible,
)
from northflank_async.drill.checks import check_query as run_query
from northflank_async.drill.plan import IMPORT, Plan, make_plan
from northflank_async.drill.scratch import Mark, find_scratch, remove_scratch
from northflank_async.errors import (
    ConfigurationError,
    DeadlineExceeded,
    DecodeError,
    NorthflankError,
    NotFound,
    RunFailed,
)
from northflank_async.http.redaction import Redactor, Secret
from northflank_async.http.request import segment
from northflank_async.inventory.drills import Check, CheckStatus, Drill, DrillOutcome
from northflank_async.records import Addon, AddonStatus, LogLine
from northflank_async.resources import AccountResource, AddonResource, BackupResource
from northflank_async.validation import check_boolean, check_seconds

if TYPE_CHECKING:  # it needs the extra `sql`
    from northflank_async.inventory.inventory import Inventory

T = TypeVar("T")

TIMEOUT = 3600.0
"""Seconds for the restore and the checks."""
CHECK_TIMEOUT = 300.0
"""Seconds for each check that the user names."""

_APPEARANCE_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between looks for what a request without a response may have started."""
_BUSY_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between attempts to store the result, while another process writes to the inventory."""
_LOG_LINES = 20
_SHOWN_LOGS = 4_000
"""Characters."""
_log = logging.getLogger("northflank_async")


async def drill(
    account: AccountResource,
    project_id: str,
    addon_id: str,
    *,
    scratch_project_id: str,
    backup_id: str | None = None,
    check: str | None = None,
    check_query: str | None = None,
    check_timeout: float = CHECK_TIMEOUT,
    timeout: float = TIMEOUT,
    keep: bool = False,
    allow_source_project: bool = False,
    inventory: "Inventory | None" = None,
) -> Drill:
    """Restore a backup into a new addon, check it, and remove the addon. This costs money while the addon exists.

    The addon is removed however the drill ends: also if it fails or is cancelled, any number of times. If the process
    is killed, `find_leftovers()` finds the addon. A snapshot is forked; a dump is imported from its download link into
    a blank addon and restored there.

    Args:
        account: the client or team.
        project_id: the project of the addon.
        addon_id: the addon.
        scratch_project_id: the project in which the new addon is created.
        backup_id: the backup; the newest completed one by default.
        check: a command for the shell of this machine; exit code 0 passes. It finds how to connect in its environment:
            each of the addon's credentials, such as `DRILL_PASSWORD`.
        check_query: a statement for an addon of PostgreSQL, through psycopg; it passes if the first value of its
            result is not NULL, false or 0.
        check_timeout: seconds for the command, and for the query.
        timeout: seconds for the restore and the checks together.
        keep: leave the new addon, unless the drill is cancelled.
        allow_source_project: let `scratch_project_id` be the addon's own project.
        inventory: an open inventory that the result is stored in. It also has the drill while that is running.

    Returns:
        The result, also if the restore or a check failed, or a request after the first ones.

    Raises:
        ConfigurationError: an argument is invalid, or the inventory cannot have the drill. Nothing was created.
        NorthflankError: the addon, its backups or the scratch project cannot be read. Nothing was created.
        OSError: the inventory cannot be written. Nothing was created.

    https://northflank.com/docs/v1/api/project/addons/create-addon
    """
    _check_arguments(check, check_query, keep, allow_source_project)
    check_seconds("check_timeout", check_timeout)
    check_seconds("timeout", timeout)
    segment("the scratch project id", scratch_project_id)
    if scratch_project_id == project_id and not allow_source_project:
        raise ConfigurationError(
            f"{project_id} is the project of the addon itself: use another scratch project, or allow it with"
            " allow_source_project=True (--allow-source-project)"
        )
    plan = await make_plan(account, (project_id, addon_id), scratch_project_id, backup_id)
    if check_query is not None:
        check_query_possible(plan.addon_type)
    now = datetime.now(UTC)
    mark = Mark(started_at=now, timeout=None if keep else timeout)
    backup = plan.backup
    drill = Drill(
        id=mark.id,
        team_id=account.team_id,
        project_id=project_id,
        addon_id=addon_id,
        addon_type=plan.addon_type,
        backup_id=backup.id if backup else backup_id,
        backup_created_at=backup.created_at if backup else None,
        backup_age=(now - backup.created_at).total_seconds() if backup else None,
        method=plan.method,
        scratch_project_id=scratch_project_id,
        started_at=now,
        notes=plan.notes,
    )
    run = _Run(account, plan, mark, drill, inventory, keep=keep, timeout=timeout)
    run.check, run.check_query, run.check_timeout = check, check_query, check_timeout
    return await run.run()


def _check_arguments(check: str | None, check_query: str | None, keep: bool, allow_source_project: bool) -> None:
    for name, value in (("check", check), ("check_query", check_query)):
        if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
            raise ConfigurationError(f"{name} must be text that is not blank")
    check_boolean("keep", keep)
    check_boolean("allow_source_project", allow_source_project)


def _not_ours(addon: Addon) -> NorthflankError:
    error = DecodeError(f"the response names another addon, {addon.id}")
    error.changed = True
    return error


class _Run:
    """A running drill.

    Args:
        account: the client or team.
        plan: what to do.
        mark: of the scratch addon.
        drill: what is known so far.
        inventory: where the result is stored.
        keep: leave the scratch addon.
        timeout: seconds for the restore and the checks.
    """

    check: str | None = None
    check_query: str | None = None
    check_timeout = CHECK_TIMEOUT

    def __init__(
        self,
        account: AccountResource,
        plan: Plan,
        mark: Mark,
        drill: Drill,
        inventory: "Inventory | None",
        *,
        keep: bool,
        timeout: float,
    ) -> None:
        self._account = account
        self._budget = account.budget
        self._project = account.project(drill.scratch_project_id)
        self._plan = plan
        self._mark = mark
        self._drill = drill
        self._inventory = inventory
        self._keep = keep
        self._timeout = timeout
        self._began = self._budget.time()
        self._step = "starting"
        self._may_exist = False
        self._is_cancelled = False
        self._is_new = True
        self._logs = ""

    async def run(self) -> Drill:
        await self._record()
        try:
            await self._restore_and_check()
        except asyncio.CancelledError:
            self._is_cancelled = True
            self._end(DrillOutcome.INTERRUPTED, f"interrupted while {self._step}")
            raise
        except BaseException as error:
            self._end(DrillOutcome.UNKNOWN, f"{type(error).__name__} while {self._step}")
            raise
        finally:
            await complete(self._finish)
        return evolve(self._drill, account_id=self._drill.account_id or None)

    # What may fail

    async def _restore_and_check(self) -> None:
        if self._plan.obstacle is not None:
            return self._end(*self._plan.obstacle)
        try:
            async with self._budget.timeout(self._timeout) as limit:
                await self._restore()
                await self._check()
        except DeadlineExceeded as error:
            self._end(DrillOutcome.UNKNOWN, f"{self._step}: {error}", error)
        except TimeoutError:
            if not limit.expired():
                raise
            self._end(DrillOutcome.TIMED_OUT, f"not done within {self._timeout:g} s, while {self._step}")
        except RunFailed as error:
            is_deleted = isinstance(error.record, Addon) and error.record.status in (
                AddonStatus.DELETING,
                AddonStatus.DELETED,
            )
            self._end(DrillOutcome.UNKNOWN if is_deleted else DrillOutcome.FAILED, f"{self._step}: {error}")
        except NorthflankError as error:
            reason = f"{self._step}: {error}"
            if isinstance(error, NotFound) and self._drill.scratch_addon_id is not None:
                reason = f"the scratch addon, or what it is made of, disappeared while {reason}"
            self._end(DrillOutcome.UNKNOWN, reason, error)

    async def _restore(self) -> None:
        began = self._budget.time()
        is_import = self._plan.method == IMPORT
        self._enter("creating the scratch addon")
        addon = await self._create()
        try:
            self._enter("waiting for the blank addon" if is_import else "restoring the snapshot")
            await addon.wait()
            self._is_new = False
            if is_import:
                await self._import(addon)
        except RunFailed as error:
            self._is_new = False
            message = f"{self._step}: {error}"
            self._note(Check(name="restore", status=CheckStatus.FAILED, message=message, output=self._logs or None))
            raise
        seconds = self._budget.time() - began
        self._drill = evolve(self._drill, restore_seconds=seconds)
        self._note(Check(name="restore", status=CheckStatus.PASSED, message="the addon is running", seconds=seconds))

    async def _create(self) -> AddonResource:
        spent = self._budget.spent
        self._may_exist = True
        try:
            created = await self._project.create_addon(
                name=self._mark.name, description=self._mark.description, **self._plan.settings
            )
            if created.name != self._mark.name:  # what is restored and deleted must be the drill's own
                raise _not_ours(created)
        except NorthflankError as error:
            if error.changed is False:
                self._may_exist = False
                raise
            found = await find_scratch(self._project, self._mark, self._budget)
            if found is None:
                self._may_exist = False
                raise
            created = found
        except asyncio.CancelledError:
            self._may_exist = self._budget.spent != spent
            raise
        self._drill = evolve(self._drill, scratch_addon_id=created.id)
        return self._project.addon(created.id)

    async def _import(self, addon: AddonResource) -> None:
        assert self._plan.backup is not None
        source = self._account.project(self._drill.project_id).addon(self._drill.addon_id)
        self._enter("getting the download link")
        link = await source.backup(self._plan.backup.id).download_link()
        self._enter("importing the dump")
        backup = addon.backup(await self._start_import(addon, link))
        await self._logging(backup.wait(), lambda: backup.logs(line_limit=_LOG_LINES), link)
        self._enter("restoring the dump")
        restore_id = await self._start_restore(backup)
        await self._logging(
            backup.wait_restore(restore_id), lambda: backup.restore_logs(restore_id, line_limit=_LOG_LINES), link
        )
        await addon.wait()

    async def _start_import(self, addon: AddonResource, link: str) -> str:
        try:
            started = await addon.import_backup(url=link)
        except NorthflankError as error:
            if error.changed is False or (found := await self._appearing(lambda: addon.backups())) is None:
                raise
            return found.id
        if started is None:
            started = await self._appearing(lambda: addon.backups())
        if started is None:
            raise NotFound("the import is not listed", status=404)
        return started.id

    async def _start_restore(self, backup: BackupResource) -> str:
        try:
            return await backup.restore()
        except NorthflankError as error:
            if error.changed is False or (found := await self._appearing(lambda: backup.restores())) is None:
                raise
            return found.id

    async def _appearing(self, listing: Callable[[], AsyncIterable[T]]) -> T | None:
        """Find the only item of a listing, which may take half a minute to appear."""
        for pause in _APPEARANCE_PAUSES:
            await self._budget.sleep(pause)
            async for item in listing():
                return item
        return None

    async def _logging(
        self, ending: Awaitable[object], logs: Callable[[], Awaitable[list[LogLine]]], link: str
    ) -> None:
        """Wait for the end of a run; if it failed, keep the end of its logs, before they are deleted with the addon."""
        try:
            await ending
        except RunFailed:
            with suppress(NorthflankError):  # the failure is reported without them
                redactor = Redactor([Secret(link)])
                self._logs = "\n".join(redactor.redact(f"{line.log}") for line in await logs())[-_SHOWN_LOGS:]
            raise

    async def _check(self) -> None:
        assert self._drill.scratch_addon_id is not None
        addon = self._project.addon(self._drill.scratch_addon_id)
        self._enter("waiting for the containers")
        self._note(await check_containers(self._account, addon))
        error: NorthflankError | None = None
        if self.check is not None or self.check_query is not None:
            error = await self._check_data(addon)
        self._judge(error)

    async def _check_data(self, addon: AddonResource) -> NorthflankError | None:
        self._enter("getting the credentials")
        try:
            connection = Connection.of(await addon.credentials())
        except DeadlineExceeded:
            raise
        except NorthflankError as error:
            for name, wanted in (("command", self.check), ("query", self.check_query)):
                if wanted is not None:
                    message = f"there are no credentials: {error}"
                    self._note(Check(name=name, status=CheckStatus.UNKNOWN, message=message))
            return error
        if self.check is not None:
            self._enter("running the command")
            variables = {
                "DRILL_SOURCE_PROJECT_ID": self._drill.project_id,
                "DRILL_SOURCE_ADDON_ID": self._drill.addon_id,
                "DRILL_BACKUP_ID": self._drill.backup_id or "",
                "DRILL_SCRATCH_PROJECT_ID": self._drill.scratch_project_id,
                "DRILL_SCRATCH_ADDON_ID": self._drill.scratch_addon_id or "",
            }
            self._note(await check_command(self.check, connection, variables, timeout=self.check_timeout))
        if self.check_query is not None:
            self._enter("running the query")
            self._note(await run_query(self.check_query, connection, timeout=self.check_timeout))
        return None

    def _judge(self, error: NorthflankError | None) -> None:
        """A single check that failed, or that could not be made, is enough."""
        for status, outcome in (
            (CheckStatus.FAILED, DrillOutcome.FAILED),
            (CheckStatus.UNKNOWN, DrillOutcome.UNKNOWN),
        ):
            for check in self._drill.checks:
                if check.status == status:
                    return self._end(outcome, f"{check.name}: {check.message}", error)
        return self._end(DrillOutcome.PASSED, "the backup was restored, and every check passed")

    # What does not fail

    async def _finish(self) -> None:
        """Remove the scratch addon, and store the result. This can start again wherever it was cancelled."""
        is_kept = self._keep and not self._is_cancelled and self._drill.scratch_addon_id is not None
        if is_kept:
            self._drill = evolve(self._drill, is_kept=True)
        elif self._may_exist:
            left_behind = await self._remove()
            self._may_exist = False
            self._drill = evolve(self._drill, left_behind=left_behind)
        if self._drill.ended_at is None:
            seconds = self._budget.time() - self._began
            self._drill = evolve(self._drill, ended_at=datetime.now(UTC), seconds=seconds)
        unrecorded = await self._record_result()
        self._drill = evolve(self._drill, unrecorded=unrecorded)

    async def _remove(self) -> str | None:
        """Remove the scratch addon. Returns why it could not be removed."""
        name = self._drill.scratch_addon_id or self._mark.name
        _log.info("restore drill: removing the addon %s", name)
        try:
            if self._drill.scratch_addon_id is None:
                found = await find_scratch(self._project, self._mark, self._budget)
                if found is None:
                    return None
                self._drill = evolve(self._drill, scratch_addon_id=found.id)
            assert self._drill.scratch_addon_id is not None
            addon = self._project.addon(self._drill.scratch_addon_id)
            await remove_scratch(addon, self._mark, self._budget, is_new=self._is_new)
        except NorthflankError as error:
            left_behind = f"the addon {name} could not be removed: {error}"
            _log.warning("restore drill: %s", left_behind)
            return left_behind
        _log.info("restore drill: the addon %s was removed", name)
        return None

    async def _record_result(self) -> str | None:
        """Store the result, also if another process writes for a while. Returns why it could not be stored."""
        for pause in (*_BUSY_PAUSES, None):
            try:
                await self._record()
                return None
            except (OSError, NorthflankError) as error:
                if pause is None or not isinstance(error, BlockingIOError):
                    return f"{error}"
            await self._budget.sleep(pause)
        return None

    async def _record(self) -> None:
        if self._inventory is not None:
            self._drill = await self._inventory.record_drill(self._account, self._drill)

    def _enter(self, step: str) -> None:
        self._step = step
        _log.info("restore drill: %s", step)

    def _note(self, check: Check) -> None:
        self._drill = evolve(self._drill, checks=(*self._drill.checks, check))

    def _end(self, outcome: DrillOutcome, reason: str, error: NorthflankError | None = None) -> None:
        self._drill = evolve(self._drill, outcome=outcome, reason=reason, error=error)
