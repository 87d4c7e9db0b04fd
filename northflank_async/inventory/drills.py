"""Drills: restores that were tried, and what came of them. An inventory keeps them as evidence."""

from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from northflank_async.errors import NorthflankError


class DrillOutcome(StrEnum):
    """How a drill ended. Only `PASSED` proves that the backup can be restored."""

    RUNNING = "running"
    """It has not ended, or its process was killed."""
    PASSED = "passed"
    """The backup was restored, and every check passed."""
    FAILED = "failed"
    """The backup could not be restored, or a check failed."""
    TIMED_OUT = "timed-out"
    """The restore and the checks took longer than the timeout."""
    UNKNOWN = "unknown"
    """Something else failed, or a fact is not known, so that the drill proves nothing."""
    INTERRUPTED = "interrupted"
    """It was cancelled."""


class CheckStatus(StrEnum):
    """The result of a check; `UNKNOWN` if it could not be made."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Check:
    """One check of a restored addon. `output` is the end of what a command wrote, without secrets."""

    name: str
    status: CheckStatus | str
    message: str
    seconds: float | None = None
    output: str | None = None


@frozen(kw_only=True)
class Drill:
    """A drill: what was restored, how it ended, and how long it took.

    Args:
        id: 16 hexadecimal digits, which the name of the scratch addon ends with.
        account_id: the account, if an inventory keeps the drill.
        project_id, addon_id, backup_id: what was restored; `backup_id` is `None` if there was no completed backup.
        addon_type: such as `"postgresql"`.
        method: `"fork"` of a snapshot or `"import"` of a dump.
        scratch_project_id, scratch_addon_id: where it was restored; no `scratch_addon_id` if no addon was created.
        outcome: how it ended.
        reason: the outcome in a sentence.
        started_at, ended_at: when.
        seconds: how long it took in all, with the removal of the scratch addon.
        restore_seconds: from the request for the scratch addon until the data was there (RTO).
        backup_age: seconds from the creation of the backup to the start of the drill (RPO).
        checks: in the order in which they were made.
        notes: what is not known, and what was assumed instead.
        is_kept: the scratch addon was left on request.
        left_behind: why the scratch addon could not be removed, if it could not.
        unrecorded: why the inventory does not have the result, if it does not.
        error: the failed request behind an `UNKNOWN` outcome; not stored.
    """

    id: str
    account_id: str | None = None
    team_id: str | None = None
    project_id: str
    addon_id: str
    addon_type: str | None = None
    backup_id: str | None = None
    backup_created_at: datetime | None = None
    method: str | None = None
    scratch_project_id: str
    scratch_addon_id: str | None = None
    outcome: DrillOutcome | str = DrillOutcome.RUNNING
    reason: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float | None = None
    restore_seconds: float | None = None
    backup_age: float | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    is_kept: bool = False
    left_behind: str | None = None
    unrecorded: str | None = None
    error: NorthflankError | None = field(default=None, repr=False, eq=False)
