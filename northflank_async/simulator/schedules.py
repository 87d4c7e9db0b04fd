"""The backup schedules of every addon and every volume."""

from typing import Protocol

import attrs

from northflank_async.simulator.changes import ChangedListing, ListingChanges
from northflank_async.simulator.inventory import Json, Key, Listing, iso, random_bytes, without
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.runs import SimulatedTime
from northflank_async.simulator.schemas import MOST_SCHEDULES


class Scheduled(Protocol):
    """An addon or a volume, with its computed schedules."""

    @property
    def seed(self) -> int: ...

    @property
    def key(self) -> Key: ...

    @property
    def schedules(self) -> list[Json]: ...


@attrs.frozen(kw_only=True)
class Schedules:
    """All schedules: the computed ones of each owner, which made its backups, and those created since the start."""

    seed: int
    time: SimulatedTime
    _changes: dict[Key, ListingChanges[Json]] = attrs.field(factory=dict)

    def listing(self, owner: Scheduled) -> ChangedListing[Json]:
        """All schedules of the addon or volume, newest first."""
        return self._of(owner).apply(self._computed(owner), lambda schedule: schedule)

    def create(self, owner: Scheduled, settings: Json) -> Json:
        """Create a schedule from the request's body.

        Raises:
            Rejection: The owner has a schedule with this interval and type, or the most that are allowed.
        """
        interval, backup_type = settings["scheduling"]["interval"], settings["backupType"]
        listing = self.listing(owner)
        for other in listing.slice(0, listing.length):
            if (other["scheduling"]["interval"], other["backupType"]) == (interval, backup_type):
                raise Rejection(409, f"There is already a {interval} schedule of type {backup_type}: {other['id']}.")
        if listing.length >= MOST_SCHEDULES:
            raise Rejection(409, f"There are already {MOST_SCHEDULES} backup schedules, which is the maximum.")
        changes = self._changes.setdefault(owner.key, ListingChanges())
        key = random_bytes(self.seed, "created schedule", *owner.key, len(changes.entries))
        now = iso(self.time.now())
        compression = {"backupCompressionType": settings.get("compressionType", "gz")} if backup_type == "dump" else {}
        stored = without(settings, "compressionType")
        schedule = {"id": key[:12].hex(), **stored, **compression, "createdAt": now, "updatedAt": now}
        changes.add(schedule)
        return schedule

    def delete(self, owner: Scheduled, schedule_id: str) -> bool:
        """Delete the schedule with this id; False if there is none."""
        if self._of(owner).remove_added(lambda schedule: schedule["id"] == schedule_id):
            return True
        computed = self._computed(owner)
        for index in range(computed.length):
            if computed.item(index)["id"] == schedule_id and self._of(owner).has_computed(index):
                self._changes.setdefault(owner.key, ListingChanges()).remove_computed([index])
                return True
        return False

    def _of(self, owner: Scheduled) -> ListingChanges[Json]:
        return self._changes.get(owner.key) or ListingChanges()

    def _computed(self, owner: Scheduled) -> Listing:
        schedules = owner.schedules
        return Listing(len(schedules), schedules.__getitem__)
