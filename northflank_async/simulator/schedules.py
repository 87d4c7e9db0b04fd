"""The backup schedules of every addon as they are now."""

import attrs

from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.inventory import DAY, HOUR, MINUTE, Addon, Json, Listing, dice_of, iso, without
from northflank_async.simulator.overlay import Overlaid, Overlay
from northflank_async.simulator.runs import SimulatedTime

THURSDAY = 3  # the day of EPOCH, as Monday is 0


@attrs.frozen(kw_only=True)
class Schedules:
    """All schedules: the one by which the computed backups of an addon were made, and what was created since."""

    seed: int
    time: SimulatedTime
    _changes: dict[int, Overlay[Json]] = attrs.field(factory=dict)

    def listing(self, addon: Addon) -> Overlaid[Json]:
        """All schedules of the addon, newest first."""
        return self._of(addon).over(self._computed(addon), lambda schedule: schedule)

    def create(self, addon: Addon, settings: Json) -> Json:
        """Create the schedule of the request's body.

        Raises:
            Refusal: the addon has one of that interval and type.
        """
        interval, backup_type = settings["scheduling"]["interval"], settings["backupType"]
        everything = self.listing(addon)
        for other in everything.slice(0, everything.length):
            if (other["scheduling"]["interval"], other["backupType"]) == (interval, backup_type):
                raise Refusal(409, f"There is a schedule for {interval} backups of type {backup_type}: {other['id']}.")
        overlay = self._changes.setdefault(addon.number, Overlay())
        key = dice_of(self.seed, "created schedule", addon.number, len(overlay.entries))
        now = iso(self.time.now())
        compression = {"backupCompressionType": settings.get("compressionType", "gz")} if backup_type == "dump" else {}
        kept = without(settings, "compressionType")
        schedule = {"id": key[:12].hex(), **kept, **compression, "createdAt": now, "updatedAt": now}
        overlay.add(schedule)
        return schedule

    def delete(self, addon: Addon, schedule_id: str) -> bool:
        """Delete the schedule of that id; False where there is none."""
        if self._of(addon).discard(lambda schedule: schedule["id"] == schedule_id):
            return True
        computed = self._computed(addon)
        if computed.length and computed.item(0)["id"] == schedule_id and self._of(addon).has(0):
            self._changes.setdefault(addon.number, Overlay()).remove([0])
            return True
        return False

    def _of(self, addon: Addon) -> Overlay[Json]:
        return self._changes.get(addon.number) or Overlay()

    def _computed(self, addon: Addon) -> Listing:
        return Listing(1 if addon.backup_count else 0, lambda _: _schedule(addon))


def _schedule(addon: Addon) -> Json:
    """The schedule by which the computed backups were made."""
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
        "id": dice_of(addon.seed, "schedule", addon.number)[:12].hex(),
        "backupType": "snapshot",
        "scheduling": scheduling,
        "retentionTime": retention,
        "createdAt": iso(addon.created),
        "updatedAt": iso(addon.created),
    }
