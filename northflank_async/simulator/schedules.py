"""The backup schedules of every addon."""

import attrs

from northflank_async.simulator.changes import ChangedListing, ListingChanges
from northflank_async.simulator.inventory import DAY, HOUR, MINUTE, Addon, Json, Listing, iso, random_bytes, without
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.runs import SimulatedTime

THURSDAY = 3  # the day of EPOCH, as Monday is 0


@attrs.frozen(kw_only=True)
class Schedules:
    """All schedules: the computed one of each addon, which made its backups, and those created since the start."""

    seed: int
    time: SimulatedTime
    _changes: dict[int, ListingChanges[Json]] = attrs.field(factory=dict)

    def listing(self, addon: Addon) -> ChangedListing[Json]:
        """All schedules of the addon, newest first."""
        return self._of(addon).apply(self._computed(addon), lambda schedule: schedule)

    def create(self, addon: Addon, settings: Json) -> Json:
        """Create a schedule from the request's body.

        Raises:
            Rejection: The addon has a schedule with this interval and type.
        """
        interval, backup_type = settings["scheduling"]["interval"], settings["backupType"]
        listing = self.listing(addon)
        for other in listing.slice(0, listing.length):
            if (other["scheduling"]["interval"], other["backupType"]) == (interval, backup_type):
                raise Rejection(409, f"There is already a {interval} schedule of type {backup_type}: {other['id']}.")
        changes = self._changes.setdefault(addon.number, ListingChanges())
        key = random_bytes(self.seed, "created schedule", addon.number, len(changes.entries))
        now = iso(self.time.now())
        compression = {"backupCompressionType": settings.get("compressionType", "gz")} if backup_type == "dump" else {}
        stored = without(settings, "compressionType")
        schedule = {"id": key[:12].hex(), **stored, **compression, "createdAt": now, "updatedAt": now}
        changes.add(schedule)
        return schedule

    def delete(self, addon: Addon, schedule_id: str) -> bool:
        """Delete the schedule with this id; False if there is none."""
        if self._of(addon).remove_added(lambda schedule: schedule["id"] == schedule_id):
            return True
        computed = self._computed(addon)
        if computed.length and computed.item(0)["id"] == schedule_id and self._of(addon).has_computed(0):
            self._changes.setdefault(addon.number, ListingChanges()).remove_computed([0])
            return True
        return False

    def _of(self, addon: Addon) -> ListingChanges[Json]:
        return self._changes.get(addon.number) or ListingChanges()

    def _computed(self, addon: Addon) -> Listing:
        return Listing(1 if addon.backup_count else 0, lambda _: _schedule(addon))


def _schedule(addon: Addon) -> Json:
    """The schedule that made the computed backups."""
    days, rest = divmod(addon.newest, DAY)
    hour, minute = rest // HOUR, rest % HOUR // MINUTE
    scheduling: Json = {"interval": "hourly", "minute": [minute]}
    if addon.period > HOUR:
        step = min(addon.period, DAY) // HOUR
        scheduling = {"interval": "daily", "minute": [minute], "hour": list(range(hour % step, 24, step))}
    if addon.period > DAY:
        scheduling |= {"interval": "weekly", "hour": [hour], "day": [(days + THURSDAY) % 7]}
    retention = {"hourly": 7, "daily": 30, "weekly": 90}[scheduling["interval"]]
    return {
        "id": random_bytes(addon.seed, "schedule", addon.number)[:12].hex(),
        "backupType": "snapshot",
        "scheduling": scheduling,
        "retentionTime": retention,
        "createdAt": iso(addon.created),
        "updatedAt": iso(addon.created),
    }
