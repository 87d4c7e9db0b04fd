"""The backup schedules of every addon and every volume."""

from typing import Protocol

import attrs

from northflank_async.simulator.changes import ChangedListing, ListingChanges
from northflank_async.simulator.inventory import DAY, HOUR, MINUTE, Json, Key, Listing, iso, random_bytes, without
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.runs import SimulatedTime

THURSDAY = 3  # the day of EPOCH, as Monday is 0
MOST = 3  # for each addon or volume


class Owner(Protocol):
    """An addon or a volume, with the times of its computed backups."""

    @property
    def seed(self) -> int: ...

    @property
    def key(self) -> Key: ...

    @property
    def backup_count(self) -> int: ...

    @property
    def created(self) -> int: ...

    @property
    def newest(self) -> int: ...

    @property
    def period(self) -> int: ...


@attrs.frozen(kw_only=True)
class Schedules:
    """All schedules: the computed one of each owner, which made its backups, and those created since the start."""

    seed: int
    time: SimulatedTime
    _changes: dict[Key, ListingChanges[Json]] = attrs.field(factory=dict)

    def listing(self, owner: Owner) -> ChangedListing[Json]:
        """All schedules of the addon or volume, newest first."""
        return self._of(owner).apply(self._computed(owner), lambda schedule: schedule)

    def create(self, owner: Owner, settings: Json) -> Json:
        """Create a schedule from the request's body.

        Raises:
            Rejection: The owner has a schedule with this interval and type, or the most that are allowed.
        """
        interval, backup_type = settings["scheduling"]["interval"], settings["backupType"]
        listing = self.listing(owner)
        for other in listing.slice(0, listing.length):
            if (other["scheduling"]["interval"], other["backupType"]) == (interval, backup_type):
                raise Rejection(409, f"There is already a {interval} schedule of type {backup_type}: {other['id']}.")
        if listing.length >= MOST:
            raise Rejection(409, f"There are already {MOST} backup schedules, which is the maximum.")
        changes = self._changes.setdefault(owner.key, ListingChanges())
        key = random_bytes(self.seed, "created schedule", *owner.key, len(changes.entries))
        now = iso(self.time.now())
        compression = {"backupCompressionType": settings.get("compressionType", "gz")} if backup_type == "dump" else {}
        stored = without(settings, "compressionType")
        schedule = {"id": key[:12].hex(), **stored, **compression, "createdAt": now, "updatedAt": now}
        changes.add(schedule)
        return schedule

    def delete(self, owner: Owner, schedule_id: str) -> bool:
        """Delete the schedule with this id; False if there is none."""
        if self._of(owner).remove_added(lambda schedule: schedule["id"] == schedule_id):
            return True
        computed = self._computed(owner)
        if computed.length and computed.item(0)["id"] == schedule_id and self._of(owner).has_computed(0):
            self._changes.setdefault(owner.key, ListingChanges()).remove_computed([0])
            return True
        return False

    def _of(self, owner: Owner) -> ListingChanges[Json]:
        return self._changes.get(owner.key) or ListingChanges()

    def _computed(self, owner: Owner) -> Listing:
        return Listing(1 if owner.backup_count else 0, lambda _: _schedule(owner))


def _schedule(owner: Owner) -> Json:
    """The schedule that made the computed backups."""
    days, rest = divmod(owner.newest, DAY)
    hour, minute = rest // HOUR, rest % HOUR // MINUTE
    scheduling: Json = {"interval": "hourly", "minute": [minute]}
    if owner.period > HOUR:
        step = min(owner.period, DAY) // HOUR
        scheduling = {"interval": "daily", "minute": [minute], "hour": list(range(hour % step, 24, step))}
    if owner.period > DAY:
        scheduling |= {"interval": "weekly", "hour": [hour], "day": [(days + THURSDAY) % 7]}
    retention = {"hourly": 7, "daily": 30, "weekly": 90}[scheduling["interval"]]
    return {
        "id": random_bytes(owner.seed, "schedule", *owner.key)[:12].hex(),
        "backupType": "snapshot",
        "scheduling": scheduling,
        "retentionTime": retention,
        "createdAt": iso(owner.created),
        "updatedAt": iso(owner.created),
    }
