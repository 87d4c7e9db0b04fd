"""What an inventory knows of each addon, and how far: for those who judge it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from attrs import field, frozen

from northflank_async.records import BackupSchedule

T_co = TypeVar("T_co", covariant=True)


class BackupFact(NamedTuple):
    """A stored backup. What was not sent, or cannot be read or believed, is `None`; `size` is in bytes."""

    id: str
    status: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    source_type: str | None = None
    size: int | None = None
    compression_type: str | None = None
    custom_destination_id: str | None = None
    has_additional_destinations: bool = False


class RestoreFact(NamedTuple):
    """A stored restore. What was not sent, or cannot be read or believed, is `None`."""

    id: str
    backup_id: str | None = None
    status: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


class CopyFact(NamedTuple):
    """The newest copy of an addon's dumps at a destination outside the platform, as a mirror recorded it.

    `created_at` is the dump's. `source_type` is `None` if the inventory does not know it: copies of another type are
    another fact.
    """

    created_at: datetime
    source_type: str | None
    destination: str


@frozen(kw_only=True)
class Known(Generic[T_co]):
    """The stored items of a listing.

    Args:
        items: those that are not deleted.
        read_at: when the last reading that reached the end of the listing began; `None` if there was none.
        gap: why items, or fields of them, may be missing; `None` if nothing is.
    """

    items: Sequence[T_co] = field(default=(), repr=False)
    read_at: datetime | None = None
    gap: str | None = None


@frozen(kw_only=True)
class AddonFacts:
    """What an inventory knows of one addon.

    Args:
        status: the addon's status, or `None`.
        is_deleted: whether it was deleted from the project.
        unreadable: why the addon, or its backups, could not be read; `None` if they were.
        drilled_at: when the last drill of it that passed ended; `None` if there is none.
        copies: the newest recorded ones of its dumps, by destination and type.
        backups, restores, schedules: what it has.
    """

    account_id: str | None = None
    team_id: str | None = None
    project_id: str
    addon_id: str
    addon_type: str | None = None
    tags: tuple[str, ...] = ()
    status: str | None = None
    is_deleted: bool = False
    unreadable: str | None = None
    drilled_at: datetime | None = None
    copies: tuple[CopyFact, ...] = ()
    backups: Known[BackupFact] = Known()
    restores: Known[RestoreFact] = Known(gap="its restores were never read")
    schedules: Known[BackupSchedule] = Known(gap="its schedules were never read")


@frozen(kw_only=True)
class UnreadPlace:
    """A listing of projects or addons, or an item of one, that the last sync could not read."""

    account_id: str | None = None
    team_id: str | None = None
    project_id: str | None = None
    addon_id: str | None = None
    error: str


@frozen(kw_only=True)
class AccountFacts:
    """What an inventory knows of one account.

    Args:
        synced_at: when the last sync run that finished began; `None` if there was none.
        is_finished: whether the last sync run finished.
        failures: what it could not read, in all.
        unread: what it could not read that is not part of a known addon.
    """

    account_id: str | None = None
    synced_at: datetime | None = None
    is_finished: bool = False
    failures: int = 0
    unread: tuple[UnreadPlace, ...] = ()
